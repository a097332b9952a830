//! One table of actions: it feeds the keys, the footer, the help and the palette.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "TABLE says each of them in words")]
pub enum Action {
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    HalfUp,
    HalfDown,
    Pane,
    NextPane,
    PreviousPane,
    Zoom,
    Open,
    Back,
    Filter,
    NextMatch,
    PreviousMatch,
    Palette,
    Help,
    Copy,
    CopyCommit,
    CopyPatch,
    Quit,
    Stop,
    Detach,
    Suspend,
    Redraw,
    NextTheme,
    Review,
    Pause,
    Autonomy,
    Idea,
    Steer,
    Compare,
    Mark,
    Branch,
    Prune,
    Kill,
    Pin,
    Replicate,
    Extend,
    Arms,
    Accept,
    Veto,
    Edit,
    Revise,
    TakeHunk,
    NextPart,
    PreviousPart,
    NextFile,
    PreviousFile,
    Older,
    MoreContext,
    LessContext,
    Whitespace,
    SideBySide,
    Later,
    Undo,
    LetPass,
    Follow,
}

/// Where a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// On the study's screen first.
    Study,
    /// On the review screen first, and wherever a proposal is shown.
    Review,
}

/// One action.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// What.
    pub action: Action,
    /// The keys; none is reached through the palette alone.
    pub keys: &'static [&'static str],
    /// Where.
    pub scope: Scope,
    /// One or two words for the footer; empty keeps it out.
    pub short: &'static str,
    /// A sentence for help and palette; empty keeps it out of the palette.
    pub text: &'static str,
}

const fn row(action: Action, keys: &'static [&'static str], scope: Scope, short: &'static str, text: &'static str) -> Binding {
    Binding { action, keys, scope, short, text }
}

use Action as A;
use Scope::{Everywhere as E, Review as R, Study as S};

/// All actions. Footers take them in this order and drop from the right.
pub const TABLE: &[Binding] = &[
    row(A::Accept, &["a"], R, "accept", "Accept the proposal that is shown"),
    row(A::Veto, &["v"], R, "veto", "Veto it, with a reason"),
    row(A::Edit, &["e"], R, "edit", "Edit it in your editor, and accept that"),
    row(A::Revise, &["R"], R, "revise", "Ask its agent for a new revision"),
    row(A::TakeHunk, &["space"], R, "take/leave", "Take or leave this hunk"),
    row(A::Later, &["l"], R, "later", "Later: to the end of the queue"),
    row(A::Undo, &["u"], R, "undo", "Take the last review back"),
    row(A::LetPass, &["A"], R, "let pass", "Let this proposer's proposals pass"),
    row(A::Review, &["r"], S, "review", "Review queue"),
    row(A::Open, &["enter"], E, "open", "Open the proposal, a branch or a tool call"),
    row(A::Filter, &["/"], E, "filter", "Filter trials by id, word, proposer, text"),
    row(A::Idea, &["i"], S, "idea", "Pitch an idea, to an agent or as an edit"),
    row(A::Branch, &["b"], S, "branch", "Branch: your own edit of this trial"),
    row(A::Pause, &["p"], S, "pause", "Pause, or go on"),
    row(A::Autonomy, &["m"], S, "autonomy", "Autonomy: ask → ask-risky → auto"),
    row(A::Steer, &["t"], S, "steer", "Steer: say something to all agents, or to one"),
    row(A::Mark, &["space"], S, "mark", "Mark a trial, to compare two"),
    row(A::Compare, &["c"], S, "compare", "Compare the marked two, or with the best"),
    row(A::Prune, &["P"], S, "prune", "Prune: do not extend this trial"),
    row(A::Kill, &["X"], S, "kill run", "Kill this trial's running run"),
    row(A::Pin, &[], S, "", "Pin: extend this trial before others (or no longer)"),
    row(A::Replicate, &[], S, "", "Run the selected trial again with fresh seeds"),
    row(A::Extend, &[], S, "", "Change the limit of trials"),
    row(A::Arms, &[], S, "", "Arms: who proposes, what came of it, favour one"),
    row(A::NextPart, &["]"], R, "next hunk", "Next hunk, metric, stream or tool call"),
    row(A::PreviousPart, &["["], R, "", "Previous hunk, metric, stream or tool call"),
    row(A::NextFile, &["}"], R, "", "Next file of the diff"),
    row(A::PreviousFile, &["{"], R, "", "Previous file of the diff"),
    row(A::Older, &["o"], R, "older revision", "Older revision of it; after the first the newest"),
    row(A::MoreContext, &["+", "="], R, "", "More context around the hunks"),
    row(A::LessContext, &["-"], R, "", "Less context"),
    row(A::Whitespace, &["w"], R, "", "Ignore white space, or show it"),
    row(A::SideBySide, &["s"], R, "", "Side by side, where there is room"),
    row(A::Follow, &["f"], E, "follow", "Follow the log, the newest trial, who thinks"),
    row(A::Zoom, &["z"], E, "zoom", "Zoom the pane, or back"),
    row(A::NextPane, &["tab"], E, "pane", "Next pane"),
    row(A::PreviousPane, &["backtab"], E, "", "Previous pane"),
    row(A::Pane, &["1", "2", "3", "4", "5", "6", "7", "8", "9"], E, "", ""),
    row(A::NextMatch, &["n"], E, "", "Next match of the filter"),
    row(A::PreviousMatch, &["N"], E, "", "Previous match"),
    row(A::Copy, &["y"], E, "", "Copy the trial's id"),
    row(A::CopyCommit, &["Y"], E, "", "Copy the trial's commit"),
    row(A::CopyPatch, &[], E, "", "Copy the trial's patch"),
    row(A::Palette, &[":", "ctrl-p"], E, "", "Palette of all actions"),
    row(A::NextTheme, &[], E, "", "Next theme"),
    row(A::Up, &["k", "up"], E, "", ""),
    row(A::Down, &["j", "down"], E, "", ""),
    row(A::Left, &["h", "left"], E, "", ""),
    row(A::Right, &["l", "right"], E, "", ""),
    row(A::Top, &["g", "home"], E, "", "To the top"),
    row(A::Bottom, &["G", "end"], E, "", "To the end"),
    row(A::HalfUp, &["ctrl-u", "pageup"], E, "", ""),
    row(A::HalfDown, &["ctrl-d", "pagedown"], E, "", ""),
    row(A::Back, &["esc"], E, "", ""),
    row(A::Redraw, &["ctrl-l"], E, "", ""),
    row(A::Suspend, &["ctrl-z"], E, "", ""),
    row(A::Detach, &["ctrl-c"], E, "", "Detach (twice)"),
    row(A::Stop, &["Q"], E, "stop", "Stop the study"),
    row(A::Quit, &["q"], E, "quit", "Leave; the engine works on"),
    row(A::Help, &["?", "f1"], E, "help", "Help"),
];

