//! Reads the literals of a Python file that a name tells apart: constants, dictionaries, defaults of arguments and fields.
//!
//! Knows nothing of ranges: what is a knob is decided in `ranges`. Expressions (`2**14`, `4 * 64`) are left alone.

use super::Form;
use crate::model::KnobValue;
use ruff_python_ast::{Arguments, Expr, Number, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextRange};
use std::{collections::BTreeMap, ops::Range};

/// Larger files are not read: no training script is, and the parser's stack is sized by the length.
const LARGEST: usize = 1 << 20;

/// Where a literal was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// A constant of the module, in capitals.
    Constant,
    /// A variable of the module, assigned once.
    Variable,
    /// A value of a dictionary.
    Entry,
    /// The default of an argparse argument.
    Argument,
    /// The default of a class attribute or dataclass field.
    Field,
    /// The default of a function's parameter.
    Parameter,
}

/// A literal with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub name: String,
    pub place: Range<usize>,
    pub line: usize,
    pub value: KnobValue,
    pub text: String,
    pub form: Form,
    pub site: Site,
    /// Choices of an argparse argument.
    pub choices: Vec<KnobValue>,
    /// The type says that it is a float, though the literal may be whole.
    pub float: bool,
}

/// Returns the named literals of a file in the order of their places, or why it cannot be read.
///
/// The parser grows its stack by itself, but its tree is dropped recursively; so both happen on a thread whose stack
/// fits the worst nesting that a text of this length can hold.
pub(super) fn literals(source: &str) -> Result<Vec<Found>, String> {
    if source.len() > LARGEST {
        return Err(format!("{} bytes are more than a Python file of {LARGEST} bytes that is searched for knobs", source.len()));
    }
    let stack = (8 << 20) + 512 * source.len();
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("knobs".into()).stack_size(stack).spawn_scoped(scope, || read(source));
        match worker {
            Ok(handle) => handle.join().unwrap_or_else(|_| Err("the Python parser gave up on it".into())),
            Err(error) => Err(format!("no thread to parse it: {error}")),
        }
    })
}

fn read(source: &str) -> Result<Vec<Found>, String> {
    let parsed = ruff_python_parser::parse_module(source).map_err(|error| {
        let start = usize::from(error.location.start());
        format!("not valid Python, line {}: {}", line_of(source, start), error.error)
    })?;
    let mut reader = Reader { source, assigned: BTreeMap::new(), out: Vec::new() };
    for statement in parsed.suite() {
        reader.count_assignments(statement);
    }
    for statement in parsed.suite() {
        reader.module_statement(statement);
    }
    let mut out = reader.out;
    out.sort_by_key(|f| f.place.start);
    out.dedup_by_key(|f| f.place.start);
    Ok(out)
}

fn line_of(source: &str, offset: usize) -> usize {
    source.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

struct Reader<'s> {
    source: &'s str,
    /// How often the module assigns a name.
    assigned: BTreeMap<&'s str, usize>,
    out: Vec<Found>,
}

