//! `--proposer`: names joined by `+`, programs among them, and what those are granted.
//!
//! `command:WORDS` is a program: one of a `[[command]]` of the configuration by its name, else a command line. It ends at the next
//! `+`, unless it stands in quotes (`command:"a + b"+tpe`; within double ones `\"` and `\\` stand for themselves).

use super::config::Command;
use super::{Failure, host};
use crate::engine::external::Program;
use std::path::PathBuf;
use std::time::Duration;

/// Wall-clock limit of one proposal, where nobody says otherwise.
const WALL: Duration = Duration::from_secs(600);
/// Longest name of a program.
const NAME: usize = 32;

/// Takes the list apart. Errors: in words, which quote is open or what is empty.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut names, mut rest) = (Vec::new(), text.trim_start());
    loop {
        let (name, after) =
            match rest.strip_prefix("command:").and_then(|r| Some((r.chars().next().filter(|c| matches!(c, '"' | '\''))?, r))) {
                Some((quote, quoted)) => {
                    let (command, after) = unquoted(quoted.get(1..).unwrap_or_default(), quote)
                        .ok_or_else(|| format!("the quote that begins at `{}` is not closed", crate::model::Safe::line(quoted)))?;
                    (format!("command:{}", command.trim()), after.trim_start())
                }
                None => {
                    let end = rest.find('+').unwrap_or(rest.len());
                    (rest.get(..end).unwrap_or_default().trim().to_owned(), rest.get(end..).unwrap_or_default())
                }
            };
        if name == "command:" {
            return Err("`command:` names no program: write command:\"python3 propose.py\"".into());
        }
        names.push(name);
        match after.strip_prefix('+') {
            Some(more) => rest = more.trim_start(),
            None if after.trim().is_empty() => return Ok(names),
            None => return Err(format!("after the closing quote stands `{}`; join proposers by +", crate::model::Safe::line(after))),
        }
    }
}

/// What stands up to the closing quote, and what follows it.
fn unquoted(text: &str, quote: char) -> Option<(String, &str)> {
    let (mut out, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => match chars.next()?.1 {
                next @ ('"' | '\\') => out.push(next),
                next => out.extend(['\\', next]),
            },
            c if c == quote => return Some((out, text.get(at + 1..).unwrap_or_default())),
            c => out.push(c),
        }
    }
    None
}

/// Turns `command:…` into `command:NAME` and returns the programs of these names.
pub(super) fn programs(names: &mut [String], configured: &[Command], grants: &[String]) -> Result<Vec<Program>, Failure> {
    let mut programs: Vec<Program> = Vec::new();
    for entry in names {
        let Some(text) = entry.strip_prefix("command:") else { continue };
        let mut program = match configured.iter().find(|c| c.name == text) {
            Some(command) => from_configuration(command)?,
            None => Program {
                name: name_of(text),
                run: text.to_owned(),
                network: false,
                env: Vec::new(),
                read: Vec::new(),
                wall_secs: WALL.as_secs_f64(),
                memory_bytes: None,
            },
        };
        let taken = |name: &str| programs.iter().any(|p| p.name == name);
        if taken(&program.name) {
            let first = program.name.clone();
            program.name = (2..).map(|n| format!("{first}-{n}")).find(|name| !taken(name)).unwrap_or(first);
        }
        *entry = format!("command:{}", program.name);
        programs.push(program);
    }
    if programs.is_empty() && !grants.is_empty() {
        return Err(Failure::usage("--proposer-grant is for programs: name one with --proposer command:\"…\""));
    }
    for grant in grants {
        programs.iter_mut().try_for_each(|program| add_grant(program, grant))?;
    }
    Ok(programs)
}

fn from_configuration(command: &Command) -> Result<Program, Failure> {
    Ok(Program {
        name: command.name.clone(),
        run: command.run.clone(),
        network: command.network,
        env: command.env.clone(),
        read: command.read.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?,
        wall_secs: command.wall.unwrap_or(WALL).as_secs_f64(),
        memory_bytes: command.memory_bytes,
    })
}

