//! Rust text as far as the rules need it: comments and literals blanked, test code cut out, paths of names collected.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A path as it is written, `use` trees expanded, and the line on which it begins.
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
}

impl Named {
    pub fn starts_with(&self, prefix: &[&str]) -> bool {
        self.path.len() >= prefix.len() && self.path.iter().zip(prefix).all(|(a, b)| a == b)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Token {
    fn is_ident(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

/// Names, `::` and single signs; comments and the insides of literals are gone.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let from = i;
        let mut token = None;
        match at(i) {
            '/' if at(i + 1) == '/' => i = (i..chars.len()).find(|j| at(*j) == '\n').unwrap_or(chars.len()),
            '/' if at(i + 1) == '*' => i = block_comment(&chars, i),
            '"' => i = string(&chars, i),
            // A character, or the tick of a lifetime.
            '\'' if at(i + 1) == '\\' => i = (i + 3..chars.len()).find(|j| at(*j) == '\'').map_or(chars.len(), |j| j + 1),
            '\'' if at(i + 2) == '\'' => i += 3,
            c if c.is_alphanumeric() || c == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                let word: String = chars[from..i].iter().collect();
                match (word.as_str(), at(i)) {
                    ("r" | "br" | "cr", '"' | '#') if raw_string(&chars, i).is_some() => i = raw_string(&chars, i).unwrap(),
                    ("b" | "c", '"') => i = string(&chars, i),
                    _ => token = Some(word),
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                token = Some("::".into());
            }
            c => {
                i += 1;
                token = (!c.is_whitespace()).then(|| c.to_string());
            }
        }
        out.extend(token.map(|text| Token { text, line }));
        line += chars[from..i].iter().filter(|c| **c == '\n').count();
    }
    out
}

fn block_comment(chars: &[char], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn string(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// The end of a raw string whose signs `#` begin at `from`; none for a raw name (`r#type`).
fn raw_string(chars: &[char], from: usize) -> Option<usize> {
    let signs = chars[from..].iter().take_while(|c| **c == '#').count();
    (chars.get(from + signs) == Some(&'"')).then_some(())?;
    let closes = |i: &usize| chars[*i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= signs;
    (from + signs + 1..chars.len()).find(closes).map(|i| i + 1 + signs)
}

/// Cuts every item under `#[cfg(test)]` and names the modules that were declared so: their files are test code too.
pub fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<TestModule>) {
    let (mut kept, mut modules, mut i) = (Vec::new(), Vec::new(), 0);
    while i < tokens.len() {
        let ahead = |words: &[&str]| words.iter().enumerate().all(|(k, w)| tokens.get(i + k).is_some_and(|t| t.text == *w));
        if !ahead(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let end = end_of_item(tokens, i + 7);
        let item = &tokens[i + 7..end];
        if let Some(k) = item.iter().position(|t| t.text == "mod") {
            modules.extend(item.get(k + 1).map(|name| TestModule { name: name.text.clone(), line: name.line }));
        }
        i = end;
    }
    (kept, modules)
}

/// A module that only tests see.
pub struct TestModule {
    pub name: String,
    pub line: usize,
}

/// After the `;` or the `}` that ends the item; brackets are skipped over whole.
fn end_of_item(tokens: &[Token], from: usize) -> usize {
    let (mut depth, mut i) = (0_i32, from);
    while let Some(token) = tokens.get(i) {
        i += 1;
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            ";" if depth == 0 => break,
            _ => {}
        }
    }
    i
}

/// Every path of two names or more, and every name that a `use` brings in.
pub fn paths(tokens: &[Token]) -> Vec<Named> {
    let (mut out, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if tokens[i].text == "use" && tokens.get(i + 1).is_some_and(|t| t.is_ident() || t.text == "::" || t.text == "{") {
            i = use_tree(tokens, i + 1, &[], &mut out);
        } else if tokens[i].is_ident() {
            let line = tokens[i].line;
            let mut path = vec![tokens[i].text.clone()];
            while tokens.get(i + 1).is_some_and(|t| t.text == "::") && tokens.get(i + 2).is_some_and(Token::is_ident) {
                i += 2;
                path.push(tokens[i].text.clone());
            }
            if path.len() > 1 {
                out.push(Named { path, line });
            }
            i += 1;
        } else {
            i += 1;
        }
    }
    out
}

fn use_tree(tokens: &[Token], from: usize, prefix: &[String], out: &mut Vec<Named>) -> usize {
    let (mut path, mut i, mut group) = (prefix.to_vec(), from, false);
    let line = tokens.get(from).map_or(0, |t| t.line);
    while let Some(token) = tokens.get(i) {
        match token.text.as_str() {
            "::" => i += 1,
            "as" => i += 2,
            "{" => {
                group = true;
                i += 1;
                while tokens.get(i).is_some_and(|t| t.text != "}") {
                    i = use_tree(tokens, i, &path, out);
                    i += usize::from(tokens.get(i).is_some_and(|t| t.text == ","));
                }
                i += 1;
            }
            "," | "}" | ";" => break,
            name => {
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
                i += 1;
            }
        }
    }
    if !group {
        out.push(Named { path, line });
    }
    i
}

/// One file of `src`: what it names outside of test code.
pub struct File {
    /// From the repository's root, with `/`.
    pub name: String,
    /// The names of its module, from the crate's root: `engine/machine/mod.rs` is `[engine, machine]`.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
    pub paths: Vec<Named>,
}

impl File {
    /// The room of the house that it lies in; none for `lib.rs` and `main.rs`.
    pub fn room(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// The room that a path of this file leads to, if it leads into the crate's root at all.
    pub fn target<'a>(&self, named: &'a Named) -> Option<&'a str> {
        let first = named.path.first()?.as_str();
        let above = named.path.iter().take_while(|p| *p == "super").count();
        let at = match first {
            "crate" | "trialdeck" => 1,
            "super" if above >= self.module.len() => above,
            _ => return None,
        };
        named.path.get(at).map(String::as_str)
    }
}

/// All files of `src` without test code, in order.
pub fn files(root: &Path) -> Vec<File> {
    let mut found = Vec::new();
    rust_files(&root.join("src"), &mut found);
    found.sort();
    let mut tests = BTreeSet::new();
    let mut files = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let (tokens, modules) = without_tests(&tokens(&text));
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = if ["mod", "lib", "main"].contains(&stem) { path.parent().unwrap().to_owned() } else { path.with_extension("") };
        for module in &modules {
            let at = text.lines().take(module.line).collect::<Vec<_>>().join("\n");
            let own =
                at.rsplit_once("#[path = \"").filter(|(_, rest)| rest.lines().count() <= 2).and_then(|(_, rest)| rest.split('"').next());
            let base = own.map_or_else(|| folder.join(&module.name), |own| path.with_file_name(own).with_extension(""));
            tests.extend([base.with_extension("rs"), base]);
        }
        let relative = path.strip_prefix(root).unwrap();
        let inside = folder.strip_prefix(root.join("src")).unwrap();
        let module = inside.components().map(|c| c.as_os_str().to_str().unwrap().to_owned()).collect();
        let module = if inside.as_os_str().is_empty() { Vec::new() } else { module };
        let module: Vec<String> = if ["lib", "main"].contains(&stem) { Vec::new() } else { module };
        let paths = paths(&tokens);
        files.push((path.clone(), File { name: relative.to_str().unwrap().replace('\\', "/"), module, tokens, paths }));
    }
    files.into_iter().filter(|(path, _)| !path.ancestors().any(|p| tests.contains::<PathBuf>(&p.to_owned()))).map(|(_, f)| f).collect()
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => rust_files(&path, into),
            false if path.extension().is_some_and(|e| e == "rs") => into.push(path),
            false => {}
        }
    }
}