impl<'s> Reader<'s> {
    fn slice(&self, range: TextRange) -> &'s str {
        self.source.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default()
    }

    /// Counts targets of the module's own statements, in branches and loops too, and names that a function makes global.
    fn count_assignments(&mut self, statement: &Stmt) {
        let mut targets: Vec<TextRange> = Vec::new();
        match statement {
            Stmt::Assign(s) => s.targets.iter().for_each(|t| flatten(t, &mut targets)),
            Stmt::AnnAssign(s) if s.value.is_some() => flatten(&s.target, &mut targets),
            Stmt::AugAssign(s) => flatten(&s.target, &mut targets),
            Stmt::For(s) => flatten(&s.target, &mut targets),
            Stmt::Global(s) => targets.extend(s.names.iter().map(Ranged::range)),
            _ => {}
        }
        for range in targets {
            *self.assigned.entry(self.slice(range)).or_insert(0) += 1;
        }
        for inner in children(statement) {
            // Inside a function only `global` reaches the module's names.
            if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) && !contains_global(inner) {
                continue;
            }
            self.count_assignments(inner);
        }
    }

    fn module_statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Assign(s) => {
                if let [Expr::Name(target)] = s.targets.as_slice() {
                    self.assignment(self.slice(target.range()), &s.value, false);
                }
            }
            Stmt::AnnAssign(s) => {
                if let (Expr::Name(target), Some(value)) = (&*s.target, &s.value) {
                    let float = self.slice(s.annotation.range()) == "float";
                    self.assignment(self.slice(target.range()), value, float);
                }
            }
            Stmt::ClassDef(class) => self.class(class),
            Stmt::FunctionDef(function) => self.function(function),
            _ => {}
        }
        self.arguments(statement);
    }

    fn assignment(&mut self, name: &str, value: &Expr, float: bool) {
        if name.starts_with("__") || self.assigned.get(name).is_some_and(|times| *times > 1) {
            return;
        }
        let site = if is_constant_name(name) { Site::Constant } else { Site::Variable };
        self.value(name, value, site, float);
    }

    /// Takes a literal, or the literals of a dictionary.
    fn value(&mut self, name: &str, value: &Expr, site: Site, float: bool) {
        match value {
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(Expr::StringLiteral(key)) = &item.key {
                        let key = key.value.to_str();
                        if !key.is_empty() && key.len() <= 64 && key.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c)) {
                            self.value(&format!("{name}.{key}"), &item.value, Site::Entry, false);
                        }
                    }
                }
            }
            Expr::Call(call) if matches!(&*call.func, Expr::Name(f) if self.slice(f.range()) == "dict") => {
                for keyword in &call.arguments.keywords {
                    if let Some(key) = &keyword.arg {
                        self.value(&format!("{name}.{}", self.slice(key.range())), &keyword.value, Site::Entry, false);
                    }
                }
            }
            literal => {
                if let Some((value, form)) = self.literal(literal) {
                    self.push(name.to_owned(), literal.range(), value, form, site, float);
                }
            }
        }
    }

    fn push(&mut self, name: String, range: TextRange, value: KnobValue, form: Form, site: Site, float: bool) -> Option<&mut Found> {
        let place = usize::from(range.start())..usize::from(range.end());
        let float = float || matches!(value, KnobValue::Float(_));
        self.out.push(Found {
            name,
            line: line_of(self.source, place.start),
            text: self.slice(range).to_owned(),
            place,
            value,
            form,
            site,
            choices: Vec::new(),
            float,
        });
        self.out.last_mut()
    }

    /// The value of a literal that can be rewritten, and how it is written.
    fn literal(&self, expr: &Expr) -> Option<(KnobValue, Form)> {
        match expr {
            Expr::BooleanLiteral(b) => Some((KnobValue::Bool(b.value), Form::Word)),
            Expr::NumberLiteral(n) => self.number(&n.value, n.range(), false).map(|v| (v, Form::Number)),
            Expr::UnaryOp(u) if u.op == UnaryOp::USub => match &*u.operand {
                Expr::NumberLiteral(n) => self.number(&n.value, n.range(), true).map(|v| (v, Form::Number)),
                _ => None,
            },
            Expr::StringLiteral(s) => {
                let text = self.slice(s.range());
                let plain = !s.value.is_implicit_concatenated() && text.starts_with(['"', '\'']) && !text.contains(['\\', '\n', '\r']);
                let triple = text.starts_with("\"\"\"") || text.starts_with("'''");
                (plain && !triple).then(|| (KnobValue::Choice(s.value.to_str().to_owned()), Form::Text))
            }
            _ => None,
        }
    }

    fn number(&self, number: &Number, range: TextRange, negative: bool) -> Option<KnobValue> {
        match number {
            Number::Int(int) => {
                let decimal = self.slice(range).bytes().all(|b| b.is_ascii_digit() || b == b'_');
                let value = int.as_i64().filter(|_| decimal)?;
                Some(KnobValue::Int(if negative { -value } else { value }))
            }
            Number::Float(value) if value.is_finite() => Some(KnobValue::Float(if negative { -value } else { *value })),
            Number::Float(_) | Number::Complex { .. } => None,
        }
    }

    /// Class attributes and the defaults of dataclass fields.
    fn class(&mut self, class: &ruff_python_ast::StmtClassDef) {
        let class_name = self.slice(class.name.range());
        let base = |expr: &Expr| self.callee(expr).ends_with("Enum") || self.callee(expr).ends_with("Flag");
        if class.arguments.as_ref().is_some_and(|bases| bases.args.iter().any(base)) {
            return;
        }
        for statement in &class.body {
            let (target, value, float) = match statement {
                Stmt::Assign(s) => match s.targets.as_slice() {
                    [Expr::Name(target)] => (target, &s.value, false),
                    _ => continue,
                },
                Stmt::AnnAssign(s) => match (&*s.target, &s.value) {
                    (Expr::Name(target), Some(value)) => (target, value, self.slice(s.annotation.range()) == "float"),
                    _ => continue,
                },
                _ => continue,
            };
            let name = format!("{class_name}.{}", self.slice(target.range()));
            match &**value {
                Expr::Call(call) if self.callee(&call.func) == "field" => {
                    if let Some(default) = call.arguments.find_keyword("default") {
                        self.value(&name, &default.value, Site::Field, float);
                    }
                }
                value => self.value(&name, value, Site::Field, float),
            }
        }
    }

    /// Defaults of the parameters of a function that configures or starts training.
    fn function(&mut self, function: &ruff_python_ast::StmtFunctionDef) {
        let name = self.slice(function.name.range());
        let lower = name.to_ascii_lowercase();
        if !["config", "hparam", "main", "train", "fit"].iter().any(|word| lower.contains(word)) {
            return;
        }
        for parameter in function.parameters.iter_non_variadic_params() {
            if let Some(default) = parameter.default() {
                let float = parameter.parameter.annotation.as_ref().is_some_and(|a| self.slice(a.range()) == "float");
                let parameter = self.slice(parameter.parameter.name.range());
                self.value(&format!("{name}.{parameter}"), default, Site::Parameter, float);
            }
        }
    }

    fn callee(&self, func: &Expr) -> &'s str {
        match func {
            Expr::Name(name) => self.slice(name.range()),
            Expr::Attribute(attribute) => self.slice(attribute.attr.range()),
            _ => "",
        }
    }

    /// `….add_argument(…)` as a statement, at any depth.
    fn arguments(&mut self, statement: &Stmt) {
        let call = match statement {
            Stmt::Expr(s) => Some(&s.value),
            Stmt::Assign(s) => Some(&s.value),
            _ => None,
        };
        if let Some(Expr::Call(call)) = call.map(|c| &**c)
            && matches!(&*call.func, Expr::Attribute(_))
            && self.callee(&call.func) == "add_argument"
        {
            self.argument(&call.arguments);
        }
        for inner in children(statement) {
            self.arguments(inner);
        }
    }

    fn argument(&mut self, arguments: &Arguments) {
        let text = |expr: &Expr| match expr {
            Expr::StringLiteral(s) => Some(s.value.to_str().to_owned()),
            _ => None,
        };
        let flags: Vec<String> = arguments.args.iter().filter_map(text).collect();
        let dest = arguments.find_keyword("dest").and_then(|k| text(&k.value));
        let flag = flags.iter().find(|f| f.starts_with("--")).or_else(|| flags.first());
        let Some(name) = dest.or_else(|| flag.map(|f| f.trim_start_matches('-').replace('-', "_"))) else { return };
        if name.is_empty() {
            return;
        }
        let kind = arguments.find_keyword("type").map_or("", |k| self.callee(&k.value));
        if let Some(default) = arguments.find_keyword("default") {
            let Some((value, form)) = self.literal(&default.value) else { return };
            let choices = match arguments.find_keyword("choices").map(|k| &k.value) {
                Some(Expr::List(list)) => self.literal_values(&list.elts),
                Some(Expr::Tuple(tuple)) => self.literal_values(&tuple.elts),
                _ => Vec::new(),
            };
            // A value of type `int` is parsed from a string default too; such a literal is left alone.
            if form == Form::Text && !matches!(kind, "" | "str") {
                return;
            }
            if let Some(found) = self.push(name, default.value.range(), value, form, Site::Argument, kind == "float") {
                found.choices = choices;
            }
        } else if let Some(action) = arguments.find_keyword("action")
            && let Some((KnobValue::Choice(word), Form::Text)) = self.literal(&action.value)
            && matches!(word.as_str(), "store_true" | "store_false")
        {
            let value = KnobValue::Bool(word == "store_false");
            self.push(name, action.value.range(), value, Form::Action, Site::Argument, false);
        }
    }

    fn literal_values(&self, exprs: &[Expr]) -> Vec<KnobValue> {
        exprs.iter().filter_map(|e| self.literal(e)).map(|(value, _)| value).collect()
    }
}

