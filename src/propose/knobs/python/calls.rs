//! Reads what calls say: argparse's `add_argument`, click's and typer's options, defaults of environment variables.

use super::super::{
    Form,
    found::{self, Site},
};
use super::{
    facts::DEEPEST,
    literals::{Reader, children},
};
use crate::model::KnobValue;
use ruff_python_ast::{Arguments, Expr, ExprCall, Stmt, visitor::Visitor};
use ruff_text_size::Ranged;

impl Reader<'_> {
    /// Takes the calls of a statement at any depth.
    pub(super) fn calls(&mut self, statement: &Stmt) {
        let mut found = Calls { calls: Vec::new(), depth: 0 };
        match statement {
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    if let Expr::Call(call) = &decorator.expression
                        && let "option" | "argument" = self.callee(&call.func)
                    {
                        self.argument(&call.arguments);
                    }
                }
                for parameter in function.parameters.iter_non_variadic_params() {
                    if let Some(Expr::Call(call)) = parameter.default()
                        && self.slice(call.func.range()) == "typer.Option"
                        && let Some(default) = call.arguments.args.first()
                    {
                        let float = parameter.parameter.annotation.as_ref().is_some_and(|a| self.slice(a.range()) == "float");
                        let name = self.slice(parameter.parameter.name.range()).to_owned();
                        if let Some((value, form)) = self.literal(default) {
                            self.push(name, default.range(), value, form, Site::Argument, float);
                        }
                    }
                }
            }
            Stmt::Expr(s) => found.visit_expr(&s.value),
            Stmt::Assign(s) => found.visit_expr(&s.value),
            Stmt::AnnAssign(s) => {
                if let Some(value) = &s.value {
                    found.visit_expr(value);
                }
            }
            Stmt::Return(s) => {
                if let Some(value) = &s.value {
                    found.visit_expr(value);
                }
            }
            Stmt::If(s) => found.visit_expr(&s.test),
            _ => {}
        }
        for call in found.calls {
            if matches!(&*call.func, Expr::Attribute(_)) && self.callee(&call.func) == "add_argument" {
                self.argument(&call.arguments);
            } else {
                self.environment(call);
            }
        }
        for inner in children(statement) {
            self.calls(inner);
        }
    }

    /// `os.environ.get("LR", 0.1)` and `os.getenv("LR", "0.1")`, in `float(…)` or without.
    fn environment(&mut self, call: &ExprCall) {
        let outer = self.slice(call.func.range());
        let (call, cast) = match call.arguments.args.first() {
            Some(Expr::Call(inner)) if matches!(outer, "float" | "int") && call.arguments.len() == 1 => (inner, outer),
            _ => (call, ""),
        };
        if !matches!(self.slice(call.func.range()), "os.environ.get" | "os.getenv" | "environ.get" | "getenv") {
            return;
        }
        let (Some(Expr::StringLiteral(name)), Some(default)) = (call.arguments.args.first(), call.arguments.args.get(1)) else { return };
        let Some((value, form)) = self.literal(default) else { return };
        let name = name.value.to_str().to_owned();
        match (value, form) {
            (KnobValue::Choice(text), Form::Text) => {
                // A number in quotes: the place is what stands between them.
                let range = default.range();
                let inner = ruff_text_size::TextRange::new(
                    range.start() + ruff_text_size::TextSize::from(1),
                    range.end() - ruff_text_size::TextSize::from(1),
                );
                match found::number(&text) {
                    Some(value) => self.push(name, inner, value, Form::Number, Site::Environment, cast == "float"),
                    None => self.push(name, range, KnobValue::Choice(text), Form::Text, Site::Environment, false),
                };
            }
            (value, form) => {
                self.push(name, default.range(), value, form, Site::Environment, cast == "float");
            }
        }
    }

    /// One argument of argparse or option of click.
    fn argument(&mut self, arguments: &Arguments) {
        let text = |expr: &Expr| match expr {
            Expr::StringLiteral(s) => Some(s.value.to_str().to_owned()),
            _ => None,
        };
        let flags: Vec<String> = arguments.args.iter().filter_map(text).collect();
        let dest = arguments.find_keyword("dest").and_then(|k| text(&k.value));
        // click names a parameter without dashes where it has another name than its flag.
        let plain = flags.iter().find(|f| !f.starts_with('-'));
        let flag = plain.or_else(|| flags.iter().find(|f| f.starts_with("--"))).or_else(|| flags.first());
        let Some(name) = dest.or_else(|| flag.map(|f| f.trim_start_matches('-').split('/').next().unwrap_or_default().replace('-', "_")))
        else {
            return;
        };
        if name.is_empty() {
            return;
        }
        let kind = arguments.find_keyword("type").map_or("", |k| self.callee(&k.value));
        if let Some(default) = arguments.find_keyword("default") {
            let Some((value, form)) = self.literal(&default.value) else { return };
            let named = arguments.find_keyword("choices").or_else(|| arguments.find_keyword("type"));
            let choices = named.map_or_else(Vec::new, |k| self.choices(&k.value));
            // A value of type `int` is parsed from a string default too; such a literal is left alone.
            if form == Form::Text && !matches!(kind, "" | "str" | "Choice") {
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

    /// The literals of a list.
    fn choices(&self, expr: &Expr) -> Vec<KnobValue> {
        match expr {
            Expr::List(list) => self.literal_values(&list.elts),
            Expr::Tuple(tuple) => self.literal_values(&tuple.elts),
            Expr::Set(set) => self.literal_values(&set.elts),
            // `click.Choice([…])`
            Expr::Call(call) if self.callee(&call.func) == "Choice" => {
                call.arguments.args.first().map_or_else(Vec::new, |a| self.choices(a))
            }
            _ => Vec::new(),
        }
    }
}

/// The calls of an expression, the outer ones first.
struct Calls<'a> {
    calls: Vec<&'a ExprCall>,
    depth: usize,
}

impl<'a> Visitor<'a> for Calls<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.calls.push(call);
        }
        if self.depth < DEEPEST {
            self.depth += 1;
            ruff_python_ast::visitor::walk_expr(self, expr);
            self.depth -= 1;
        }
    }
}
