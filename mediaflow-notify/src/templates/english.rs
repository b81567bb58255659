//! The English words.

use super::shipped::Shipped;

const FAILED: &[(&str, &str)] = &[
    ("Job", "{{ data.job }}"),
    ("Owner", "{{ data.owner }}"),
    ("Error", "{{ data.report.failure.code }}"),
    (
        "Where",
        "{% for fact in data.report.failure.facts %}{{ fact[0] }} = {{ fact[1] }}{% if not loop.last %}, {% endif %}{% endfor %}",
    ),
    ("Attempts", "{{ data.report.attempts }}"),
    ("What to do", "{{ data.report.failure.help }}"),
];

pub(super) const ALL: &[Shipped] = &[
    ("job.created", "{{ name }} was received", "", &[("Job", "{{ data.job }}")]),
    ("job.started", "{{ name }} is being processed", "", &[("Job", "{{ data.job }}")]),
    (
        "job.retrying",
        "{{ name }}: attempt {{ data.attempt }} failed, we try again",
        "{{ data.failure.message }}",
        &[
            ("Job", "{{ data.job }}"),
            ("Error", "{{ data.failure.code }}"),
            ("What to do", "{{ data.failure.help }}"),
        ],
    ),
    (
        "job.waiting",
        "{{ name }} is being processed elsewhere",
        "We go on as soon as the result is there.",
        &[("Job", "{{ data.job }}")],
    ),
    (
        "job.progress",
        "{{ name }}: {{ (data.progress * 100) | round | int }} %",
        "",
        &[("Job", "{{ data.job }}")],
    ),
    (
        "step.completed",
        "{{ name }}: {{ data.steps | join(', ') }} done",
        "",
        &[("Job", "{{ data.job }}")],
    ),
    (
        "step.failed",
        "{{ name }}: {{ data.steps | join(', ') }} failed",
        "{{ data.failure.message }}",
        &[
            ("Job", "{{ data.job }}"),
            ("Error", "{{ data.failure.code }}"),
            ("What to do", "{{ data.failure.help }}"),
        ],
    ),
    (
        "output.ready",
        "{{ name }} is ready",
        "",
        &[
            ("File", "{{ data.output.output }}"),
            (
                "Size",
                "{% if data.output.width %}{{ data.output.width }} x {{ data.output.height }}, {% endif %}{{ data.output.bytes | size }}",
            ),
        ],
    ),
    (
        "job.completed",
        "{{ name }} is ready{% if data.report.state == 'partial' %}, with something missing{% endif %}",
        "{% if data.report.state == 'partial' %}{% for output in data.report.outputs if output.failure %}{{ output.output }}: {{ output.failure.message }}\n\n{% endfor %}{% endif %}{% for warning in data.report.warnings %}{{ warning }}\n\n{% endfor %}",
        &[(
            "Files",
            "{% for output in data.report.outputs if output.state == 'published' %}{{ output.output }} ({% if output.width %}{{ output.width }} x {{ output.height }}, {% endif %}{{ output.bytes | size }}){% if not loop.last %}, {% endif %}{% endfor %}",
        )],
    ),
    (
        "job.failed",
        "{{ name }} could not be processed",
        "{{ data.report.failure.message }}",
        FAILED,
    ),
    (
        "job.failed.owner",
        "{{ name }} could not be processed",
        "{% if data.report.failure.kind == 'input' %}There is something wrong with the file: {{ data.report.failure.message }}.\n\nPlease check that it opens on your own device, and upload it again.{% else %}Something went wrong on our side. The people who look after it have been told, and your file is still there.{% endif %}",
        &[],
    ),
    ("job.cancelled", "{{ name }} was cancelled", "", &[("Job", "{{ data.job }}")]),
    (
        "batch.completed",
        "A batch of {{ data.report.jobs_total }} is {% if data.report.state == 'succeeded' %}ready{% elif data.report.state == 'partial' %}ready, with something missing{% else %}over, and none of it could be processed{% endif %}",
        "",
        &[
            ("Batch", "{{ data.batch }}"),
            ("Ready", "{{ data.report.counts.succeeded }}"),
            ("Ready in part", "{{ data.report.counts.partial }}"),
            ("Failed", "{{ data.report.counts.failed }}"),
            ("Cancelled", "{{ data.report.counts.cancelled }}"),
        ],
    ),
    (
        "delivery.failed",
        "{% if data.delivery.channel %}Notifications through {{ data.delivery.channel }} do not arrive{% else %}It was not found out who is to be told{% endif %}",
        "{{ data.delivery.reason }}",
        &[
            ("Destination", "{{ data.delivery.destination }}"),
            ("Attempts", "{{ data.delivery.attempts }}"),
            ("Given up", "{{ data.delivery.dead }}"),
            ("Waiting", "{{ data.delivery.waiting }}"),
        ],
    ),
    (
        "destination.disabled",
        "Nothing is sent through {{ data.disabled.channel }} any more",
        "For days nothing has arrived there: {{ data.disabled.reason }}",
        &[
            ("Destination", "{{ data.disabled.destination }}"),
            ("Since", "{{ data.disabled.since }}"),
            ("Given up", "{{ data.disabled.dead }}"),
        ],
    ),
    (
        "schedule.missed",
        "{{ data.missed.schedule }} was missed {% if data.missed.times == 1 %}once{% else %}{{ data.missed.times }} times{% endif %}",
        "Nobody was there to run it. The latest time is run now.",
        &[("Since", "{{ data.missed.since }}")],
    ),
    (
        "jobs.unclaimed",
        "{% if data.unclaimed.jobs == 1 %}One job waits{% else %}{{ data.unclaimed.jobs }} jobs wait{% endif %} for a worker that is not there",
        "",
        &[("Needed", "{{ data.unclaimed.needs }}")],
    ),
    ("event", "{{ type }}: {{ name }}", "", &[("Job", "{{ data.job }}")]),
    ("digest", "{{ count }} notifications", "", &[]),
    ("more", "and {{ count }} more", "", &[]),
    ("link", "Show details", "", &[]),
];