fn is_constant_name(name: &str) -> bool {
    name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase)
}

fn flatten(target: &Expr, out: &mut Vec<TextRange>) {
    match target {
        Expr::Name(name) => out.push(name.range()),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|e| flatten(e, out)),
        Expr::List(list) => list.elts.iter().for_each(|e| flatten(e, out)),
        Expr::Starred(starred) => flatten(&starred.value, out),
        _ => {}
    }
}

fn contains_global(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Global(_)) || children(statement).into_iter().any(contains_global)
}

/// The statements inside a statement.
fn children(statement: &Stmt) -> Vec<&Stmt> {
    let mut out: Vec<&Stmt> = Vec::new();
    match statement {
        Stmt::FunctionDef(s) => out.extend(s.body.iter()),
        Stmt::ClassDef(s) => out.extend(s.body.iter()),
        Stmt::For(s) => out.extend(s.body.iter().chain(s.orelse.iter())),
        Stmt::While(s) => out.extend(s.body.iter().chain(s.orelse.iter())),
        Stmt::If(s) => out.extend(s.body.iter().chain(s.elif_else_clauses.iter().flat_map(|c| c.body.iter()))),
        Stmt::With(s) => out.extend(s.body.iter()),
        Stmt::Try(s) => {
            out.extend(s.body.iter());
            for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &s.handlers {
                out.extend(handler.body.iter());
            }
            out.extend(s.orelse.iter().chain(s.finalbody.iter()));
        }
        _ => {}
    }
    out
}
