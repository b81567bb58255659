use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use super::Mediaflow;
use crate::codes;
use crate::engine::{Engine, MemoryEngine};
use crate::event::{Event, EventData, EventKind};
use crate::executor::{self, Capacity, DeliveryPolicy, Executor, Resources, RetryPolicy};
use crate::notify::{Configured, IntoNotifier, Notifier, PeopleCache, Recipients, Route};
use crate::plan::CostClass;
use crate::spec::PutOptions;
use crate::storage::{self, Storage, Storages};
use crate::suggest::did_you_mean;
use crate::time::{Clock, SystemClock};
use crate::{CpuPool, Error, Limits, Registry, Result, Tenants, Timestamp};

/// Configures a [`Mediaflow`]. Nothing fails before [`Builder::start`], which reports the first mistake.
///
/// | setting | default |
/// |---|---|
/// | [`engine`](Builder::engine) | in memory |
/// | [`cores`](Builder::cores) | all that the process may use |
/// | [`memory`](Builder::memory) | half of what this process may use, for all running jobs together |
/// | [`places`](Builder::places) | `image` and `remote`: 4 jobs per core under way, pixels wait for a core; `video` and any class of the host's own: 1, which uses all cores |
/// | [`tenants`](Builder::tenants) | as many jobs of one tenant at once as there are places |
/// | [`limits`](Builder::limits), [`retry`](Builder::retry), [`delivery`](Builder::delivery) | see there |
/// | [`scratch`](Builder::scratch) | in the system's; a folder of its own there, removed at the end |
#[must_use]
pub struct Builder {
    registry: Registry,
    storages: Storages,
    notifiers: Vec<Arc<dyn Notifier>>,
    recipients: Arc<dyn Recipients>,
    routes: Vec<Route>,
    dry_run: bool,
    engine: Option<Arc<dyn Engine>>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    retry: RetryPolicy,
    delivery: DeliveryPolicy,
    cores: Option<usize>,
    memory: Option<u64>,
    places: BTreeMap<String, usize>,
    tenants: Tenants,
    submit_only: bool,
    scratch: Option<PathBuf>,
    allowed_paths: Vec<PathBuf>,
    allowed_hosts: Vec<String>,
    redirects: u8,
    mistake: Option<Error>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            registry: Registry::new(),
            storages: Storages::default(),
            notifiers: Vec::new(),
            recipients: Arc::new(Configured),
            routes: Vec::new(),
            dry_run: false,
            engine: None,
            clock: Arc::new(SystemClock::default()),
            limits: Limits::default(),
            retry: RetryPolicy::default(),
            delivery: DeliveryPolicy::default(),
            cores: None,
            memory: None,
            places: BTreeMap::new(),
            tenants: Tenants::new(),
            submit_only: false,
            scratch: None,
            allowed_paths: Vec::new(),
            allowed_hosts: Vec::new(),
            redirects: 0,
            mistake: None,
        }
    }

    /// Adds a storage by its URL: `memory:`, or `file:///folder`, which is made if it is missing.
    pub fn storage(mut self, name: impl Into<String>, url: &str) -> Self {
        match storage::from_url(url) {
            Ok(storage) => self.add_storage(name.into(), storage),
            Err(error) => self.note(error.with("storage", name.into())),
        }
        self
    }

    /// Adds a storage of your own.
    pub fn storage_with(mut self, name: impl Into<String>, storage: impl Storage) -> Self {
        self.add_storage(name.into(), Arc::new(storage));
        self
    }

    /// What is stored with all that is put into a storage, unless its output says something else.
    pub fn put_defaults(mut self, storage: impl Into<String>, options: PutOptions) -> Self {
        self.storages.set_defaults(storage.into(), options);
        self
    }

    /// Adds operations, jobs and backends: `.with(image::operations)`, or
    /// `.with(|registry| { registry.operation::<Mine>(); })`.
    pub fn with<R>(mut self, register: impl FnOnce(&mut Registry) -> R) -> Self {
        register(&mut self.registry);
        self
    }

    /// Adds a notifier.
    pub fn notify(mut self, notifier: impl IntoNotifier) -> Self {
        match notifier.into_notifier() {
            Ok(notifier) if self.notifiers.iter().any(|known| known.name() == notifier.name()) => {
                self.note(
                    Error::input(codes::NOTIFY_TWICE, "two notifiers have the same name")
                        .with("channel", notifier.name())
                        .help("give one of them another name"),
                );
            }
            Ok(notifier) => self.notifiers.push(notifier),
            Err(error) => self.note(error),
        }
        self
    }

    /// Adds a rule of who is told of what, through which channels, and when. A notifier that it names is told by routes alone,
    /// whatever it wants by itself: lost notifications (`delivery.failed`) need a route, too.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Sends nothing: everything is routed, recorded and logged as if it had arrived. For trying rules out, on a store of its
    /// own: on one that other processes work with, what it takes is not sent by them either.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Finds who is told of an event. Default: what the notifiers want, at the addresses that jobs give.
    pub fn recipients(mut self, recipients: impl Recipients) -> Self {
        self.recipients = Arc::new(recipients);
        self
    }

    /// Keeps and runs jobs with this engine.
    pub fn engine(mut self, engine: impl Engine) -> Self {
        self.engine = Some(Arc::new(engine));
        self
    }

    /// Bounds on input, work and time.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How failed attempts at a job are repeated.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// How failed attempts at a delivery are repeated.
    pub fn delivery(mut self, delivery: DeliveryPolicy) -> Self {
        self.delivery = delivery;
        self
    }

    /// How many cores pixel work may use at once.
    pub fn cores(mut self, cores: usize) -> Self {
        self.cores = Some(cores);
        self
    }

    /// Bytes that all running jobs may use together. Default: half of what this process may use (of the machine, or of its
    /// control group). A job waits until its estimate fits, which does not count against its deadline; one that needs more than
    /// this, and no more than there is, runs alone.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// How many jobs of a class may be under way at once in this process. With none, it leaves them to other processes on
    /// the same engine.
    ///
    /// ```
    /// let media = mediaflow_core::Mediaflow::builder().places("image", 8).places("video", 2);
    /// ```
    pub fn places(mut self, class: impl Into<String>, jobs: usize) -> Self {
        self.places.insert(class.into(), jobs);
        self
    }

    /// How many jobs of one tenant may be under way at once.
    pub fn tenants(mut self, tenants: Tenants) -> Self {
        self.tenants = tenants;
        self
    }

    /// Takes jobs and works on none: other processes on the same engine do.
    pub fn submit_only(mut self) -> Self {
        self.submit_only = true;
        self
    }

    /// The folder for temporary files, which must exist: each process makes one of its own in it, removed at its end, and
    /// removes those of processes that were killed. Large sources lie there while they are worked on, and video needs as
    /// much room there as its results take.
    pub fn scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }

    /// Lets specs name files in this folder as `file:/...`. Without it they can read no local path at all.
    pub fn allow_paths(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        match folder.canonicalize() {
            Ok(folder) => self.allowed_paths.push(folder),
            Err(e) => self.note(
                Error::input(codes::SOURCE_PATH, "the allowed folder can not be found")
                    .with("folder", folder.display())
                    .because(e),
            ),
        }
        self
    }

    /// Lets sources by URL come from this host and port although its address is private: `127.0.0.1:9000`.
    pub fn allow_private_host(mut self, host: impl Into<String>) -> Self {
        self.allowed_hosts.push(host.into());
        self
    }

    /// How many redirects are followed when a source is fetched by URL, each checked as the first URL is. Default: none.
    pub fn allow_redirects(mut self, hops: u8) -> Self {
        self.redirects = hops;
        self
    }

    /// Takes time from this clock: for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything and starts to work. Call it within a tokio runtime.
    ///
    /// # Errors
    /// The first mistake of the configuration.
    pub async fn start(mut self) -> Result<Mediaflow> {
        self.registry.check()?;
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.delivery.check()?;
        for notifier in &self.notifiers {
            check_name(notifier.name(), self.limits.option_bytes)?;
            // A defect of it silences nobody else: whoever sends meets it, and is begun again.
            let terms = catch_unwind(AssertUnwindSafe(|| notifier.terms()));
            let checked = terms.map_or(Ok(()), |terms| terms.check());
            checked.map_err(|e| e.with("channel", notifier.name()))?;
        }
        let routes = routes(self.routes, &self.notifiers, self.limits.option_bytes)?;
        self.storages.check()?;
        let (scratch, scratch_folder) = executor::scratch(self.scratch)?;
        let cpu = self.cores.map_or_else(CpuPool::per_core, CpuPool::new);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let engine = self
            .engine
            .unwrap_or_else(|| Arc::new(MemoryEngine::with_clock(Arc::clone(&self.clock))));
        let places = places(&self.registry, &self.places, &self.tenants, cores)?;
        let videos = places.get(&CostClass::Video).copied().unwrap_or_default().max(1);
        #[cfg(feature = "http")]
        let http = crate::http::GuardedClient::builder()
            .source_rate(self.limits.source_rate)
            .redirects(self.redirects);
        let routed = routes.iter().flat_map(Route::channels).map(str::to_owned).collect();
        let executor = Executor(Arc::new(Resources {
            registry: self.registry,
            storages: self.storages,
            notifiers: self.notifiers,
            recipients: self.recipients,
            routes,
            routed,
            people: PeopleCache::default(),
            dry_run: self.dry_run,
            limits: self.limits,
            cpu,
            capacity: Capacity::new(self.memory, videos),
            scratch,
            _scratch_folder: scratch_folder,
            clock: self.clock,
            allowed_paths: self.allowed_paths,
            #[cfg(feature = "http")]
            http: self
                .allowed_hosts
                .iter()
                .fold(http, |http, host| http.allow_private(host))
                .build()?,
            retry: self.retry,
            delivery: self.delivery,
            places,
            tenants: self.tenants,
        }));
        engine.open(&executor).await?;
        Ok(Mediaflow::start(engine, executor, self.submit_only))
    }

    fn add_storage(&mut self, name: String, storage: Arc<dyn Storage>) {
        if !self.storages.add(name.clone(), storage) {
            self.note(
                Error::input(codes::STORAGE_TWICE, "two storages have the same name")
                    .with("storage", name),
            );
        }
    }

    fn note(&mut self, mistake: Error) {
        self.mistake.get_or_insert(mistake);
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("registry", &self.registry)
            .field("storages", &self.storages)
            .field("notifiers", &self.notifiers)
            .finish_non_exhaustive()
    }
}

