//! The dashboard in a real terminal, beside a daemon of the lab.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use octroi_tests::lab::daemon::Daemon;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const ROWS: NonZero<u16> = NonZero::new(24).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();

/// A running dashboard.
pub(super) struct Dashboard {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn std::io::Write + Send>,
    told: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    // Held: the terminal lives as long as this end.
    _terminal: Box<dyn MasterPty + Send>,
}

impl Dashboard {
    /// Opens the dashboard of a daemon.
    pub(super) fn open(daemon: &Daemon) -> Self {
        let size = PtySize {
            rows: ROWS.get(),
            cols: COLUMNS.get(),
            pixel_width: 0,
            pixel_height: 0,
        };
        let terminal = native_pty_system().openpty(size).unwrap();
        let program = daemon.command(&["tui"]).unwrap();
        let mut command = CommandBuilder::new(program.get_program());
        command.args(program.get_args());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        let child = terminal.slave.spawn_command(command).unwrap();
        drop(terminal.slave);
        let mut reader = terminal.master.try_clone_reader().unwrap();
        let writer = terminal.master.take_writer().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            // A terminal whose other end is closed ends with an error: the end, either way.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut opened = Self {
            child,
            writer,
            told,
            screen: vt100::Parser::new(ROWS, COLUMNS, 0),
            _terminal: terminal.master,
        };
        // What is typed before the first screen may go to nobody.
        opened.wait_for(Duration::from_mins(1), &["1 Flow", "5 Find"]);
        opened
    }

    /// Presses keys.
    pub(super) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits until the screen shows all of these words in one line.
    pub(super) fn wait_for(&mut self, patience: Duration, words: &[&str]) {
        let deadline = Instant::now() + patience;
        loop {
            let text = self.screen.screen().contents();
            let shown = text
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)));
            if shown {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{words:?} did not come; the screen:\n{text}"
            );
            match self.told.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the dashboard ended:\n{text}"),
            }
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
