use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mediaflow_core::{Error, Result};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

const CODE: &str = "testing.postgres";
const USER: &str = "mediaflow";
const OLDEST: u32 = 15;
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "pg_ctl", "createdb"];
/// A socket's path may have 107 bytes, this much of them is ours.
const LONGEST_BASE: usize = 60;

/// A PostgreSQL server of one's own: a new cluster in a temporary folder, reachable on the loopback and through a
/// socket in that folder, with a password. Dropping it stops the server at once and removes the folder. That also
/// happens when the process panics, exits or is killed, because a small supervisor notices.
///
/// Needs the programs of PostgreSQL 15 or later, in the path or where Debian installs them. A process of root lends the
/// server the user `postgres` or `nobody`, for PostgreSQL refuses to run as root.
///
/// ```no_run
/// use mediaflow_queue::testing::PrivatePostgres;
///
/// # async fn example() -> mediaflow_core::Result<()> {
/// let server = PrivatePostgres::start().await?;
/// let url = server.database("orders").await?;
/// // Postgres::connect(&url) ...
/// server.stop_hard().await?;
/// server.start_again().await?; // the same port, recovered from its log
/// # Ok(()) }
/// ```
pub struct PrivatePostgres {
    supervisor: Arc<Supervisor>,
    port: u16,
    password: String,
    databases: AtomicU32,
}

/// The settings of a [`PrivatePostgres`] before it starts.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PrivatePostgresBuilder {
    settings: Vec<(String, String)>,
}

impl PrivatePostgres {
    /// Starts a server with its default settings (`fsync` is on) and room for 200 connections.
    ///
    /// # Errors
    /// `testing.postgres`: PostgreSQL is missing, too old or does not start.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Settings first.
    pub fn builder() -> PrivatePostgresBuilder {
        PrivatePostgresBuilder::default()
    }

    /// One server for all tests of this process, started by the first who asks. Take a [`database`](Self::database) of
    /// it, and leave it running.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<PrivatePostgres> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// Host and port: what a [`Proxy`](super::Proxy) stands before.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The URL of the database `postgres`, for a superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes an empty database and answers its URL. A number is added to the name, so that a name can be asked for
    /// again.
    ///
    /// # Errors
    /// `testing.postgres`: the name is not made of `a-z`, `0-9` and `_`, or the server is stopped.
    pub async fn database(&self, name: &str) -> Result<String> {
        if !name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
            return Err(Error::input(
                CODE,
                "the name of a database has other characters than a-z, 0-9 and _",
            )
            .with("name", name));
        }
        let name = format!("{name}_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.tell(format!("database {name}")).await?;
        Ok(self.url_of(&name))
    }

    /// Restarts it as an administrator would: transactions are rolled back, connections closed. Returns when it
    /// accepts connections again, on the same port.
    ///
    /// # Errors
    /// `testing.postgres`: it does not come back within 60 s.
    pub async fn restart(&self) -> Result<()> {
        self.tell("restart".to_owned()).await
    }

    /// Stops it as a crash would: nothing is written any more. Returns when every process of it is gone.
    ///
    /// # Errors
    /// `testing.postgres`: it is stopped already.
    pub async fn stop_hard(&self) -> Result<()> {
        self.tell("stop".to_owned()).await
    }

    /// Starts a stopped server on its old port. Returns when it has recovered and accepts connections.
    ///
    /// # Errors
    /// `testing.postgres`: it is running, or does not start within 60 s.
    pub async fn start_again(&self) -> Result<()> {
        self.tell(format!("start {}", self.port)).await
    }

    /// The temporary folder: the file `log` is the server's, the folder `data` its cluster.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.supervisor.folder
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@{}/{database}", self.password, self.addr())
    }

    async fn tell(&self, command: String) -> Result<()> {
        let supervisor = Arc::clone(&self.supervisor);
        aside(move || supervisor.tell(&command)).await
    }
}

impl fmt::Debug for PrivatePostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivatePostgres")
            .field("addr", &self.addr())
            .field("folder", &self.folder())
            .finish_non_exhaustive()
    }
}

impl PrivatePostgresBuilder {
    /// One line of `postgresql.conf`: `.set("fsync", "off")`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the cluster and starts the server. Returns when it accepts connections.
    ///
    /// # Errors
    /// `testing.postgres`: PostgreSQL is missing, too old or does not start.
    pub async fn start(self) -> Result<PrivatePostgres> {
        aside(move || self.start_blocking()).await
    }

    fn start_blocking(self) -> Result<PrivatePostgres> {
        let password: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        let supervisor = Supervisor::start(&programs()?, &password)?;
        supervisor.tell("create")?;
        supervisor
            .configure(&self.settings)
            .map_err(failed("the cluster can not be configured"))?;
        let mut attempts = 0;
        let port = loop {
            attempts += 1;
            let port = free_port().map_err(failed("the loopback has no free port"))?;
            match supervisor.tell(&format!("start {port}")) {
                Ok(()) => break port,
                // Somebody was faster.
                Err(e) if attempts < 5 && output(&e).contains("TCP/IP sockets") => {}
                Err(e) => return Err(e),
            }
        };
        let supervisor = Arc::new(supervisor);
        Ok(PrivatePostgres { supervisor, port, password, databases: AtomicU32::new(1) })
    }
}

