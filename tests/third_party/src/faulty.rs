use mediaflow::media::Medium;
use mediaflow::plan::{Estimate, Explanation};
use mediaflow::prelude::*;
use mediaflow::spi::RunContext;
use mediaflow::spi::backend::{Backend, Capability, Group, Plan};
use mediaflow::spi::wait::Ran;
use serde::{Deserialize, Serialize};

/// What somebody else's codec does on a bad day.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which of them.
    pub how: Faults,
}

/// How a codec ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Faults {
    /// It takes its process with it.
    Abort,
    /// It never ends, and looks at nothing.
    Hang,
    /// It gives an error.
    Fail,
}

impl Operation for Fault {
    const KIND: &'static str = "acme.fault";
    const MEDIA: &'static [Medium] = &[Medium::Still];
}

/// Does it.
#[derive(Clone, Copy, Debug)]
pub struct FaultyBackend;

impl Backend for FaultyBackend {
    fn name(&self) -> &str {
        "faulty"
    }

    fn capability(&self) -> Capability {
        Capability::new([Fault::KIND], [Medium::Still])
    }

    fn plan(&self, group: &Group) -> mediaflow::Result<Box<dyn Plan>> {
        let fault = group.steps.first().and_then(|step| step.op.downcast_ref::<Fault>());
        Ok(Box::new(Faulty(fault.map_or(Faults::Fail, |fault| fault.how))))
    }
}

#[derive(Debug)]
struct Faulty(Faults);

#[async_trait]
impl Plan for Faulty {
    fn explain(&self) -> Explanation {
        Explanation::new("faulty", self.estimate())
    }

    fn estimate(&self) -> Estimate {
        Estimate::cpu(0)
    }

    async fn run(self: Box<Self>, _inputs: Inputs, cx: &RunContext) -> mediaflow::Result<Ran> {
        cx.cpu(move |_| match self.0 {
            Faults::Abort => std::process::abort(),
            Faults::Hang => loop {
                std::thread::park();
            },
            Faults::Fail => {
                Err(Error::input("faulty.picture", "the picture is wrong").with("at", "row 7"))
            }
        })
        .await
    }
}
