//! The loop: keys, the study, the clock and signals in; frames, wishes and questions out.
//!
//! At most 30 frames a second, none while nothing changes: a frame is drawn only when its view-model differs from the last.

use super::msg::{Msg, UiEffect};
use super::options::{Bell, Editor, Ending, Options, Outcome};
use super::panes::status;
use super::project::{ViewModel, project};
use super::state::UiState;
use super::terminal::{Screen, rouse};
use super::theme::{Theme, ThemeError};
use super::update::update;
use super::view::{Brush, view};
use crate::client::{Incoming, Link, Mirror, Request};
use crate::model::{Millis, StudyState};
use anyhow::Context;
use crossterm::event::{Event, EventStream, MouseButton, MouseEventKind};
use futures::StreamExt;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// What woke the loop.
enum Woken {
    Terminal(Option<std::io::Result<Event>>),
    Study(Option<Incoming>),
    Sent,
    Unlinked,
    Clock,
    Ended,
    Continued,
    Stopped,
}

/// Now, in milliseconds since the epoch.
pub(super) fn now() -> Millis {
    Millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64))
}

/// The theme that the options name. A file that cannot be used is no reason to stay away: `default`, and a notice.
pub(super) fn theme(options: &Options) -> (Theme, Option<String>) {
    let named = |name: &str| Theme::named(name, options.colors);
    let fallback = |why: String| {
        let theme = named("default").or_else(|_| Theme::parse("plain", "", options.colors));
        theme.map_or_else(|e| (Theme::plain(), Some(e.to_string())), |t| (t, Some(why)))
    };
    if options.no_color {
        return named("mono").map_or_else(|e| fallback(e.to_string()), |t| (t, None));
    }
    let Some(wanted) = options.theme.as_deref() else { return named("default").map_or_else(|e| fallback(e.to_string()), |t| (t, None)) };
    let loaded = if wanted.ends_with(".toml") || wanted.contains('/') {
        match std::fs::read_to_string(wanted) {
            Ok(text) => Theme::parse(wanted, &text, options.colors),
            Err(e) => return fallback(format!("theme {wanted}: {e}")),
        }
    } else {
        named(wanted)
    };
    match loaded {
        Ok(theme) => {
            let warning = theme.warnings.first().map(|w| format!("theme {wanted}: {w}"));
            (theme, warning)
        }
        Err(e @ (ThemeError::Unknown { .. } | ThemeError::Syntax { .. })) => fallback(e.to_string()),
    }
}

struct Cockpit<E> {
    state: UiState,
    mirror: Mirror,
    screen: Screen,
    options: Options,
    theme: Theme,
    editor: E,
    outbox: VecDeque<Request>,
    drawn: Option<ViewModel>,
    leave: Option<Ending>,
    /// As the terminal last reported; a terminal that reports nothing counts as looked at.
    focused: bool,
    keys: Option<EventStream>,
    /// The next continuation is the end of our own suspension.
    suspended: bool,
}

