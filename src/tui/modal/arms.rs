//! Who proposes and why: every kind of agent that was asked, what came of it and what it cost; a person may favour one.

use super::{boxed, middle};
use crate::model::arms::{Arm, ArmRow};
use crate::model::{Event, Favour, ProposalId};
use crate::protocol::{Answer, Query};
use crate::tui::ink::{self, Ground, Line};
use crate::tui::panes::{Ctx, status};
use crate::tui::project::Block;
use crate::tui::theme::Role;

/// The least and the most that one key makes of a favour; 0 is its own key.
const FAVOURS: (f64, f64) = (0.125, 8.0);

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arms {
    /// The chosen row.
    pub at: usize,
    /// Favours that were asked for here and are not in the answer yet.
    pub asked: Vec<(Arm, f64)>,
}

/// The rows: the best gain per minute first, then those that were asked most; a favour moves none, so that keys meet what was chosen.
pub fn rows(ctx: &Ctx<'_>) -> Option<Result<Vec<ArmRow>, String>> {
    match ctx.state.shelf.get(&Query::Arms)? {
        Ok(Answer::Arms { rows }) => {
            let mut rows = rows.clone();
            rows.sort_by(|a, b| per_minute(b).total_cmp(&per_minute(a)).then(b.asked.cmp(&a.asked)).then(a.arm.cmp(&b.arm)));
            Some(Ok(rows))
        }
        Ok(_) => Some(Err("the engine answered something else".into())),
        Err(why) => Some(Err(ink::clean(why))),
    }
}

/// Gain of a minute of runs, in the metric's unit.
fn per_minute(row: &ArmRow) -> f64 {
    if row.seconds > 0.0 { row.gain * 60.0 / row.seconds } else { 0.0 }
}

/// What a key makes of the chosen row's favour: `+` twice, `-` half, `0` never, `1` as its results say.
pub fn favour(arms: &Arms, row: &ArmRow, key: char) -> Option<Favour> {
    let now = arms.asked.iter().find(|(arm, _)| *arm == row.arm).map_or(row.favour, |(_, f)| *f);
    let factor = match key {
        '+' | '=' if now == 0.0 => 1.0,
        '+' | '=' => (now * 2.0).min(FAVOURS.1),
        '-' => (now / 2.0).max(if now == 0.0 { 0.0 } else { FAVOURS.0 }),
        '0' => 0.0,
        '1' => 1.0,
        _ => return None,
    };
    let Arm { role, model, surface } = row.arm.clone();
    Some(Favour { role, model: Some(model), surface, factor })
}

const SHARE: &str = "share: of the worth by which the next is chosen (gain per cost, what is not known yet, favour); new ones come first.";

/// One column: its head, its width, and what stands in it.
struct Column {
    head: &'static str,
    width: usize,
    /// The highest leaves first where there is no room.
    rank: u8,
    text: fn(&ArmRow, usize) -> String,
}

const COLUMNS: [Column; 12] = [
    Column { head: "role", width: 13, rank: 0, text: |r, _| ink::clean(&r.arm.role) },
    Column { head: "surface", width: 12, rank: 1, text: |r, _| r.arm.surface.as_deref().map_or_else(|| "all".into(), ink::clean) },
    Column { head: "model", width: 13, rank: 2, text: |r, _| ink::clean(&r.arm.model) },
    Column { head: "asked", width: 5, rank: 0, text: |r, _| r.asked.to_string() },
    Column { head: "ran", width: 4, rank: 4, text: |r, _| r.ran.to_string() },
    Column { head: "kept", width: 4, rank: 0, text: |r, _| r.kept.to_string() },
    Column { head: "gain", width: 9, rank: 3, text: |r, d| if r.kept > 0 { status::delta(r.gain, d).0 } else { "—".into() } },
    Column { head: "runs", width: 6, rank: 5, text: |r, _| ink::span_of_time(r.seconds) },
    Column { head: "tokens", width: 6, rank: 7, text: |r, _| ink::tokens(r.tokens) },
    Column { head: "cost", width: 7, rank: 6, text: |r, _| if r.usd > 0.0 { ink::dollars(r.usd) } else { "—".into() } },
    Column { head: "share", width: 5, rank: 1, text: |r, _| share(r) },
    Column { head: "favour", width: 6, rank: 1, text: |r, _| format!("×{}", crate::model::number::short(r.favour)) },
];

