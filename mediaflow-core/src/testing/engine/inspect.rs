use futures_util::StreamExt as _;

use super::super::{Behaviour, FakeEncode, FakeWork, dot, soon};
use super::host::{Host, spec};
use crate::event::EventKind;
use crate::inspect::{
    AttemptSummary, Cursor, EventFilter, JobFilter, JobSummary, List, MessageFilter, MessageState,
    Paging,
};
use crate::report::JobState;
use crate::spec::{IntoSpec as _, JobOptions, Pipeline};
use crate::{Error, Failure, JobId, Timestamp};

fn wrong() -> Behaviour {
    Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")))
}

/// Every job that a filter takes, by pages of two.
async fn all(host: &Host, filter: &JobFilter) -> Vec<JobSummary> {
    let (mut found, mut paging) = (Vec::new(), Paging::first(2));
    loop {
        let page = host.media.inspect().jobs(filter, &paging).await.expect("a page");
        assert!(page.items.len() <= 2 && page.more == page.next.is_some(), "{page:?}");
        found.extend(page.items);
        match page.next {
            // As a client sends it back.
            Some(next) => {
                paging = paging.after(next.to_string().parse::<Cursor>().expect("a cursor"));
            }
            None => return found,
        }
    }
}

pub(super) async fn jobs_are_listed_by_what_is_known_of_them(host: Host) {
    for name in ["bad-0", "bad-1", "bad-2"] {
        host.fake.script(name, [wrong()]);
    }
    let of = |name: &str, owner: &str, tags: &[&str]| {
        let options = JobOptions::new().owner(owner);
        spec(name).with_options(tags.iter().fold(options, |options, tag| options.tag(*tag)))
    };
    let mut jobs = Vec::new();
    for number in 0..3 {
        let bad = of(&format!("bad-{number}"), "ada", &["avatar", "avatar", "new"]);
        jobs.push(host.media.submit(bad).await.expect("submit"));
        let good =
            of(&format!("good-{number}"), if number == 0 { "ada" } else { "bob" }, &["avatar"]);
        jobs.push(host.media.submit(good).await.expect("submit"));
    }
    let batch = host.media.eager([spec("in-0"), spec("in-1"), spec("in-2")]).await.expect("submit");
    for job in jobs.iter().cloned().chain(batch.jobs()) {
        soon("end", job.ended()).await.expect("an end");
    }
    let ids = |found: &[JobSummary]| found.iter().map(|job| job.job).collect::<Vec<_>>();
    let newest_first = |names: &[usize]| {
        let mut ids: Vec<_> = names.iter().map(|at| jobs[*at].id()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    };
    let all_of = async |filter: JobFilter| ids(&all(&host, &filter).await);
    let failed = JobFilter::new().state(JobState::Failed);
    assert_eq!(all_of(failed.clone()).await, newest_first(&[0, 2, 4]));
    assert_eq!(all_of(JobFilter::new().owner("ada")).await, newest_first(&[0, 1, 2, 4]));
    assert_eq!(all_of(failed.clone().owner("bob")).await, []);
    assert_eq!(
        all_of(JobFilter::new().owner("ada").state(JobState::Succeeded)).await,
        newest_first(&[1])
    );
    assert_eq!(all_of(JobFilter::new().tag("new")).await, newest_first(&[0, 2, 4]));
    assert_eq!(all_of(JobFilter::new().tag("avatar").owner("bob")).await, newest_first(&[3, 5]));
    assert_eq!(all_of(JobFilter::new().kind("pipeline")).await.len(), 9);
    assert_eq!(all_of(JobFilter::new().kind("other")).await, []);
    let of_batch = all_of(JobFilter::new().batch(batch.id())).await;
    let mut expected: Vec<_> = batch.jobs().map(|job| job.id()).collect();
    expected.reverse();
    assert_eq!(of_batch, expected);
    let first = jobs[0].id().made_at().expect("a time");
    assert_eq!(all_of(JobFilter::new().since(first)).await.len(), 9);
    assert_eq!(all_of(JobFilter::new().until(first)).await, []);
    assert_eq!(all_of(JobFilter::new().since(Timestamp::from_millis(u64::MAX))).await, []);

    let listed = all(&host, &failed).await.pop().expect("the oldest");
    assert_eq!((listed.kind.as_str(), listed.owner.as_deref()), ("pipeline", Some("ada")));
    assert_eq!((listed.failure.as_deref(), listed.attempts), (Some("fake.wrong"), 1));
    assert_eq!(listed.tags, ["avatar", "avatar", "new"]);
    assert!(listed.started_at.is_some() && listed.ended_at.is_some(), "{listed:?}");
    let counts = host.media.inspect().counts().await.expect("counts");
    assert_eq!((counts.hour.jobs(), counts.day.jobs()), (9, 9), "{counts:?}");
    assert_eq!(counts.hour.failures.get("fake.wrong"), Some(&3), "{counts:?}");
    assert!(counts.live.values().all(|jobs| *jobs == 0), "{counts:?}");
    host.done().await;
}

pub(super) async fn a_cursor_stays_valid_while_jobs_come(host: Host) {
    let media = &host.media;
    for number in 0..3 {
        let job = media.submit(spec(&format!("old-{number}"))).await.expect("submit");
        soon("end", job.done()).await.expect("success");
    }
    let inspect = media.inspect();
    let page = inspect.jobs(&JobFilter::new(), &Paging::first(2)).await.expect("a page");
    let new = media.submit(spec("new")).await.expect("submit");
    let rest = inspect.jobs(&JobFilter::new(), &Paging::first(5).after(page.next)).await;
    let rest = rest.expect("the rest");
    assert_eq!((rest.items.len(), rest.more, rest.next), (1, false, None));
    assert!(
        rest.items[0].job != new.id() && !page.items.iter().any(|job| job.job == rest.items[0].job)
    );
    soon("end", new.done()).await.expect("success");
    host.done().await;
}

pub(super) async fn what_is_asked_wrongly_is_refused(host: Host) {
    let inspect = host.media.inspect();
    let job = host.media.submit(spec("known")).await.expect("submit");
    soon("end", job.done()).await.expect("success");
    for size in [0, 1001, 1_000_000] {
        let error = inspect.jobs(&JobFilter::new(), &Paging::first(size)).await.expect_err("size");
        assert_eq!(
            (error.code(), error.fact("size")),
            ("inspect.page_size", Some(&*size.to_string()))
        );
        let error =
            inspect.events(&EventFilter::new(), &Paging::first(size)).await.expect_err("size");
        assert_eq!(error.code(), "inspect.page_size");
    }
    let elsewhere = Cursor::new(List::Events, "elsewhere", 1);
    let newest = inspect.newest().await.expect("a cursor");
    let from = |cursor: &Cursor| Paging::first(5).after(cursor.clone());
    let error =
        inspect.events(&EventFilter::new(), &from(&elsewhere)).await.expect_err("elsewhere");
    assert_eq!(error.code(), "inspect.cursor");
    let error = inspect.jobs(&JobFilter::new(), &from(&newest)).await.expect_err("another list");
    assert_eq!(error.code(), "inspect.cursor");
    let error =
        inspect.messages(&MessageFilter::new(), &from(&newest)).await.expect_err("another list");
    assert_eq!(error.code(), "inspect.cursor");
    let mut followed = host.media.follow(EventFilter::new(), Some(elsewhere));
    let error = soon("error", followed.next()).await.expect("an item").expect_err("elsewhere");
    assert_eq!(error.code(), "inspect.cursor");
    assert!(followed.next().await.is_none());
    let error = inspect.job(JobId::new()).await.expect_err("an unknown job");
    assert_eq!(error.code(), "job.unknown");
    let unknown = JobFilter::new().batch(crate::BatchId::new());
    assert_eq!(all(&host, &unknown).await, []);
    host.done().await;
}

pub(super) async fn events_are_followed_without_gap_or_double(host: Host) {
    let media = host.media.clone();
    let named =
        |name: String, owner: &str| spec(&name).with_options(JobOptions::new().owner(owner));
    let filter = EventFilter::new().owner("ada").kinds([EventKind::JobCreated]);
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(media.submit(named(format!("ada-{number}"), "ada")).await.expect("submit").id());
        media.submit(named(format!("bob-{number}"), "bob")).await.expect("submit");
    }
    let inspect = media.inspect();
    let page = inspect.events(&filter, &Paging::first(2)).await.expect("a page");
    assert!(page.items.len() == 2 && page.more, "{page:?}");
    // A client comes back with what it has seen last, while more happens.
    let seen = page.items[1].cursor.to_string();
    let mut followed = media.follow(filter, Some(seen.parse().expect("a cursor")));
    let mut told: Vec<_> = page.items.iter().filter_map(|placed| placed.event.job).collect();
    for number in 5..30 {
        jobs.push(media.submit(named(format!("ada-{number}"), "ada")).await.expect("submit").id());
        if number % 3 == 0 {
            let placed = soon("event", followed.next()).await.expect("an event").expect("an event");
            told.extend(placed.event.job);
        }
    }
    let mut last = None;
    while told.len() < jobs.len() {
        let placed = soon("event", followed.next()).await.expect("an event").expect("an event");
        told.extend(placed.event.job);
        last = Some(placed.cursor);
    }
    assert_eq!(told, jobs, "each once, in order");
    let none = inspect.events(&EventFilter::new().owner("nobody"), &Paging::first(5)).await;
    assert!(none.is_ok_and(|page| page.items.is_empty() && page.next.is_some() && !page.more));
    let rest = EventFilter::new().owner("ada").kinds([EventKind::JobCreated]);
    let rest = inspect.events(&rest, &Paging::first(5).after(last)).await.expect("a page");
    assert!(rest.items.is_empty(), "{rest:?}");
    // It ends with the engine.
    host.fake.release();
    soon("shutdown", media.shutdown(std::time::Duration::from_secs(20))).await.expect("shutdown");
    assert!(soon("end", followed.next()).await.is_none());
    assert!(soon("end", media.events().next()).await.is_none());
}

