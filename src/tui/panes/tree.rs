//! The tree of trials: guides, status with its word, score, difference to the baseline, proposer, hypothesis.

use super::{Content, Ctx, status};
use crate::model::{RunPhase, Status, TrialId};
use crate::protocol::{Header, Row};
use crate::tui::fold::Node;
use crate::tui::ink::{self, Ground, Line};
use crate::tui::state::Pane;
use crate::tui::theme::Role;

/// Columns of each part; 0 leaves it out.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    tree: usize,
    marks: usize,
    status: usize,
    score: usize,
    delta: usize,
    by: usize,
    title: usize,
    decimals: usize,
}

/// First row on the screen, so that the selection shows.
pub fn top_for(top: usize, selected: usize, total: usize, height: usize) -> usize {
    let top = top.min(total.saturating_sub(height));
    if selected < top {
        selected
    } else if height > 0 && selected >= top + height {
        selected + 1 - height
    } else {
        top
    }
}

/// Rows of the pane that are not trials.
pub const HEAD: usize = 1;

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let Some(header) = ctx.header() else {
        return Content::empty("waiting for the study", width, height);
    };
    let tree = &ctx.state.tree;
    let total = tree.nodes.len();
    if total == 0 {
        let text = if tree.filter.is_empty() { "no trials yet" } else { "nothing matches the filter; esc clears it" };
        return Content { title: filter_title(ctx), ..Content::empty(text, width, height) };
    }
    let room = height.saturating_sub(HEAD);
    let at = tree.nodes.iter().position(|n| n.id == tree.selected).unwrap_or(0);
    let top = top_for(tree.top, at, total, room);
    let visible: Vec<&Node> = tree.nodes.iter().skip(top).take(room).collect();
    let columns = columns(ctx, header, &visible, width);
    let focused = ctx.focused(Pane::Tree);
    let mut lines = vec![head(header, &columns)];
    for node in visible {
        let Some(row) = ctx.mirror.row(node.id) else { continue };
        let ground = match (node.id == tree.selected, focused) {
            (true, true) => Ground::Selected,
            (true, false) => Ground::Resting,
            (false, _) => Ground::Plain,
        };
        lines.push(line(ctx, header, node, row, &columns).pad(width).on(ground));
    }
    let mut title = Line::of(format!("{}", ctx.mirror.rows.len()), Role::TitleDim);
    if !tree.filter.is_empty() {
        title = filter_title(ctx).and(format!("  {total} of {}", ctx.mirror.rows.len()), Role::TitleDim);
    }
    if !tree.marked.is_empty() {
        title.push(format!("  {} marked", tree.marked.len()), Role::Accent);
    }
    let info = Line::of(format!("{} of {total}{}", at + 1, if tree.follow { " · following" } else { "" }), Role::TitleDim);
    Content { title, info, lines, total: total + HEAD, top }
}

fn filter_title(ctx: &Ctx<'_>) -> Line {
    Line::of(format!("/{}", ink::clean(&ctx.state.tree.filter)), Role::Match)
}

fn columns(ctx: &Ctx<'_>, header: &Header, visible: &[&Node], width: usize) -> Columns {
    let decimals = status::decimals(header);
    let guide = visible.iter().map(|n| ink::width(&n.guide)).max().unwrap_or(0);
    let id = visible.iter().map(|n| n.id.to_string().len()).max().unwrap_or(5);
    let score = header.baseline_score.map_or(7, |s| status::score(s, decimals).len() + 1).clamp(7, 11);
    let rows = || visible.iter().filter_map(|n| Some((*n, ctx.mirror.row(n.id)?)));
    let marks = rows().map(|(node, row)| marks(header, node, row).width()).max().unwrap_or(0).max(2);
    // What is not needed for marks and words goes to the hypotheses.
    let status = rows().map(|(_, row)| status::of(row).1.len()).max().unwrap_or(0).clamp(8, 11);
    // Cursor, guide, glyph, id, marks.
    let tree = (1 + guide + 2 + id + marks).min((width * 45 / 100).max(13));
    let mut c = Columns { tree, marks, status, score, delta: score + 1, by: 0, title: 0, decimals };
    let used = |c: &Columns| c.tree + c.status + c.score + c.delta + 4;
    if used(&c) > width {
        c.delta = 0;
    }
    if c.tree + c.status + c.score + 3 > width {
        c.score = 0;
        c.status = width.saturating_sub(c.tree + 1);
    }
    let left = width.saturating_sub(used(&c));
    if left >= 36 {
        c.by = 11;
    }
    if left >= 46 {
        c.by = 13;
        c.status = 13;
    }
    let left = width.saturating_sub(used(&c) + if c.by > 0 { c.by + 1 } else { 0 });
    if left >= 8 {
        c.title = left;
    }
    c
}

/// Behind the number: best, incumbent, pinned, pruned, how many are folded away.
fn marks(header: &Header, node: &Node, row: &Row) -> Line {
    let mut line = Line::default();
    if header.best.as_ref().is_some_and(|b| b.trial == row.id) {
        line.push("★", Role::Best);
    }
    if header.incumbent == row.id {
        line.push("◆", Role::Accent);
    }
    if row.pinned {
        line.push("↑", Role::Accent);
    }
    if row.pruned {
        line.push("×", Role::Warn);
    }
    if node.hidden > 0 {
        line.push(format!("+{}", node.hidden), Role::Dim);
    }
    line
}

