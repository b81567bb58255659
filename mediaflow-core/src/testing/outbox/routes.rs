use async_trait::async_trait;

use super::{DAY, Host, Running, SECOND, broken, created, spec};
use crate::engine::Engine;
use crate::event::{Audience, EventKind};
use crate::inspect::{MessageFilter, Paging};
use crate::notify::{
    Acknowledged, GroupBy, NotifyError, Person, Recipients, Route, Terms, Whom, after,
};
use crate::spec::{JobOptions, Pipeline};
use crate::testing::scripted::Told;
use crate::testing::{Act, Behaviour, FakeWork, ScriptedNotifier, dot, soon};
use crate::{Clock as _, JobId, Result};

/// A notifier that wants nothing by itself.
fn silent(name: &str) -> ScriptedNotifier {
    ScriptedNotifier::new([]).named(name)
}

fn rejected() -> Act {
    Act::Fail(NotifyError::rejected("not through this one"))
}

impl Running {
    /// The creation of a job of an owner, which is told at an address through `hooks`.
    async fn ask(&self, owner: &str, to: Option<&str>) -> JobId {
        let later = self.clock.now().plus(3650 * DAY);
        let options = JobOptions::new().run_at(later).owner(owner);
        let options = to.into_iter().fold(options, |options, to| options.notify("hooks", to));
        let job = self.media.submit(spec("parked").with_options(options)).await;
        job.expect("submit").id()
    }
}

/// Of progress nothing is kept unless somebody is told of it.
pub(super) async fn a_route_tells_of_progress<E: Engine>(host: Host<E>) {
    let (push, fake) = (silent("push"), host.fake.clone());
    fake.script("fast", [Behaviour::Progress(vec![0.5])]);
    fake.script("slow", [Behaviour::Block]);
    let route = Route::on([EventKind::JobProgress]).to("push");
    let start = |builder: crate::Builder| builder.notify(push.clone()).route(route);
    let running = host.start_with(created(), start).await;
    let two = Pipeline::from(dot())
        .output("out/a.gif", |dot| dot.then(FakeWork::new("fast")).then(FakeWork::new("slow")));
    let job = running.media.submit(two.build().expect("a pipeline")).await.expect("submit");
    let told = push.told(1).await.remove(0);
    assert_eq!((told.event.kind, told.event.job), (EventKind::JobProgress, Some(job.id())));
    fake.release();
    soon("end", job.done()).await.expect("success");
    running.done().await;
}

