//! The German words.

use super::shipped::Shipped;

const FAILED: &[(&str, &str)] = &[
    ("Auftrag", "{{ data.job }}"),
    ("Inhaber", "{{ data.owner }}"),
    ("Fehler", "{{ data.report.failure.code }}"),
    (
        "Wo",
        "{% for fact in data.report.failure.facts %}{{ fact[0] }} = {{ fact[1] }}{% if not loop.last %}, {% endif %}{% endfor %}",
    ),
    ("Versuche", "{{ data.report.attempts }}"),
    ("Was zu tun ist", "{{ data.report.failure.help }}"),
];

pub(super) const ALL: &[Shipped] = &[
    ("job.created", "{{ name }} ist angekommen", "", &[("Auftrag", "{{ data.job }}")]),
    ("job.started", "{{ name }} wird verarbeitet", "", &[("Auftrag", "{{ data.job }}")]),
    (
        "job.retrying",
        "{{ name }}: Versuch {{ data.attempt }} fehlgeschlagen, wir versuchen es noch einmal",
        "{% set said = data.failure.code | in_german %}{% if said %}{{ said }}.{% endif %}",
        &[
            ("Auftrag", "{{ data.job }}"),
            ("Fehler", "{{ data.failure.code }}"),
            ("Was zu tun ist", "{{ data.failure.help }}"),
        ],
    ),
    (
        "job.waiting",
        "{{ name }} wird anderswo verarbeitet",
        "Es geht weiter, sobald das Ergebnis da ist.",
        &[("Auftrag", "{{ data.job }}")],
    ),
    (
        "job.progress",
        "{{ name }}: {{ (data.progress * 100) | round | int }} %",
        "",
        &[("Auftrag", "{{ data.job }}")],
    ),
    (
        "step.completed",
        "{{ name }}: {{ data.steps | join(', ') }} fertig",
        "",
        &[("Auftrag", "{{ data.job }}")],
    ),
    (
        "step.failed",
        "{{ name }}: {{ data.steps | join(', ') }} fehlgeschlagen",
        "{% set said = data.failure.code | in_german %}{% if said %}{{ said }}.{% endif %}",
        &[
            ("Auftrag", "{{ data.job }}"),
            ("Fehler", "{{ data.failure.code }}"),
            ("Was zu tun ist", "{{ data.failure.help }}"),
        ],
    ),
    (
        "output.ready",
        "{{ name }} ist fertig",
        "",
        &[
            ("Datei", "{{ data.output.output }}"),
            (
                "Gr\u{f6}\u{df}e",
                "{% if data.output.width %}{{ data.output.width }} x {{ data.output.height }}, {% endif %}{{ data.output.bytes | size }}",
            ),
        ],
    ),
    (
        "job.completed",
        "{{ name }} ist fertig{% if data.report.state == 'partial' %}, aber nicht vollst\u{e4}ndig{% endif %}",
        "{% if data.report.state == 'partial' %}{% for output in data.report.outputs if output.failure %}{{ output.output }}: {{ output.failure.code | in_german or output.failure.code }}\n\n{% endfor %}{% endif %}",
        &[
            (
                "Dateien",
                "{% for output in data.report.outputs if output.state == 'published' %}{{ output.output }} ({% if output.width %}{{ output.width }} x {{ output.height }}, {% endif %}{{ output.bytes | size }}){% if not loop.last %}, {% endif %}{% endfor %}",
            ),
            // Each is a sentence, and English.
            (
                "Hinweise",
                "{% if data.report.warnings %}{{ data.report.warnings | length }}{% endif %}",
            ),
        ],
    ),
    (
        "job.failed",
        "{{ name }} konnte nicht verarbeitet werden",
        "{% set said = data.report.failure.code | in_german %}{% if said %}{{ said }}.{% endif %}",
        FAILED,
    ),
    (
        "job.failed.owner",
        "{{ name }} konnte nicht verarbeitet werden",
        "{% if data.report.failure.kind == 'input' %}{% set said = data.report.failure.code | in_german %}Mit der Datei stimmt etwas nicht{% if said %}: {{ said }}{% endif %}.\n\nBitte pr\u{fc}fen Sie, ob sie sich auf Ihrem Ger\u{e4}t \u{f6}ffnen l\u{e4}sst, und laden Sie sie noch einmal hoch.{% else %}Bei uns ist etwas schiefgegangen. Die Zust\u{e4}ndigen wissen Bescheid, und Ihre Datei ist noch da.{% endif %}",
        &[],
    ),
    ("job.cancelled", "{{ name }} wurde abgebrochen", "", &[("Auftrag", "{{ data.job }}")]),
    (
        "batch.completed",
        "Ein Stapel von {{ data.report.jobs_total }} ist {% if data.report.state == 'succeeded' %}fertig{% elif data.report.state == 'partial' %}fertig, aber nicht vollst\u{e4}ndig{% else %}zu Ende, und nichts davon konnte verarbeitet werden{% endif %}",
        "",
        &[
            ("Stapel", "{{ data.batch }}"),
            ("Fertig", "{{ data.report.counts.succeeded }}"),
            ("Teilweise fertig", "{{ data.report.counts.partial }}"),
            ("Fehlgeschlagen", "{{ data.report.counts.failed }}"),
            ("Abgebrochen", "{{ data.report.counts.cancelled }}"),
        ],
    ),
    (
        "delivery.failed",
        "{% if data.delivery.channel %}Nachrichten \u{fc}ber {{ data.delivery.channel }} kommen nicht an{% else %}Es war nicht herauszufinden, wer benachrichtigt wird{% endif %}",
        "{{ data.delivery.reason }}",
        &[
            ("Ziel", "{{ data.delivery.destination }}"),
            ("Versuche", "{{ data.delivery.attempts }}"),
            ("Aufgegeben", "{{ data.delivery.dead }}"),
            ("Wartend", "{{ data.delivery.waiting }}"),
        ],
    ),
    (
        "destination.disabled",
        "\u{dc}ber {{ data.disabled.channel }} wird nichts mehr gesendet",
        "Seit Tagen ist dort nichts angekommen: {{ data.disabled.reason }}",
        &[
            ("Ziel", "{{ data.disabled.destination }}"),
            ("Seit", "{{ data.disabled.since }}"),
            ("Aufgegeben", "{{ data.disabled.dead }}"),
        ],
    ),
    (
        "schedule.missed",
        "{{ data.missed.schedule }} wurde {% if data.missed.times == 1 %}einmal{% else %}{{ data.missed.times }}-mal{% endif %} vers\u{e4}umt",
        "Es war niemand da, der es ausf\u{fc}hrt. Das letzte Mal wird jetzt nachgeholt.",
        &[("Seit", "{{ data.missed.since }}")],
    ),
    (
        "jobs.unclaimed",
        "{% if data.unclaimed.jobs == 1 %}Ein Auftrag wartet{% else %}{{ data.unclaimed.jobs }} Auftr\u{e4}ge warten{% endif %} auf einen Worker, den es nicht gibt",
        "",
        &[("Gebraucht wird", "{{ data.unclaimed.needs }}")],
    ),
    ("event", "{{ type }}: {{ name }}", "", &[("Auftrag", "{{ data.job }}")]),
    ("digest", "{{ count }} Nachrichten", "", &[]),
    ("more", "und {{ count }} weitere", "", &[]),
    ("link", "Einzelheiten", "", &[]),
];