fn head(header: &Header, c: &Columns) -> Line {
    let mut line = Line::of(ink::left(" trial", c.tree), Role::Dim);
    let mut cell = |text: String| line.push(format!(" {text}"), Role::Dim);
    cell(ink::left("status", c.status));
    if c.score > 0 {
        let metric = ink::clean(&header.metric);
        cell(ink::right(if ink::width(&metric) <= c.score { &metric } else { "score" }, c.score));
    }
    if c.delta > 0 {
        cell(ink::right("Δ base", c.delta));
    }
    if c.by > 0 {
        cell(ink::left(" by", c.by + 1));
    }
    if c.title > 0 {
        cell(ink::left(if c.by > 0 { "hypothesis" } else { " hypothesis" }, c.title));
    }
    line
}

fn line(ctx: &Ctx<'_>, header: &Header, node: &Node, row: &Row, c: &Columns) -> Line {
    let (glyph, word, role) = status::of(row);
    let best = header.best.as_ref().is_some_and(|b| b.trial == row.id);
    let id_role = if best { Role::Best } else { Role::Text };
    let mut tree = Line::of(if ctx.state.tree.marked.contains(&row.id) { "•" } else { " " }, Role::Accent);
    let guide_room = c.tree.saturating_sub(1 + 2 + row.id.to_string().len() + c.marks);
    tree.push(ink::cut(&node.guide, guide_room), Role::Guide);
    tree.push(glyph, role);
    tree.push(" ", Role::Text);
    tree.push(row.id.to_string(), id_role);
    tree.spans.extend(marks(header, node, row).spans);
    let mut line = tree.pad(c.tree);
    let mut stands = Line::of(" ", Role::Text);
    stands.push(status::short_word(&word, c.status), role);
    line.spans.extend(stands.pad(c.status + 1).spans);
    let in_flight = matches!(row.status, Status::Running | Status::Evaluating);
    if in_flight && c.score > 0 {
        line.spans.extend(progress(ctx, header, row, c).spans);
    } else {
        if c.score > 0 {
            let text = row.score.map_or_else(|| dash(row), |s| status::score(s, c.decimals));
            line.push(format!(" {}", ink::right(&text, c.score)), if row.score.is_some() { id_role } else { Role::Dim });
        }
        if c.delta > 0 {
            let is_base = row.id == TrialId::BASELINE;
            match row.score.zip(header.baseline_score).filter(|_| !is_base) {
                Some((score, base)) => {
                    let (text, role) = status::delta(header.goal.gain(score, base), c.decimals);
                    line.push(format!(" {}", ink::right(&text, c.delta)), role);
                }
                None => line.push(format!(" {}", " ".repeat(c.delta)), Role::Dim),
            }
        }
    }
    if c.by > 0 {
        line.push(format!("  {}", ink::left(&status::by(row, c.by), c.by)), Role::Dim);
    }
    if c.title > 0 {
        let title = if row.id == TrialId::BASELINE { ink::clean(&header.source) } else { ink::clean(&row.title) };
        let lead = if c.by > 0 { " " } else { "  " };
        let room = if c.by > 0 { c.title } else { c.title.saturating_sub(1) };
        // "explore: LEARNING_RATE …": where there is little room, the word before the colon says least.
        let title = match title.split_once(": ") {
            Some((first, rest)) if room < 28 && !first.contains(' ') && ink::width(&title) > room => rest,
            _ => &title,
        };
        let role = if row.status.is_final() && row.verdict != Some(crate::model::Verdict::Keep) { Role::Dim } else { Role::Text };
        line.push(format!("{lead}{}", ink::cut(title, room)), role);
    }
    line
}

fn dash(row: &Row) -> String {
    if row.status.is_final() && row.status == Status::Done { "—".into() } else { String::new() }
}

/// Elapsed time against the budget, in the columns of score and difference.
fn progress(ctx: &Ctx<'_>, header: &Header, row: &Row, c: &Columns) -> Line {
    let room = c.score + if c.delta > 0 { c.delta + 1 } else { 0 };
    let running = header.running.iter().find(|r| r.run.trial == row.id);
    let mut line = Line::of(" ", Role::Text);
    match running {
        Some(r) if r.phase == RunPhase::Running => {
            let spent = ctx.now.seconds_since(r.since);
            let time = ink::span_of_time(spent.floor());
            let time = if spent < 10.0 { format!("{spent:.0}s") } else { time };
            let bar = room.saturating_sub(time.len() + 2).min(10);
            if bar >= 3 {
                let (full, rest) = status::bar(spent / header.wall_secs.max(0.001), bar);
                line.push(full, Role::Running);
                line.push(rest, Role::MeterEmpty);
                line.push(" ", Role::Text);
            }
            line.push(time, Role::Running);
        }
        Some(_) => line.push("evaluator", Role::Dim),
        None => {}
    }
    line.pad(room + 1)
}
