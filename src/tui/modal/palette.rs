//! All actions by name: type a few letters, enter does it.

use super::{boxed, middle};
use crate::tui::ink::{self, Ground, Line};
use crate::tui::input::Input;
use crate::tui::keymap::{Action, Binding, TABLE};
use crate::tui::panes::Ctx;
use crate::tui::project::Block;
use crate::tui::theme::Role;
use crate::tui::update::enabled;

/// What is typed and what is chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Palette {
    /// Typed.
    pub input: Input,
    /// Chosen, among those found.
    pub at: usize,
}

/// How well letters fit a text: all of them in order; runs and starts of words count more. None when they do not.
pub fn fit(letters: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut score, mut run) = (0usize, 0i32, 0i32);
    for letter in letters.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = text.iter().skip(at).position(|c| *c == letter)?;
        run = if found == 0 && at > 0 { run + 1 } else { 0 };
        let here = at + found;
        let starts = here == 0 || text.get(here - 1).is_some_and(|c| !c.is_alphanumeric());
        score += 1 + run * 3 + if starts { 4 } else { 0 } - (found as i32).min(6) / 3;
        at = here + 1;
    }
    Some(score)
}

/// The actions that fit, those that work now before the others, best first.
pub fn found(input: &str, works: impl Fn(Action) -> bool) -> Vec<&'static Binding> {
    let fits = TABLE.iter().enumerate().filter(|(_, b)| !b.text.is_empty());
    let mut list: Vec<(bool, i32, usize, &Binding)> =
        fits.filter_map(|(n, b)| fit(input, b.text).map(|s| (!works(b.action), -s, n, b))).collect();
    list.sort_by_key(|(off, s, n, _)| (*off, *s, *n));
    list.into_iter().map(|(_, _, _, b)| b).collect()
}

/// The dialog.
pub fn block(palette: &Palette, ctx: &Ctx<'_>, size: (u16, u16)) -> (Block, Option<(u16, u16)>) {
    let list = found(&palette.input.text(), |a| enabled(a, ctx.state, ctx.mirror).is_ok());
    let columns = usize::from(size.0).saturating_sub(10).min(76);
    let rows = usize::from(size.1).saturating_sub(8).clamp(1, 16);
    let area = middle(columns, rows + 2, size);
    let width = usize::from(area.width.saturating_sub(4));
    let top = crate::tui::panes::tree::top_for(0, palette.at, list.len(), rows);
    let mut lines = vec![Line::of("› ", Role::Accent).and(palette.input.text(), Role::Strong), Line::of("─".repeat(width), Role::Guide)];
    for (n, b) in list.iter().enumerate().skip(top).take(rows) {
        let why = enabled(b.action, ctx.state, ctx.mirror).err();
        let keys = Line::of(b.keys.first().copied().unwrap_or(""), Role::Hint);
        let mut line = Line::of(b.text, if why.is_some() { Role::HintOff } else { Role::Text });
        if let Some(why) = why {
            line.push(format!("  {why}"), Role::HintOff);
        }
        lines.push(line.with_right(keys, width).on(if n == palette.at { Ground::Selected } else { Ground::Plain }));
    }
    if list.is_empty() {
        lines.push(Line::of("nothing fits", Role::Dim));
    }
    let cursor = (area.x + 4 + palette.input.column().min(ink::width(&palette.input.text())) as u16, area.y + 1);
    (boxed(area, "actions", Line::of(" enter does it ", Role::TitleDim), lines), Some(cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_find_actions() {
        for (typed, want) in
            [("veto", Action::Veto), ("sidebs", Action::SideBySide), ("fresh", Action::Replicate), ("autonomy", Action::Autonomy)]
        {
            assert_eq!(found(typed, |_| true).first().map(|b| b.action), Some(want), "{typed}");
        }
        assert!(found("zzzzqq", |_| true).is_empty());
    }
}
