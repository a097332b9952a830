//! One trial: hypothesis, who and how, verdict with its numbers, failure with its evidence, runs, reviews, and the diff.

use super::diff::{self, DiffRow, Look};
use super::{Content, Ctx, status};
use crate::model::{Comparison, Decision, Diff, Reviewer, RunId, RunPhase, TrialId, Verdict, flagged, number::short};
use crate::protocol::{Answer, Back, Header, Query, Row, TrialDetail};
use crate::tui::feedwords::Signed;
use crate::tui::ink::{self, Line};
use crate::tui::state::{Pane, Screen};
use crate::tui::theme::Role;

/// What is known of a trial, or why not.
pub fn detail<'a>(ctx: &Ctx<'a>, trial: TrialId) -> Option<Result<&'a TrialDetail, &'a str>> {
    Some(match ctx.state.shelf.get(&Query::Trial { trial })? {
        Ok(Answer::Trial { detail }) => Ok(&**detail),
        Ok(_) => Err("the engine answered something else"),
        Err(why) => Err(why),
    })
}

/// The diff against the parent, or why there is none.
pub fn diff_of<'a>(ctx: &Ctx<'a>, trial: TrialId) -> Option<Result<&'a Diff, &'a str>> {
    Some(match ctx.state.shelf.get(&ctx.state.diff_query(trial))? {
        Ok(Answer::Diff { diff }) => Ok(diff),
        Ok(_) => Err("the engine answered something else"),
        Err(why) => Err(why),
    })
}

/// The parts of the pane before they are cut to what shows.
pub struct Parts<'a> {
    /// Above the diff.
    pub head: Vec<Line>,
    /// The diff's rows.
    pub rows: Vec<DiffRow>,
    /// The diff.
    pub diff: Option<&'a Diff>,
}

impl Parts<'_> {
    /// The row of the pane at which a hunk starts.
    pub fn row_of_hunk(&self, hunk: usize) -> Option<usize> {
        let at = self.rows.iter().position(|r| matches!(r, DiffRow::Hunk { n, .. } if *n == hunk))?;
        Some(self.head.len() + at)
    }

    /// The hunk that a row of the pane belongs to, or the next one.
    pub fn hunk_at(&self, row: usize) -> Option<usize> {
        let from = row.saturating_sub(self.head.len());
        self.rows.iter().skip(from).find_map(|r| match r {
            DiffRow::Hunk { n, .. } | DiffRow::Line { n, .. } | DiffRow::Pair { n, .. } => Some(*n),
            DiffRow::File(_) | DiffRow::Note | DiffRow::Blank => None,
        })
    }

    /// How many hunks there are.
    pub fn hunks(&self) -> usize {
        self.diff.map_or(0, |d| d.files.iter().map(|f| f.hunks.len()).sum())
    }
}

/// Side by side shows only where both halves are readable.
pub fn beside(ctx: &Ctx<'_>, width: usize) -> bool {
    ctx.state.diff.side_by_side && width >= 90
}

