//! The two lines at the top: what is optimised and how it stands. Parts leave by rank as the width shrinks.

use super::ink::{self, Line};
use super::panes::{Ctx, status};
use super::theme::Role;
use crate::client::LinkState;
use crate::model::{Goal, Noise, RunPhase, ScoreSource, Setup, SetupStage, StudyState};
use crate::protocol::Header;

/// A part and its rank; lower ranks stay longer.
struct Part {
    rank: u8,
    line: Line,
}

/// Parts in their order, with `gap` between them, those of the highest rank left out until the rest fits.
fn fit(mut parts: Vec<Part>, columns: usize) -> Line {
    parts.retain(|p| p.line.width() > 0);
    let width = |parts: &[Part]| parts.iter().map(|p| p.line.width()).sum::<usize>() + 3 * parts.len().saturating_sub(1);
    while width(&parts) > columns && parts.len() > 1 {
        let worst = parts.iter().enumerate().max_by_key(|(n, p)| (p.rank, *n)).map_or(0, |(n, _)| n);
        parts.remove(worst);
    }
    let mut line = Line::default();
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 {
            line.push(" · ", Role::Guide);
        }
        line.spans.extend(part.line.spans);
    }
    line.cut(columns)
}

fn part(rank: u8, line: Line) -> Part {
    Part { rank, line }
}

/// Seconds with an engine at work, up to now.
pub fn active_seconds(ctx: &Ctx<'_>, h: &Header) -> f64 {
    let over = matches!(h.state, StudyState::Finished | StudyState::Failed);
    h.active_secs + if h.engine_live && !over { ctx.now.seconds_since(h.at) } else { 0.0 }
}

fn state(ctx: &Ctx<'_>, h: &Header) -> Line {
    match &ctx.mirror.link {
        LinkState::Reconnecting { why } => return Line::of(format!("⟳ reconnecting: {}", ink::clean(why)), Role::Warn),
        LinkState::Cold if !matches!(h.state, StudyState::Finished | StudyState::Failed) => {
            return Line::of("○ no engine, reading the directory", Role::Warn);
        }
        LinkState::Live { .. } | LinkState::Cold => {}
    }
    let reason = h.reason.map(|r| format!(": {}", r.word())).unwrap_or_default();
    match h.state {
        StudyState::Running if h.stopping => Line::of("◌ stopping after the running runs", Role::Warn),
        StudyState::Running if h.setup.as_ref().is_some_and(Setup::in_flight) => setting_up(ctx, h),
        StudyState::Running if h.mending => Line::of("● mending the baseline, which failed", Role::Warn),
        StudyState::Running if h.baseline_score.is_none() => {
            let done = ctx.mirror.rows.first().map_or(0, |r| r.runs);
            Line::of(format!("● measuring the baseline, run {} of {}", done.max(1), h.baseline_runs), Role::Running)
        }
        StudyState::Running => Line::of("● running", Role::Running),
        StudyState::Paused => Line::of("‖ paused", Role::Warn),
        // A history that nothing was run for here is not finished: it was never begun.
        StudyState::Finished if h.reason.is_none() && h.imported.is_some() => {
            let from = h.imported.as_ref().map(|from| ink::clean(&from.format)).unwrap_or_default();
            Line::of(format!("imported from {from}"), Role::Ok)
        }
        StudyState::Finished => Line::of(format!("✓ finished{reason}"), Role::Ok),
        StudyState::Failed => Line::of(format!("✗ failed{reason}"), Role::Failed),
    }
}

/// How long the environment of the runs has been building.
fn setting_up(ctx: &Ctx<'_>, h: &Header) -> Line {
    let Some(setup) = &h.setup else { return Line::default() };
    let what = match (&setup.waiting, setup.stage) {
        (Some(_), _) => "setup waits",
        (None, SetupStage::Preparing) => "preparing the data",
        (None, _) => "setting up",
    };
    let seconds = setup.since.map_or(0.0, |since| ctx.now.seconds_since(since)).floor().max(0.0);
    let time = if seconds < 10.0 { format!("{seconds:.0}s") } else { ink::span_of_time(seconds) };
    Line::of(format!("◌ {what} {time}"), Role::Running)
}

