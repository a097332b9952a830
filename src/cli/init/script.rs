//! Keeps the shell script that the training is started by, so that the options in it can be turned: `bash scripts/x.sh`, or of
//! several commands the first, `head -n 30 scripts/x.sh | bash`.
//!
//! Careful by design: a script that does more than set variables and start the training is left, and its command written out.

use crate::cli::host;
use crate::task::inspect::{About, Command, Facts, Seed, commands};

/// The command that runs the script.
#[derive(Debug, PartialEq)]
pub(super) struct Kept {
    /// For `[run]`.
    pub(super) line: String,
    /// For people.
    pub(super) notes: Vec<String>,
}

/// The command that runs the script of a command in its place, where that comes to the same.
pub(super) fn keep(command: &Command, facts: &Facts, about: &About) -> Option<Kept> {
    let path = host::program_path();
    kept(command, facts, about, |name| std::env::split_paths(&path).any(|d| d.join(name).is_file()))
}

fn kept(command: &Command, facts: &Facts, about: &About, there: impl Fn(&str) -> bool) -> Option<Kept> {
    let shell = command.shell.as_ref()?;
    let text = facts.tree.texts.get(&shell.path)?;
    // A seed that is an argument would be handed to the shell, not to the program.
    if !command.open.is_empty() || matches!(about.seed, Seed::Argument { .. }) || !(shell.times == 1 || shell.first) || !there("bash") {
        return None;
    }
    let whole = shell.times == 1;
    let mut gpu = None;
    for (at, line) in commands::joined(text).into_iter().filter(|(at, _)| whole || *at <= shell.end) {
        let line = line.trim();
        let bare = line.strip_prefix("export ").unwrap_or(line);
        if commands::assignment(line).is_some() {
            if bare.starts_with("CUDA_VISIBLE_DEVICES=") {
                gpu = Some(at);
            }
        } else if !(line.is_empty() || line.starts_with('#') || ["set ", "echo "].iter().any(|w| line.starts_with(w))) {
            // The training itself, in the foreground and with its output left to us.
            let words: Vec<&str> = line.split_whitespace().collect();
            let program = words.iter().find(|w| !w.contains('='))?;
            if !words.iter().any(|w| w.trim_start_matches("./") == command.script)
                || line.contains(['>', '|', '&', ';', '`'])
                || !there(program)
            {
                return None;
            }
        }
    }
    let path = shell_words::quote(&shell.path).into_owned();
    let line = if whole { format!("bash {path}") } else { format!("head -n {} {path} | bash", shell.end) };
    let mut notes = vec![format!("The options in {} are turned; `{}` is what it comes to.", shell.path, command.line)];
    notes.extend(gpu.map(|at| format!("{}:{at} chooses the GPU itself: with several slots take that line out.", shell.path)));
    Some(Kept { line, notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::inspect::Tree;
    use std::collections::BTreeMap;

    #[test]
    fn a_script_that_only_starts_the_training_is_kept() {
        let one = "export CUDA_VISIBLE_DEVICES=0\nlr=0.1\n\npython run.py \\\n  --lr $lr \\\n  --d 3\n";
        let two = format!("{one}\npython run.py --lr 1\n");
        for (text, want) in [
            (one.to_owned(), Some("bash go.sh")),
            (two, Some("head -n 6 go.sh | bash")),
            (format!("{one}\nrm -r out\n"), None),
            (format!("pip install x\n{one}"), None),
            ("for s in 1 2; do\npython run.py --lr 1\ndone\n".to_owned(), None),
            ("python run.py --lr 1 > log.txt\n".to_owned(), None),
            ("python run.py --lr 1 &\n".to_owned(), None),
            ("python run.py --lr $1\n".to_owned(), None),
            ("python3.99 run.py --lr 1\n".to_owned(), None),
        ] {
            let main = "if __name__ == '__main__':\n    pass\n".to_owned();
            let readme = "```\nbash go.sh\n```\n".to_owned();
            let texts = BTreeMap::from([("README.md".into(), readme), ("go.sh".into(), text.clone()), ("run.py".into(), main)]);
            let facts = Facts::of(Tree { files: texts.keys().map(|k: &String| (k.clone(), 1)).collect(), texts, ..Tree::default() });
            let command = facts.commands.first().unwrap();
            let found = kept(command, &facts, &facts.about(&command.line), |name| matches!(name, "bash" | "python"));
            assert_eq!(found.as_ref().map(|k| k.line.as_str()), want, "{text}");
            assert_eq!(found.is_some_and(|k| k.notes.len() == 2), want.is_some(), "{text}");
        }
    }
}