/// Head and rows of the shown trial.
pub fn parts<'a>(ctx: &Ctx<'a>, width: usize) -> Option<Parts<'a>> {
    let row = ctx.state.shown_row(ctx.mirror)?;
    let header = ctx.header()?;
    let mut head = facts(ctx, header, row, width);
    let mut found = None;
    let mut rows = Vec::new();
    if row.id == TrialId::BASELINE {
        let what = match (&header.imported, &row.tree) {
            (Some(_), None) => "the baseline of an imported history: its code did not come along",
            (_, _) => "the repository as it was imported: nothing is changed here",
        };
        head.push(Line::of(what, Role::Dim).cut(width));
    } else {
        head.extend(superseded(ctx, row, width));
        match diff_of(ctx, row.id) {
            Some(Ok(diff)) if diff.files.is_empty() => head.push(Line::of("no difference to the parent", Role::Dim)),
            Some(Ok(diff)) => {
                found = Some(diff);
                rows = diff::index(diff, beside(ctx, width));
            }
            Some(Err(why)) => head.push(Line::of(format!("no diff: {}", ink::clean(why)), Role::Warn).cut(width)),
            None if ctx.state.diff.revision.is_some() => head.push(Line::of("reading the diff …", Role::Dim)),
            None if row.back == Some(Back::Writing) => {
                head.push(Line::of("its proposer writes a new revision; 5 shows what it thinks", Role::Running).cut(width));
            }
            None if row.tree.is_some() => head.push(Line::of("reading the diff …", Role::Dim)),
            None if header.imported.is_some() && row.status.is_final() && row.proposal.is_none() => {
                head.push(Line::of("imported without its code: there is no diff", Role::Dim).cut(width));
            }
            None => head.push(Line::of("the edit is being checked …", Role::Dim)),
        }
    }
    Some(Parts { head, rows, diff: found })
}

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let Some(row) = ctx.state.shown_row(ctx.mirror) else {
        return Content::empty("no proposal is selected", width, height);
    };
    let Some(parts) = parts(ctx, width) else {
        return Content::empty("waiting for the study", width, height);
    };
    let total = parts.head.len() + parts.rows.len();
    let top = ctx.state.scroll.get(&Pane::Proposal).copied().unwrap_or(0).min(total.saturating_sub(height));
    let review = ctx.state.screen == Screen::Review;
    let look = Look {
        width,
        current: (ctx.focused(Pane::Proposal) || review).then_some(ctx.state.diff.hunk),
        choose: review && ctx.state.mute(ctx.mirror).is_none(),
        left_out: &ctx.state.diff.left_out,
        shift: ctx.state.diff.shift,
    };
    let mut lines: Vec<Line> = parts.head.iter().skip(top).take(height).cloned().collect();
    if let Some(diff) = parts.diff {
        let from = top.saturating_sub(parts.head.len());
        let room = height.saturating_sub(lines.len());
        lines.extend(parts.rows.iter().skip(from).take(room).map(|r| diff::draw(diff, *r, &look)));
    }
    let mut title = Line::of(row.proposal.map_or_else(|| row.id.to_string(), |p| format!("{p} → {}", row.id)), Role::TitleDim);
    let mut info = Line::default();
    if let Some(n) = ctx.state.diff.revision {
        title.push(format!("  revision {n}, superseded"), Role::Warn);
    }
    if let Some(diff) = parts.diff {
        title.push(format!("  +{}", diff.stat.added), Role::DiffAdd);
        title.push(format!(" −{}", diff.stat.removed), Role::DiffDel);
        let hunks = parts.hunks();
        if hunks > 0 {
            info.push(format!("hunk {} of {hunks}", ctx.state.diff.hunk.min(hunks - 1) + 1), Role::TitleDim);
        }
        if ctx.state.diff.options.ignore_whitespace {
            info.push(" · white space ignored", Role::TitleDim);
        }
        if ctx.state.diff.options.context != 3 {
            info.push(format!(" · {} lines of context", ctx.state.diff.options.context), Role::TitleDim);
        }
    }
    Content { title, info, lines, total, top }
}

fn facts(ctx: &Ctx<'_>, header: &Header, row: &Row, width: usize) -> Vec<Line> {
    let detail = detail(ctx, row.id);
    let known = match &detail {
        Some(Ok(d)) => Some(*d),
        Some(Err(_)) | None => None,
    };
    let decimals = status::decimals(header);
    let mut out = Vec::new();
    let hypothesis = known.map_or(row.title.as_str(), |d| d.document.hypothesis.as_str());
    out.extend(ink::wrap(&ink::clean(hypothesis), width).into_iter().take(6).map(|l| Line::of(l, Role::Strong)));
    out.extend(flags(row, known, width));
    out.push(origin(row, known, width));
    let (glyph, word, role) = status::of(row);
    let mut line = Line::of(format!("{glyph} {word}"), role);
    let (mut on_baseline, mut on_all) = ("", None);
    if row.verified && row.verdict == Some(Verdict::Keep) {
        line.push(" by fresh runs", Role::Dim);
    } else if header.mended == Some(row.id) {
        line.push(" mended baseline", Role::Dim);
    } else if row.verdict == Some(Verdict::Keep) {
        line.push(" provisional", Role::Dim);
    }
    if let Some(score) = row.score {
        line.push(format!("   {} ", ink::clean(&header.metric)), Role::Dim);
        line.push(status::score(score, decimals), Role::Strong);
        if header.score_source == crate::model::ScoreSource::SelfReported {
            line.push(" self", Role::Warn);
        }
        if let Some(base) =
            header.baseline_score.filter(|_| row.id != header.mended.unwrap_or(TrialId::BASELINE) && row.id != TrialId::BASELINE)
        {
            let (text, role) = status::delta(header.goal.gain(score, base), decimals);
            line.push("   ", Role::Text);
            line.push(text.clone(), role);
            on_all = Some(text);
            on_baseline = " on baseline";
        }
    }
    let holdout = known.and_then(|d| d.document.holdout).map(|h| format!("   holdout {}", status::score(h, decimals))).unwrap_or_default();
    let room = line.width() + ink::width(&holdout) <= width;
    if line.width() + on_baseline.len() + ink::width(&holdout) <= width || !room && line.width() + on_baseline.len() <= width {
        line.push(on_baseline, Role::Dim);
    }
    if room {
        line.push(holdout.clone(), Role::Text);
    }
    out.push(line.cut(width));
    // Half a number is worse than a line more.
    if !room {
        out.push(Line::of(format!("  {}", holdout.trim_start()), Role::Text).cut(width));
    }
    out.extend(headline(header, row, on_all.as_deref(), decimals, width));
    if let Some(c) = known.and_then(|d| d.comparison.as_ref()) {
        out.push(comparison(c, decimals, width).cut(width));
    }
    if let Some(d) = known {
        out.extend(failure(d, width));
        out.extend(runs(ctx, header, d, decimals, width).into_iter().map(|l| l.cut(width)));
        out.extend(gates(d).map(|l| l.cut(width)));
        out.extend(reviews(d, width));
        out.extend(imported(header, d, width));
    }
    if let Some(Err(why)) = detail {
        out.push(Line::of(ink::clean(why), Role::Warn).cut(width));
    }
    out.push(Line::of("─".repeat(width), Role::Guide));
    out
}