/// The shell that runs the server, and outlives this process by as long as it takes to clean up.
struct Supervisor {
    folder: PathBuf,
    talk: Mutex<Talk>,
}

struct Talk {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    fn start(programs: &Path, password: &str) -> Result<Self> {
        let user = unprivileged_user()?;
        let folder = tempfile::Builder::new()
            .prefix("mediaflow-postgres-")
            .tempdir_in(base(user.is_some()))
            .map_err(failed("there is no temporary folder"))?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", include_str!("supervise.sh"), "supervise"])
            .args([programs, folder.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0); // an interrupt at the terminal is for the test, which then ends our input
        // What a developer has set for `psql` is not meant for this server.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG"))
        {
            shell.env_remove(name);
        }
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group))
                .map_err(failed("the temporary folder can not be given to the server's user"))?;
            shell.uid(user).gid(group).env("HOME", folder.path());
        }
        let mut shell = shell.spawn().map_err(failed("no shell can be started"))?;
        let answers = shell.stdout.take().map(BufReader::new);
        let answers = answers.ok_or_else(|| Error::internal(CODE, "the shell has no output"))?;
        // From here on, the shell removes it.
        let folder = folder.keep();
        let mut talk = Talk { shell, answers };
        let greeted = talk.say(password);
        let supervisor = Self { folder, talk: Mutex::new(talk) };
        greeted.map_err(failed("the server's shell has gone"))?;
        Ok(supervisor)
    }

    /// One command, and its success.
    fn tell(&self, command: &str) -> Result<()> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let status = talk
            .say(command)
            .and_then(|()| talk.hear())
            .map_err(failed("the server's shell has gone"))?;
        if status == "0" {
            return Ok(());
        }
        let output = fs::read_to_string(self.folder.join("answer")).unwrap_or_default();
        let command = command.split(' ').next().unwrap_or_default();
        Err(Error::backend(CODE, "the private PostgreSQL server failed")
            .with("command", command)
            .with("output", output.trim()))
    }

    fn configure(&self, settings: &[(String, String)]) -> io::Result<()> {
        let folder = self.folder.to_string_lossy();
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &*folder),
            ("max_connections", "200"),
        ];
        let theirs = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut file =
            fs::OpenOptions::new().append(true).open(self.folder.join("data/postgresql.conf"))?;
        for (name, value) in ours.into_iter().chain(theirs) {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''"))?;
        }
        Ok(())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let talk = self.talk.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Waiting closes the shell's input first, and the shell ends when the server is gone.
        let _ = talk.shell.wait();
    }
}

impl Talk {
    fn say(&mut self, line: &str) -> io::Result<()> {
        let input = self.shell.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(format!("{line}\n").as_bytes())
    }

    fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim().to_owned()),
        }
    }
}

/// The folder of the newest PostgreSQL that is new enough.
fn programs() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // In the path may be links to some of the programs; the others are where they lead.
    let linked = std::env::split_paths(&path).filter_map(|folder| {
        folder.join("postgres").canonicalize().ok()?.parent().map(Path::to_owned)
    });
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    linked
        .chain(debian.map(|version| version.path().join("bin")))
        .filter(|folder| PROGRAMS.iter().all(|program| folder.join(program).is_file()))
        .filter_map(|folder| Some((version(&folder)?, folder)))
        .filter(|(version, _)| *version >= OLDEST)
        .max()
        .map(|(_, folder)| folder)
        .ok_or_else(|| {
            Error::unsupported(CODE, "there is no PostgreSQL server of version 15 or later")
                .with("looked_in", "PATH, /usr/lib/postgresql/*/bin")
                .help(
                    "install it: scripts/setup.sh jobs, or apt-get install postgresql \
                     (older systems: the packages of apt.postgresql.org)",
                )
        })
}

/// The major version.
fn version(folder: &Path) -> Option<u32> {
    let told = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let number = told.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// User and group to run the server as; `None` where this process is no root.
fn unprivileged_user() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(failed("the users can not be read"))?;
    let find = |name| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or_else(|| {
        Error::unsupported(CODE, "there is no user but root, whom PostgreSQL does not serve")
            .help("add a user `postgres`, or run the tests as another user than root")
    })
}

/// The folder for temporary files, if a server can live there: another user must get in, and the path must be short.
fn base(other_user: bool) -> PathBuf {
    let base = std::env::temp_dir();
    let passable = |folder: &Path, mode| {
        folder.metadata().is_ok_and(|known| known.permissions().mode() & mode == mode)
    };
    let open = || passable(&base, 0o003) && base.ancestors().all(|folder| passable(folder, 0o001));
    let fits = base.as_os_str().len() <= LONGEST_BASE && (!other_user || open());
    if fits { base } else { PathBuf::from("/tmp") }
}

/// Below the range that systems give to outgoing connections: while the server is down, its port stays free.
fn free_port() -> io::Result<u16> {
    let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..100 {
        let port = fastrand::u16(20_000..32_000);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(e) => failure = e,
        }
    }
    Err(failure)
}

fn output(error: &Error) -> &str {
    error.fact("output").unwrap_or_default()
}

fn failed(message: &'static str) -> impl Fn(io::Error) -> Error {
    move |e| Error::backend(CODE, message).because(e)
}

/// Runs what blocks where it may.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|e| Error::internal(CODE, "the runtime is shutting down").because(e))?
}