/// Columns of text, in the order in which they get more room.
const NAMES: [&str; 3] = ["role", "surface", "model"];

/// Its part of the worth by which the next one is chosen.
fn share(row: &ArmRow) -> String {
    match row.share {
        _ if row.favour == 0.0 => "off".into(),
        Some(share) => format!("{share:.0}%"),
        None => "new".into(),
    }
}

/// The columns that fit, each with its width: names take what room is left, as far as they are long.
fn laid_out(rows: &[ArmRow], room: usize) -> Vec<(&'static Column, usize)> {
    let mut out: Vec<(&Column, usize)> = fitting(room).into_iter().map(|c| (c, c.width)).collect();
    let mut spare = room.saturating_sub(out.iter().map(|(_, width)| width + 1).sum::<usize>() + 2);
    for head in NAMES {
        let Some((column, width)) = out.iter_mut().find(|(c, _)| c.head == head) else { continue };
        let longest = rows.iter().map(|row| ink::width(&(column.text)(row, 0))).max().unwrap_or(0);
        let more = longest.saturating_sub(*width).min(spare);
        *width += more;
        spare -= more;
    }
    out
}

/// The columns that fit.
fn fitting(width: usize) -> Vec<&'static Column> {
    let mut columns: Vec<&Column> = COLUMNS.iter().collect();
    while columns.iter().map(|c| c.width + 1).sum::<usize>() + 2 > width && columns.len() > 1 {
        let worst = columns.iter().enumerate().max_by_key(|(_, c)| c.rank).map_or(0, |(n, _)| n);
        columns.remove(worst);
    }
    columns
}

fn cells(columns: &[(&Column, usize)], text: impl Fn(&Column) -> String) -> String {
    let cell = |(c, width): &(&Column, usize)| match c.head {
        head if NAMES.contains(&head) => ink::left(&ink::cut_middle(&text(c), *width), *width),
        _ => ink::right(&text(c), *width),
    };
    columns.iter().map(cell).collect::<Vec<_>>().join(" ")
}