/// What the setup says, in place of scores that are not there yet.
fn setup_says(ctx: &Ctx<'_>, h: &Header) -> Option<Line> {
    let setup = h.setup.as_ref()?;
    let failed = h.state == StudyState::Failed && setup.stage == SetupStage::Failed;
    let said = match (&setup.waiting, setup.failure.as_ref().filter(|_| failed)) {
        (_, Some(failure)) => return Some(Line::of(ink::clean(&failure.detail), Role::Failed)),
        (Some(why), None) => why,
        (None, None) => &ctx.state.setup_log,
    };
    (setup.in_flight() && !said.is_empty()).then(|| Line::of("setup ", Role::Dim).and(ink::clean(said), Role::Text))
}

fn metric(h: &Header) -> Line {
    let arrow = match h.goal {
        Goal::Minimize => "↓",
        Goal::Maximize => "↑",
    };
    let mut line = Line::of(ink::clean(&h.metric), Role::Strong).and(format!(" {arrow} {}", h.goal.word()), Role::Dim);
    if h.score_source == ScoreSource::SelfReported {
        line.push(" self", Role::Warn);
    }
    line
}

fn baseline(h: &Header, decimals: usize) -> Line {
    let mut line = Line::of("baseline ", Role::Dim);
    match h.baseline_score {
        Some(score) => line.push(status::score(score, decimals), Role::Text),
        None => line.push("…", Role::Dim),
    }
    match h.noise {
        Noise::Measured { sd, .. } | Noise::Given { sd } => line.push(format!(" ±{}", status::score(sd, decimals)), Role::Dim),
        Noise::Unknown { seed_without_effect: true } => line.push(" the seed has no effect", Role::Unsure),
        Noise::Unknown { seed_without_effect: false } if h.baseline_score.is_some() => line.push(" ±?", Role::Unsure),
        Noise::Unknown { .. } => {}
    }
    line
}

/// How much is said of the best trial.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Much {
    /// With the interval, and of which runs it is: the tree's difference is of all runs.
    Words,
    /// With the interval.
    All,
    /// Without it.
    Some,
    /// With one letter for verified or provisional.
    Little,
    /// The score alone.
    Least,
}

fn best(h: &Header, decimals: usize, much: Much) -> Line {
    let mut line = Line::of("best ", Role::Dim);
    let Some(best) = &h.best else { return line.and("none yet", Role::Dim) };
    if much != Much::Least {
        line.push(format!("{} ", best.trial), Role::Best);
    }
    line.push(status::score(best.score, decimals), Role::Best);
    if much == Much::Least {
        return line;
    }
    let (text, role) = status::delta(best.gain, decimals);
    line.push(format!(" {text}"), role);
    if much == Much::Words {
        line.push(" in fresh runs", Role::Dim);
    }
    if let Some([low, high]) = best.gain_interval.filter(|_| matches!(much, Much::Words | Much::All)) {
        let sign = |v| status::delta(v, decimals).0;
        line.push(format!(" [{}, {}]", sign(low), sign(high)), Role::Dim);
    }
    match (best.verified, much) {
        (true, Much::Little) => line.push(" ✓", Role::Ok),
        (true, _) => line.push(" verified", Role::Ok),
        (false, Much::Little) => line.push(" prov.", Role::Unsure),
        (false, _) => line.push(" provisional", Role::Unsure),
    }
    line
}

fn used(h: &Header) -> Line {
    if h.imported.as_ref().is_some_and(|from| from.fixed.is_some()) {
        return Line::of("trials ", Role::Dim).and(h.trials_used.to_string(), Role::Strong);
    }
    let of = h.limits.trials.map_or_else(|| "∞".into(), |n| n.to_string());
    Line::of("trials ", Role::Dim).and(h.trials_used.to_string(), Role::Strong).and(format!("/{of}"), Role::Dim)
}

