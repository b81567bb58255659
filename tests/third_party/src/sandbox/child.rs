use std::process::ExitCode;

use mediaflow::media::{Media, MediaFile, Scratch};
use mediaflow::plan::Demand;
use mediaflow::spi::wait::Ran;
use mediaflow::spi::{CpuPool, RunContext};
use mediaflow::{Error, Failure, Inputs, Registry, Result};
use tokio::io::{AsyncRead, stdin, stdout};

use super::frames;
use super::wire::{self, Done, Found, Steps, Task, What};

type Results = Vec<(String, std::result::Result<Found, Failure>)>;

/// Does one task: the whole life of a child.
pub async fn serve(registry: &Registry) -> ExitCode {
    match serve_one(registry).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn serve_one(registry: &Registry) -> Result<()> {
    let mut from = stdin();
    let task: Task = wire::read(&mut from).await?;
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let cx = RunContext::builder(CpuPool::per_core(), scratch).limits(task.limits.clone());
    let cx = cx.build(None);
    let (mut bodies, streams) = (Vec::new(), matches!(task.what, What::Frames));
    let results = match done(task, registry, &mut from, &cx, &mut bodies).await {
        Ok(results) => results,
        Err(error) => vec![(String::new(), Err(Failure::from(&error)))],
    };
    if streams {
        return frames::end(&results);
    }
    let done = Done { results, decodes: cx.decodes(), warnings: cx.take_warnings() };
    wire::write(&done, &bodies, &mut stdout()).await
}

async fn done(
    task: Task,
    registry: &Registry,
    from: &mut (impl AsyncRead + Unpin + Send),
    cx: &RunContext,
    bodies: &mut Vec<Vec<u8>>,
) -> Result<Results> {
    let inputs = wire::inputs(task.media, from).await?;
    let steps = match task.what {
        What::Group(steps) => return group(&steps, inputs, registry, cx, bodies).await,
        other => other,
    };
    let file = inputs.into_first()?.into_file()?;
    let reader = registry.reader_of(file.format())?;
    if let What::Frames = steps {
        let frames = reader.decode(&file, Demand::FULL, cx).await?.into_frames()?;
        cx.cpu(move |cx| frames::give(&frames, cx)).await?;
        return Ok(Results::new());
    }
    let found = match steps {
        What::Decode(wanted) => {
            let media = reader.decode(&file, wanted.into(), cx).await?;
            pack(&named(&file), media, cx, bodies)?
        }
        What::Verify(expected) => Found::Info(reader.verify(&file, &expected, cx).await?.into()),
        _ => Found::Info(reader.probe(&file, cx).await?.into()),
    };
    Ok(vec![(String::new(), Ok(found))])
}

async fn group(
    steps: &Steps,
    inputs: Inputs,
    registry: &Registry,
    cx: &RunContext,
    bodies: &mut Vec<Vec<u8>>,
) -> Result<Results> {
    let group = steps.group(registry, cx.limits())?;
    let plan = registry.backend_named(&steps.backend)?.plan(&group)?;
    let Ran::Done(mut outputs) = plan.run(inputs, cx).await? else {
        return Err(Error::unsupported("sandbox.waits", "a child does not outlive its task"));
    };
    let mut results = Results::new();
    for exit in &steps.exits {
        let packed = outputs.take(exit).and_then(|media| pack(exit, media, cx, bodies));
        results.push((exit.clone(), packed.map_err(|error| Failure::from(&error))));
    }
    Ok(results)
}

fn pack(name: &str, media: Media, cx: &RunContext, bodies: &mut Vec<Vec<u8>>) -> Result<Found> {
    let (header, body) = wire::packed(name, media, cx.limits())?;
    bodies.push(body);
    Ok(Found::Media(header))
}

fn named(file: &MediaFile) -> String {
    file.name().to_owned()
}
