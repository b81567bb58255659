//! Programs that other people wrote, in a virtual environment below the target folder, which is made once for each set of
//! versions.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Runs a script on an input, to its end.
pub(crate) fn ask(script: &str, input: &str) -> Output {
    let mut peer = command(script).stderr(Stdio::piped()).spawn().unwrap();
    peer.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    peer.wait_with_output().unwrap()
}

/// A script that reads from a pipe and writes to one.
pub(crate) fn command(script: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(verifiers().join(script)).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Where they are: in the workspace, whose crates share them.
fn verifiers() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = folders.map(|folder| folder.join("tests/verifiers"));
    folders.find(|folder| folder.is_dir()).unwrap()
}

/// The interpreter of the virtual environment, which is made if the versions asked for are not there yet.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhook-verifiers");
        let (python, requirements) =
            (venv.join("bin/python"), verifiers().join("requirements.txt"));
        let (wanted, installed) =
            (std::fs::read(&requirements).unwrap(), venv.join("installed.txt"));
        if std::fs::read(&installed).is_ok_and(|installed| installed == wanted) {
            return python;
        }
        run(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
            "apt-get install python3-venv",
        );
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(
            Command::new(&python).args(pip).arg(requirements),
            "check the network, or the index that pip uses",
        );
        std::fs::write(installed, wanted).unwrap();
        python
    })
}

fn run(command: &mut Command, help: &str) {
    let output =
        command.output().unwrap_or_else(|e| panic!("{command:?} does not start: {e}; try: {help}"));
    let said = || {
        String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
    };
    assert!(output.status.success(), "{command:?} failed; try: {help}\n{}", said());
}
