//! The daemon under test: started in the gateway, asked through its own command line, killed.

use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::command::{self, Owned};
use super::error::{LabError, Result};
use super::{INSIDE, Lab, binary};

/// How long the daemon may take until it answers its socket, on a machine that is busy with much else.
const START: Duration = Duration::from_mins(2);
/// How long it may take to end after SIGTERM.
const END: Duration = Duration::from_mins(1);
/// How often a state that should come is looked at.
const POLL: Duration = Duration::from_millis(50);
/// Lines of the log that an error quotes.
const QUOTED_LINES: usize = 12;

/// A daemon that runs in a lab's gateway.
#[derive(Debug)]
pub struct Daemon {
    process: Owned,
    files: Files,
}

/// The files of a lab's daemon; they are the same for each start in one lab.
#[derive(Clone, Debug)]
pub struct Files {
    /// Its configuration.
    pub config: PathBuf,
    /// The policy it enforces.
    pub policy: PathBuf,
    /// Its socket.
    pub socket: PathBuf,
    /// Alerts and flow records.
    pub eve: PathBuf,
    /// What it says on its standard output and error.
    pub log: PathBuf,
    /// Where it pins programs, links and maps.
    pub pin_root: PathBuf,
}

impl Files {
    /// The files of the daemon of a lab.
    #[must_use]
    pub fn of(lab: &Lab) -> Self {
        let directory = lab.directory();
        Self {
            config: directory.join("octroi.toml"),
            policy: directory.join("policy.toml"),
            socket: directory.join("octroi.sock"),
            eve: directory.join("eve.json"),
            log: directory.join("octroi.log"),
            pin_root: lab.traces().pin_root(),
        }
    }

    fn config_text(&self, interfaces: &str) -> String {
        let mut text = String::new();
        let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
        let _ = write!(
            text,
            "interfaces = {interfaces}\nxdp_mode = \"native\"\n\
             policy = {}\npin_root = {}\nsocket = {}\n\n\
             [events]\neve = {}\nrotate_bytes = 104857600\nstdout = false\n\n\
             [names]\nenforce = true\n",
            quoted(&self.policy),
            quoted(&self.pin_root),
            quoted(&self.socket),
            quoted(&self.eve),
        );
        text
    }
}

impl Daemon {
    /// Starts the daemon under a policy and waits until it answers.
    ///
    /// # Errors
    /// It is not built, ends, or does not answer in time; the error quotes its log.
    pub fn start(lab: &Lab, policy: &str) -> Result<Self> {
        Self::start_with(lab, policy, "")
    }

    /// Starts the daemon under a policy and with more tables at the end of its configuration.
    ///
    /// # Errors
    /// See [`Daemon::start`].
    pub fn start_with(lab: &Lab, policy: &str, tables: &str) -> Result<Self> {
        let files = Files::of(lab);
        super::write(&files.policy, policy)?;
        Self::launch(lab, tables)
    }

    /// Starts the daemon under a policy on interfaces of its own choice: the value of `interfaces`
    /// in its configuration.
    ///
    /// # Errors
    /// See [`Daemon::start`].
    pub fn start_on(lab: &Lab, policy: &str, interfaces: &str) -> Result<Self> {
        let files = Files::of(lab);
        super::write(&files.policy, policy)?;
        Self::launch_on(lab, interfaces, "")
    }

    /// Starts the daemon with the files that are there: after a crash, or an upgrade.
    ///
    /// # Errors
    /// See [`Daemon::start`].
    pub fn start_again(lab: &Lab) -> Result<Self> {
        Self::launch(lab, "")
    }

    fn launch(lab: &Lab, tables: &str) -> Result<Self> {
        Self::launch_on(lab, &format!("[\"{INSIDE}\"]"), tables)
    }

