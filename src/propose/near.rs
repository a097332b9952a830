//! Near duplicates: what of a file's text is code, as one number. Two files with the same number differ in comments,
//! docstrings and layout at most.
//!
//! Python is read by its own grammar; of other files only white space is dropped, for what a comment is there depends on the
//! language. A file that does not parse is compared like another file. Tested by tables and with mangled text.

use ruff_python_ast::{Expr, Stmt, token::TokenKind, visitor::Visitor};
use ruff_text_size::{Ranged, TextRange};
use sha2::{Digest, Sha256};

/// Longer files are compared byte by byte.
const LARGEST: usize = 512 << 10;

/// The number of one file of a tree. `None` is a file that was removed.
pub fn key(path: &str, bytes: Option<&[u8]>) -> u64 {
    let mut hash = Sha256::new();
    let mut piece = |kind: u8, text: &[u8]| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    piece(b'p', path.as_bytes());
    match bytes {
        None => piece(b'-', b""),
        Some(bytes) => match std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST) {
            None => piece(b'b', bytes),
            Some(text) => match path.ends_with(".py").then(|| python(text)).flatten() {
                Some(tokens) => tokens.iter().for_each(|token| piece(b't', token.as_bytes())),
                None => text.split_whitespace().for_each(|word| piece(b'w', word.as_bytes())),
            },
        },
    }
    first(&hash.finalize())
}

/// The number of several files, from theirs, in whatever order they come.
pub fn of_keys(mut keys: Vec<u64>) -> u64 {
    keys.sort_unstable();
    let mut hash = Sha256::new();
    keys.iter().for_each(|key| hash.update(key.to_le_bytes()));
    first(&hash.finalize())
}

fn first(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The tokens that mean something, with the depth of their block; none where the text does not parse.
///
/// A syntax tree is dropped recursively: the stack fits the worst nesting of a text of this length.
fn python(source: &str) -> Option<Vec<String>> {
    let stack = (8 << 20) + 1024 * source.len();
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("near".into()).stack_size(stack).spawn_scoped(scope, || tokens(source));
        worker.ok()?.join().ok()?
    })
}

fn tokens(source: &str) -> Option<Vec<String>> {
    let parsed = ruff_python_parser::parse_module(source).ok()?;
    let mut docstrings = Docstrings(Vec::new());
    docstrings.of_body(&parsed.syntax().body);
    for statement in &parsed.syntax().body {
        docstrings.visit_stmt(statement);
    }
    let mut tokens = Vec::new();
    for token in parsed.tokens() {
        if docstrings.0.iter().any(|d| d.contains_range(token.range()) && !token.range().is_empty()) {
            continue;
        }
        let text = source.get(token.start().to_usize()..token.end().to_usize()).unwrap_or_default();
        match token.kind() {
            TokenKind::Comment | TokenKind::NonLogicalNewline | TokenKind::EndOfFile => {}
            // How deep a block is indented, and what ends a line, is layout; that it ends is not.
            TokenKind::Newline | TokenKind::Semi => {
                if tokens.last().is_some_and(|last| last != "\n" && last != "{" && last != "}") {
                    tokens.push("\n".to_owned());
                }
            }
            TokenKind::Indent => tokens.push("{".to_owned()),
            TokenKind::Dedent => tokens.push("}".to_owned()),
            // Spaces within one token are its own; a letter before tells it from the marks above.
            _ => tokens.push(format!("={text}")),
        }
    }
    Some(tokens)
}

/// Where docstrings stand.
struct Docstrings(Vec<TextRange>);

impl Docstrings {
    fn of_body(&mut self, body: &[Stmt]) {
        if let Some(Stmt::Expr(first)) = body.first()
            && first.value.is_string_literal_expr()
        {
            self.0.push(first.range());
        }
    }
}

