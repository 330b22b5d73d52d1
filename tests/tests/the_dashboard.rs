//! `octroi-lab demo` in a real terminal: the dashboard shows live traffic, `q` ends everything.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use octroi_tests::lab::{Traces, wanted};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const ROWS: NonZero<u16> = NonZero::new(24).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();
/// Building the lab, loading the atlas, drawing.
const START: Duration = Duration::from_secs(40);
const END: Duration = Duration::from_secs(20);

#[test]
fn q_ends_the_demonstration_and_leaves_nothing() {
    if !wanted() {
        return;
    }
    let size = PtySize {
        rows: 24,
        cols: 80,
        pixel_width: 0,
        pixel_height: 0,
    };
    let terminal = native_pty_system().openpty(size).unwrap();
    let mut demo = CommandBuilder::new(env!("CARGO_BIN_EXE_octroi-lab"));
    demo.arg("demo");
    demo.env("TERM", "xterm-256color");
    let mut child = terminal.slave.spawn_command(demo).unwrap();
    drop(terminal.slave);
    let traces = Traces::of(format!("{}x0", child.process_id().unwrap()));
    let mut reader = terminal.master.try_clone_reader().unwrap();
    let mut writer = terminal.master.take_writer().unwrap();
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

    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    // Traffic of the lab is on the screen: an address or an operator of the scenario.
    read_until(&told, &mut screen, START, |text| {
        text.contains("10.10.0.10") || text.contains("ovh") || text.contains("microsoft")
    });
    assert!(
        !traces.residue().unwrap().is_empty(),
        "the lab is not where it is expected"
    );

    writer.write_all(b"q").unwrap();
    writer.flush().unwrap();
    read_until(&told, &mut screen, END, |text| {
        text.contains("nothing is left")
    });
    assert!(
        child.wait().unwrap().success(),
        "{}",
        screen.screen().contents()
    );
    assert_eq!(traces.residue().unwrap(), Vec::<String>::new());
}

/// Feeds what the program writes to the screen until the screen is as expected.
fn read_until(
    told: &Receiver<Vec<u8>>,
    screen: &mut vt100::Parser,
    patience: Duration,
    expected: impl Fn(&str) -> bool,
) {
    let deadline = Instant::now() + patience;
    loop {
        let text = screen.screen().contents();
        if expected(&text) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "not in time; the screen:\n{text}"
        );
        match told.recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => screen.process(&bytes),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                assert!(
                    expected(&screen.screen().contents()),
                    "it ended; the screen:\n{text}"
                );
                return;
            }
        }
    }
}
