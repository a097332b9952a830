//! What one Python file says of itself: imports, an argument parser, what it prints, where it seeds, which paths it names.
//!
//! Only reads; what the facts mean is decided in the files beside this one. A file that does not parse gives a reason.
//! Tested by a table.

use super::template::{self, Piece};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Number, Operator, Stmt};
use ruff_text_size::{Ranged, TextRange};
use std::ops::Range;

/// Larger files are not read.
const LARGEST: usize = 1 << 20;

/// An import statement, one module of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Dotted; empty for `from . import x`.
    pub module: String,
    /// Dots in front.
    pub level: u32,
    /// Names taken from it.
    pub names: Vec<String>,
    /// Inside of `try`: the program goes on without it.
    pub optional: bool,
}

/// An argument of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As typed, `--seed`; without dashes when it is positional.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// Must be given.
    pub required: bool,
}

/// What a print or log call writes, as text and holes.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    /// From 1.
    pub line: usize,
    /// In their order.
    pub pieces: Vec<Piece>,
}

/// A whole number that a seed is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedLiteral {
    /// The constant's name, or the function that it is passed to.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// Bytes of the literal.
    pub place: Range<usize>,
    /// Its text.
    pub text: String,
    /// It is passed to a call that seeds; else it is a constant with `seed` in its name.
    pub direct: bool,
}

/// The facts of one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// In their order.
    pub imports: Vec<Import>,
    /// Line of `if __name__ == "__main__"`.
    pub main_guard: Option<usize>,
    /// Line where a command line is read (argparse, click, fire, hydra, typer, absl).
    pub parser: Option<usize>,
    /// Arguments of that command line.
    pub flags: Vec<Flag>,
    /// What is printed or logged.
    pub printed: Vec<Printed>,
    /// Whole numbers that seeds are made from: passed to a seeding call, or a constant with `seed` in its name.
    pub seed_literals: Vec<SeedLiteral>,
    /// Lines of calls that seed something.
    pub seeding: Vec<usize>,
    /// Names passed to seeding calls.
    pub seeded_by: Vec<String>,
    /// Environment variables with `SEED` in their name that are read, with their lines.
    pub seed_variables: Vec<(String, usize)>,
    /// Attributes read, such as `seed` of `args.seed`, of those that have `seed` in their name.
    pub seed_attributes: Vec<String>,
    /// String literals that look like paths, with their lines.
    pub paths: Vec<(String, usize)>,
    /// Calls that write results: the function's name and line.
    pub writes: Vec<(String, usize)>,
    /// Lines that ask for the user's home directory.
    pub home: Vec<usize>,
    /// Names of functions and classes.
    pub definitions: Vec<(String, usize)>,
}

/// Reads a file. Errors: why it is not Python.
pub fn read(source: &str) -> Result<Script, String> {
    if source.len() > LARGEST {
        return Err("it is larger than 1 MiB".into());
    }
    // The syntax tree is walked and dropped recursively: the stack fits the worst nesting of a text of this length.
    let stack = (8 << 20) + 1024 * source.len();
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("inspect".into()).stack_size(stack).spawn_scoped(scope, || facts(source));
        match worker {
            Ok(handle) => handle.join().unwrap_or_else(|_| Err("the Python parser gave up on it".into())),
            Err(error) => Err(format!("no thread to parse it: {error}")),
        }
    })
}

fn facts(source: &str) -> Result<Script, String> {
    let parsed = ruff_python_parser::parse_module(source).map_err(|error| {
        let line = line_of(source, usize::from(error.location.start()));
        format!("not valid Python, line {line}: {}", error.error)
    })?;
    let mut eye = Eye { source, trying: 0, out: Script::default() };
    for statement in parsed.suite() {
        eye.visit_stmt(statement);
    }
    Ok(eye.out)
}

fn line_of(source: &str, offset: usize) -> usize {
    source.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// Functions that seed a source of randomness.
fn seeds(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "seed" | "manual_seed" | "manual_seed_all" | "seed_all" | "seed_everything" | "set_seed" | "set_random_seed")
        || (name.contains("seed") && (name.starts_with("set") || name.starts_with("fix") || name.starts_with("init")))
        || matches!(name.as_str(), "default_rng" | "prngkey" | "randomstate")
}

fn func_is_home(func: &str) -> bool {
    func.ends_with("Path.home")
}

fn has_seed(name: &str) -> bool {
    name.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == "seed" || w == "seeds")
}

struct Eye<'s> {
    source: &'s str,
    /// Depth of `try`.
    trying: usize,
    out: Script,
}

