//! Cuts the text of a file into statements of tokens, without comments and docstrings: what is left is what has an effect.
//!
//! Tolerant, never failing, for Python and what reads like it (TOML, INI, gin, JSON, languages of the C family), YAML and
//! shell. It parses nothing: an edit may stand in a file that no parser takes.

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    /// `#` comments, one statement a line; lists and tables may go on.
    Config,
    Json,
    Yaml,
    Shell,
    /// `//` comments.
    C,
    /// For people alone.
    Prose,
    /// Not to be told.
    Other,
}

impl Language {
    /// By the file's name.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let lower = name.to_lowercase();
        match lower.as_str() {
            "makefile" | "dockerfile" | ".env" | "justfile" => return Self::Shell,
            _ => {}
        }
        match lower.rsplit_once('.').map(|(_, ext)| ext) {
            Some("py" | "pyi" | "pyx") => Self::Python,
            Some("toml" | "ini" | "cfg" | "conf" | "gin" | "properties" | "jl" | "r") => Self::Config,
            Some("json" | "jsonl") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            Some("sh" | "bash" | "zsh" | "sbatch" | "slurm" | "mk" | "env") => Self::Shell,
            Some("c" | "cc" | "cpp" | "cu" | "cuh" | "h" | "hpp" | "rs" | "js" | "ts" | "go" | "java") => Self::C,
            Some("md" | "rst") => Self::Prose,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A string; the token's text is its content.
    Text,
    /// A word of a shell command.
    Word,
    /// Brackets, commas, `=` and the like: they have no effect of their own.
    Mark,
    /// Operators.
    Operator,
}

/// A token with its line.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) line: u32,
}

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }
}

/// Tokens that belong together.
#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    pub(super) tokens: Vec<Token>,
    /// Keys above it, of YAML.
    pub(super) above: Vec<String>,
}

impl Statement {
    /// What two statements are compared by.
    pub(super) fn key(&self) -> String {
        let mut key = self.above.join("\u{1}");
        for token in &self.tokens {
            key.push('\u{2}');
            key.push(if token.kind == Kind::Text { '"' } else { ' ' });
            key.push_str(&token.text);
        }
        key
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens.first().map_or(0, |t| t.line)
    }
}

/// Reads numbered lines.
pub(super) fn statements(language: Language, lines: &[(u32, &str)]) -> Vec<Statement> {
    match language {
        Language::Prose => Vec::new(),
        Language::Shell => shell(lines),
        Language::Yaml => yaml(lines),
        Language::Python | Language::Config | Language::Json | Language::C | Language::Other => code(language, lines),
    }
}

const OPERATORS: &[&str] = &[
    "**=", "//=", ">>=", "<<=", "==", "!=", "<=", ">=", "->", ":=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "@=", "**", "//", "<<",
    ">>", "&&", "||",
];

/// Words that open a block; what stands behind their colon is a statement of its own.
const BLOCKS: &[&str] = &["if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class", "async"];

struct Reader<'a> {
    language: Language,
    chars: Vec<char>,
    at: usize,
    line: u32,
    depth: usize,
    now: Statement,
    out: Vec<Statement>,
    /// The end of a string that goes on over lines.
    open: Option<(&'a str, String, u32)>,
    comment: bool,
}

