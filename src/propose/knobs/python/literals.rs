//! Reads the literals of a Python module that a name tells apart: constants, dictionaries, short lists, defaults of fields
//! and parameters. What calls say (argparse, click, the environment) is read in `calls`.
//!
//! Expressions are left alone, but for a power of two (`2**14`), which stays one, and a product of whole numbers (`5 * 8`),
//! which becomes its value.

use super::super::{
    Form,
    found::{Found, Site},
};
use crate::model::KnobValue;
use ruff_python_ast::{Expr, Number, Operator, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextRange};
use std::collections::BTreeMap;

/// Items of a list of numbers that is still a setting (betas, strides), not data.
const MOST_ITEMS: usize = 4;

/// The named literals of a module's statements.
pub(super) fn literals(source: &str, suite: &[Stmt]) -> Vec<Found> {
    let mut reader = Reader { source, assigned: BTreeMap::new(), out: Vec::new() };
    for statement in suite {
        reader.count_assignments(statement);
    }
    for statement in suite {
        reader.module_statement(statement);
    }
    reader.out
}

pub(super) struct Reader<'s> {
    pub(super) source: &'s str,
    /// How often the module assigns a name.
    assigned: BTreeMap<&'s str, usize>,
    pub(super) out: Vec<Found>,
}

impl<'s> Reader<'s> {
    pub(super) fn slice(&self, range: TextRange) -> &'s str {
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
            Stmt::Assign(s) => match s.targets.as_slice() {
                [Expr::Name(target)] => self.assignment(self.slice(target.range()), &s.value, false),
                [target] => self.member(target, &s.value),
                _ => {}
            },
            Stmt::AnnAssign(s) => {
                if let (Expr::Name(target), Some(value)) = (&*s.target, &s.value) {
                    let float = self.slice(s.annotation.range()) == "float";
                    self.assignment(self.slice(target.range()), value, float);
                }
            }
            Stmt::ClassDef(class) => self.class(class),
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::If(branch) if self.slice(branch.test.range()).starts_with("__name__") => {
                for inner in &branch.body {
                    if let Stmt::Assign(_) | Stmt::AnnAssign(_) = inner {
                        self.module_statement(inner);
                    }
                }
            }
            _ => {}
        }
        self.calls(statement);
    }

    /// `config.opt.lr = 0.1` and `hyp['opt']['lr'] = 0.1`, where the root's name says that it holds settings.
    fn member(&mut self, target: &Expr, value: &Expr) {
        const ROOTS: &[&str] =
            &["config", "cfg", "conf", "hp", "hyp", "hps", "hparams", "params", "args", "opt", "opts", "settings", "c", "flags"];
        let mut parts: Vec<String> = Vec::new();
        let mut at = target;
        loop {
            match at {
                Expr::Name(name) => {
                    let root = self.slice(name.range());
                    if parts.is_empty() || !ROOTS.contains(&root.to_ascii_lowercase().as_str()) {
                        return;
                    }
                    parts.push(root.to_owned());
                    break;
                }
                Expr::Attribute(attribute) => {
                    parts.push(self.slice(attribute.attr.range()).to_owned());
                    at = &attribute.value;
                }
                Expr::Subscript(subscript) => {
                    let Expr::StringLiteral(key) = &*subscript.slice else { return };
                    parts.push(key.value.to_str().to_owned());
                    at = &subscript.value;
                }
                _ => return,
            }
        }
        parts.reverse();
        self.value(&parts.join("."), value, Site::Entry, false);
    }

    fn assignment(&mut self, name: &str, value: &Expr, float: bool) {
        if name.starts_with("__") || self.assigned.get(name).is_some_and(|times| *times > 1) {
            return;
        }
        let site = if is_constant_name(name) { Site::Constant } else { Site::Variable };
        self.value(name, value, site, float);
    }

    /// Takes a literal, or the literals of a dictionary.
    pub(super) fn value(&mut self, name: &str, value: &Expr, site: Site, float: bool) {
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
            Expr::Tuple(tuple) => self.items(name, &tuple.elts),
            Expr::List(list) => self.items(name, &list.elts),
            literal => {
                if let Some((value, form)) = self.literal(literal) {
                    self.push(name.to_owned(), literal.range(), value, form, site, float);
                }
            }
        }
    }

    /// The numbers of a short list, by index.
    fn items(&mut self, name: &str, items: &[Expr]) {
        let numbers: Vec<_> = items.iter().map(|i| self.literal(i).filter(|(_, form)| *form == Form::Number)).collect();
        if items.len() <= MOST_ITEMS && numbers.iter().all(Option::is_some) {
            for (i, (item, (value, form))) in items.iter().zip(numbers.into_iter().flatten()).enumerate() {
                self.push(format!("{name}.{i}"), item.range(), value, form, Site::Item, false);
            }
        }
    }

    pub(super) fn push(
        &mut self,
        name: String,
        range: TextRange,
        value: KnobValue,
        form: Form,
        site: Site,
        float: bool,
    ) -> Option<&mut Found> {
        let place = usize::from(range.start())..usize::from(range.end());
        let mut found = Found::new(name, self.source, place, value, form, site);
        found.float |= float;
        self.out.push(found);
        self.out.last_mut()
    }

    /// The value of a literal that can be rewritten, and how it is written.
    pub(super) fn literal(&self, expr: &Expr) -> Option<(KnobValue, Form)> {
        match expr {
            Expr::BooleanLiteral(b) => Some((KnobValue::Bool(b.value), Form::Word)),
            Expr::NumberLiteral(n) => self.number(&n.value, n.range(), false).map(|v| (v, Form::Number)),
            Expr::UnaryOp(u) if u.op == UnaryOp::USub => match &*u.operand {
                Expr::NumberLiteral(n) => self.number(&n.value, n.range(), true).map(|v| (v, Form::Number)),
                _ => None,
            },
            Expr::BinOp(power) if power.op == Operator::Pow => {
                let (base, exponent) = (self.slice(power.left.range()), self.slice(power.right.range()));
                let value = exponent.parse().ok().filter(|n| base == "2" && (1..=40).contains(n)).and_then(|n| 1i64.checked_shl(n));
                value.map(|v| (KnobValue::Int(v), Form::Power))
            }
            Expr::BinOp(product) if product.op == Operator::Mult => {
                let (left, right) = (self.factor(&product.left, 8)?, self.factor(&product.right, 8)?);
                left.checked_mul(right).map(|v| (KnobValue::Int(v), Form::Number))
            }
            Expr::StringLiteral(s) => {
                let text = self.slice(s.range());
                let plain = !s.value.is_implicit_concatenated() && text.starts_with(['"', '\'']) && !text.contains(['\\', '\n', '\r']);
                let triple = text.starts_with("\"\"\"") || text.starts_with("'''");
                (plain && !triple).then(|| (KnobValue::Choice(s.value.to_str().to_owned()), Form::Text))
            }
            _ => None,
        }
    }

    /// A positive whole number, or a power or product of such.
    fn factor(&self, expr: &Expr, depth: usize) -> Option<i64> {
        let value = match expr {
            Expr::BinOp(product) if product.op == Operator::Mult => {
                let depth = depth.checked_sub(1)?;
                self.factor(&product.left, depth)?.checked_mul(self.factor(&product.right, depth)?)?
            }
            Expr::BinOp(power) if power.op == Operator::Pow => match self.literal(expr)? {
                (KnobValue::Int(value), _) => value,
                (KnobValue::Float(_) | KnobValue::Bool(_) | KnobValue::Choice(_), _) => return None,
            },
            Expr::NumberLiteral(n) => match self.number(&n.value, n.range(), false)? {
                KnobValue::Int(value) => value,
                KnobValue::Float(_) | KnobValue::Bool(_) | KnobValue::Choice(_) => return None,
            },
            _ => return None,
        };
        (value > 0).then_some(value)
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
        let holds_settings = ["config", "hparam", "hyper", "setting", "args", "options", "params"];
        let lower = class_name.to_ascii_lowercase();
        for statement in &class.body {
            let (target, value, annotation) = match statement {
                Stmt::Assign(s) => match s.targets.as_slice() {
                    [Expr::Name(target)] => (target, &s.value, None),
                    _ => continue,
                },
                Stmt::AnnAssign(s) => match (&*s.target, &s.value) {
                    (Expr::Name(target), Some(value)) => (target, value, Some(&s.annotation)),
                    _ => continue,
                },
                Stmt::FunctionDef(init)
                    if self.slice(init.name.range()) == "__init__" && holds_settings.iter().any(|h| lower.contains(h)) =>
                {
                    self.members(class_name, init);
                    continue;
                }
                _ => continue,
            };
            let name = format!("{class_name}.{}", self.slice(target.range()));
            let float = annotation.is_some_and(|a| self.slice(a.range()) == "float");
            let before = self.out.len();
            match &**value {
                // dataclasses, attrs and pydantic: `field(default=…)`, `attr.ib(…)`, `Field(0.1, …)`.
                Expr::Call(call) if matches!(self.callee(&call.func), "field" | "ib" | "attrib" | "Field") => {
                    let default = call.arguments.find_keyword("default").map(|k| &k.value);
                    if let Some(default) = default.or_else(|| call.arguments.args.first()) {
                        self.value(&name, default, Site::Field, float);
                    }
                }
                value => self.value(&name, value, Site::Field, float),
            }
            // `Literal["adam", "sgd"]` names the choices.
            if let (Some(Expr::Subscript(annotation)), Some(found)) = (annotation.map(|a| &**a), self.out.len().checked_sub(before + 1))
                && self.callee(&annotation.value) == "Literal"
                && found == 0
            {
                let choices = match &*annotation.slice {
                    Expr::Tuple(tuple) => self.literal_values(&tuple.elts),
                    _ => Vec::new(),
                };
                if let Some(found) = self.out.last_mut() {
                    found.choices = choices;
                }
            }
        }
    }

    /// `self.lr = 0.1` in the constructor of a class that holds settings.
    fn members(&mut self, class_name: &str, init: &ruff_python_ast::StmtFunctionDef) {
        for statement in &init.body {
            if let Stmt::Assign(s) = statement
                && let [Expr::Attribute(target)] = s.targets.as_slice()
                && self.slice(target.value.range()) == "self"
            {
                let name = format!("{class_name}.{}", self.slice(target.attr.range()));
                self.value(&name, &s.value, Site::Field, false);
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
        for statement in &function.body {
            if let Stmt::Assign(s) = statement
                && let [target @ (Expr::Attribute(_) | Expr::Subscript(_))] = s.targets.as_slice()
            {
                self.member(target, &s.value);
            }
        }
    }

    pub(super) fn callee(&self, func: &Expr) -> &'s str {
        match func {
            Expr::Name(name) => self.slice(name.range()),
            Expr::Attribute(attribute) => self.slice(attribute.attr.range()),
            _ => "",
        }
    }

    pub(super) fn literal_values(&self, exprs: &[Expr]) -> Vec<KnobValue> {
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
pub(super) fn children(statement: &Stmt) -> Vec<&Stmt> {
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