/// The dialog.
pub fn block(arms: &Arms, ctx: &Ctx<'_>, size: (u16, u16)) -> Block {
    let width = usize::from(size.0).saturating_sub(8).min(140);
    let rows = rows(ctx);
    let columns = laid_out(rows.as_ref().and_then(|r| r.as_ref().ok()).map_or(&[], Vec::as_slice), width);
    // No wider than its columns, in a wide terminal.
    let width = width.min(columns.iter().map(|(_, width)| width + 1).sum::<usize>() + 2).max(width.min(72));
    let decimals = ctx.header().map_or(4, status::decimals);
    let mut lines = Vec::new();
    let mut info = " esc closes ";
    match rows {
        None => lines.push(Line::of("asking …", Role::Dim)),
        Some(Err(why)) => lines.extend(ink::wrap(&why, width).into_iter().map(|l| Line::of(l, Role::Warn))),
        Some(Ok(rows)) if rows.is_empty() => lines.push(Line::of("no agent was asked yet", Role::Dim)),
        Some(Ok(rows)) => {
            info = " + more · − less · 0 never · 1 as its results say · esc closes ";
            let room = usize::from(size.1).saturating_sub(12).max(1);
            let at = arms.at.min(rows.len().saturating_sub(1));
            let top = crate::tui::panes::tree::top_for(0, at, rows.len(), room);
            lines.push(Line::of(format!("  {}", cells(&columns, |c| c.head.to_owned())), Role::Dim));
            for (n, row) in rows.iter().enumerate().skip(top).take(room) {
                let thinking = ctx.header().is_some_and(|h| {
                    h.thinking
                        .iter()
                        .filter_map(|t| t.assignment.as_ref())
                        .any(|a| a.role == row.arm.role && a.model == row.arm.model && a.surface == row.arm.surface)
                });
                let mut line = Line::of(if thinking { "● " } else { "  " }, Role::Running);
                let role = if row.favour == 0.0 { Role::Dim } else { Role::Text };
                line.push(cells(&columns, |c| (c.text)(row, decimals)), role);
                lines.push(line.pad(width).on(if n == at { Ground::Selected } else { Ground::Plain }));
            }
            lines.push(Line::default());
            if let Some((proposal, why)) = rows.get(at).and_then(|row| last_asked(ctx, &row.arm)) {
                let text = format!("{proposal} went to it: {}", ink::clean(why));
                lines.extend(ink::wrap(&text, width).into_iter().take(4).map(|l| Line::of(l, Role::Dim)));
            }
            let mut note = SHARE.to_owned();
            if columns.iter().any(|(c, _)| c.head == "gain") {
                note.push_str(" gain: the sum of what its keeps gained.");
            }
            lines.extend(ink::wrap(&note, width).into_iter().map(|l| Line::of(l, Role::Dim)));
        }
    }
    boxed(middle(width, lines.len(), size), "who proposes", Line::of(info, Role::TitleDim), lines)
}

/// The last request to a kind of agent that is remembered, and why it was chosen.
fn last_asked<'a>(ctx: &Ctx<'a>, arm: &Arm) -> Option<(ProposalId, &'a str)> {
    ctx.mirror.feed.iter().rev().find_map(|record| match &record.event {
        Event::ProposalAsked { proposal, assignment: Some(a), .. }
            if a.role == arm.role && a.model == arm.model && a.surface == arm.surface =>
        {
            Some((*proposal, a.why.as_str()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_leave_by_rank_and_favours_stay_in_bounds() {
        for width in 20..110 {
            let columns = fitting(width);
            assert!(columns.iter().any(|c| c.head == "role"));
            assert!(width < 40 || columns.iter().map(|c| c.width + 1).sum::<usize>() + 2 <= width, "{width}");
        }
        assert_eq!(fitting(106).len(), COLUMNS.len());
        let long = Arm { role: "data-and-regularisation".into(), model: "qwen3-coder-480b".into(), surface: Some("regularisation".into()) };
        let rows = [ArmRow::unasked(long)];
        for (room, want) in [(104, [13, 12, 13]), (112, [21, 12, 13]), (140, [23, 14, 16])] {
            let widths: Vec<usize> = laid_out(&rows, room).iter().take(3).map(|(_, width)| *width).collect();
            assert_eq!(widths, want, "{room}");
        }
        let arm = Arm { role: "optimizer".into(), model: "m".into(), surface: None };
        let row = |favour| ArmRow { favour, ..ArmRow::unasked(arm.clone()) };
        for (now, key, want) in [
            (1.0, '+', Some(2.0)),
            (8.0, '+', Some(8.0)),
            (0.0, '+', Some(1.0)),
            (1.0, '-', Some(0.5)),
            (0.125, '-', Some(0.125)),
            (0.0, '-', Some(0.0)),
            (4.0, '0', Some(0.0)),
            (4.0, '1', Some(1.0)),
            (4.0, 'x', None),
        ] {
            assert_eq!(favour(&Arms::default(), &row(now), key).map(|f| f.factor), want, "{now} {key}");
        }
        let asked = Arms { at: 0, asked: vec![(arm.clone(), 4.0)] };
        assert_eq!(favour(&asked, &row(1.0), '+').map(|f| f.factor), Some(8.0), "what is on its way counts");
    }
}