fn time(ctx: &Ctx<'_>, h: &Header) -> Line {
    // Whole seconds: a clock that shows tenths looks nervous.
    let seconds = active_seconds(ctx, h).floor();
    let spent = if seconds < 10.0 { format!("{seconds:.0}s") } else { ink::span_of_time(seconds) };
    let mut line = Line::of(spent, Role::Text);
    if let Some(limit) = h.limits.seconds {
        line.push(format!("/{}", ink::span_of_time(limit)), Role::Dim);
    }
    line
}

/// Share of what models may cost that is spent, 0 to 1 and beyond; none without a limit.
pub fn spent_share(h: &Header) -> Option<f64> {
    let tokens = h.spend.prompt_tokens.saturating_add(h.spend.completion_tokens);
    let share = |spent: f64, limit: f64| if limit > 0.0 { spent / limit } else { 1.0 };
    let usd = h.limits.usd.map(|limit| share(h.spend.usd, limit));
    let tokens = h.limits.tokens.map(|limit| share(tokens as f64, limit as f64));
    usd.into_iter().chain(tokens).fold(None, |most, s| Some(most.map_or(s, |m: f64| m.max(s))))
}

/// What models cost so far: `84k tok $0.12 of $0.50`.
fn spent(h: &Header) -> Line {
    if h.agents.is_none() && h.spend.is_nothing() {
        return Line::default();
    }
    let role = match spent_share(h) {
        Some(share) if share >= 1.0 => Role::Error,
        Some(share) if share >= 0.8 => Role::Warn,
        Some(_) | None => Role::Text,
    };
    let about = if h.spend.estimated { "~" } else { "" };
    let tokens = h.spend.prompt_tokens.saturating_add(h.spend.completion_tokens);
    let mut line = Line::of(format!("{about}{}", ink::tokens(tokens)), role);
    if let Some(limit) = h.limits.tokens {
        line.push(format!(" of {}", ink::tokens(limit)), if role == Role::Text { Role::Dim } else { role });
    }
    line.push(" tok", Role::Dim);
    if h.spend.usd > 0.0 || h.limits.usd.is_some() {
        line.push(format!(" {}", ink::dollars(h.spend.usd)), role);
    }
    if let Some(limit) = h.limits.usd {
        line.push(format!(" of {}", ink::dollars(limit)), if role == Role::Text { Role::Dim } else { role });
    }
    line
}

/// Agents at work.
fn thinking(h: &Header) -> Line {
    let n = h.thinking.iter().filter(|t| t.assignment.is_some()).count();
    match (n, h.quiet) {
        (0, Some(quiet)) => Line::of(format!("◌ {}", quiet.short()), Role::Waiting),
        (0, None) => Line::default(),
        _ => Line::of(format!("◌ {n} thinking"), Role::Running),
    }
}

fn slots(h: &Header) -> Line {
    let busy = h.running.iter().filter(|r| r.phase == RunPhase::Running).count();
    Line::of("slots ", Role::Dim).and(format!("{busy}/{}", h.slots.len()), Role::Text)
}

fn waiting(h: &Header) -> Line {
    if h.waiting == 0 { Line::default() } else { Line::of(format!("▲ {} waiting", h.waiting), Role::Waiting) }
}

