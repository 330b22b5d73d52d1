//! The terminal: taken, drawn on, and given back whatever happens.

use std::io::{self, BufWriter, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};
use nix::sys::signal::{Signal, raise};
use ratatui::layout::Rect;
use ratatui::prelude::CrosstermBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::clipboard;
use crate::TuiError;
use crate::model::Model;
use crate::view::{self, Look, Regions};

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// Bytes of one frame kept back before they are written: one write for nearly every frame.
const FRAME_BYTES: usize = 64 << 10;

/// Whether the terminal is ours now: what a panic must give back.
static TAKEN: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();

/// The terminal, from `enter` to `leave`.
pub(super) struct Screen {
    terminal: Terminal<Backend>,
    size: (u16, u16),
    regions: Regions,
    look: Look,
    mouse: bool,
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> TuiError {
    move |source| TuiError::Terminal { operation, source }
}

impl Screen {
    /// Takes the terminal. A panic from now on gives it back before it speaks.
    pub(super) fn enter(look: Look, mouse: bool) -> Result<Self, TuiError> {
        PANIC_HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        let size = terminal_size();
        take(mouse).inspect_err(|_| give_back())?;
        Ok(Self {
            terminal: surface(size)?,
            size,
            regions: Regions::default(),
            look,
            mouse,
        })
    }

    /// Columns and rows.
    pub(super) const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// What a click on the last frame hits.
    pub(super) const fn regions(&self) -> &Regions {
        &self.regions
    }

    /// Draws the model if it changed: an idle dashboard writes nothing.
    pub(super) fn draw(&mut self, model: &mut Model) -> Result<(), TuiError> {
        if !model.dirty {
            return Ok(());
        }
        if self.size != model.size {
            self.size = model.size;
            self.wipe()?;
        }
        let mut regions = Regions::default();
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)
            .map_err(failed("begin a frame"))?;
        self.terminal
            .draw(|frame| regions = view::draw(model, self.look, frame))
            .map_err(failed("draw a frame"))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
            .map_err(failed("end a frame"))?;
        self.regions = regions;
        model.dirty = false;
        Ok(())
    }

    /// Forgets what is on the terminal. Not `Terminal::clear`: it asks the terminal where the
    /// cursor is and fails on one that does not answer.
    fn wipe(&mut self) -> Result<(), TuiError> {
        queue!(
            self.terminal.backend_mut(),
            SetAttribute(Attribute::Reset),
            Clear(ClearType::All)
        )
        .map_err(failed("clear the terminal"))?;
        Write::flush(self.terminal.backend_mut()).map_err(failed("clear the terminal"))?;
        self.terminal = surface(self.size)?;
        Ok(())
    }

    /// Draws every cell again.
    pub(super) fn redraw(&mut self, model: &mut Model) -> Result<(), TuiError> {
        self.wipe()?;
        model.dirty = true;
        Ok(())
    }

    /// Puts text on the clipboard.
    pub(super) fn copy(&mut self, text: &str) -> Result<(), TuiError> {
        let inside_tmux = std::env::var_os("TMUX").is_some();
        let sequence = clipboard::sequence(text, inside_tmux)
            .map_err(io::Error::other)
            .map_err(failed("copy to the clipboard"))?;
        let backend = self.terminal.backend_mut();
        backend
            .write_all(sequence.as_bytes())
            .and_then(|()| Write::flush(backend))
            .map_err(failed("copy to the clipboard"))
    }

    /// Stops the process as a shell expects, and takes the terminal again afterwards.
    pub(super) fn suspend(&mut self, model: &mut Model) -> Result<(), TuiError> {
        give_back();
        raise(Signal::SIGTSTP)
            .map_err(io::Error::from)
            .map_err(failed("suspend"))?;
        take(self.mouse)?;
        model.size = terminal_size();
        self.size = model.size;
        self.redraw(model)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take(mouse: bool) -> Result<(), TuiError> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode().map_err(failed("switch the terminal to raw mode"))?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)
        .map_err(failed("take the terminal"))?;
    if mouse {
        execute!(stdout(), EnableMouseCapture).map_err(failed("take the mouse"))?;
    }
    Ok(())
}

/// Restores what `take` changed, once. What fails here has nobody left to be told.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            stdout(),
            EndSynchronizedUpdate,
            DisableMouseCapture,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = disable_raw_mode();
    }
}

/// The size the terminal tells; 80x24 when it tells none (a serial line).
fn terminal_size() -> (u16, u16) {
    match size() {
        Ok((width, height)) if width > 0 && height > 0 => (width, height),
        _ => (80, 24),
    }
}

/// An empty surface of fixed size: resizing is ours, see [`Screen::wipe`].
fn surface(size: (u16, u16)) -> Result<Terminal<Backend>, TuiError> {
    let backend = CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, stdout()));
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
    Terminal::with_options(backend, TerminalOptions { viewport })
        .map_err(failed("prepare the terminal"))
}
