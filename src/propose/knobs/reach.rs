//! Which files the run command reaches: those that it names, what they import, run or name in turn.
//!
//! A file is named by its path, or by the end of it. Where the command names no file of the tree, or the code makes up
//! the names of modules as it runs, nothing is ruled out. What is imported for another choice than the command's is not
//! followed (`chosen`).

use super::{chosen::Chosen, format::Format, python::Import, scan::Scan, shell};
use crate::model::KnobValue;
use std::collections::BTreeSet;

/// What the run command reaches.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// None: it cannot be told, so everything counts.
    pub files: Option<BTreeSet<String>>,
    /// What the command itself says.
    pub command: shell::Script,
}

impl Reach {
    /// Whether a file counts.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.as_ref().is_none_or(|files| files.contains(path))
    }
}

/// Follows the command through the tree.
pub(super) fn reach(scan: &Scan, command: Option<&str>) -> Reach {
    let Some(command) = command else { return Reach::default() };
    let script = shell::read(command).unwrap_or_default();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for word in &script.words {
        named(scan, word, "", &mut found);
        module(scan, word, "", &mut found);
    }
    let runs = found.iter().any(|p| matches!(Format::of(p), Some(Format::Python | Format::Shell)));
    if !runs {
        return Reach { files: None, command: script };
    }
    let chosen = Chosen::of(scan, &script, &found);
    let mut todo: Vec<String> = found.iter().cloned().collect();
    while let Some(path) = todo.pop() {
        let mut next = BTreeSet::new();
        if !follow(scan, &chosen, &path, &mut next) {
            found.extend(scan.paths.iter().filter(|p| p.ends_with(".py")).cloned());
        }
        todo.extend(next.into_iter().filter(|p| found.insert(p.clone())));
    }
    Reach { files: Some(found), command: script }
}

/// Takes what a file names; false where it makes up names of modules.
fn follow(scan: &Scan, chosen: &Chosen, path: &str, out: &mut BTreeSet<String>) -> bool {
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    if let Some(facts) = scan.facts.get(path) {
        for import in &facts.imports {
            imported(scan, import, dir, |name| !chosen.spares(facts, name), out);
        }
        for text in &facts.texts {
            named(scan, text, dir, out);
        }
        return !facts.dynamic;
    }
    if let Some(script) = scan.scripts.get(path) {
        for word in &script.words {
            named(scan, word, dir, out);
            module(scan, word, "", out);
        }
        return true;
    }
    for literal in scan.literals.iter().filter(|l| l.path == path) {
        if let KnobValue::Choice(text) = &literal.found.value {
            named(scan, text, dir, out);
            // Hydra: `defaults: [{optimizer: adam}]` names optimizer/adam.yaml and its siblings.
            if let Some(group) = super::hydra::group(&literal.found.name) {
                out.extend(super::hydra::members(scan, dir, group).into_iter().map(|(_, path)| path));
            }
        }
    }
    true
}

/// Files that a word names: `run.py`, `--config=conf/a.yaml`, `optimizer=sgd`, a configuration's name without its ending.
fn named(scan: &Scan, word: &str, dir: &str, out: &mut BTreeSet<String>) {
    let word = word.strip_prefix("./").unwrap_or(word);
    if let Some((key, value)) = word.split_once('=') {
        if !value.is_empty() {
            named(scan, value, dir, out);
            let group = key.trim_start_matches(['-', '+']);
            ends_with(scan, &format!("{group}/{value}.yaml"), out);
        }
        return;
    }
    let known = |path: &str| scan.paths.get(path).cloned();
    let beside = if dir.is_empty() { word.to_owned() } else { format!("{dir}/{word}") };
    if let Some(path) = known(word).or_else(|| known(&resolved(&beside))) {
        out.insert(path);
        return;
    }
    let ending = word.rsplit('/').next().and_then(|n| n.rsplit_once('.')).map(|(_, e)| e);
    if ending.is_some() {
        if Format::of(word).is_some() {
            ends_with(scan, &resolved(word), out);
        }
    } else if dir.is_empty() && !word.is_empty() && !word.starts_with('-') {
        // `--config-name base`
        ends_with(scan, &format!("{word}.yaml"), out);
    }
}

/// `a/../b` and `./b` as git writes them.
fn resolved(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn ends_with(scan: &Scan, tail: &str, out: &mut BTreeSet<String>) {
    if tail.is_empty() {
        return;
    }
    let fits = |p: &&String| p.strip_suffix(tail).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    out.extend(scan.paths.iter().filter(fits).cloned());
}

/// The files of `a.b.c`, from the root or from `dir`.
fn module(scan: &Scan, dotted: &str, dir: &str, out: &mut BTreeSet<String>) -> bool {
    if dotted.is_empty() || dotted.contains(['/', '-', '=']) {
        return false;
    }
    let path = dotted.replace('.', "/");
    let mut any = false;
    for base in ["", dir, "src"] {
        let base = if base.is_empty() { String::new() } else { format!("{base}/") };
        for tail in [".py", "/__init__.py", "/__main__.py"] {
            any |= scan.paths.get(&format!("{base}{path}{tail}")).is_some_and(|p| {
                out.insert(p.clone());
                true
            });
        }
    }
    if any {
        // A package's own modules run first.
        let mut package = path.as_str();
        while let Some((parent, _)) = package.rsplit_once('/') {
            out.extend(scan.paths.get(&format!("{parent}/__init__.py")).cloned());
            package = parent;
        }
    }
    any
}

fn imported(scan: &Scan, import: &Import, dir: &str, wanted: impl Fn(&str) -> bool, out: &mut BTreeSet<String>) {
    let dotted = if import.level > 0 {
        let mut base = dir;
        for _ in 1..import.level {
            base = base.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        let base = base.replace('/', ".");
        [base.as_str(), import.module.as_str()].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(".")
    } else {
        import.module.clone()
    };
    if !import.bound.is_empty() && !import.bound.iter().any(|name| wanted(name)) {
        return;
    }
    module(scan, &dotted, dir, out);
    for (name, _) in import.names.iter().zip(&import.bound).filter(|(_, bound)| wanted(bound)) {
        let inner = if dotted.is_empty() { name.clone() } else { format!("{dotted}.{name}") };
        module(scan, &inner, dir, out);
    }
}

/// Takes out what stands behind the lines that `head -n 30 scripts/x.sh | bash` runs.
pub(super) fn cut(scan: &mut Scan, command: Option<&str>) -> Vec<super::Aside> {
    let words: Vec<&str> = command.unwrap_or_default().split_whitespace().collect();
    let Some(["head", "-n", lines, path]) = words.get(..4).and_then(|w| <[&str; 4]>::try_from(w).ok()) else { return Vec::new() };
    let path = path.trim_matches(['\'', '"']).trim_start_matches("./");
    let (Ok(lines), Some(script)) = (lines.parse::<usize>(), scan.scripts.get_mut(path)) else { return Vec::new() };
    script.sets.retain(|(_, line)| *line <= lines);
    let mut out = Vec::new();
    scan.literals.retain(|l| {
        let kept = l.path != path || l.found.line <= lines;
        if !kept {
            out.push(super::Aside {
                name: l.found.name.clone(),
                path: l.path.clone(),
                line: l.found.line,
                value: l.found.value.clone(),
                reason: format!("the run command stops after line {lines}"),
            });
        }
        kept
    });
    out
}
