//! The dashboard in a real pseudo-terminal, against a fake daemon on a real socket.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::fake::{Behaviour, Fake};

/// Longest wait for something on the screen.
const PATIENCE: Duration = Duration::from_secs(30);

const STILL: Behaviour = Behaviour {
    flows: 40,
    live: false,
};

/// What the terminal received: the screen it shows, and every byte.
struct Received {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

/// A dashboard in a pseudo-terminal.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    received: Arc<Mutex<Received>>,
}

/// The example that does nothing but run the dashboard. `cargo test -p octroi-tui` builds it;
/// `--test dashboard` alone would run an older one.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().expect("a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join("examples").join("dashboard");
    assert!(
        path.exists(),
        "{} is not built: run `cargo build -p octroi-tui --examples`",
        path.display()
    );
    path
}

impl Session {
    fn start(socket: &Path, arguments: &[&str]) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize {
                rows: 24,
                cols: 80,
                ..PtySize::default()
            })
            .expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program());
        command.arg(socket);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env_remove("NO_COLOR");
        command.env_remove("TMUX");
        let child = pair.slave.spawn_command(command).expect("the dashboard");
        drop(pair.slave);
        let received = Arc::new(Mutex::new(Received {
            parser: vt100::Parser::new(nonzero(24), nonzero(80), 0),
            bytes: Vec::new(),
        }));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let sink = received.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8_192];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 {
                    return;
                }
                let mut sink = sink.lock().expect("the received bytes");
                sink.parser.process(&buffer[..count]);
                sink.bytes.extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            child,
            writer: pair.master.take_writer().expect("a writer"),
            master: pair.master,
            received,
        }
    }

    fn screen(&self) -> String {
        let received = self.received.lock().expect("the received bytes");
        received.parser.screen().contents()
    }

    fn bytes(&self) -> usize {
        self.received
            .lock()
            .expect("the received bytes")
            .bytes
            .len()
    }

    fn send(&mut self, keys: &str) {
        self.writer
            .write_all(keys.as_bytes())
            .expect("written keys");
        self.writer.flush().expect("written keys");
    }

    /// Waits until the screen satisfies `wanted`.
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "no {what} on:\n{screen}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits for the end; asserts that the terminal was given back and answers the exit code.
    fn end(mut self) -> u32 {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "no end on:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        };
        // The last bytes may still be on their way.
        while self.alternate() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let received = self.received.lock().expect("the received bytes");
        let screen = received.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "paste is as it was");
        assert_eq!(
            screen.mouse_protocol_mode(),
            vt100::MouseProtocolMode::None,
            "the mouse is given back"
        );
        let canonical = self
            .master
            .get_termios()
            .is_none_or(|termios| termios.local_flags.bits() & libc::ICANON != 0);
        assert!(canonical, "raw mode is left");
        status.exit_code()
    }

    fn alternate(&self) -> bool {
        let received = self.received.lock().expect("the received bytes");
        received.parser.screen().alternate_screen()
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.child.process_id().expect("a running child");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a process id"));
        nix::sys::signal::kill(pid, signal).expect("a signal");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nonzero(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("not zero")
}

/// A directory with a socket's place in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("octroi.sock");
    (directory, socket)
}