/// Of a revision that is looked back at: which it is, what it said, and why another one came.
fn superseded(ctx: &Ctx<'_>, row: &Row, width: usize) -> Vec<Line> {
    let Some(n) = ctx.state.diff.revision else { return Vec::new() };
    let Some(Ok(d)) = detail(ctx, row.id) else { return Vec::new() };
    let Some(past) = d.document.superseded.iter().find(|r| r.revision == n) else { return Vec::new() };
    let mut out =
        vec![Line::of(format!("↻ revision {n} of {}", d.document.revision), Role::Warn).and(" (superseded)", Role::Warn).cut(width)];
    let parent = past.parents.first().filter(|p| row.parents.first() != Some(*p));
    let on = parent.map(|p| format!(" (it stood on {p})")).unwrap_or_default();
    let why = ink::wrap(&format!("{}{on}", ink::clean(&past.why())), width.saturating_sub(2));
    out.extend(why.into_iter().take(3).map(|l| Line::of("  ", Role::Text).and(l, Role::Dim)));
    if past.hypothesis != d.document.hypothesis {
        let said = ink::wrap(&ink::clean(&past.hypothesis), width.saturating_sub(2));
        out.extend(said.into_iter().take(3).map(|l| Line::of("  ", Role::Text).and(l, Role::Strong)));
    }
    out
}

/// What a reviewer should know before saying yes: in words, then each flag's evidence.
fn flags(row: &Row, known: Option<&TrialDetail>, width: usize) -> Vec<Line> {
    let Some(words) = flagged(row.flags.iter().copied()) else { return Vec::new() };
    let text = ink::wrap(&format!("flagged: {words}"), width.saturating_sub(2));
    let mut out: Vec<Line> = text.into_iter().map(|l| Line::of("! ", Role::Warn).and(l, Role::Warn)).collect();
    for flag in known.into_iter().flat_map(|d| &d.document.flags) {
        let text = ink::wrap(&ink::clean(&flag.evidence), width.saturating_sub(4)).into_iter().take(3);
        out.extend(text.map(|l| Line::of("    ", Role::Text).and(l, Role::Dim)));
    }
    out
}

/// What the source of an imported history says beside: its own words, and the notes.
fn imported(header: &Header, d: &TrialDetail, width: usize) -> Vec<Line> {
    let (Some(_), Some(origin)) = (&header.imported, &d.document.imported) else { return Vec::new() };
    let mut line = Line::of("  imported", Role::Dim);
    if !origin.name.is_empty() {
        line.push(format!(" as {}", ink::clean(&origin.name)), Role::Dim);
    }
    match origin.word.as_str() {
        "" => line.push(format!(": cut, outcome unknown (line {})", origin.line), Role::Warn),
        word => line.push(format!(": {}", ink::clean(word)), Role::Dim),
    }
    let mut out = vec![line.cut(width)];
    out.extend(
        ink::wrap(&ink::clean(&origin.notes), width.saturating_sub(2)).into_iter().map(|l| Line::of("  ", Role::Text).and(l, Role::Text)),
    );
    out.retain(|l| l.width() > 2);
    out
}