impl<'s> Eye<'s> {
    fn text(&self, range: TextRange) -> &'s str {
        self.source.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default()
    }

    fn line(&self, range: TextRange) -> usize {
        line_of(self.source, usize::from(range.start()))
    }

    /// The last name of what is called: `manual_seed` of `torch.manual_seed`.
    fn callee(&self, func: &Expr) -> &'s str {
        match func {
            Expr::Name(name) => self.text(name.range()),
            Expr::Attribute(attribute) => self.text(attribute.attr.range()),
            _ => "",
        }
    }

    fn seed_literal(&mut self, name: &str, value: &Expr, direct: bool) {
        match value {
            Expr::NumberLiteral(n) if matches!(n.value, Number::Int(_)) => {
                let place = usize::from(n.range().start())..usize::from(n.range().end());
                if self.out.seed_literals.iter().all(|l| l.place != place) {
                    let text = self.text(n.range()).to_owned();
                    self.out.seed_literals.push(SeedLiteral { name: name.to_owned(), line: self.line(n.range()), place, text, direct });
                }
            }
            // `1337 + rank`: each process has a seed of its own, made from one number.
            Expr::BinOp(b) if b.op == Operator::Add => {
                self.seed_literal(name, &b.left, direct);
                self.seed_literal(name, &b.right, direct);
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &ruff_python_ast::ExprCall) {
        let callee = self.callee(&call.func);
        let line = self.line(call.range());
        let first = call.arguments.args.first();
        if matches!(callee, "print" | "info" | "warning" | "write" | "set_description" | "set_postfix_str" | "log_message") {
            let pieces = template::of_call(self.source, callee, call);
            if pieces.iter().any(|p| matches!(p, Piece::Value(_))) {
                self.out.printed.push(Printed { line, pieces });
            }
        }
        if callee == "expanduser" || func_is_home(self.text(call.func.range())) {
            self.out.home.push(line);
        }
        if seeds(callee) {
            self.out.seeding.push(line);
            let given =
                first.or_else(|| call.arguments.keywords.iter().find(|k| k.arg.as_ref().is_some_and(|a| has_seed(a))).map(|k| &k.value));
            if let Some(given) = given {
                self.seed_literal(callee, given, true);
                self.out.seeded_by.push(self.text(given.range()).to_owned());
            }
        }
        if callee == "add_argument" || callee == "option" || callee == "argument" {
            self.flag(call, line, callee);
        }
        let func = self.text(call.func.range());
        if callee == "ArgumentParser" || func == "fire.Fire" || func == "app.run" || func == "typer.run" || callee == "HfArgumentParser" {
            self.out.parser.get_or_insert(line);
        }
        if matches!(callee, "getenv" | "get" | "pop")
            && (func.contains("environ") || callee == "getenv")
            && let Some(Expr::StringLiteral(key)) = first
            && has_seed(key.value.to_str())
        {
            self.out.seed_variables.push((key.value.to_str().to_owned(), line));
        }
        if matches!(callee, "SummaryWriter" | "CSVLogger" | "to_csv" | "savez" | "DictWriter" | "dump" | "savetxt" | "TensorBoardLogger")
            || func == "np.save"
            || func == "csv.writer"
            || func == "wandb.init"
        {
            self.out.writes.push((callee.to_owned(), line));
        }
    }

    fn flag(&mut self, call: &ruff_python_ast::ExprCall, line: usize, callee: &str) {
        let names: Vec<&str> = call
            .arguments
            .args
            .iter()
            .filter_map(|a| match a {
                Expr::StringLiteral(s) => Some(s.value.to_str()),
                _ => None,
            })
            .collect();
        let Some(name) = names.iter().find(|n| n.starts_with("--")).or_else(|| names.first()) else { return };
        let keyword = |key: &str| call.arguments.find_keyword(key).map(|k| self.text(k.value.range()));
        let positional = !name.starts_with('-');
        let optional = matches!(keyword("nargs"), Some(n) if n.contains('?') || n.contains('*')) || keyword("default").is_some();
        let required = keyword("required") == Some("True") || (positional && callee != "option" && !optional);
        self.out.flags.push(Flag { name: (*name).to_owned(), line, required });
    }

    fn string(&mut self, text: &str, line: usize) {
        let plain = text.len() > 2 && text.len() < 200 && !text.contains(['\n', '{', '}', '%', '*', ' ', ':', '<', '>']);
        let ending = text
            .rsplit_once('.')
            .is_some_and(|(stem, end)| !stem.is_empty() && (1..=8).contains(&end.len()) && end.chars().all(char::is_alphanumeric));
        if plain && (text.contains('/') || ending) {
            self.out.paths.push((text.to_owned(), line));
        }
    }
}

impl<'a> Visitor<'a> for Eye<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(s) => {
                for alias in &s.names {
                    let import = Import { module: alias.name.to_string(), level: 0, names: Vec::new(), optional: self.trying > 0 };
                    self.out.imports.push(import);
                }
            }
            Stmt::ImportFrom(s) => {
                let module = s.module.as_ref().map(ToString::to_string).unwrap_or_default();
                let names = s.names.iter().map(|a| a.name.to_string()).collect();
                self.out.imports.push(Import { module, level: s.level, names, optional: self.trying > 0 });
            }
            Stmt::If(s) => {
                let test = self.text(s.test.range());
                if test.contains("__name__") && test.contains("__main__") {
                    self.out.main_guard.get_or_insert(self.line(s.range()));
                }
            }
            Stmt::Assign(s) => {
                if let [Expr::Name(target)] = s.targets.as_slice() {
                    let name = self.text(target.range()).to_owned();
                    if has_seed(&name) {
                        self.seed_literal(&name, &s.value, false);
                    }
                }
            }
            Stmt::AnnAssign(s) => {
                if let (Expr::Name(target), Some(value)) = (&*s.target, &s.value) {
                    let name = self.text(target.range()).to_owned();
                    if has_seed(&name) {
                        self.seed_literal(&name, value, false);
                    }
                }
            }
            Stmt::FunctionDef(s) => {
                let line = self.line(s.name.range());
                self.out.definitions.push((s.name.to_string(), line));
                for decorator in &s.decorator_list {
                    let text = self.text(decorator.expression.range());
                    if text.contains("click.command") || text.contains("hydra.main") || text.contains(".command(") {
                        self.out.parser.get_or_insert(line);
                    }
                }
            }
            Stmt::ClassDef(s) => {
                let line = self.line(s.name.range());
                self.out.definitions.push((s.name.to_string(), line));
            }
            _ => {}
        }
        let trying = usize::from(matches!(statement, Stmt::Try(_)));
        self.trying += trying;
        visitor::walk_stmt(self, statement);
        self.trying -= trying;
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => self.call(call),
            Expr::StringLiteral(s) => self.string(s.value.to_str(), self.line(s.range())),
            Expr::Attribute(a) => {
                let name = self.text(a.attr.range());
                if has_seed(name) {
                    self.out.seed_attributes.push(name.to_owned());
                }
            }
            Expr::Subscript(s) => {
                if let Expr::StringLiteral(key) = &*s.slice
                    && self.text(s.value.range()).ends_with("environ")
                    && has_seed(key.value.to_str())
                {
                    self.out.seed_variables.push((key.value.to_str().to_owned(), self.line(s.range())));
                }
            }
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(Expr::StringLiteral(key)) = &item.key
                        && has_seed(key.value.to_str())
                    {
                        let key = key.value.to_str().to_owned();
                        self.seed_literal(&key, &item.value, false);
                    }
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says() {
        let script = read(concat!(
            "import argparse, os\nfrom models import Net, other\nfrom . import near\nfix_seed = 2021\n",
            "parser = argparse.ArgumentParser()\nparser.add_argument('--seed', type=int, default=1)\n",
            "parser.add_argument('--data', required=True)\nparser.add_argument('config')\n",
            "torch.manual_seed(1337 + rank)\nrandom.seed(fix_seed)\nSEED = int(os.environ.get('SEED', '0'))\n",
            "print(f'loss {loss:.3f}')\nprint('plain')\nnp.load('data/train.npy')\n",
            "def evaluate(model): pass\nif __name__ == '__main__':\n    main()\n",
        ))
        .unwrap();
        let modules: Vec<&str> = script.imports.iter().map(|i| i.module.as_str()).collect();
        assert_eq!(modules, ["argparse", "os", "models", ""]);
        assert_eq!((script.parser, script.main_guard), (Some(5), Some(16)));
        let flags: Vec<(&str, bool)> = script.flags.iter().map(|f| (f.name.as_str(), f.required)).collect();
        assert_eq!(flags, [("--seed", false), ("--data", true), ("config", true)]);
        let literals: Vec<(&str, &str)> = script.seed_literals.iter().map(|l| (l.name.as_str(), l.text.as_str())).collect();
        assert_eq!(literals, [("fix_seed", "2021"), ("manual_seed", "1337")]);
        assert_eq!(script.seed_variables, [("SEED".to_owned(), 11)]);
        assert_eq!(script.printed.len(), 1);
        assert_eq!(script.paths, [("data/train.npy".to_owned(), 14)]);
        assert_eq!(script.definitions, [("evaluate".to_owned(), 15)]);
        assert!(read("def f(:\n").unwrap_err().starts_with("not valid Python, line 1"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\\n]{0,300}") {
            let _ = read(&text);
        }
    }
}