impl<'a> Visitor<'a> for Docstrings {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.of_body(&function.body),
            Stmt::ClassDef(class) => self.of_body(&class.body),
            // The grammar's other statements have no docstring; it is not ours, so it is not listed.
            _ => {}
        }
        ruff_python_ast::visitor::walk_stmt(self, statement);
    }

    /// No expression holds a docstring.
    fn visit_expr(&mut self, _: &'a Expr) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODE: &str = "import torch\n\n\ndef f(x, rate=1e-3):\n    y = [x, rate]\n    return y\n";

    fn same(a: &str, b: &str) -> bool {
        key("a.py", Some(a.as_bytes())) == key("a.py", Some(b.as_bytes()))
    }

    #[test]
    fn comments_docstrings_and_layout_are_no_difference_and_code_is() {
        let table = [
            ("import torch\ndef f(x, rate=1e-3):\n  y = [x, rate]\n  return y", true),
            ("# new\nimport torch  # why\ndef f(x,rate=1e-3):\n\n    # why\n    y = [ x,\n        rate ]\n    return y\n\n", true),
            ("\"\"\"Module.\"\"\"\nimport torch\ndef f(x, rate=1e-3):\n    \"\"\"Doc.\"\"\"\n    y = [x, rate]\n    return y\n", true),
            ("import torch\ndef f(x, rate=1e-3):\n    y = [x, rate]; return y\n", true),
            ("import torch\r\ndef f(x, rate=1e-3):\r\n\ty = [x, rate]\r\n\treturn y\r\n", true),
            ("import torch\ndef f(x, rate=1e-4):\n    y = [x, rate]\n    return y\n", false),
            ("import torch\ndef f(x, rate=1e-3):\n    y = [rate, x]\n    return y\n", false),
            ("import torch\ndef f(x, rate=1e-3):\n    y = [x, rate]\nreturn_y\n", false),
            ("import torch\ndef f(x, rate=1e-3):\n    y = [x, rate]\n    \"not a docstring\"\n    return y\n", false),
            ("import torch\ndef f(x, rate=1e-3:\n", false),
        ];
        for (text, want) in table {
            assert_eq!(same(CODE, text), want, "{text}");
        }
        // Two statements are not one block deeper.
        assert!(!same("if a:\n    b()\nc()\n", "if a:\n    b()\n    c()\n"));
        assert!(!same("a = '{'\n", "a = '}'\n"));
    }

    #[test]
    fn other_files_differ_in_words_and_files_in_their_paths() {
        let key = |path, text: &str| key(path, Some(text.as_bytes()));
        assert_eq!(key("a.yaml", "lr:  0.1\n"), key("a.yaml", "lr: 0.1"));
        assert_ne!(key("a.yaml", "lr: 0.1 # x"), key("a.yaml", "lr: 0.1"));
        assert_ne!(key("a.yaml", "x"), key("b.yaml", "x"));
        assert_ne!(key("a.py", "x = 1"), super::key("a.py", None));
        let (a, b) = (key("a.py", "x = 1"), super::key("b.py", None));
        assert_eq!(of_keys(vec![a, b]), of_keys(vec![b, a]));
        assert_ne!(of_keys(vec![a, b]), of_keys(vec![a]));
    }

    #[test]
    fn hostile_depth_does_no_harm() {
        for text in ["(".repeat(200_000), "-".repeat(200_000) + "1", "not ".repeat(100_000) + "x", "lambda: ".repeat(50_000) + "x"] {
            assert!(same(&text, &format!("{text}\n")), "{}", &text[..8]);
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_key_and_a_comment_does_not_change_it(text in "\\PC{0,200}|[a-z=(): \n\t#'\"\\\\]{0,120}") {
            let first = key("a.py", Some(text.as_bytes()));
            prop_assert_eq!(first, key("a.py", Some(text.as_bytes())));
            if python(&text).is_some() {
                prop_assert_eq!(first, key("a.py", Some(format!("# c\n{text}").as_bytes())));
            }
        }
    }
}
