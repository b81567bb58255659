//! One job of 300 outputs over two workers, of which one is killed half-way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::audit::audit;
use super::work::{self, Toil};
use super::world::World;
use super::{Backing, diary, eventually, figure};

const LIMIT: Duration = Duration::from_secs(60);
const OUTPUTS: usize = 300;

pub(super) async fn run(backing: Backing) {
    let mut world = World::new(backing, Duration::from_secs(1)).await;
    let mut victim = world.worker("victim");
    let mut other = world.worker("other");
    world.registered(2).await;
    let toil = Toil { millis: 25, bytes: 3000, ..Toil::new(&world.folder(), "many") };
    let job = world.submit(toil.job(OUTPUTS)).await;
    let all = eventually("parts", LIMIT, async || {
        let parts = world.look.count("mediaflow_parts").await;
        (parts > 0).then_some(parts)
    })
    .await;
    let done = "SELECT input FROM mediaflow_parts WHERE state = 'done'";
    let before = eventually("half of the parts", LIMIT, async || {
        let done = world.look.texts(done).await;
        (done.len() * 2 >= all).then_some(done)
    })
    .await;
    victim.kill();
    assert!(before.len() < all, "the kill came too late");
    let by_victim = work::runs(&world.folder()).iter().filter(|(_, by)| by == "victim").count();
    assert!(by_victim > 0, "both workers take part");
    assert!(other.ended().is_none());

    let state = world.ends(job, LIMIT).await;
    assert_eq!(state, "succeeded", "{}", diary::tail(&world.folder()));
    world.settles(LIMIT).await;
    let mut runs: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in work::runs(&world.folder()) {
        *runs.entry(format!("out/{name}.gif")).or_default() += 1;
    }
    let places: BTreeSet<String> = before
        .iter()
        .flat_map(|input| {
            let input: serde_json::Value = serde_json::from_str(input).unwrap();
            serde_json::from_value::<Vec<String>>(input["outputs"].clone()).unwrap()
        })
        .collect();
    let most = places.iter().map(|place| runs[place]).max().unwrap_or(0);
    figure("parts.runs_of_parts_done_before_the_kill", backing, most, "1");
    let again = runs.values().filter(|times| **times > 1).count();
    figure("parts.outputs_made", backing, runs.len(), "300");
    figure(
        "parts.outputs_made_again",
        backing,
        again,
        "<= 64, those under way at the killed worker",
    );
    println!(
        "parts.{}: {all} parts, {} done before the kill, {by_victim} outputs begun by the killed worker",
        backing.name(),
        before.len()
    );
    assert_eq!((most, runs.len()), (1, OUTPUTS));
    // Four parts of eight outputs at once, and as many that the kill hit between their end and its commit.
    assert!(again <= 64, "{again} outputs were made again");
    audit(&world, "parts").await;
}