/// The lines of the header.
pub fn lines(ctx: &Ctx<'_>, columns: usize, rows: usize) -> Vec<Line> {
    let Some(h) = ctx.header() else {
        let why = match &ctx.mirror.link {
            LinkState::Reconnecting { why } => ink::clean(why),
            LinkState::Live { .. } | LinkState::Cold => "reading the study".into(),
        };
        let mut lines = vec![Line::of(" trialdeck", Role::Accent).and(format!("  {why} …"), Role::Dim).cut(columns)];
        lines.resize(rows, Line::default());
        return lines;
    };
    let decimals = status::decimals(h);
    let room = columns.saturating_sub(2);
    let inset = |line: Line| {
        let mut out = Line::of(" ", Role::Text);
        out.spans.extend(line.spans);
        out.pad(columns)
    };
    let name = Line::of(ink::clean(&h.study), Role::Accent);
    if rows < 2 {
        let short = used(h);
        let line = fit(vec![part(0, name), part(2, best(h, decimals, Much::Least)), part(1, waiting(h)), part(3, short)], room);
        return vec![inset(line)];
    }
    let title = if h.title == h.study { Line::default() } else { Line::of(ink::clean(&h.title), Role::Text) };
    // A history that cannot go on has neither slots nor rules.
    let looked_at = h.imported.as_ref().is_some_and(|from| from.fixed.is_some());
    let first_right = fit(
        vec![
            part(0, waiting(h)),
            part(4, if looked_at { Line::default() } else { Line::of(format!("autonomy {}", h.autonomy.word()), Role::Dim) }),
            part(5, if looked_at { Line::default() } else { Line::of(format!("isolation {}", ink::clean(&h.isolation)), Role::Dim) }),
            part(3, thinking(h)),
            part(1, state(ctx, h)),
        ],
        room * 3 / 4,
    );
    let left = fit(vec![part(0, name), part(2, title), part(1, metric(h))], room.saturating_sub(first_right.width() + 2));
    let (clock, slots) = if looked_at { (Line::default(), Line::default()) } else { (time(ctx, h), slots(h)) };
    // Near its end the budget is what to know.
    let money = if spent_share(h).is_some_and(|share| share >= 0.8) { 0 } else { 2 };
    let second_right = fit(vec![part(0, used(h)), part(money, spent(h)), part(1, clock), part(3, slots)], room * 2 / 3);
    let second_room = room.saturating_sub(second_right.width() + 2);
    let runs = h.best.as_ref().and_then(|b| ctx.mirror.row(b.trial)).map_or(0, |r| r.runs);
    let all = if runs > 1 && h.imported.is_none() { Much::Words } else { Much::All };
    let choices = [all, Much::All, Much::Some, Much::Little].map(|much| best(h, decimals, much));
    let whole = |best: &Line| baseline(h, decimals).width() + 3 + best.width() <= second_room;
    let chosen = choices.iter().find(|b| whole(b)).or_else(|| choices.iter().skip(2).find(|b| b.width() <= second_room));
    let chosen = chosen.cloned().unwrap_or_else(|| best(h, decimals, Much::Least));
    let second = match setup_says(ctx, h) {
        Some(line) => line.cut(second_room),
        None => fit(vec![part(1, baseline(h, decimals)), part(0, chosen)], second_room),
    };
    vec![inset(left.with_right(first_right, room)), inset(second.with_right(second_right, room))]
}

/// All that fits on one line, for a terminal too small for panes.
pub fn status_line(ctx: &Ctx<'_>, columns: usize) -> Line {
    let Some(h) = ctx.header() else { return Line::of("trialdeck …", Role::Dim).cut(columns) };
    let decimals = status::decimals(h);
    let best = match &h.best {
        Some(b) => Line::of(format!("best {}", status::score(b.score, decimals)), Role::Best),
        None => Line::of("no best yet", Role::Dim),
    };
    let of = h.limits.trials.map(|n| format!("/{n}")).unwrap_or_default();
    let trials = Line::of(format!("trial {}{of}", h.trials_used), Role::Text);
    let word = match (&ctx.mirror.link, h.state) {
        (LinkState::Reconnecting { .. }, _) => Line::of("reconnecting", Role::Warn),
        (_, StudyState::Running) => Line::of("ok", Role::Ok),
        (_, state) => Line::of(state.word(), Role::Text),
    };
    fit(vec![part(1, best), part(2, trials), part(0, waiting(h)), part(3, word)], columns)
}