/// Waits for so many messages at an address of a notifier, while time goes on.
async fn until(running: &Running, notifier: &ScriptedNotifier, to: &str, told: usize) -> Vec<Told> {
    let turned = async {
        while notifier.of(to).len() < told {
            running.clock.advance(SECOND);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon(&format!("{told} messages at `{to}`"), turned).await;
    notifier.of(to)
}

pub(super) async fn each_channel_is_told_by_itself<E: Engine>(host: Host<E>) {
    let push = silent("push");
    let start = |builder: crate::Builder| {
        builder.notify(push.clone()).route(on_created().to("hooks").to("push"))
    };
    let running = host.start_with(created(), start).await;
    for number in 1..=3 {
        running.tell("").await;
        running.hooks.told(number).await;
        push.told(number).await;
    }
    let steps = |told: Vec<Told>| told.iter().map(|told| told.message.step).collect::<Vec<_>>();
    assert_eq!((steps(running.hooks.of("")), steps(push.of(""))), (vec![0; 3], vec![1; 3]));
    running.done().await;
}

pub(super) async fn who_takes_the_place_of_several_is_told_once<E: Engine>(host: Host<E>) {
    let push = silent("push");
    let start = |builder: crate::Builder| {
        builder.notify(push.clone()).route(on_created().to("hooks").fallback("push"))
    };
    let running = host.start_with(created(), start).await;
    for to in ["a/1", "a/2"] {
        running.hooks.always(to, rejected());
    }
    let later = running.clock.now().plus(3650 * DAY);
    let options = JobOptions::new().run_at(later).notify("hooks", "a/1").notify("hooks", "a/2");
    let job = running.media.submit(spec("parked").with_options(options)).await;
    let job = job.expect("submit").id();
    running.hooks.told(2).await;
    push.told(1).await;
    // What comes later comes behind it.
    running.tell("a/1").await;
    let told = until(&running, &push, "", 2).await;
    assert_eq!(told.iter().filter(|told| told.event.job == Some(job)).count(), 1);
    running.done().await;
}

/// By two channels of one route, as two persons, or in place of others of whom one is told already.
pub(super) async fn somebody_who_is_there_twice_is_told_once<E: Engine>(host: Host<E>) {
    #[derive(Debug)]
    struct Two;

    #[async_trait]
    impl Recipients for Two {
        async fn people(&self, _whom: &Whom) -> Result<Vec<Person>> {
            let one = Person::new("ada").at("push", "shared").at("hooks", "dead");
            Ok(vec![one, Person::new("bo").at("push", "shared")])
        }
    }

    let (push, pager) = (silent("push"), silent("pager"));
    let on = || Route::on([EventKind::JobCreated]);
    let owner = on().name("owner").audience(Audience::Owner);
    let start = |builder: crate::Builder| {
        builder
            .notify(push.clone())
            .notify(pager.clone())
            .recipients(Two)
            // What takes the place of one is told by the other.
            .route(owner.to("hooks").fallback("push"))
            .route(on().name("twice").to("hooks").at("x").to("hooks").at("x/1").fallback("pager"))
            .route(
                on().name("last")
                    .to("push")
                    .at("dead")
                    .fallback("pager")
                    .to("hooks")
                    .at("dead")
                    .fallback("pager"),
            )
    };
    let running = host.start_with(silent("hooks"), start).await;
    running.hooks.always("dead", rejected());
    push.always("dead", rejected());
    running.ask("ada", None).await;
    until(&running, &push, "shared", 1).await;
    until(&running, &pager, "", 1).await;
    running.until("x", 1, SECOND).await;
    running.until("x/1", 1, SECOND).await;
    // Nothing comes behind.
    running.ask("ada", None).await;
    until(&running, &pager, "", 2).await;
    until(&running, &push, "shared", 2).await;
    running.until("dead", 4, SECOND).await;
    let paged = pager.of("").into_iter().filter(|told| told.message.rule == "last").count();
    assert_eq!((push.of("shared").len(), pager.of("").len(), paged), (2, 2, 2));
    running.done().await;
}

pub(super) async fn several_addresses_of_a_step_are_told_at_once<E: Engine>(host: Host<E>) {
    let (push, pager) = (silent("push"), silent("pager"));
    let route = on_created().to("hooks").fallback("push").fallback("pager");
    let start =
        |builder: crate::Builder| builder.notify(push.clone()).notify(pager.clone()).route(route);
    let running = host.start_with(created(), start).await;
    running.hooks.always("dead", rejected());
    running.hooks.always("fine/1", rejected());
    push.always("none", rejected());
    push.always("neither", rejected());
    let tell = async |hooks: &[&str], pushes: &[&str]| {
        let options = JobOptions::new().run_at(running.clock.now().plus(3650 * DAY));
        let options = hooks.iter().fold(options, |options, to| options.notify("hooks", *to));
        let options = pushes.iter().fold(options, |options, to| options.notify("push", *to));
        let job = running.media.submit(spec("parked").with_options(options)).await;
        job.expect("submit").id()
    };
    // One of several arrives: nobody else is told.
    tell(&["fine/1", "fine/2"], &["both"]).await;
    running.until("fine/2", 1, SECOND).await;
    // A fallback with several addresses, of which both arrive, one, or none.
    tell(&["dead"], &["a", "b"]).await;
    until(&running, &push, "a", 1).await;
    until(&running, &push, "b", 1).await;
    tell(&["dead"], &["none", "c"]).await;
    until(&running, &push, "c", 1).await;
    until(&running, &push, "none", 1).await;
    let last = tell(&["dead"], &["none", "neither"]).await;
    let paged = until(&running, &pager, "", 1).await;
    assert_eq!(paged[0].event.job, Some(last));
    // Nothing comes behind.
    tell(&["dead"], &["none", "neither"]).await;
    let paged = until(&running, &pager, "", 2).await;
    assert_eq!(paged.len(), 2, "{paged:?}");
    assert_eq!((push.of("both").len(), running.hooks.of("fine/1").len()), (0, 1));
    running.done().await;
}

pub(super) async fn an_address_that_its_channel_refuses_is_passed_over<E: Engine>(host: Host<E>) {
    #[derive(Debug)]
    struct Refused;

    #[async_trait]
    impl Recipients for Refused {
        async fn people(&self, _whom: &Whom) -> Result<Vec<Person>> {
            Ok(vec![Person::new("ada").at("hooks", "refused/secret-7").at("push", "ada")])
        }
    }

    let push = silent("push");
    let route = on_created().audience(Audience::Owner).to("hooks").fallback("push");
    let start =
        |builder: crate::Builder| builder.notify(push.clone()).recipients(Refused).route(route);
    let running = host.start_with(created(), start).await;
    running.tell("").await;
    let told = push.told(1).await.remove(0);
    assert_eq!(told.message.step, 1);
    let failure = running.failures(1).await.remove(0);
    assert_eq!((&*failure.channel, &*failure.reason), ("hooks", "`[REDACTED]` is no address"));
    running.done().await;
}

fn on_created() -> Route {
    Route::on([EventKind::JobCreated])
}

pub(super) async fn what_a_channel_can_not_deliver_goes_through_the_next<E: Engine>(host: Host<E>) {
    let (push, pager) = (silent("push"), silent("pager"));
    let route = on_created().to("hooks").fallback("push").fallback("pager");
    let start =
        |builder: crate::Builder| builder.notify(push.clone()).notify(pager.clone()).route(route);
    let running = host.start_with(created(), start).await;
    running.hooks.always("a", rejected());
    running.hooks.next("b", [broken()]);
    push.next("", [Act::Take, rejected()]);
    running.tell("a").await;
    let told = push.told(1).await.remove(0);
    assert_eq!((told.message.step, running.hooks.of("a").len()), (1, 1));
    assert_eq!(told.event.id, running.hooks.of("a")[0].event.id);
    // What may pass is tried again, and nobody else is asked.
    running.tell("b").await;
    until(&running, &running.hooks, "b", 2).await;
    assert_eq!(push.of("").len(), 1);
    // A channel behind that fails as well.
    running.tell("a").await;
    let told = until(&running, &pager, "", 1).await.remove(0);
    assert_eq!((told.message.step, push.of("").len()), (2, 2));
    // Nobody is there any more: what comes later goes through the next at once.
    running.hooks.next("gone", [Act::Fail(NotifyError::Gone { reason: "410".into() })]);
    running.tell("gone").await;
    until(&running, &push, "", 3).await;
    running.tell("gone").await;
    until(&running, &push, "", 4).await;
    assert_eq!((running.hooks.of("gone").len(), pager.of("").len()), (1, 1));
    running.done().await;
}

/// Ada, who wants German words, and Bo, who wants nothing but push; nobody else is known.
#[derive(Debug)]
struct Directory;

#[async_trait]
impl Recipients for Directory {
    async fn people(&self, whom: &Whom) -> Result<Vec<Person>> {
        let person = match whom.owner.as_deref() {
            Some("ada") => Person::new("ada").at("hooks", "ada").locale("de"),
            Some("bo") => Person::new("bo").at("hooks", "bo").at("push", "bo").only(["push"]),
            Some("cy") => Person::new("cy").at("hooks", "cy").muted(),
            _ => return Ok(Vec::new()),
        };
        Ok(vec![person])
    }
}

pub(super) async fn people_are_told_where_and_how_they_want_to_be<E: Engine>(host: Host<E>) {
    let push = silent("push");
    let route = on_created().audience(Audience::Owner).to("hooks").fallback("push");
    let kinds = [EventKind::JobCreated, EventKind::JobFailed];
    let of_admins = Route::on(kinds).audience(Audience::Admin).to("push");
    let start = |builder: crate::Builder| {
        builder.notify(push.clone()).route(route).route(of_admins).recipients(Directory)
    };
    let running = host.start_with(created(), start).await;
    for owner in ["ada", "cy", "unknown", "bo"] {
        running.ask(owner, None).await;
    }
    let bo = until(&running, &push, "bo", 1).await.remove(0);
    let ada = until(&running, &running.hooks, "ada", 1).await.remove(0);
    assert_eq!(
        (ada.message.audience, ada.message.locale.as_deref()),
        (Some(Audience::Owner), Some("de"))
    );
    assert_eq!((bo.message.step, bo.message.locale), (1, None));
    // What the job says comes first, for an owner who is not known as well.
    running.ask("ada", Some("of/job")).await;
    running.ask("unknown", Some("of/job")).await;
    until(&running, &running.hooks, "of/job", 2).await;
    let all = running.hooks.told(3).await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(push.told(1).await.len(), 1, "the creation of a job is no admin's concern");
    running.done().await;
}

pub(super) async fn a_digest_tells_of_everything_once<E: Engine>(host: Host<E>) {
    let route = on_created().to("hooks").digest(60 * SECOND);
    let running = host.start_with(created(), |builder| builder.route(route)).await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(running.tell("a").await);
        running.tell("b").await;
    }
    let told = running.until("a", 1, SECOND).await.remove(0);
    let mut of: Vec<_> = told.message.events().iter().filter_map(|event| event.job).collect();
    of.sort();
    jobs.sort();
    assert_eq!(of, jobs);
    assert!(told.at.since(told.event.time) >= 59 * SECOND, "{:?}", told.at.since(told.event.time));
    assert_eq!(running.until("b", 1, SECOND).await[0].message.events().len(), 5);
    // The next one is another message, and one that fails keeps its events and takes no more.
    running.hooks.next("a", [broken()]);
    let late = running.tell("a").await;
    let told = running.until("a", 2, SECOND).await;
    assert_eq!(told[1].message.events().len(), 1);
    assert_ne!(told[1].message.id, told[0].message.id);
    running.tell("a").await;
    let told = running.until("a", 4, SECOND).await;
    let again: Vec<_> =
        told.iter().filter(|told| told.message.events()[0].job == Some(late)).collect();
    assert_eq!((again.len(), again[0].message.id), (2, again[1].message.id));
    assert!(told.iter().skip(1).all(|told| told.message.events().len() == 1), "{told:?}");
    running.done().await;
}

pub(super) async fn a_digest_is_known_of_each_of_its_jobs<E: Engine>(host: Host<E>) {
    let route = on_created().to("hooks").digest(3600 * SECOND);
    let running = host.start_with(created(), |builder| builder.route(route)).await;
    let (first, second) = (running.tell("a").await, running.tell("a").await);
    running.tell("b").await;
    let inspect = running.media.inspect();
    let paging = Paging::first(10);
    let both = async {
        loop {
            let of = async |job| {
                let told = inspect.messages(&MessageFilter::new().job(job), &paging).await;
                told.expect("messages").items
            };
            let (one, other) = (of(first).await, of(second).await);
            if one.len() == 1 && one == other {
                return one[0].number;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let number = soon("one message of two jobs", both).await;
    let history = inspect.job(second).await.expect("a job");
    let told: Vec<_> = history.messages.iter().map(|told| told.message.number).collect();
    assert_eq!(told, [number]);
    running.done().await;
}

pub(super) async fn a_digest_of_several_jobs_is_in_no_thread<E: Engine>(host: Host<E>) {
    let terms = Terms { threads: true, ..Terms::default() };
    let all = on_created().to("hooks").digest(30 * SECOND);
    let each = all.clone().name("each").at("each").group_by(GroupBy::Job);
    let start = |builder: crate::Builder| builder.route(all.clone().at("all")).route(each);
    let running = host.start_with(created().under(terms), start).await;
    let job = running.tell("").await;
    let thread = |told: Vec<Told>| told[0].message.thread.clone().map(|thread| thread.key);
    assert_eq!(thread(running.until("all", 1, SECOND).await), None);
    assert_eq!(thread(running.until("each", 1, SECOND).await), Some(job.to_string()));
    running.done().await;
}

pub(super) async fn a_digest_is_handed_on_with_all_its_events<E: Engine>(host: Host<E>) {
    let push = silent("push");
    let route = on_created().to("hooks").fallback("push").digest(60 * SECOND);
    let start = |builder: crate::Builder| builder.notify(push.clone()).route(route);
    let running = host.start_with(created(), start).await;
    running.hooks.always("a", rejected());
    for _ in 0..3 {
        running.tell("a").await;
    }
    let told = until(&running, &push, "", 1).await.remove(0);
    assert_eq!((told.message.events().len(), running.hooks.of("a").len()), (3, 1));
    running.done().await;
}

pub(super) async fn a_digest_is_handed_on_to_those_whom_each_job_names<E: Engine>(host: Host<E>) {
    let push = silent("push");
    let route = on_created().to("hooks").fallback("push").digest(60 * SECOND);
    let start = |builder: crate::Builder| builder.notify(push.clone()).route(route);
    let running = host.start_with(created(), start).await;
    running.hooks.always("a", rejected());
    let later = running.clock.now().plus(3650 * DAY);
    let mut jobs = Vec::new();
    for (hooks, to) in [(&["a"][..], "1"), (&["a"], "2"), (&["a"], "2"), (&["a", "b"], "3")] {
        let options = JobOptions::new().run_at(later).notify("push", to);
        let options = hooks.iter().fold(options, |options, to| options.notify("hooks", *to));
        let job = running.media.submit(spec("parked").with_options(options)).await;
        jobs.push(job.expect("submit").id());
    }
    until(&running, &push, "2", 1).await;
    until(&running, &push, "1", 1).await;
    running.until("b", 1, SECOND).await;
    let of = |to: &str| {
        let told = push.of(to);
        let events = told.iter().flat_map(|told| told.message.events());
        events.filter_map(|event| event.job).collect::<Vec<_>>()
    };
    assert_eq!((of("1"), of("2")), (jobs[..1].to_vec(), jobs[1..3].to_vec()));
    // Of several addresses of one job, one was reached.
    running.tell("a").await;
    until(&running, &push, "", 1).await;
    assert!(push.of("3").is_empty());
    running.done().await;
}

pub(super) async fn a_throttle_loses_nothing<E: Engine>(host: Host<E>) {
    let route = on_created().to("hooks").throttle(2, 60 * SECOND);
    let running = host.start_with(created(), |builder| builder.route(route)).await;
    for _ in 0..6 {
        running.tell("a").await;
    }
    running.tell("b").await;
    running.until("b", 1, SECOND).await;
    let told = running.until("a", 3, SECOND).await;
    let events: Vec<_> = told.iter().map(|told| told.message.events().len()).collect();
    assert_eq!(events, [1, 1, 4]);
    assert!(told[2].at.since(told[0].event.time) >= 59 * SECOND);
    running.done().await;
}

pub(super) async fn nobody_is_told_in_quiet_hours<E: Engine>(host: Host<E>) {
    // It is midnight in UTC when the clock begins to run.
    let route = on_created().to("hooks").quiet(22, 7);
    let running = host.start_with(created(), |builder| builder.route(route)).await;
    let begin = running.clock.now();
    running.tell("a").await;
    let told = running.until("a", 1, 120 * SECOND).await.remove(0);
    let waited = told.at.since(begin);
    assert!((7 * 3600 * SECOND..8 * 3600 * SECOND).contains(&waited), "{waited:?}");
    running.tell("a").await;
    running.hooks.told(2).await;
    running.done().await;
}

pub(super) async fn what_nobody_takes_care_of_is_told_to_others<E: Engine>(host: Host<E>) {
    let pager = silent("pager");
    let route = on_created()
        .name("team")
        .to("hooks")
        .escalate(after(600 * SECOND), "pager")
        .at("late")
        .escalate(after(3), "pager")
        .at("many");
    let start = |builder: crate::Builder| builder.notify(pager.clone()).route(route);
    let running = host.start_with(created(), start).await;
    let first = running.tell("a").await;
    let second = running.tell("a").await;
    running.until("a", 2, SECOND).await;
    assert_eq!(running.media.acknowledge(Acknowledged::job(first)).await.expect("a store"), 1);
    // The third one since nobody has acknowledged all of them.
    let third = running.tell("a").await;
    let many = until(&running, &pager, "many", 1).await.remove(0);
    assert_eq!(many.event.job, Some(third));
    running.tell("a").await;
    let turned = async {
        while pager.of("late").len() < 3 {
            running.clock.advance(10 * SECOND);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon("the late ones", turned).await;
    let late: Vec<_> = pager.of("late").iter().filter_map(|told| told.event.job).collect();
    assert!(late.contains(&second) && !late.contains(&first), "{late:?}");
    assert_eq!(pager.of("many").len(), 1, "once, until somebody acknowledges");
    // It counts from none again.
    running.media.acknowledge(Acknowledged::route("team")).await.expect("a store");
    for _ in 0..3 {
        running.tell("a").await;
    }
    until(&running, &pager, "many", 2).await;
    running.done().await;
}
