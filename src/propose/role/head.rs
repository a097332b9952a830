//! Reads a prompt's head, the TOML between two lines of `+++` or `---`, with the machinery that reads task files.

use super::{Role, RoleLimits, RoleProblem, Sight};
use crate::model::Operator;
use crate::propose::agent::tools;
use crate::task::{self, Root, Section, Vocabulary, Walk, nearest_word};
use std::{collections::BTreeMap, sync::Arc};

const WORDS: Vocabulary = Vocabulary {
    sections: &[("role", &["title", "surfaces", "operators", "tools", "sees"]), ("limits", &["turns", "max_tokens"])],
    lists: &[],
    usual: &["role"],
};
/// Most answers that a prompt may allow itself.
const MOST_TURNS: u32 = 200;

const OPERATORS: [(&str, Operator); 5] = [
    ("draft", Operator::Draft),
    ("improve", Operator::Improve),
    ("debug", Operator::Debug),
    ("crossover", Operator::Crossover),
    ("ablate", Operator::Ablate),
];

pub(super) fn file_of(name: &str) -> String {
    format!("prompts/{name}.md")
}

pub(super) fn read(name: &str, text: &str, parts: &Arc<BTreeMap<String, String>>) -> Result<Role, Vec<RoleProblem>> {
    let file = file_of(name);
    let one = |line: usize, message: &str, hint: &str| {
        vec![RoleProblem { file: file.clone(), line, column: 1, message: message.to_owned(), hint: Some(hint.to_owned()) }]
    };
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !plain {
        return Err(one(1, "a role's name is made of lower-case letters, digits and `-`", "rename the file, for example to `my-role.md`"));
    }
    let Some((head, template, first)) = split(text) else {
        return Err(one(1, "there is no head", "begin with a line `+++`, then TOML with [role], then a line `+++`, then the prompt"));
    };
    let (document, syntax) = task::document(&head);
    let walk = Walk::new(&head, WORDS, &syntax);
    let root = Root::open(&walk, document.get_ref());
    let mut role = Role {
        name: name.to_owned(),
        title: String::new(),
        surfaces: Vec::new(),
        operators: Vec::new(),
        tools: Vec::new(),
        sees: Vec::new(),
        limits: RoleLimits::default(),
        // So that the lines of the template are those of the file.
        template: format!("{}{template}", "\n".repeat(first - 1)),
        parts: Arc::clone(parts),
    };
    let section = root.section("role");
    match &section {
        Some(section) => fill(&mut role, section),
        None if syntax.is_empty() => walk.problem(0..0, "[role] is missing", "add\n[role]\ntitle = \"…\"".to_owned()),
        None => {}
    }
    if let Some(section) = root.section("limits") {
        if let Some(turns) = section.whole("turns", 2, "16") {
            role.limits.turns = turns.min(MOST_TURNS);
        }
        role.limits.max_tokens = section.whole("max_tokens", 256, "16000");
    }
    let mut problems = syntax.clone();
    problems.extend(walk.finish().0);
    problems.sort_by_key(|p| (p.line, p.column));
    problems.dedup();
    if problems.is_empty() { Ok(role) } else { Err(problems.iter().map(|p| RoleProblem::of(&file, p)).collect()) }
}

fn fill(role: &mut Role, section: &Section<'_>) {
    role.title = section.need_text("title", "\"Systems specialist\"").value;
    role.surfaces = section.texts("surfaces", "[\"optimizer\"]").into_iter().map(|spot| spot.value).collect();
    role.operators = words(section, "operators", &OPERATORS);
    if !section.has("operators") {
        section.missing("operators", "operators = [\"draft\", \"improve\"]");
    }
    let named: Vec<(&str, &str)> = tools::NAMES.iter().map(|name| (*name, *name)).collect();
    role.tools = words(section, "tools", &named).into_iter().map(str::to_owned).collect();
    if role.tools.is_empty() && !section.has("tools") {
        role.tools = tools::NAMES.iter().map(|name| (*name).to_owned()).collect();
    }
    // Without these two no proposal could end.
    for last in [tools::SUBMIT, tools::GIVE_UP] {
        if !role.tools.iter().any(|tool| tool == last) {
            role.tools.push(last.to_owned());
        }
    }
    role.sees = words(section, "sees", &Sight::ALL);
}

/// A list of words of a closed set; strangers are noted with the nearest.
fn words<T: Copy + PartialEq>(section: &Section<'_>, key: &str, known: &[(&str, T)]) -> Vec<T> {
    let mut found = Vec::new();
    for spot in section.texts(key, &format!("[\"{}\"]", known.first().map_or("", |(word, _)| word))) {
        match known.iter().find(|(word, _)| *word == spot.value) {
            Some((_, value)) if !found.contains(value) => found.push(*value),
            Some(_) => section.walk.problem(spot.span, format!("`{}` stands twice in `{key}`", spot.value), "remove one".to_owned()),
            None => {
                let names: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
                let hint = match nearest_word(&spot.value, names.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("known are {}", names.join(", ")),
                };
                section.walk.problem(spot.span, format!("`{}` is not known in `{key}`", spot.value), hint);
            }
        }
    }
    found
}

/// The head, with everything else blanked out so that places stay true; the template; and its first line, from 1.
fn split(text: &str) -> Option<(String, &str, usize)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next()?;
    let fence = first.trim_end();
    if fence != "+++" && fence != "---" {
        return None;
    }
    let mut at = first.len() + text.get(first.len()..)?.find('\n')? + 1;
    let mut head = String::from("\n");
    for (number, line) in text.get(at..)?.split_inclusive('\n').enumerate() {
        at += line.len();
        if line.trim_end() == fence {
            return Some((head, text.get(at..)?, number + 3));
        }
        head.push_str(line);
    }
    None
}