pub(super) async fn one_job_is_looked_into(host: Host) {
    host.fake.script("bad", [super::host::transient(), wrong()]);
    let bad = spec("bad").with_options(JobOptions::new().notify("first", "first:9/secret"));
    let job = host.media.submit(bad).await.expect("submit");
    soon("end", job.ended()).await.expect("an end");
    let inspect = host.media.inspect();
    let history = inspect.job(job.id()).await.expect("a history");
    assert_eq!(history.summary.state, JobState::Failed, "{history:?}");
    let failures = history.attempts.iter().map(|attempt| attempt.failure.as_ref());
    let codes: Vec<_> = failures.map(|failure| failure.map(|failure| &*failure.code)).collect();
    assert_eq!(codes, [Some("fake.transient"), Some("fake.wrong")], "{history:?}");
    let ended = |attempt: &AttemptSummary| attempt.ended.is_some_and(|end| end >= attempt.begun);
    assert!(history.attempts.iter().all(ended), "{history:?}");
    let report = history.status.report.as_ref().expect("a report");
    assert_eq!(report.failure.as_ref().map(|failure| failure.code.as_str()), Some("fake.wrong"));
    let kinds: Vec<_> = history.events.iter().map(|placed| placed.event.kind).collect();
    assert_eq!(
        (kinds.first(), kinds.last()),
        (Some(&EventKind::JobCreated), Some(&EventKind::JobFailed))
    );
    let shown = serde_json::to_string(&history).expect("JSON");
    assert!(!shown.contains("secret"), "an address in {shown}");

    let clip = Pipeline::from(dot()).output("out/clip.gif", |dot| {
        dot.then(FakeEncode::new("clip")).then(FakeWork::new("after"))
    });
    let clip =
        host.media.submit(clip.build().and_then(|clip| clip.into_spec()).expect("valid")).await;
    let clip = clip.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    let waiting = async {
        while inspect.job(clip.id()).await.expect("a history").summary.state != JobState::Waiting {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    soon("job that waits", waiting).await;
    let history = inspect.job(clip.id()).await.expect("a history");
    assert_eq!(history.waits.len(), 1, "{history:?}");
    assert_eq!(history.waits[0].key, vendor.key);
    assert_eq!(inspect.counts().await.expect("counts").live.get("waiting"), Some(&1));
    host.done().await;
}

pub(super) async fn messages_are_listed(host: Host) {
    // It waits for an hour then: on any engine it is neither delivered nor dead.
    let hour = std::time::Duration::from_secs(3600);
    host.first.fail([crate::NotifyError::Throttled { after: Some(hour), reason: "later".into() }]);
    let job = host.media.submit(spec("told")).await.expect("submit");
    soon("end", job.done()).await.expect("success");
    let inspect = host.media.inspect();
    let of = |filter: MessageFilter| async move {
        inspect.messages(&filter, &Paging::first(10)).await.expect("a page").items
    };
    let waiting = async {
        while of(MessageFilter::new().state(MessageState::Pending).job(job.id())).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    soon("message that waits", waiting).await;
    let held = of(MessageFilter::new().destination("first", "")).await;
    assert!(!held.is_empty() && held.iter().all(|message| message.channel == "first"), "{held:?}");
    assert_eq!(of(MessageFilter::new().destination("other", "")).await, []);
    assert_eq!(of(MessageFilter::new().job(JobId::new())).await, []);
    let page = inspect.messages(&MessageFilter::new(), &Paging::first(1)).await.expect("a page");
    assert_eq!(page.items.len(), 1);
    host.done().await;
}
