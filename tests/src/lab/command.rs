//! Programs of the system that the lab runs, and processes it owns until they are dropped.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use super::error::{LabError, Result};

/// Runs a program to its end; returns its standard output.
///
/// # Errors
/// The program cannot start, or ends without success.
pub fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    finish(&mut command)
}

/// Runs a prepared command to its end; returns its standard output.
///
/// # Errors
/// The program cannot start, or ends without success.
pub fn finish(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| start(command, source))?;
    checked(command, &output)
}

/// Feeds `text` to a program's standard input and runs it to its end.
///
/// # Errors
/// The program cannot start, or ends without success.
pub fn feed(command: &mut Command, text: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| start(command, source))?;
    if let Some(mut input) = child.stdin.take() {
        input
            .write_all(text.as_bytes())
            .map_err(LabError::io("feed", describe(command)))?;
    }
    let output = child
        .wait_with_output()
        .map_err(LabError::io("wait for", describe(command)))?;
    checked(command, &output)
}

fn checked(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(LabError::Failed {
        command: describe(command),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn start(command: &Command, source: std::io::Error) -> LabError {
    LabError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

/// A command line as text, for messages.
#[must_use]
pub fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A command that is killed with this process, however this process ends.
#[must_use]
pub fn bound_to_us(signal: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// A child process that does not outlive its owner.
#[derive(Debug)]
pub struct Owned {
    name: String,
    child: Child,
}

impl Owned {
    /// Starts a command.
    ///
    /// # Errors
    /// The program cannot start.
    pub fn spawn(name: impl Into<String>, command: &mut Command) -> Result<Self> {
        let child = command.spawn().map_err(|source| start(command, source))?;
        Ok(Self {
            name: name.into(),
            child,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether the process still runs.
    ///
    /// # Errors
    /// Its state cannot be read.
    pub fn is_running(&mut self) -> Result<bool> {
        let state = self
            .child
            .try_wait()
            .map_err(LabError::io("look at", self.name.clone()))?;
        Ok(state.is_none())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: nix::sys::signal::Signal) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, signal)
            .map_err(|error| LabError::io("signal", self.name.clone())(error.into()))
    }

    /// Asks the process to end, and waits for it.
    ///
    /// # Errors
    /// It does not end in time (it is killed then), or its state cannot be read.
    pub fn end(self, patience: Duration) -> Result<()> {
        self.signal(nix::sys::signal::Signal::SIGTERM)?;
        self.wait(patience).map(drop)
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// It does not end in time (it is killed then), or its state cannot be read.
    pub fn wait(mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            let state = self
                .child
                .try_wait()
                .map_err(LabError::io("look at", self.name.clone()))?;
            if let Some(status) = state {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(LabError::TooLate {
                    what: format!("{} has not ended", self.name),
                    seconds: patience.as_secs(),
                    detail: String::new(),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the process with SIGKILL, as a crash would, and waits for its end.
    ///
    /// # Errors
    /// The process cannot be killed or waited for.
    pub fn kill(mut self) -> Result<()> {
        let name = self.name.clone();
        self.child
            .kill()
            .map_err(LabError::io("kill", name.clone()))?;
        self.child.wait().map_err(LabError::io("wait for", name))?;
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