fn origin(row: &Row, known: Option<&TrialDetail>, width: usize) -> Line {
    if row.id == TrialId::BASELINE {
        return Line::of("baseline", Role::Dim).cut(width);
    }
    let parents: Vec<String> = row.parents.iter().map(ToString::to_string).collect();
    let proposer = if row.model.is_some() { row.proposer.strip_prefix("agents/").unwrap_or(&row.proposer) } else { &row.proposer };
    // By rank: what leaves first where there is no room.
    let mut parts = vec![(0, Line::of(ink::clean(proposer), Role::Accent))];
    if let Some(model) = &row.model {
        parts.push((2, Line::of(ink::cut_middle(&ink::clean(model), 24), Role::Text)));
    }
    parts.push((1, Line::of(format!("{} {}", row.operator.word(), parents.join(" × ")), Role::Dim)));
    if let Some(surface) = &row.surface {
        parts.push((4, Line::of(ink::clean(surface), Role::Dim)));
    }
    if let Some(d) = known {
        if d.document.revision > 1 {
            parts.push((1, Line::of(format!("revision {}", d.document.revision), Role::Accent)));
        }
        if let Some(expected) = d.draft.as_ref().and_then(|d| d.expected) {
            parts.push((3, Line::of(format!("expects {}", Signed(expected)), Role::Dim)));
        }
    }
    while parts.iter().map(|(_, part)| part.width() + 3).sum::<usize>() > width + 3
        && let Some((worst, _)) = parts.iter().enumerate().filter(|(_, (rank, _))| *rank > 1).max_by_key(|(_, (rank, _))| *rank)
    {
        parts.remove(worst);
    }
    let mut line = Line::default();
    for (n, (_, part)) in parts.into_iter().enumerate() {
        if n > 0 {
            line.push(" · ", Role::Dim);
        }
        line.spans.extend(part.spans);
    }
    line.cut(width)
}

/// What the header says of the best, where its gain is another one than that of all runs.
fn headline(header: &Header, row: &Row, shown: Option<&str>, decimals: usize, width: usize) -> Option<Line> {
    let best = header.best.as_ref().filter(|b| b.trial == row.id && b.verified)?;
    let (text, role) = status::delta(best.gain, decimals);
    if shown == Some(text.as_str()) {
        return None;
    }
    let mut line = Line::of("  ", Role::Text).and(text, role).and(" in fresh runs alone", Role::Text);
    let interval =
        best.gain_interval.map(|[low, high]| format!(" [{}, {}]", status::delta(low, decimals).0, status::delta(high, decimals).0));
    for (text, role) in [(interval.unwrap_or_default(), Role::Dim), (", as the header says".to_owned(), Role::Dim)] {
        if line.width() + ink::width(&text) <= width {
            line.push(text, role);
        }
    }
    Some(line.cut(width))
}

/// The numbers behind the verdict, the most telling first; what does not fit is left out whole.
fn comparison(c: &Comparison, decimals: usize, width: usize) -> Line {
    let (text, role) = status::delta(c.gain, decimals);
    let mut line = Line::of("  ", Role::Text).and(text, role).and(format!(" against {}", c.against), Role::Text);
    let mut parts = Vec::new();
    if let Some(t) = c.t {
        let needed = c.needed.filter(|n| *n > 0.0).map(|n| format!(", needs {n:.2}")).unwrap_or_default();
        parts.push((format!("t {t:.2}{needed}").replace('-', "−"), Role::Text));
    }
    match c.sd {
        Some(sd) => parts.push((format!("sd {}", status::score(sd, decimals)), Role::Dim)),
        None => parts.push(("noise unknown".into(), Role::Unsure)),
    }
    parts.push((format!("{} and {} runs", c.n_candidate, c.n_reference), Role::Dim));
    if c.sd.is_some() {
        parts.push((format!("ν {}", c.nu), Role::Dim));
    }
    for (text, role) in parts {
        if line.width() + ink::width(&text) + 3 > width {
            break;
        }
        line.push(" · ", Role::Guide);
        line.push(text, role);
    }
    line
}

fn failure(d: &TrialDetail, width: usize) -> Vec<Line> {
    let Some(f) = &d.document.failure else { return Vec::new() };
    let mut out = Vec::new();
    if d.document.score.is_some() {
        out.push(Line::of("▎ ", Role::Failed).and(f.label.word().replace('_', " "), Role::Error));
    }
    for text in ink::wrap(&ink::clean(&f.detail), width.saturating_sub(2)).into_iter().take(4) {
        out.push(Line::of("▎ ", Role::Failed).and(text, Role::Text));
    }
    out
}