/// The rules, each with its name.
fn routes(routes: Vec<Route>, notifiers: &[Arc<dyn Notifier>], most: usize) -> Result<Vec<Route>> {
    if routes.is_empty() {
        return Ok(routes);
    }
    let mut named: Vec<Route> = Vec::with_capacity(routes.len());
    let channels: Vec<_> =
        notifiers.iter().map(|notifier| (notifier.name(), notifier.terms())).collect();
    for route in routes {
        route.check(&channels)?;
        route.check_addresses(notifiers)?;
        let rule = route.rule();
        check_name(&rule, most)?;
        let channel = notifiers.iter().any(|notifier| notifier.name() == rule);
        if channel || named.iter().any(|known| known.name.as_ref() == Some(&rule)) {
            return Err(Error::input(codes::ROUTE_TWICE, "two rules have the same name")
                .with("route", rule)
                .help("give each route a name of its own, which no notifier has"));
        }
        named.push(route.name(rule));
    }
    warn_of_silence(&named, notifiers);
    Ok(named)
}

/// Says so if a notifier that told of lost notifications does no more, because a route names it.
fn warn_of_silence(routes: &[Route], notifiers: &[Arc<dyn Notifier>]) {
    for kind in [EventKind::DeliveryFailed, EventKind::DestinationDisabled] {
        let event = Event::new(kind, Timestamp::default(), EventData::None);
        for notifier in notifiers {
            let names = |route: &&Route| route.channels().any(|name| name == notifier.name());
            let named: Vec<_> = routes.iter().filter(names).collect();
            let told = named.is_empty() || named.iter().any(|route| route.takes(&event));
            if !told && notifier.wants(&event) {
                tracing::warn!(channel = notifier.name(), %kind, "no route of this channel takes these events any more");
            }
        }
    }
}

