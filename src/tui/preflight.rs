//! The card before the first run: what runs, with what, on what, for how long. Nothing starts before enter.

use super::ink::{self, Line, limit_of_time};
use super::options::Options;
use super::project::{Block, ViewModel};
use super::run::theme;
use super::terminal::Screen;
use super::theme::Role;
use super::view::{Brush, view};
use anyhow::Context;
use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures::StreamExt;
use ratatui::layout::Rect;
use tokio::signal::unix::{SignalKind, signal};

/// What the card says. Texts are shown as they are, made safe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preflight {
    /// Name of the study.
    pub study: String,
    /// The task's title.
    pub title: String,
    /// The metric and which way is better.
    pub metric: String,
    /// The command of a run.
    pub command: String,
    /// Wall-clock budget of one run, seconds.
    pub wall_secs: f64,
    /// Runs that make one score.
    pub seeds: u32,
    /// Runs of the unchanged repository before anything is compared.
    pub baseline_runs: u32,
    /// The evaluator's command, or that the score is self-reported.
    pub evaluator: String,
    /// Paths that proposals may change.
    pub editable: Vec<String>,
    /// Data and paths that runs may read.
    pub data: Vec<String>,
    /// Tier of the sandbox, `A` to `E`.
    pub isolation: String,
    /// What that tier keeps a run from.
    pub isolation_means: String,
    /// Names of the slots.
    pub slots: Vec<String>,
    /// Limit of trials; unlimited when none.
    pub trials: Option<u32>,
    /// Limit of time, seconds; unlimited when none.
    pub seconds: Option<f64>,
    /// Who proposes, and by which policy.
    pub proposers: String,
    /// `ask`, `ask-risky` or `auto`.
    pub autonomy: String,
    /// How long it will take at most, in minutes; not known when none.
    pub minutes: Option<f64>,
    /// What the person should know before it starts.
    pub warnings: Vec<String>,
}

/// The rows of the card at this width.
pub fn rows(card: &Preflight, width: usize) -> Vec<Line> {
    const NAME: usize = 11;
    let mut out = Vec::new();
    let mut row = |name: &str, text: &str, role: Role| {
        if text.is_empty() {
            return;
        }
        for (n, part) in ink::wrap(&ink::clean(text), width.saturating_sub(NAME).max(1)).into_iter().take(3).enumerate() {
            out.push(Line::of(ink::left(if n == 0 { name } else { "" }, NAME), Role::Dim).and(part, role));
        }
    };
    row("task", &card.title, Role::Strong);
    row("metric", &card.metric, Role::Text);
    row("runs", &card.command, Role::Accent);
    let each = if card.seeds > 1 { format!(", {} runs a score", card.seeds) } else { String::new() };
    row("budget", &format!("{} a run{each}; {} baseline runs first", limit_of_time(card.wall_secs), card.baseline_runs), Role::Text);
    row("score", &card.evaluator, Role::Text);
    row("may change", &card.editable.join(", "), Role::Text);
    row("may read", if card.data.is_empty() { "its own tree and nothing else" } else { "" }, Role::Dim);
    row("may read", &card.data.join(", "), Role::Text);
    row("isolation", &format!("{} — {}", card.isolation, card.isolation_means), Role::Text);
    row("slots", &card.slots.join(", "), Role::Text);
    row("proposals", &format!("{}; autonomy {}", card.proposers, card.autonomy), Role::Text);
    let trials = card.trials.map_or_else(|| "unlimited trials".to_owned(), |n| format!("{n} trials"));
    let time = card.seconds.map(|s| format!(", at most {}", limit_of_time(s))).unwrap_or_default();
    row("until", &format!("{trials}{time}"), if card.trials.is_none() && card.seconds.is_none() { Role::Unsure } else { Role::Text });
    match card.minutes {
        Some(m) if m < 1.5 => row("takes", "a minute at most", Role::Text),
        Some(m) => row("takes", &format!("at most {m:.0} minutes: that is if every run uses its whole budget"), Role::Text),
        None => {}
    }
    for warning in &card.warnings {
        row("note", warning, Role::Warn);
    }
    out
}

/// The card on a screen of this size.
pub fn project(card: &Preflight, size: (u16, u16)) -> ViewModel {
    let (w, h) = size;
    let mut vm = ViewModel { title: format!("trialdeck {}", ink::clean(&card.study)), ..ViewModel::default() };
    if w < 40 || h < 10 {
        let line = Line::of("enter starts", Role::Hint).and(" · q leaves", Role::Dim).cut(usize::from(w));
        vm.blocks.push(Block { area: Rect { x: 0, y: 0, width: w, height: h.min(1) }, frame: None, lines: vec![line] });
        return vm;
    }
    let columns = usize::from(w).saturating_sub(6).min(88);
    let mut lines = rows(card, columns);
    // The keys stay whatever must go.
    lines.truncate(usize::from(h).saturating_sub(4));
    lines.push(Line::default());
    let keys = Line::of("enter", Role::Hint).and(" starts the first run", Role::Strong).and("    q", Role::Hint).and(" leaves", Role::Text);
    lines.push(keys);
    let area = super::modal::middle(columns, lines.len(), size);
    vm.blocks.push(super::modal::boxed(area, &format!("before the first run of {}", ink::clean(&card.study)), Line::default(), lines));
    vm
}

/// Shows the card. True when the person starts the study, false when they leave.
pub async fn preflight(card: &Preflight, options: &Options) -> anyhow::Result<bool> {
    let mut screen = Screen::open(false).context("the terminal cannot be used")?;
    let (theme, _) = theme(options);
    let mut keys = EventStream::new();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        let vm = project(card, screen.size());
        let brush = Brush { theme: &theme, unicode: options.unicode };
        screen.draw(None, &vm.title, |frame| {
            let area = frame.area();
            view(&vm, brush, area, frame.buffer_mut());
        })?;
        let event = tokio::select! {
            event = keys.next() => event,
            _ = hangup.recv() => return Ok(false),
            _ = terminate.recv() => return Ok(false),
        };
        match event {
            None | Some(Err(_)) => return Ok(false),
            Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => match key.code {
                KeyCode::Enter => return Ok(true),
                KeyCode::Char('q') | KeyCode::Esc => return Ok(false),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(false),
                _ => {}
            },
            Some(Ok(_)) => {}
        }
    }
}