fn runs(ctx: &Ctx<'_>, header: &Header, d: &TrialDetail, decimals: usize, width: usize) -> Vec<Line> {
    let many = d.document.runs.len();
    let mut out: Vec<Line> = Vec::new();
    if many > 6 {
        out.push(Line::of(format!("  {} earlier runs", many - 6), Role::Dim));
    }
    for run in d.document.runs.iter().skip(many.saturating_sub(6)) {
        let mut line = Line::of(format!("  {} ", run.id), Role::Text);
        line.push(format!("{:<8}", run.kind.word()), Role::Dim);
        match (&run.failure, run.score) {
            (Some(f), _) => line.push(format!(" {}", f.label.word().replace('_', " ")), Role::Failed),
            (None, Some(score)) => line.push(format!(" {:>9}", status::score(score, decimals)), Role::Text),
            (None, None) => going(ctx, header, d.document.id.run(run.id), &mut line, width),
        }
        let mut more = Vec::new();
        if run.seconds > 0.0 {
            more.push(format!("  {:>6}", ink::span_of_time(run.seconds)));
        }
        if run.peak_memory_bytes > 0 {
            more.push(format!("  peak {}", ink::bytes(run.peak_memory_bytes)));
        }
        if let Some(retried) = run.retry_of {
            more.push(format!("  again for {retried}"));
        }
        more.extend(run.seed.map(|seed| format!("  seed {seed}")));
        more.extend(run.metrics.iter().take(4).map(|(k, v)| format!("  {} {}", ink::clean(k), short(*v))));
        // What does not fit is left out whole, the least telling first.
        for text in more {
            if line.width() + ink::width(&text) > width {
                break;
            }
            line.push(text, Role::Dim);
        }
        out.push(line);
    }
    out
}

/// A run that has not ended: its time against the budget, or what it waits for.
fn going(ctx: &Ctx<'_>, header: &Header, run: RunId, line: &mut Line, width: usize) {
    match header.running.iter().find(|r| r.run == run) {
        Some(r) if r.phase == RunPhase::Running => {
            let spent = ctx.now.seconds_since(r.since);
            let (full, rest) = status::bar(spent / header.wall_secs.max(0.001), 9);
            line.push(" ", Role::Text);
            line.push(full, Role::Running);
            line.push(rest, Role::MeterEmpty);
            line.push(format!(" {} of {}", ink::span_of_time(spent), ink::limit_of_time(header.wall_secs)), Role::Text);
            if let Some(slot) = header.slots.get(r.slot as usize).filter(|s| line.width() + s.name.len() + 4 <= width) {
                line.push(format!(" on {}", ink::clean(&slot.name)), Role::Dim);
            }
        }
        Some(_) => line.push(" the evaluator works", Role::Running),
        None => line.push("         …", Role::Dim),
    }
}

fn gates(d: &TrialDetail) -> impl Iterator<Item = Line> {
    d.document.gates.iter().map(|g| {
        let value = g.value.map_or_else(|| "no value".into(), short);
        let (glyph, role) = if g.ok { ("✓", Role::Ok) } else { ("✗", Role::Failed) };
        Line::of(format!("  {glyph} "), role).and(format!("gate {} {value}", ink::clean(&g.key)), Role::Dim)
    })
}

fn reviews(d: &TrialDetail, width: usize) -> Vec<Line> {
    let mut out = Vec::new();
    for r in d.document.reviews.iter().rev().take(4).rev() {
        let (glyph, word, role) = match r.decision {
            Decision::Accept => ("✓", "accepted", Role::Ok),
            Decision::Veto => ("⊘", "vetoed", Role::Killed),
            Decision::Edit => ("✎", "edited", Role::Accent),
            Decision::Revise => ("↻", "sent back", Role::Unsure),
        };
        let who = match r.by {
            Reviewer::Human => "you",
            Reviewer::Rule => "a rule",
            Reviewer::Proposer => "the proposer",
            Reviewer::Auto => "autonomy",
        };
        let mut line = Line::of(format!("  {glyph} "), role).and(format!("{word} by {who}"), Role::Dim);
        if let Some(reason) = &r.reason {
            line.push(format!(": {}", ink::clean(reason)), Role::Text);
        }
        out.push(line.cut(width));
    }
    out
}
