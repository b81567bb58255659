use std::collections::BTreeSet;

use super::super::{Behaviour, FakeEncode, dot, soon};
use super::host::{Host, spec};
use super::waiting::waits;
use crate::Tenants;
use crate::engine::Engine;
use crate::inspect::{EventFilter, JobFilter, Paging};
use crate::report::JobState;
use crate::spec::{IntoSpec as _, JobOptions, JobSpec, Pipeline};

fn of(tenant: &str, name: &str) -> JobSpec {
    spec(name).with_options(JobOptions::new().tenant(tenant))
}

/// A host in which a tenant has two jobs at once, and `small` has one.
pub(super) async fn sharing(engine: impl Engine) -> Host {
    let tenants = Tenants::new().at_once("image", 2).at_once_of("small", "image", 1);
    Host::with(engine, |builder| {
        builder.places("image", 4).tenants(tenants.at_once_of("small", "remote", 1))
    })
    .await
}

pub(super) async fn keys_are_a_tenants_own(host: Host) {
    let keyed = |tenant: Option<&str>| {
        let mut keyed = spec("keyed").with_options(JobOptions::new().idempotency_key("upload-1"));
        keyed.options.tenant = tenant.map(str::to_owned);
        keyed
    };
    let mut jobs = BTreeSet::new();
    for tenant in [None, Some("ada"), Some("bob")] {
        let first = host.media.submit(keyed(tenant)).await.expect("submit");
        let again = host.media.submit(keyed(tenant)).await.expect("submit");
        assert_eq!(first.id(), again.id());
        assert!(jobs.insert(first.id()), "{tenant:?} has a job of its own");
        soon("end", first.done()).await.expect("success");
    }
    let listed = JobFilter::new().tenant("ada");
    let listed = host.media.inspect().jobs(&listed, &Paging::first(10)).await.expect("a page");
    let [only] = &*listed.items else { panic!("{listed:?}") };
    assert_eq!(only.tenant.as_deref(), Some("ada"));
    let about = EventFilter::new().tenant("bob");
    let about = host.media.inspect().events(&about, &Paging::first(100)).await.expect("a page");
    assert!(!about.items.is_empty());
    for placed in about.items {
        assert_eq!(placed.event.tenant.as_deref(), Some("bob"));
    }
    let long = "t".repeat(300);
    for (tenant, code) in
        [(&*long, "limit.option_bytes"), ("", "spec.tenant"), ("a\u{1f}b", "spec.tenant")]
    {
        let error = host.media.submit(of(tenant, "x")).await.expect_err("refused");
        assert_eq!(error.code(), code, "{tenant:?}");
    }
    host.done().await;
}

pub(super) async fn a_tenant_has_its_share(host: Host) {
    let names = ["one", "two", "three", "four", "five"];
    let mut jobs = Vec::new();
    for name in names {
        host.fake.script(name, [Behaviour::Block]);
        jobs.push(host.media.submit(of("ada", name)).await.expect("submit"));
    }
    host.fake.begun("one", 1).await;
    host.fake.begun("two", 1).await;
    // Two places are free: they are for others, whoever comes how late.
    for (tenant, name) in [("bob", "bob's"), ("cleo", "cleo's")] {
        let other = host.media.submit(of(tenant, name)).await.expect("submit");
        soon("end", other.done()).await.expect("success");
    }
    assert_eq!(host.fake.runs().len(), 4, "{:?}", host.fake.runs());
    for waits in &jobs[2..] {
        assert_eq!(waits.status().await.expect("status").state, JobState::Queued);
    }
    jobs[2].cancel().await.expect("cancel");
    soon("end", jobs[2].done()).await.expect_err("it was cancelled");
    // Each that ends makes room for one.
    jobs[0].cancel().await.expect("cancel");
    host.fake.begun("four", 1).await;
    assert!(!host.fake.runs().contains(&"five".to_owned()));
    host.fake.release();
    for job in [&jobs[1], &jobs[3], &jobs[4]] {
        soon("end", job.done()).await.expect("success");
    }
    host.done().await;
}

pub(super) async fn the_most_urgent_of_a_tenant_is_next(host: Host) {
    host.fake.script("holds", [Behaviour::Block]);
    let mut jobs = vec![host.media.submit(of("small", "holds")).await.expect("submit")];
    host.fake.begun("holds", 1).await;
    for (name, priority) in [("usual", 0), ("late", -300), ("urgent", 7), ("first", i16::MAX)] {
        let mut job = of("small", name);
        job.options.priority = priority;
        jobs.push(host.media.submit(job).await.expect("submit"));
    }
    host.fake.release();
    for job in jobs {
        soon("end", job.done()).await.expect("success");
    }
    assert_eq!(host.fake.runs(), ["holds", "first", "urgent", "usual", "late"]);
    host.done().await;
}

pub(super) async fn what_waits_elsewhere_takes_no_share(host: Host) {
    let encode = |name: &str| {
        Pipeline::from(dot())
            .output(format!("out/{name}.gif"), |dot| dot.then(FakeEncode::new(name)))
            .build()
            .and_then(|pipeline| pipeline.into_spec())
            .expect("a valid spec")
            .with_options(JobOptions::new().tenant("small"))
    };
    let mut jobs = Vec::new();
    for name in ["first", "second", "third"] {
        let job = host.media.submit(encode(name)).await.expect("submit");
        waits(&job, 0).await;
        jobs.push(job);
    }
    for job in &jobs {
        job.cancel().await.expect("cancel");
    }
    host.done().await;
}