    fn launch_on(lab: &Lab, interfaces: &str, tables: &str) -> Result<Self> {
        let files = Files::of(lab);
        let config = format!("{}\n{tables}", files.config_text(interfaces));
        super::write(&files.config, &config)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&files.log)
            .map_err(LabError::io("open", files.log.display().to_string()))?;
        let log_again = log
            .try_clone()
            .map_err(LabError::io("open", files.log.display().to_string()))?;
        let mut run = lab.namespaces().gateway.command(binary("octroi")?);
        run.args(["run", "--config"])
            .arg(&files.config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again);
        let process = Owned::spawn("octroi run", &mut run)?;
        let mut daemon = Self { process, files };
        daemon.wait_until_it_answers()?;
        Ok(daemon)
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if !self.process.is_running()? {
                return Err(LabError::Failed {
                    command: "octroi run".to_owned(),
                    status: "an early end".to_owned(),
                    output: self.end_of_log(),
                });
            }
            if self.files.socket.exists() && self.try_ask(&["status"])?.status.success() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(LabError::TooLate {
                    what: "octroi does not answer".to_owned(),
                    seconds: START.as_secs(),
                    detail: format!("; its log ends:\n{}", self.end_of_log()),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// A command of the daemon's own command line, pointed at this daemon.
    ///
    /// # Errors
    /// The binary is not built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("octroi")?);
        command
            .args(arguments)
            .arg("--socket")
            .arg(&self.files.socket)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command of the daemon's command line; the caller judges its end.
    ///
    /// # Errors
    /// The binary is not built or cannot start.
    pub fn try_ask(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)?
            .output()
            .map_err(LabError::io("run", "octroi"))
    }

    /// Runs a command of the daemon's command line; returns what it prints.
    ///
    /// # Errors
    /// The command ends without success.
    pub fn ask(&self, arguments: &[&str]) -> Result<String> {
        command::finish(&mut self.command(arguments)?)
    }

    /// Runs a command with `--json` and reads what it prints.
    ///
    /// # Errors
    /// The command ends without success or prints no JSON.
    pub fn ask_json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.ask(&[arguments, &["--json"]].concat())?;
        serde_json::from_str(&text).map_err(|error| LabError::Data {
            file: format!("octroi {} --json", arguments.join(" ")),
            problem: format!("{error} in: {}", text.chars().take(400).collect::<String>()),
        })
    }

    /// What the daemon says of itself, whether it is well (exit code 0) or not (2).
    ///
    /// # Errors
    /// It does not answer, or prints no JSON.
    pub fn status(&self) -> Result<Value> {
        let output = self.try_ask(&["status", "--json"])?;
        serde_json::from_slice(&output.stdout).map_err(|error| LabError::Data {
            file: "octroi status --json".to_owned(),
            problem: format!("{error}; {}", String::from_utf8_lossy(&output.stderr)),
        })
    }

    /// Asks the daemon to read its policy again (SIGHUP).
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn reload(&self) -> Result<()> {
        self.process.signal(Signal::SIGHUP)
    }

    /// Asks the daemon to update its atlas now (SIGUSR1).
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn update(&self) -> Result<()> {
        self.process.signal(Signal::SIGUSR1)
    }

    /// Every JSON line the daemon has written to its event file.
    ///
    /// # Errors
    /// The file cannot be read, or a complete line is no JSON.
    pub fn events(&self) -> Result<Vec<Value>> {
        let file = self.files.eve.display().to_string();
        let text = match fs::read_to_string(&self.files.eve) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(LabError::io("read", file.clone()))?,
        };
        // The last line may be half written.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete
            .lines()
            .enumerate()
            .map(|(number, line)| {
                serde_json::from_str(line).map_err(|error| LabError::Data {
                    file: format!("{file}:{}", number + 1),
                    problem: error.to_string(),
                })
            })
            .collect()
    }

    /// Kills the daemon as a crash would (SIGKILL): nothing it owns gets a chance to clean up.
    ///
    /// # Errors
    /// The process cannot be killed.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }

    /// Ends the daemon with SIGTERM and waits for it.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(self) -> Result<()> {
        self.process.end(END)
    }

    /// Whether the daemon still runs.
    ///
    /// # Errors
    /// Its state cannot be read.
    pub fn is_running(&mut self) -> Result<bool> {
        self.process.is_running()
    }

    /// The end of its log, for messages.
    #[must_use]
    pub fn end_of_log(&self) -> String {
        let text = fs::read_to_string(&self.files.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
    }
}

/// Waits until a state is reached.
///
/// # Errors
/// It is not reached in time, or looking at it fails.
pub fn wait_until(
    what: &str,
    patience: Duration,
    mut reached: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !reached()? {
        if Instant::now() > deadline {
            return Err(LabError::TooLate {
                what: format!("not so: {what}"),
                seconds: patience.as_secs(),
                detail: String::new(),
            });
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