/// Shows a study until the person leaves.
///
/// Errors: the terminal cannot be used. A study that ends or an engine that is lost is shown, not returned.
pub async fn run(mut link: Link, options: Options, editor: impl Editor) -> anyhow::Result<Outcome> {
    let screen = Screen::open(options.mouse).context("the terminal cannot be used")?;
    let (theme, warning) = theme(&options);
    let mut state = UiState::new(&options, screen.size(), now());
    if let Some(why) = warning {
        state.refuse(why);
    }
    let mut cockpit = Cockpit {
        state,
        mirror: Mirror::default(),
        screen,
        options,
        theme,
        editor,
        outbox: VecDeque::new(),
        drawn: None,
        leave: None,
        focused: true,
        keys: Some(EventStream::new()),
        suspended: false,
    };
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let mut stop = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
    let mut linked = true;
    let mut dirty = true;
    let mut next_frame = Instant::now();
    while cockpit.leave.is_none() {
        if dirty && Instant::now() >= next_frame {
            cockpit.draw()?;
            dirty = false;
            next_frame = Instant::now() + FRAME;
        }
        let wake = if dirty { next_frame } else { Instant::now() + cockpit.sleep() };
        let sender = link.requests.clone();
        let keys = cockpit.keys.get_or_insert_with(EventStream::new);
        let woken = tokio::select! {
            event = keys.next() => Woken::Terminal(event),
            incoming = link.incoming.recv(), if linked => Woken::Study(incoming),
            permit = sender.reserve(), if linked && !cockpit.outbox.is_empty() => match (permit, cockpit.outbox.pop_front()) {
                (Ok(permit), Some(request)) => {
                    permit.send(request);
                    Woken::Sent
                }
                (Ok(_), None) => Woken::Sent,
                (Err(_), _) => Woken::Unlinked,
            },
            _ = tokio::time::sleep_until(wake) => Woken::Clock,
            _ = hangup.recv() => Woken::Ended,
            _ = terminate.recv() => Woken::Ended,
            _ = interrupt.recv() => Woken::Ended,
            _ = continued.recv() => Woken::Continued,
            _ = stop.recv() => Woken::Stopped,
        };
        cockpit.tell(Msg::Now(now()))?;
        dirty |= !matches!(woken, Woken::Sent);
        match woken {
            // Keys that cannot be read mean that the terminal is gone.
            Woken::Terminal(None | Some(Err(_))) | Woken::Ended => cockpit.leave = Some(Ending::Interrupted),
            Woken::Terminal(Some(Ok(event))) => {
                if matches!(event, Event::Resize(..)) {
                    rouse();
                }
                match event {
                    Event::FocusGained => cockpit.focused = true,
                    Event::FocusLost => cockpit.focused = false,
                    Event::Key(_) | Event::Paste(_) | Event::Mouse(_) | Event::Resize(..) => {}
                }
                if let Some(msg) = message(event) {
                    cockpit.tell(msg)?;
                }
            }
            Woken::Study(Some(incoming)) => cockpit.hear(incoming)?,
            Woken::Study(None) | Woken::Unlinked => {
                linked = false;
                let why = "the link to the study is closed".to_owned();
                cockpit.hear(Incoming::Link(crate::client::LinkState::Reconnecting { why }))?;
            }
            Woken::Sent | Woken::Clock => {}
            // Whoever had the terminal meanwhile may have changed its modes. After a suspension of our own it is ours already:
            // giving it away once more would only take keys from the person who is back.
            Woken::Continued if std::mem::take(&mut cockpit.suspended) => {}
            Woken::Continued => {
                cockpit.keys = None;
                cockpit.screen.lend(|| ())?;
                cockpit.drawn = None;
            }
            Woken::Stopped => cockpit.suspend()?,
        }
    }
    // From here on keys are for whoever has the terminal next.
    cockpit.keys = None;
    // What was decided last must reach the study before the link is dropped.
    let Cockpit { state, mirror, screen, outbox, leave, .. } = cockpit;
    for request in outbox {
        let _ = tokio::time::timeout(Duration::from_secs(2), link.requests.send(request)).await;
    }
    drop(screen);
    let ending = leave.unwrap_or(Ending::Interrupted);
    Ok(Outcome { ending, lines: closing(&mirror, ending), last_seen: (mirror.seq, now()), restore: state.restore_next })
}

impl<E: Editor> Cockpit<E> {
    fn draw(&mut self) -> anyhow::Result<()> {
        let size = self.screen.size();
        if size != self.state.size {
            self.tell(Msg::Resize(size.0, size.1))?;
        }
        let vm = project(&self.mirror, &self.state, self.state.now, size);
        if self.drawn.as_ref() != Some(&vm) {
            let brush = Brush { theme: &self.theme, unicode: self.options.unicode };
            self.screen.draw(vm.cursor, &vm.title, |frame| {
                let area = frame.area();
                view(&vm, brush, area, frame.buffer_mut());
            })?;
            self.drawn = Some(vm);
        }
        Ok(())
    }

    /// How long nothing on the screen changes of itself: a second while a clock shows, else until the notice goes.
    fn sleep(&self) -> Duration {
        let ticking =
            self.mirror.header.as_ref().is_some_and(|h| h.engine_live && !matches!(h.state, StudyState::Finished | StudyState::Failed));
        let clock = if ticking { 1000 - self.state.now.0.rem_euclid(1000) } else { 3_600_000 };
        let notice = self.state.toast.as_ref().map_or(clock, |t| t.until.0 - now().0);
        Duration::from_millis(clock.min(notice).max(10) as u64)
    }

    fn hear(&mut self, incoming: Incoming) -> anyhow::Result<()> {
        // A gap heals itself: the link asks for a snapshot.
        let _ = self.mirror.take(&incoming);
        self.tell(Msg::Incoming(Box::new(incoming)))
    }

