//! `search_code`: places in a trial's code where a regular expression matches.

use super::{Args, Hands, files};
use crate::propose::agent::{data, legible, line};
use regex::{Regex, RegexBuilder};

const MOST_PLACES: usize = 60;
const ROOM: usize = 14_000;
/// Larger files are data, not code.
const LARGEST: u64 = 1 << 20;
/// Most bytes that are read for one search.
const MOST_BYTES: u64 = 64 << 20;
const LONGEST_LINE: usize = 300;

pub(super) fn search(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let trial = hands.meant(args)?;
    let tree = hands.tree_of(trial)?;
    let pattern = args.text("pattern").unwrap_or_default();
    let (regex, note) = compiled(&pattern)?;
    let glob = files::matcher(args)?;
    let context = args.whole("context").unwrap_or(2).min(8) as usize;
    let (mut out, mut places, mut more, mut read, mut whole) = (String::new(), 0, 0, 0, true);
    for file in hands.bench.files(&tree)? {
        if file.bytes > LARGEST || glob.as_ref().is_some_and(|g| !g.is_match(&file.path)) {
            continue;
        }
        read += file.bytes;
        if read > MOST_BYTES {
            whole = false;
            break;
        }
        let Some(Ok(text)) = hands.bench.read(&tree, &file.path)?.map(String::from_utf8) else { continue };
        let lines: Vec<&str> = text.lines().collect();
        let hits: Vec<usize> = lines.iter().enumerate().filter(|(_, l)| regex.is_match(l)).map(|(at, _)| at).collect();
        let mut shown_to = 0;
        for hit in hits {
            if places >= MOST_PLACES || out.len() > ROOM {
                more += 1;
                continue;
            }
            places += 1;
            let from = hit.saturating_sub(context).max(shown_to);
            if shown_to == 0 {
                out.push_str(&format!("{}\n", line(&file.path, 200)));
            } else if from > shown_to {
                out.push_str("     …\n");
            }
            for (number, text) in lines.iter().enumerate().take(hit + context + 1).skip(from) {
                let text: String = legible(text).chars().take(LONGEST_LINE).collect();
                out.push_str(&format!("{:>5}{} {text}\n", number + 1, if regex.is_match(&text) { ':' } else { '|' }));
            }
            shown_to = shown_to.max(hit + context + 1);
        }
    }
    let note =
        if whole { note } else { format!("{note}\n(only {} MiB of files were searched: a glob reaches the others)", MOST_BYTES >> 20) };
    if places == 0 {
        return Ok(format!("no line of {trial} matches `{}`{note}", line(&pattern, 120)));
    }
    let more = if more > 0 { format!("\n(+{more} places: a narrower pattern or a glob shows them)") } else { String::new() };
    Ok(format!("{}{more}{note}", data(&format!("places of {} in {trial}", line(&pattern, 100)), &out)))
}

/// The expression, or the text itself where it is none; a size limit keeps a hostile one cheap.
fn compiled(pattern: &str) -> Result<(Regex, String), String> {
    let build = |text: &str| {
        RegexBuilder::new(text)
            .case_insensitive(!pattern.chars().any(char::is_uppercase))
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .build()
    };
    match build(pattern) {
        Ok(regex) => Ok((regex, String::new())),
        Err(_) => match build(&regex::escape(pattern)) {
            Ok(regex) => Ok((regex, "\n(it is no regular expression, so it was looked for as it stands)".to_owned())),
            Err(error) => Err(format!("the pattern cannot be searched for: {}", line(&error.to_string(), 200))),
        },
    }
}
