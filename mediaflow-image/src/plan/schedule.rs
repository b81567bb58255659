use super::work::{ImagePlan, What, Work};

/// Puts the works into the order in which they run: resizes first, so that the decoded source is soon freed, then what
/// changes pixels, then encoders.
pub(super) fn order(plan: &mut ImagePlan) {
    let works = &plan.works;
    let mut order: Vec<usize> = Vec::with_capacity(works.len());
    let mut place = vec![None; works.len()];
    while order.len() < works.len() {
        let ready = (0..works.len()).filter(|index| {
            place[*index].is_none()
                && is_wanted(plan, *index)
                && works[*index].from.iter().all(|from| place[*from].is_some())
        });
        // The graph has no cycles: nothing is ready if only such are left that nobody wants.
        let Some(next) = ready.min_by_key(|index| (rank(&works[*index].what), *index)) else {
            break;
        };
        place[next] = Some(order.len());
        order.push(next);
    }
    let at = |index: usize| place[index].unwrap_or(index);
    let mut sorted: Vec<Work> = order.iter().map(|index| works[*index].clone()).collect();
    for work in &mut sorted {
        work.from.iter_mut().for_each(|from| *from = at(*from));
    }
    for (_, exit) in &mut plan.exits {
        *exit = at(*exit);
    }
    plan.works = sorted;
}

/// Whether somebody takes from it. A source that is only copied is not decoded.
fn is_wanted(plan: &ImagePlan, index: usize) -> bool {
    let exits = plan.exits.iter().map(|(_, exit)| exit);
    plan.works.iter().flat_map(|work| &work.from).chain(exits).any(|wanted| *wanted == index)
}

fn rank(what: &What) -> u8 {
    match what {
        What::Resample { .. } | What::Cut { .. } => 0,
        What::Finish { .. } | What::Whole(_) | What::Facts(_) => 1,
        // A second source waits until the first is spent.
        What::Source { .. } => 2,
        What::File(_) | What::Copy { .. } => 3,
    }
}