    fn tell(&mut self, msg: Msg) -> anyhow::Result<()> {
        let mut effects: VecDeque<UiEffect> = update(&mut self.state, &self.mirror, msg).into();
        while let Some(effect) = effects.pop_front() {
            match effect {
                UiEffect::Send(id, command) => self.outbox.push_back(Request::Command(id, command)),
                UiEffect::Ask(id, query) => self.outbox.push_back(Request::Query(id, query)),
                UiEffect::Edit(purpose, files) => {
                    // The reader of keys must be gone, or it takes the editor's first keys.
                    self.keys = None;
                    let editor = &mut self.editor;
                    let result = self.screen.lend(|| blocking(|| editor.edit(&files)))?;
                    self.drawn = None;
                    let msg = Msg::Edited(purpose, result.map_err(|e| e.to_string()));
                    self.state.now = now();
                    effects.extend(update(&mut self.state, &self.mirror, msg));
                }
                UiEffect::Copy(text) => self.screen.copy(&text)?,
                UiEffect::Ring => match self.options.bell {
                    Bell::Always => self.screen.ring()?,
                    Bell::Unfocused if !self.focused => self.screen.ring()?,
                    Bell::Unfocused | Bell::Never => {}
                },
                UiEffect::NextTheme => self.next_theme(),
                UiEffect::Suspend => self.suspend()?,
                UiEffect::Redraw => {
                    self.screen.redraw()?;
                    self.drawn = None;
                }
                UiEffect::Leave(ending) => self.leave = Some(ending),
            }
        }
        Ok(())
    }

    /// Gives the terminal to the shell until the person comes back (`fg`).
    fn suspend(&mut self) -> anyhow::Result<()> {
        self.keys = None;
        let stopped = self.screen.lend(|| {
            let stopped = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
            // The signal may reach another thread first; this one must not take the terminal back before it is frozen too.
            std::thread::sleep(Duration::from_millis(50));
            stopped
        })?;
        self.drawn = None;
        self.suspended = stopped.is_ok();
        if stopped.is_err() {
            self.state.refuse("this process cannot be suspended");
        }
        Ok(())
    }

    fn next_theme(&mut self) {
        if self.options.no_color {
            return self.state.refuse("colours are off: NO_COLOR, or colour = \"never\" in the configuration");
        }
        let names = Theme::shipped();
        let at = names.iter().position(|n| *n == self.theme.name).map_or(0, |n| n + 1);
        let Some(name) = names.get(at % names.len().max(1)) else { return };
        if let Ok(theme) = Theme::named(name, self.options.colors) {
            self.theme = theme;
            self.drawn = None;
            self.state.say(format!("theme {name}"));
        }
    }
}

/// Lets the other tasks of this runtime go on while the editor is open, where they can.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|h| h.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn message(event: Event) -> Option<Msg> {
    Some(match event {
        Event::Key(key) => Msg::Key(key),
        Event::Paste(text) => Msg::Paste(text.replace("\r\n", "\n").replace('\r', "\n")),
        Event::Resize(w, h) => Msg::Resize(w, h),
        Event::Mouse(m) => match m.kind {
            MouseEventKind::Down(MouseButton::Left) => Msg::Click(m.column, m.row),
            MouseEventKind::ScrollUp => Msg::Wheel(m.column, m.row, -1),
            MouseEventKind::ScrollDown => Msg::Wheel(m.column, m.row, 1),
            _ => return None,
        },
        Event::FocusGained | Event::FocusLost => return None,
    })
}

/// What stays in the scrollback.
fn closing(mirror: &Mirror, ending: Ending) -> Vec<String> {
    let Some(h) = &mirror.header else { return vec!["the study was not reached".into()] };
    let name = super::ink::clean(&h.study);
    let metric = super::ink::clean(&h.metric);
    let decimals = status::decimals(h);
    let score = |v: f64| status::score(v, decimals);
    let baseline = h.baseline_score.map_or_else(|| "not measured".to_owned(), score);
    let of = h.limits.trials.map(|n| format!(" of {n}")).unwrap_or_default();
    let mut lines = vec![format!("study {name}  {}  {} trials{of}  baseline {metric} {baseline}", h.state.word(), h.trials_used)];
    if let Some(best) = &h.best {
        let sign = |v: f64| status::delta(v, decimals).0;
        let interval = best.gain_interval.map(|[a, b]| format!(" [{}, {}]", sign(a), sign(b))).unwrap_or_default();
        let word = if best.verified { "verified" } else { "provisional" };
        lines.push(format!("best {}  {metric} {}  gain {}{interval}  {word}", best.trial, score(best.score), sign(best.gain)));
    }
    match ending {
        Ending::Detached | Ending::Interrupted => lines.push(format!("the engine works on; `trialdeck attach {name}` comes back")),
        Ending::Stopped => lines.push(format!("a stop was asked for; `trialdeck show {name}` tells the rest")),
        Ending::Closed => lines.push(format!("`trialdeck show {name}` tells the rest")),
    }
    lines
}
