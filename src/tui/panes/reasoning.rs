//! What the proposer thought: a sampler's numbers, an agent's words as they come.

use super::{Content, Ctx, proposal};
use crate::model::Safe;
use crate::model::TrialId;
use crate::tui::ink::{self, Line};
use crate::tui::state::Pane;
use crate::tui::theme::Role;

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let Some(row) = ctx.state.shown_row(ctx.mirror) else {
        return Content::empty("no proposal is selected", width, height);
    };
    let mut rows = Vec::new();
    let known = match proposal::detail(ctx, row.id) {
        Some(Ok(d)) => d.draft.as_ref(),
        Some(Err(_)) | None => None,
    };
    if let Some(draft) = known {
        for line in Safe::lines(draft.reasoning.trim_end()) {
            let line = ink::clean(line.as_str());
            if line.trim().is_empty() {
                rows.push(Line::default());
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let indent = indent.min(width / 2);
            for (n, part) in ink::wrap(line.trim_start(), width.saturating_sub(indent)).into_iter().enumerate() {
                rows.push(Line::of(" ".repeat(indent), Role::Text).and(part, if n == 0 { Role::Text } else { Role::Dim }));
            }
        }
        if !draft.knobs.is_empty() && draft.reasoning.trim().is_empty() {
            let name = draft.knobs.keys().map(|k| ink::width(&ink::clean(k))).max().unwrap_or(0).min(width / 2);
            for (key, value) in &draft.knobs {
                let key = ink::left(&ink::cut_middle(&ink::clean(key), name), name);
                let value = ink::clean(&value.to_string());
                rows.push(Line::of(format!("{key}  "), Role::Dim).and(value, Role::Accent).cut(width));
            }
        }
    }
    if let Some(Ok(d)) = proposal::detail(ctx, row.id)
        && let Some(origin) = &d.document.imported
    {
        rows.extend(ink::wrap(&ink::clean(&origin.notes), width).into_iter().map(|l| Line::of(l, Role::Text)));
    }
    let request = row.proposal.and_then(|p| ctx.state.thoughts.get(&p));
    thoughts(&mut rows, request.map(String::as_str), width);
    let mut title = Line::of(ink::cut(&ink::clean(&row.proposer), width / 2), Role::TitleDim);
    // What proposers think about right now, below.
    for (id, who) in ctx.header().map(|h| h.proposing.as_slice()).unwrap_or_default() {
        if let Some(text) = ctx.state.thoughts.get(id) {
            rows.push(Line::of(format!("{id} {} is thinking", ink::clean(who)), Role::Accent).cut(width));
            thoughts(&mut rows, Some(text), width);
        }
    }
    if rows.iter().all(|l| l.width() == 0) {
        let text = if row.id == TrialId::BASELINE { "the baseline needs no reasons" } else { "the proposer gave no reasons" };
        return Content { title, ..Content::empty(text, width, height) };
    }
    let want = ctx.state.scroll.get(&Pane::Reasoning).copied().unwrap_or(0);
    let content = Content::scrolled(rows, want, height);
    if let Some(n) = ctx.header().map(|h| h.proposing.len()).filter(|n| *n > 0) {
        title.push(format!("  {n} thinking"), Role::Running);
    }
    Content { title, ..content }
}

fn thoughts(rows: &mut Vec<Line>, text: Option<&str>, width: usize) {
    for line in text.map(Safe::lines).unwrap_or_default() {
        for part in ink::wrap(&ink::clean(line.as_str()), width) {
            rows.push(Line::of(part, Role::Thought));
        }
    }
}
