//! `list_files` and `read_file`: the code of a trial.

use super::{Args, Hands};
use crate::propose::agent::{data, legible, line};
use crate::task::nearest_word;
use globset::{Glob, GlobMatcher};
use std::fmt::Write;

/// Lines of one answer where no end is asked for, and at most.
const LINES: usize = 400;
const MOST_LINES: usize = 1200;
/// Bytes of an answer that are spent on lines, below the cap of all answers.
const ROOM: usize = 15_000;
/// Longest line shown whole.
const LONGEST_LINE: usize = 800;

pub(super) fn list(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let trial = hands.meant(args)?;
    let files = hands.bench.files(&hands.tree_of(trial)?)?;
    let glob = matcher(args)?;
    let own = hands.role.allowed(hands.task());
    let own: Option<Vec<GlobMatcher>> = own.map(|globs| globs.iter().filter_map(|g| Some(Glob::new(g).ok()?.compile_matcher())).collect());
    let total = files.len();
    let (mut out, mut shown, mut room) = (String::new(), 0, ROOM);
    for file in files.iter().filter(|f| glob.as_ref().is_none_or(|g| g.is_match(&f.path))) {
        let yours = file.editable && own.as_ref().is_none_or(|globs| globs.iter().any(|g| g.is_match(&file.path)));
        let word = if yours {
            "you may edit it"
        } else if file.editable {
            "of another specialist's part"
        } else {
            "protected"
        };
        let row = format!("{} ({} bytes, {word})\n", line(&file.path, 200), file.bytes);
        if room < row.len() + 100 {
            break;
        }
        room -= row.len();
        out.push_str(&row);
        shown += 1;
    }
    let matching = files.iter().filter(|f| glob.as_ref().is_none_or(|g| g.is_match(&f.path))).count();
    if matching == 0 {
        return Ok(format!("none of the {total} files of {trial} matches"));
    }
    if shown < matching {
        let _ = writeln!(out, "(+{} more: use a glob)", matching - shown);
    }
    Ok(data(&format!("files of {trial}"), &out))
}

pub(super) fn matcher(args: &Args) -> Result<Option<GlobMatcher>, String> {
    let Some(glob) = args.text("glob") else { return Ok(None) };
    let glob = glob.trim().trim_start_matches("./").trim_start_matches('/');
    // A folder means all that lies in it.
    let glob = if glob.ends_with('/') { format!("{glob}**") } else { glob.to_owned() };
    let glob = if glob.contains('/') || glob.contains("**") { glob } else { format!("**/{glob}") };
    Glob::new(&glob).map(|g| Some(g.compile_matcher())).map_err(|error| args.wrong(&format!("hold no valid `glob`: {error}")))
}

pub(super) fn read(hands: &mut Hands<'_>, args: &Args) -> Result<String, String> {
    let trial = hands.meant(args)?;
    let tree = hands.tree_of(trial)?;
    let path = args.text("path").unwrap_or_default();
    let path = path.trim().trim_matches(['`', '"', '\'']).trim_start_matches("./");
    let Some(bytes) = hands.bench.read(&tree, path)? else {
        return Err(missing(hands, &tree, path));
    };
    let Ok(text) = String::from_utf8(bytes) else { return Err(format!("{} is no text", line(path, 200))) };
    let lines: Vec<&str> = text.lines().collect();
    let start = args.whole("start").unwrap_or(1).max(1) as usize;
    let wanted = args.whole("end").map_or(start.saturating_add(LINES - 1), |end| end as usize);
    let end = wanted.min(start.saturating_add(MOST_LINES - 1));
    if start > lines.len().max(1) {
        return Err(format!("{path} has {} lines; line {start} is beyond its end", lines.len()));
    }
    if end < start {
        return Err(args.wrong(&format!("end ({end}) before they start ({start})")));
    }
    *hands.desk.read.entry(path.to_owned()).or_default() += 1;
    let (mut out, mut last) = (String::new(), start.saturating_sub(1));
    for (number, text) in lines.iter().enumerate().skip(start - 1).take((end - start).saturating_add(1)) {
        let text = legible(text);
        let text = match text.char_indices().nth(LONGEST_LINE) {
            Some((at, _)) => format!("{}… (+{} bytes)", text.get(..at).unwrap_or_default(), text.len() - at),
            None => text,
        };
        let row = format!("{:>5}| {text}\n", number + 1);
        if out.len() + row.len() > ROOM - 600 {
            break;
        }
        out.push_str(&row);
        last = number + 1;
    }
    let mut what = format!("{path} of {trial}, lines {start} to {last} of {}", lines.len());
    if lines.is_empty() {
        what = format!("{path} of {trial}, an empty file");
    }
    let more = if last < lines.len() { format!("\nNext: start = {}", last + 1) } else { String::new() };
    Ok(format!("{}{more}", data(&what, &out)))
}

/// That a file is not there, with those that may have been meant.
fn missing(hands: &Hands<'_>, tree: &str, path: &str) -> String {
    let files = hands.bench.files(tree).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut near: Vec<&str> = files.iter().map(|f| f.path.as_str()).filter(|p| p.rsplit('/').next() == Some(name)).take(4).collect();
    if near.is_empty() {
        near.extend(nearest_word(path, files.iter().map(|f| f.path.as_str())));
    }
    let near = if near.is_empty() {
        "list_files tells what is there".to_owned()
    } else {
        format!("did you mean {}?", line(&near.join(", "), 300))
    };
    format!("there is no file `{}`; {near}", line(path, 200))
}