#[test]
fn keys_walk_the_screens_and_q_gives_the_terminal_back() {
    let (_directory, socket) = place();
    let _fake = Fake::start(&socket, STILL);
    let mut session = Session::start(&socket, &[]);
    session.wait_for("outlook.office.com");
    session.send("2");
    session.wait_for("SHARE OF BYTES");
    session.send("3");
    session.wait_for("7 alerts");
    session.send("4");
    session.wait_for("1 running");
    session.send("5");
    session.wait_for("2 not closed");
    session.send("6");
    session.wait_for("verdicts are enforced");
    session.send("1");
    session.wait_for("40 live");
    session.send("\r");
    session.wait_for("Microsoft Corporation");
    session.send("\u{1b}");
    session.wait_for("40 live");
    session.send("?");
    session.wait_for("freeze this screen");
    session.send("?");
    session.send("/verdict:reject\r");
    session.wait_for("4 match");
    session.send("/ contry:US\r");
    session.wait_for("there is no field");
    session.send("\u{1b}");
    session.wait("the last good filter", |screen| {
        screen.contains("/ verdict:reject") && screen.contains("4 match")
    });
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_resize_draws_the_new_size() {
    let (_directory, socket) = place();
    let _fake = Fake::start(&socket, STILL);
    let mut session = Session::start(&socket, &[]);
    session.wait_for("40 live");
    let resize = |rows: u16, cols: u16| {
        let size = PtySize {
            rows,
            cols,
            ..PtySize::default()
        };
        let mut received = session.received.lock().expect("the received bytes");
        received
            .parser
            .screen_mut()
            .set_size(nonzero(rows), nonzero(cols));
        drop(received);
        session.master.resize(size).expect("another size");
    };
    resize(36, 120);
    session.wait_for("WHY · outlook.office.com");
    resize(5, 20);
    session.wait_for("needs 80x24");
    resize(24, 80);
    session.wait("the first size again", |screen| {
        screen.contains("q quit") && !screen.contains("WHY") && !screen.contains("needs")
    });
    session.send("\u{3}");
    assert_eq!(session.end(), 0);
}

#[test]
fn an_idle_dashboard_writes_nothing() {
    let (_directory, socket) = place();
    let _fake = Fake::start(&socket, STILL);
    let mut session = Session::start(&socket, &[]);
    session.wait_for("40 live");
    session.send("j");
    session.wait_for("order held");
    // The hold ends after three seconds: one frame more, then silence.
    session.wait("the end of the hold", |screen| {
        !screen.contains("order held")
    });
    std::thread::sleep(Duration::from_millis(200));
    let before = session.bytes();
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(session.bytes() - before, 0);
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn signals_give_the_terminal_back() {
    use nix::sys::signal::Signal;
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let (_directory, socket) = place();
        let _fake = Fake::start(&socket, STILL);
        let session = Session::start(&socket, &[]);
        session.wait_for("40 live");
        session.signal(signal);
        assert_eq!(session.end(), 0, "{signal}");
    }
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let (_directory, socket) = place();
    let session = Session::start(&socket, &["--panic-after-ms=300"]);
    session.wait_for("panicked");
    assert_eq!(session.end(), 101);
}

#[test]
fn a_daemon_that_goes_away_is_said_and_comes_back() {
    let (_directory, socket) = place();
    let fake = Fake::start(&socket, STILL);
    let mut session = Session::start(&socket, &[]);
    session.wait_for("40 live");
    drop(fake);
    let screen = session.wait_for("away");
    assert!(
        screen.contains("outlook.office.com"),
        "data is kept:\n{screen}"
    );
    let _fake = Fake::start(&socket, STILL);
    session.wait_for("● up");
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn copying_goes_through_the_terminal() {
    let (_directory, socket) = place();
    let _fake = Fake::start(&socket, STILL);
    let mut session = Session::start(&socket, &[]);
    session.wait_for("40 live");
    session.send("c");
    session.wait_for("copied as JSON");
    // "{" and the first quote of a JSON object, in base64.
    let start = b"\x1b]52;c;eyJ";
    let received = session.received.lock().expect("the received bytes");
    assert!(
        received
            .bytes
            .windows(start.len())
            .any(|part| part == start)
    );
    drop(received);
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn keys_are_answered_at_once_under_load() {
    let (_directory, socket) = place();
    let load = Behaviour {
        flows: 1_000,
        live: true,
    };
    let _fake = Fake::start(&socket, load);
    let mut session = Session::start(&socket, &[]);
    session.wait_for("1 000 live");
    let mut took = Vec::new();
    for _ in 0..20 {
        for (key, text) in [("6", "verdicts are enforced"), ("1", "1 000 live")] {
            let start = Instant::now();
            session.send(key);
            session.wait_for(text);
            took.push(start.elapsed());
        }
    }
    // The one in the middle, for machines that pause: the point is that no key waits for an update.
    took.sort_unstable();
    assert!(took[20] < Duration::from_millis(500), "{took:?}");
    session.send("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn plain_lines_come_without_a_terminal() {
    let (_directory, socket) = place();
    let _fake = Fake::start(&socket, STILL);
    let mut child = std::process::Command::new(program())
        .arg(&socket)
        .arg("verdict:reject,block")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the dashboard");
    let mut out = child.stdout.take().expect("a pipe");
    let mut text = String::new();
    let mut buffer = [0; 8_192];
    // 3 alerts of blocks, 1 of a reject, and the flows of the same places.
    let start = Instant::now();
    while text.matches("flow: ").count() < 16 && start.elapsed() < PATIENCE {
        let count = out.read(&mut buffer).expect("lines");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("status gateway gw-min-01 enforces, policy cloud-au-centre 12"));
    assert!(
        text.contains(
            "alert high: block by rule us-control; tcp from 10.20.4.17:40000 zone cabinet to \
         outlook.office.com at 20.74.0.1:443; host FR, control US law, operator microsoft"
        ),
        "{text}"
    );
    assert!(
        !text.contains("allow"),
        "the filter holds here too:\n{text}"
    );
}

#[test]
fn a_wrong_filter_at_the_start_is_refused_with_its_place() {
    let output = std::process::Command::new(program())
        .args(["/nonexistent.sock", "contry:US"])
        .output()
        .expect("the dashboard");
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("column 1") && error.contains("contry"),
        "{error}"
    );
}
