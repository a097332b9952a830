//! The terminal: size, letters, colours, what stands between it and the person, the clipboard.

use super::asked::asked;
use super::finding::Finding;
use crate::cli::host;
use crate::tui::ColorDepth;

/// The cockpit at its smallest that still shows tree, proposal and log.
const SMALL: (u16, u16) = (80, 24);

pub(super) fn terminal() -> Vec<Finding> {
    if !host::interactive() {
        return vec![Finding::info("terminal", "none on standard output: `run` prints lines, as with --auto")];
    }
    let mut findings = vec![size(), letters(), colours()];
    findings.extend(between());
    findings
}

fn size() -> Finding {
    let term = host::set("TERM").unwrap_or_else(|| "none".into());
    let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) else { return Finding::warn("size", format!("unknown, TERM {term}")) };
    let text = format!("{} x {}, TERM {term}", size.ws_col, size.ws_row);
    if size.ws_col < SMALL.0 || size.ws_row < SMALL.1 {
        Finding::warn("size", text)
            .means("the cockpit works, with fewer panes at a time")
            .mend(format!("{} x {} or more shows all", SMALL.0, SMALL.1))
    } else {
        Finding::ok("size", text)
    }
}

fn letters() -> Finding {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| Some((name, host::set(name)?)));
    match (host::unicode(), locale) {
        (true, Some((name, value))) => Finding::ok("letters", format!("UTF-8 ({name}={value})")),
        (true, None) => Finding::ok("letters", "UTF-8 (no locale is set)"),
        (false, locale) => {
            let set = locale.map(|(name, value)| format!("{name}={value}")).unwrap_or_default();
            Finding::warn("letters", format!("ASCII ({set})"))
                .means("frames and curves are drawn in plain letters, foreign letters become ?")
                .mend("export LC_ALL=C.UTF-8")
        }
    }
}

fn colours() -> Finding {
    let depth = match host::colour_depth() {
        ColorDepth::TrueColor => "24 bit",
        ColorDepth::Ansi256 => "256",
        ColorDepth::Ansi16 => "16",
    };
    if host::no_color() {
        let why = if host::no_color_is_set() { "NO_COLOR is set" } else { "the configuration says never" };
        return Finding::ok("colours", format!("none: {why}"));
    }
    match host::colour_depth() {
        ColorDepth::TrueColor | ColorDepth::Ansi256 => Finding::ok("colours", depth),
        ColorDepth::Ansi16 => Finding::ok("colours", format!("{depth}; if yours has more: export COLORTERM=truecolor")),
    }
}

/// tmux and screen, and whether what is copied in the cockpit gets through them (OSC 52).
fn between() -> Vec<Finding> {
    let over = if host::set("SSH_CONNECTION").is_some() { "over SSH" } else { "local" };
    if host::set("TMUX").is_some() {
        let ask = |option: &str| host::which("tmux").and_then(|t| asked(t, &["show", "-gv", option]).ok()).unwrap_or_default();
        let (clipboard, focus) = (ask("set-clipboard"), ask("focus-events"));
        let copy = match clipboard.as_str() {
            "on" => Finding::ok("clipboard", format!("OSC 52 through tmux, {over}")),
            _ => Finding::warn("clipboard", format!("tmux keeps it (set-clipboard {clipboard})"))
                .means("`y` in the cockpit does not reach your own clipboard")
                .mend("tmux set -s set-clipboard on"),
        };
        let focus = (focus != "on").then(|| {
            Finding::info("focus", "tmux does not report it: the bell rings only if set to \"always\"").mend("tmux set -g focus-events on")
        });
        return [Some(copy), focus].into_iter().flatten().collect();
    }
    if host::set("STY").is_some() {
        return vec![
            Finding::warn("clipboard", "screen keeps it")
                .means("`y` in the cockpit does not reach your own clipboard")
                .mend("use tmux, or the terminal's own selection"),
        ];
    }
    vec![Finding::info("clipboard", format!("OSC 52, {over}: most terminals take it, some ask or want it switched on"))]
}