/// The places of each class that can come up here.
fn places(
    registry: &Registry,
    asked: &BTreeMap<String, usize>,
    tenants: &Tenants,
    cores: usize,
) -> Result<BTreeMap<CostClass, usize>> {
    let default = |class| match class {
        CostClass::Image | CostClass::Remote => (class, 4 * cores),
        CostClass::Video | CostClass::Other(_) => (class, 1),
    };
    let mut places: BTreeMap<_, _> = registry.classes().into_iter().map(default).collect();
    let known = |name: &str, of: &BTreeMap<CostClass, usize>| {
        of.keys().find(|class| class.as_str() == name).copied().ok_or_else(|| {
            let names: Vec<_> = of.keys().map(CostClass::as_str).collect();
            Error::input(codes::CLASS_UNKNOWN, format!("nothing here is of the class `{name}`"))
                .help(did_you_mean(name, names))
        })
    };
    for (name, jobs) in asked {
        places.insert(known(name, &places)?, *jobs);
    }
    tenants.classes().try_for_each(|name| known(name, &places).map(drop))?;
    Ok(places)
}

/// Refuses the name of a notifier that can not stand beside others: blanks and bars part names where they are stored.
fn check_name(name: &str, most: usize) -> Result<()> {
    let parts = |c: char| c == '|' || c.is_whitespace() || c.is_control();
    let (problem, help) = if name.is_empty() {
        ("a notifier has no name", "give it one".to_owned())
    } else if name.contains(parts) {
        (
            "the name of a notifier has a blank, a bar or a control character",
            "write `my-hook`".into(),
        )
    } else if name.len() > most {
        (
            "the name of a notifier is too long",
            format!("at most {most} bytes: `Limits::option_bytes`"),
        )
    } else {
        return Ok(());
    };
    Err(Error::input(codes::NOTIFY_NAME, problem).with("channel", name.escape_debug()).help(help))
}