fn code(language: Language, lines: &[(u32, &str)]) -> Vec<Statement> {
    let mut reader = Reader {
        language,
        chars: Vec::new(),
        at: 0,
        line: 0,
        depth: 0,
        now: Statement::default(),
        out: Vec::new(),
        open: None,
        comment: false,
    };
    for (no, text) in lines {
        reader.line = *no;
        reader.chars = text.chars().collect();
        reader.at = 0;
        reader.read_line();
    }
    reader.end();
    reader.out
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(n, c)| self.peek(n) == Some(c))
    }

    fn push(&mut self, text: String, kind: Kind, line: u32) {
        self.now.tokens.push(Token { text, kind, line });
    }

    fn end(&mut self) {
        let done = std::mem::take(&mut self.now);
        // A string that stands alone is a docstring.
        let docstring = self.language == Language::Python && done.tokens.iter().all(|t| t.kind == Kind::Text);
        if !done.tokens.is_empty() && !docstring {
            self.out.push(done);
        }
    }

    fn read_line(&mut self) {
        let mut goes_on = false;
        while let Some(c) = self.peek(0) {
            if self.comment {
                if self.starts("*/") {
                    self.comment = false;
                    self.at += 1;
                }
                self.at += 1;
                continue;
            }
            if self.open.is_some() {
                self.in_string();
                continue;
            }
            goes_on = false;
            match c {
                c if c.is_whitespace() => self.at += 1,
                '#' if !matches!(self.language, Language::C | Language::Json) => break,
                ';' if self.language == Language::Config => break,
                '/' if self.language == Language::C && self.starts("//") => break,
                '/' if self.language == Language::C && self.starts("/*") => {
                    self.comment = true;
                    self.at += 2;
                }
                '\\' if self.at + 1 == self.chars.len() => {
                    goes_on = true;
                    self.at += 1;
                }
                '"' | '\'' => self.string(),
                c if c.is_alphabetic() || c == '_' => self.name(),
                c if c.is_ascii_digit() || (c == '.' && self.peek(1).is_some_and(|d| d.is_ascii_digit())) => self.number(),
                _ => self.mark(c),
            }
        }
        if let Some((_, text, _)) = &mut self.open {
            text.push('\n');
        } else if self.depth == 0 && !goes_on {
            self.end();
        }
    }

    fn name(&mut self) {
        let mut text = String::new();
        let dashes = self.language == Language::Config;
        while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_' || (dashes && *c == '-')) {
            text.push(c);
            self.at += 1;
        }
        let prefix = text.len() <= 2 && text.chars().all(|c| "rRbBfFuUtT".contains(c)) && matches!(self.peek(0), Some('"' | '\''));
        if prefix {
            self.string();
        } else {
            self.push(text, Kind::Name, self.line);
        }
    }

    fn number(&mut self) {
        let mut text = String::new();
        while let Some(c) = self.peek(0) {
            let sign = matches!(c, '+' | '-') && text.ends_with(['e', 'E']) && !text.starts_with("0x");
            if !(c.is_alphanumeric() || c == '.' || c == '_' || sign) {
                break;
            }
            text.push(c);
            self.at += 1;
        }
        self.push(text, Kind::Number, self.line);
    }

    fn string(&mut self) {
        let quote = match (self.starts("\"\"\""), self.starts("'''"), self.peek(0)) {
            (true, ..) => "\"\"\"",
            (_, true, _) => "'''",
            (_, _, Some('"')) => "\"",
            _ => "'",
        };
        self.at += quote.len();
        self.open = Some((quote, String::new(), self.line));
        self.in_string();
    }

    fn in_string(&mut self) {
        let Some((quote, mut text, line)) = self.open.take() else { return };
        while let Some(c) = self.peek(0) {
            if self.starts(quote) {
                self.at += quote.len();
                self.push(text, Kind::Text, line);
                return;
            }
            text.push(c);
            self.at += 1;
            if c == '\\'
                && let Some(next) = self.peek(0)
            {
                text.push(next);
                self.at += 1;
            }
        }
        if quote.len() == 3 {
            self.open = Some((quote, text, line));
        } else {
            // A plain quote does not go on: an apostrophe, perhaps.
            self.push(text, Kind::Text, line);
        }
    }

    fn mark(&mut self, c: char) {
        if let Some(operator) = OPERATORS.iter().find(|o| self.starts(o)) {
            self.at += operator.len();
            self.push((*operator).to_owned(), Kind::Operator, self.line);
            return;
        }
        self.at += 1;
        let braces = self.language != Language::C;
        match c {
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            '{' if braces => self.depth += 1,
            '}' if braces => self.depth = self.depth.saturating_sub(1),
            ';' | '{' | '}' if self.depth == 0 => {
                self.end();
                return;
            }
            _ => {}
        }
        let kind = if "()[]{},:=.;".contains(c) { Kind::Mark } else { Kind::Operator };
        self.push(c.to_string(), kind, self.line);
        let first = self.now.tokens.first();
        if c == ':' && self.depth == 0 && self.language == Language::Python && first.is_some_and(|t| BLOCKS.iter().any(|b| t.is(b))) {
            self.end();
        }
    }
}

/// One statement a line: its key, then its value; the keys above it come from the indentation.
fn yaml(lines: &[(u32, &str)]) -> Vec<Statement> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut out = Vec::new();
    for (no, text) in lines {
        let mut indent = text.len() - text.trim_start().len();
        let mut rest = text.trim();
        while let Some(item) = rest.strip_prefix("- ") {
            indent += rest.len() - item.trim_start().len();
            rest = item.trim_start();
        }
        if rest.is_empty() || rest.starts_with('#') {
            continue;
        }
        above.retain(|(depth, _)| *depth < indent);
        let key = rest
            .split_once(':')
            .filter(|(k, v)| (v.is_empty() || v.starts_with([' ', '\t'])) && !k.trim().is_empty() && !k.contains(['{', '[', '#']))
            .map(|(k, v)| (k.trim().trim_matches(['"', '\'']).to_owned(), v));
        let value = key.as_ref().map_or(rest, |(_, v)| v);
        let inner = code(Language::Config, &[(*no, value)]);
        let mut tokens = Vec::new();
        if let Some((key, _)) = &key {
            tokens.push(Token { text: key.clone(), kind: Kind::Name, line: *no });
            tokens.push(Token { text: "=".into(), kind: Kind::Mark, line: *no });
        }
        tokens.extend(inner.into_iter().flat_map(|s| s.tokens));
        out.push(Statement { tokens, above: above.iter().map(|(_, k)| k.clone()).collect() });
        if let Some((key, _)) = key {
            above.push((indent, key));
        }
    }
    out
}

/// One statement a command, of words.
fn shell(lines: &[(u32, &str)]) -> Vec<Statement> {
    let mut out = Vec::new();
    let mut now = Statement::default();
    for (no, text) in lines {
        let (mut word, mut quote, mut goes_on) = (String::new(), None, false);
        let flush = |word: &mut String, now: &mut Statement| {
            if !word.is_empty() {
                now.tokens.push(Token { text: std::mem::take(word), kind: Kind::Word, line: *no });
            }
        };
        let directive = text.trim_start().starts_with("#SBATCH");
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, quote) {
                (c, Some(q)) if c == q => quote = None,
                (c, Some(_)) => word.push(c),
                ('"' | '\'', None) => quote = Some(c),
                ('#', None) if word.is_empty() && !directive => break,
                ('\\', None) if chars.peek().is_none() => goes_on = true,
                (';' | '|' | '&', None) => {
                    flush(&mut word, &mut now);
                    out.push(std::mem::take(&mut now));
                }
                (c, None) if c.is_whitespace() => flush(&mut word, &mut now),
                (c, None) => word.push(c),
            }
        }
        flush(&mut word, &mut now);
        if !goes_on {
            out.push(std::mem::take(&mut now));
        }
    }
    out.push(now);
    out.retain(|s| !s.tokens.is_empty());
    out
}