/// The row of an action.
pub fn binding(action: Action) -> Option<&'static Binding> {
    TABLE.iter().find(|b| b.action == action)
}

/// The key as the table writes it.
pub fn name(key: &KeyEvent) -> String {
    let plain = match key.code {
        KeyCode::Char(' ') => "space".into(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".into(),
        KeyCode::Esc => "esc".into(),
        KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => "backtab".into(),
        KeyCode::Tab => "tab".into(),
        KeyCode::BackTab => "backtab".into(),
        KeyCode::Up => "up".into(),
        KeyCode::Down => "down".into(),
        KeyCode::Left => "left".into(),
        KeyCode::Right => "right".into(),
        KeyCode::Home => "home".into(),
        KeyCode::End => "end".into(),
        KeyCode::PageUp => "pageup".into(),
        KeyCode::PageDown => "pagedown".into(),
        KeyCode::F(n) => format!("f{n}"),
        _ => return String::new(),
    };
    if key.modifiers.contains(KeyModifiers::CONTROL) { format!("ctrl-{}", plain.to_lowercase()) } else { plain }
}

/// What a key does on the review screen (`review`) or on the study's.
pub fn lookup(key: &KeyEvent, review: bool) -> Option<Action> {
    if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) {
        return None;
    }
    let name = name(key);
    let order = if review { [R, E, S] } else { [S, E, R] };
    order.iter().find_map(|scope| TABLE.iter().find(|b| b.scope == *scope && b.keys.contains(&name.as_str()))).map(|b| b.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_scope() {
        let mut seen = Vec::new();
        for b in TABLE {
            for key in b.keys {
                assert!(!seen.contains(&(b.scope, *key)), "{key} twice in {:?}", b.scope);
                seen.push((b.scope, *key));
            }
        }
    }

    #[test]
    fn keys_find_their_action() {
        let key = |code, mods| KeyEvent::new(code, mods);
        let none = KeyModifiers::NONE;
        for (k, review, want) in [
            (key(KeyCode::Char('l'), none), false, Some(A::Right)),
            (key(KeyCode::Char('l'), none), true, Some(A::Later)),
            (key(KeyCode::Char(' '), none), false, Some(A::Mark)),
            (key(KeyCode::Char(' '), none), true, Some(A::TakeHunk)),
            (key(KeyCode::Char('?'), KeyModifiers::SHIFT), false, Some(A::Help)),
            (key(KeyCode::Char('p'), KeyModifiers::CONTROL), false, Some(A::Palette)),
            (key(KeyCode::Char('R'), KeyModifiers::SHIFT), false, Some(A::Revise)),
            (key(KeyCode::Char('r'), none), true, Some(A::Review)),
            (key(KeyCode::Char('x'), none), false, None),
            (key(KeyCode::Char('q'), KeyModifiers::ALT), false, None),
        ] {
            assert_eq!(lookup(&k, review), want, "{k:?} review={review}");
        }
    }
}