fn add_grant(program: &mut Program, grant: &str) -> Result<(), Failure> {
    match grant.split_once(':') {
        None if grant == "network" => program.network = true,
        Some(("env", name)) if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            if !program.env.iter().any(|n| n == name) {
                program.env.push(name.to_owned());
            }
        }
        Some(("read", path)) if !path.is_empty() => program.read.push(absolute(path)?),
        _ => {
            let shown = crate::model::Safe::line(grant);
            return Err(Failure::usage(format!(
                "--proposer-grant {shown}: there are network, env:NAME (its value stays in the environment) and read:PATH"
            )));
        }
    }
    Ok(())
}

/// A path as the shell would have it.
fn absolute(path: &str) -> Result<PathBuf, Failure> {
    let path = match path.strip_prefix("~/") {
        Some(rest) => host::home().ok_or_else(|| Failure::usage(format!("~/{rest}: $HOME is not set")))?.join(rest),
        None => host::cwd()?.join(path),
    };
    path.canonicalize().map_err(|e| Failure::usage(format!("{} cannot be granted to a proposer: {e}", path.display())))
}

/// What a command line is called: the program's name, without directories and without what a name may not hold.
fn name_of(command: &str) -> String {
    let words = shell_words::split(command).unwrap_or_else(|_| command.split_whitespace().map(str::to_owned).collect());
    let program = words.iter().find(|word| !word.contains('=')).map_or("program", String::as_str);
    let base = program.rsplit('/').next().unwrap_or(program);
    let plain: String =
        base.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).take(NAME).collect();
    if plain.is_empty() { "program".into() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_taken_apart() {
        for (text, want) in [
            ("tpe", vec!["tpe"]),
            (" tpe + random ", vec!["tpe", "random"]),
            ("command:python3 a.py", vec!["command:python3 a.py"]),
            ("command:python3 a.py+tpe", vec!["command:python3 a.py", "tpe"]),
            ("command:\"a + b\"+tpe", vec!["command:a + b", "tpe"]),
            ("tpe+command:'say \"x\\n\"' + random", vec!["tpe", "command:say \"x\\n\"", "random"]),
            (r#"command:"say \"x\" \n""#, vec![r#"command:say "x" \n"#]),
        ] {
            assert_eq!(split(text).as_deref(), Ok(want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice()), "{text}");
        }
        for (text, why) in [
            ("command:\"a", "is not closed"),
            ("command:\"a\" b", "join proposers by +"),
            ("command:", "names no program"),
            ("command:+tpe", "names no program"),
        ] {
            assert!(split(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn programs_get_names_and_grants() {
        let configured = [Command {
            name: "claude".into(),
            run: "claude -p".into(),
            network: true,
            env: vec!["ANTHROPIC_API_KEY".into()],
            read: Vec::new(),
            wall: Some(Duration::from_secs(60)),
            memory_bytes: None,
            line: 1,
        }];
        let mut names = ["tpe", "command:claude", "command:X=1 /opt/my agent.py", "command:my other", "command:("].map(str::to_owned);
        let made = programs(&mut names, &configured, &["env:TOKEN".into(), "read:/".into()]).unwrap();
        assert_eq!(names, ["tpe", "command:claude", "command:my", "command:my-2", "command:-"]);
        assert!(made[0].network && !made[1].network && made[0].wall_secs == 60.0 && made[1].wall_secs == 600.0);
        assert_eq!((made[0].env.len(), &made[1].env, made[1].read.len()), (2, &vec!["TOKEN".to_owned()], 1));
        for bad in ["net", "env:", "env:A=B", "read:", "read:/no/such/place"] {
            assert!(programs(&mut ["command:x".to_owned()], &[], &[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(programs(&mut ["tpe".to_owned()], &[], &["network".to_owned()]).unwrap_err().message.contains("is for programs"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,60}") {
            let _ = split(&text);
            prop_assert!(!name_of(&text).is_empty());
        }
    }
}
