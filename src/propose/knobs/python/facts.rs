//! What a module tells beside its literals: whom it imports, which files it names, under which condition it uses a setting,
//! with what it compares one, and which keywords it hands to classes.
//!
//! Only what stands there plainly is taken: `args.optimizer == "adam"`, `if use_dropout:`, `cfg["opt"]["type"] in (…)`.

use crate::model::KnobValue;
use ruff_python_ast::{
    CmpOp, Expr, ExprContext, Stmt, UnaryOp,
    visitor::{self, Visitor},
};
use ruff_text_size::Ranged;
use std::collections::{BTreeMap, BTreeSet};

/// An import: dots before it, the module, the names taken from it, and what they are called here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Import {
    pub level: usize,
    pub module: String,
    pub names: Vec<String>,
    /// One for each of `names`; of a plain `import` the one name that it binds.
    pub bound: Vec<String>,
}

/// A condition on one setting.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Guard {
    /// The setting's own name; of what stands in a table `[]` and the table's.
    pub setting: String,
    /// A bare name, which may be a variable of any meaning.
    pub bare: bool,
    /// Its values; under any of them where `holds`, under none of them otherwise.
    pub values: Vec<KnobValue>,
    pub holds: bool,
}

/// A place where a setting is read.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Use {
    /// As a bare name; otherwise as a member of something (`args.x`, `cfg["x"]`).
    pub bare: bool,
    /// The conditions around it, the outermost first.
    pub guards: Vec<Guard>,
}

/// What a module tells.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Facts {
    pub imports: Vec<Import>,
    /// Texts that may name a file.
    pub texts: BTreeSet<String>,
    /// By the setting's own name.
    pub uses: BTreeMap<String, Vec<Use>>,
    /// Texts that a setting is compared with.
    pub compared: BTreeMap<String, BTreeSet<String>>,
    /// For each class that is called: the keywords of each call, none where they cannot be told.
    pub calls: BTreeMap<String, Vec<Option<BTreeSet<String>>>>,
    /// For each table: the settings that pick one of its values (`models[args.model]`), none where that cannot be told, and
    /// how many of its uses do that or only ask whether it has a key.
    pub picked: BTreeMap<String, (BTreeSet<Option<String>>, usize)>,
    /// It hands settings around as a whole (`vars(args)`, `**cfg`).
    pub wholesale: bool,
    /// It imports modules whose names are made up as it runs.
    pub dynamic: bool,
}

pub(super) fn facts(source: &str, suite: &[Stmt]) -> Facts {
    let mut walker = Walker { source, depth: 0, guards: Vec::new(), facts: Facts::default(), calls: Vec::new(), tables: BTreeMap::new() };
    walker.visit_body(suite);
    let Walker { mut facts, calls, tables, .. } = walker;
    for (class, mut keywords, spread) in calls {
        let known = spread.iter().all(|name| {
            tables.get(name).is_some_and(|keys| {
                keywords.extend(keys.iter().cloned());
                true
            })
        });
        facts.calls.entry(class).or_default().push(known.then_some(keywords));
    }
    facts
}

/// Values in one text from which on it is a label: `resnet{depth}` is no label, `{model}_{d}_{h}_{seed}` is.
const LABEL: usize = 4;

/// Deeper expressions are not looked into: their walk would need a stack of its own.
pub(super) const DEEPEST: usize = 200;

struct Walker<'s> {
    source: &'s str,
    depth: usize,
    guards: Vec<Guard>,
    facts: Facts,
    /// Class, keywords, names of tables that are spread.
    calls: Vec<(String, BTreeSet<String>, Vec<String>)>,
    /// Keys of dictionaries by the variable that holds them.
    tables: BTreeMap<String, BTreeSet<String>>,
}

impl Walker<'_> {
    fn slice(&self, node: &impl Ranged) -> &str {
        let range = node.range();
        self.source.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default()
    }

    /// The setting that an expression reads: `args.x`, `cfg["x"]`, `x`, each with `.lower()`.
    fn setting(&self, expr: &Expr) -> Option<(String, bool)> {
        match expr {
            Expr::Name(name) => Some((self.slice(name).to_owned(), true)),
            Expr::Attribute(attribute) => Some((self.slice(&attribute.attr).to_owned(), false)),
            Expr::Subscript(subscript) => text(&subscript.slice).map(|key| (key, false)),
            Expr::Call(call) => match (&*call.func, call.arguments.args.first()) {
                (Expr::Attribute(f), None) if matches!(self.slice(&f.attr), "lower" | "upper" | "strip") => match &*f.value {
                    Expr::Call(_) => None,
                    value => self.setting(value),
                },
                (Expr::Attribute(f), Some(key)) if self.slice(&f.attr) == "get" => text(key).map(|key| (key, false)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The condition that an expression states; the first that is plain where several are joined by `and`.
    fn guard(&self, expr: &Expr) -> Option<Guard> {
        self.guard_within(expr, 8)
    }

    fn guard_within(&self, expr: &Expr, depth: usize) -> Option<Guard> {
        let depth = depth.checked_sub(1)?;
        match expr {
            Expr::Compare(compare) => {
                let ([op], [right]) = (&*compare.ops, &*compare.comparators) else { return None };
                let (setting, bare) = self.setting(&compare.left)?;
                let (values, holds) = match (op, right) {
                    (CmpOp::Eq | CmpOp::Is, value) => (vec![constant(value)?], true),
                    (CmpOp::NotEq | CmpOp::IsNot, value) => (vec![constant(value)?], false),
                    (CmpOp::In, Expr::List(list)) => (constants(&list.elts)?, true),
                    (CmpOp::In, Expr::Tuple(tuple)) => (constants(&tuple.elts)?, true),
                    (CmpOp::In, Expr::Set(set)) => (constants(&set.elts)?, true),
                    (CmpOp::NotIn, Expr::List(list)) => (constants(&list.elts)?, false),
                    (CmpOp::NotIn, Expr::Tuple(tuple)) => (constants(&tuple.elts)?, false),
                    _ => return None,
                };
                Some(Guard { setting, bare, values, holds })
            }
            Expr::UnaryOp(not) if not.op == UnaryOp::Not => self.guard_within(&not.operand, depth).map(|g| Guard { holds: !g.holds, ..g }),
            Expr::BoolOp(joined) if joined.op == ruff_python_ast::BoolOp::And => {
                joined.values.iter().find_map(|v| self.guard_within(v, depth))
            }
            other => {
                let (setting, bare) = self.setting(other)?;
                Some(Guard { setting, bare, values: vec![KnobValue::Bool(true)], holds: true })
            }
        }
    }

    fn under(&mut self, guard: Option<Guard>, inside: impl FnOnce(&mut Self)) {
        let depth = self.guards.len();
        self.guards.extend(guard);
        inside(self);
        self.guards.truncate(depth);
    }

    fn used(&mut self, setting: String, bare: bool) {
        let guards = self.guards.clone();
        let uses = self.facts.uses.entry(setting).or_default();
        // Without a guard once is enough; with guards a few tell.
        if uses.len() < 64 {
            uses.push(Use { bare, guards });
        }
    }

    fn remember(&mut self, text: &str) {
        let file = text.len() >= 4 && text.len() <= 200 && text.contains(['.', '/']) && !text.contains(['\n', ' ']);
        if file && self.facts.texts.len() < 4096 {
            self.facts.texts.insert(text.to_owned());
        }
    }

    fn call(&mut self, call: &ruff_python_ast::ExprCall) {
        let name = match &*call.func {
            Expr::Name(name) => self.slice(name).to_owned(),
            Expr::Attribute(attribute) => self.slice(&attribute.attr).to_owned(),
            _ => return,
        };
        match name.as_str() {
            "parse_args_into_dataclasses" => self.facts.wholesale = true,
            "vars" | "asdict" | "getattr" => {
                const HOLDERS: &[&str] =
                    &["args", "opt", "opts", "cfg", "config", "conf", "hparams", "flags", "FLAGS", "params", "hp", "options"];
                let of = call.arguments.args.first().map_or("", |a| self.slice(a));
                let plain = call.arguments.args.get(1).and_then(text);
                match plain {
                    Some(setting) => self.used(setting, false),
                    None => self.facts.wholesale |= HOLDERS.contains(&of.rsplit('.').next().unwrap_or(of)),
                }
            }
            "import_module" => self.facts.dynamic |= call.arguments.args.first().is_none_or(|a| text(a).is_none()),
            _ => {}
        }
        if name == "get"
            && let (Expr::Attribute(_), Some(key)) = (&*call.func, call.arguments.args.first().and_then(text))
        {
            self.used(key, false);
        }
        // hydra.main(config_name="config"): the ending is left out.
        if let Some(config) = call.arguments.find_keyword("config_name").and_then(|k| text(&k.value)) {
            self.facts.texts.insert(if config.contains(".y") { config } else { format!("{config}.yaml") });
        }
        if name.chars().next().is_some_and(char::is_uppercase) {
            let keywords = call.arguments.keywords.iter().filter_map(|k| k.arg.as_ref()).map(|k| self.slice(k).to_owned()).collect();
            let spread = call.arguments.keywords.iter().filter(|k| k.arg.is_none()).map(|k| self.slice(&k.value).to_owned()).collect();
            if call.arguments.args.is_empty() {
                self.calls.push((name, keywords, spread));
            } else {
                self.facts.calls.entry(name).or_default().push(None);
            }
        }
    }

    /// The last name of `models` and `self.models`.
    fn leaf(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => Some(self.slice(name).to_owned()),
            Expr::Attribute(attribute) => Some(self.slice(&attribute.attr).to_owned()),
            _ => None,
        }
    }

    /// The values of a dictionary, each under the condition that its key is picked.
    fn choices(&mut self, table: &str, dict: &ruff_python_ast::ExprDict) {
        for item in &dict.items {
            let key = item.key.as_ref().and_then(text);
            if let Some(key) = &item.key {
                self.visit_expr(key);
            }
            let picked = |key| Guard { setting: format!("[]{table}"), bare: false, values: vec![KnobValue::Choice(key)], holds: true };
            self.under(key.map(picked), |w| w.visit_expr(&item.value));
        }
    }

    fn table(&mut self, target: &Expr, value: &Expr) {
        let Expr::Name(target) = target else { return };
        let keys: BTreeSet<String> = match value {
            Expr::Dict(dict) => dict.items.iter().filter_map(|i| text(i.key.as_ref()?)).collect(),
            Expr::Call(call) if self.slice(&*call.func) == "dict" => {
                call.arguments.keywords.iter().filter_map(|k| k.arg.as_ref()).map(|k| self.slice(k).to_owned()).collect()
            }
            _ => return,
        };
        let name = self.slice(target).to_owned();
        self.tables.entry(name).or_default().extend(keys);
    }
}

impl<'a> Visitor<'a> for Walker<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(s) => {
                for alias in &s.names {
                    let module = self.slice(&alias.name).to_owned();
                    let bound = alias
                        .asname
                        .as_ref()
                        .map_or_else(|| module.split('.').next().unwrap_or_default().to_owned(), |name| self.slice(name).to_owned());
                    self.facts.imports.push(Import { level: 0, module, names: Vec::new(), bound: vec![bound] });
                }
            }
            Stmt::ImportFrom(s) => {
                let module = s.module.as_ref().map_or_else(String::new, |m| self.slice(m).to_owned());
                let names = s.names.iter().map(|a| self.slice(&a.name).to_owned()).collect();
                let bound = s.names.iter().map(|a| self.slice(a.asname.as_ref().unwrap_or(&a.name)).to_owned()).collect();
                self.facts.imports.push(Import { level: s.level as usize, module, names, bound });
            }
            Stmt::If(s) => {
                self.visit_expr(&s.test);
                let guard = self.guard(&s.test);
                // What comes after `else` holds only where nothing before did.
                let mut not: Vec<Option<Guard>> = vec![guard.clone()];
                self.under(guard, |w| w.visit_body(&s.body));
                for clause in &s.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.visit_expr(test);
                        let guard = self.guard(test);
                        not.push(guard.clone());
                        self.under(guard, |w| w.visit_body(&clause.body));
                    } else {
                        let guard = otherwise(&not);
                        self.under(guard, |w| w.visit_body(&clause.body));
                    }
                }
            }
            Stmt::Assign(s) => {
                if let [target] = s.targets.as_slice() {
                    self.table(target, &s.value);
                    if let (Some(name), Expr::Dict(dict)) = (self.leaf(target), &*s.value) {
                        return self.choices(&name, dict);
                    }
                }
                visitor::walk_stmt(self, stmt);
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if self.depth < DEEPEST {
            self.depth += 1;
            self.expr(expr);
            self.depth -= 1;
        }
    }
}

impl Walker<'_> {
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::If(s) => {
                self.visit_expr(&s.test);
                let guard = self.guard(&s.test);
                let not = guard.clone().map(|g| Guard { holds: !g.holds, ..g });
                self.under(guard, |w| w.visit_expr(&s.body));
                self.under(not, |w| w.visit_expr(&s.orelse));
                return;
            }
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                let setting = self.slice(name).to_owned();
                self.used(setting, true);
            }
            Expr::Attribute(attribute) if attribute.ctx == ExprContext::Load => {
                let setting = self.slice(&attribute.attr).to_owned();
                self.facts.wholesale |= setting == "__dict__";
                self.used(setting, false);
            }
            Expr::Subscript(subscript) if subscript.ctx == ExprContext::Load => {
                if let Some(key) = text(&subscript.slice) {
                    self.used(key, false);
                } else if let Some(table) = self.leaf(&subscript.value) {
                    let by = self.setting(&subscript.slice).filter(|(_, bare)| !bare).map(|(setting, _)| setting);
                    let picked = self.facts.picked.entry(table).or_default();
                    picked.0.insert(by);
                    picked.1 += 1;
                }
            }
            // `models["extra"] = Extra` adds to a table.
            Expr::Subscript(subscript) if text(&subscript.slice).is_some() => {
                if let Some(table) = self.leaf(&subscript.value) {
                    self.facts.picked.entry(table).or_default().1 += 1;
                }
            }
            Expr::Compare(compare) => {
                if let ([CmpOp::In | CmpOp::NotIn], [right]) = (&*compare.ops, &*compare.comparators)
                    && let Some(table) = self.leaf(right)
                {
                    self.facts.picked.entry(table).or_default().1 += 1;
                }
                if let Some(guard) = self.guard(expr) {
                    let texts = guard.values.into_iter().filter_map(|v| match v {
                        KnobValue::Choice(text) => Some(text),
                        KnobValue::Int(_) | KnobValue::Float(_) | KnobValue::Bool(_) => None,
                    });
                    self.facts.compared.entry(guard.setting).or_default().extend(texts);
                }
            }
            // A text of several values is the name of a run: nothing is computed with it.
            Expr::FString(s) if s.value.elements().filter(|e| e.as_interpolation().is_some()).count() >= LABEL => return,
            Expr::Call(call)
                if matches!(&*call.func, Expr::Attribute(f) if self.slice(&f.attr) == "format" && f.value.is_string_literal_expr())
                    && call.arguments.len() >= LABEL =>
            {
                return;
            }
            // What is printed is not used.
            Expr::Call(call) if matches!(&*call.func, Expr::Name(name) if self.slice(name) == "print") => return,
            Expr::StringLiteral(s) => self.remember(s.value.to_str()),
            Expr::Call(call) => {
                self.call(call);
                // `x.expand(…)` is a method, not the setting `expand`.
                if let Expr::Attribute(method) = &*call.func {
                    self.visit_expr(&method.value);
                    self.visit_arguments(&call.arguments);
                    return;
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

/// The condition of `else`: that of one setting, with all the values that came before.
fn otherwise(before: &[Option<Guard>]) -> Option<Guard> {
    let mut all = before.iter().cloned();
    let mut out = all.next()??;
    for next in all {
        let next = next?;
        if next.setting != out.setting || next.holds != out.holds || !out.holds {
            return None;
        }
        out.values.extend(next.values);
    }
    Some(Guard { holds: !out.holds, ..out })
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::StringLiteral(s) => Some(s.value.to_str().to_owned()),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<KnobValue> {
    match expr {
        Expr::StringLiteral(s) => Some(KnobValue::Choice(s.value.to_str().to_owned())),
        Expr::BooleanLiteral(b) => Some(KnobValue::Bool(b.value)),
        Expr::NumberLiteral(n) => match &n.value {
            ruff_python_ast::Number::Int(i) => i.as_i64().map(KnobValue::Int),
            ruff_python_ast::Number::Float(_) | ruff_python_ast::Number::Complex { .. } => None,
        },
        _ => None,
    }
}

fn constants(exprs: &[Expr]) -> Option<Vec<KnobValue>> {
    exprs.iter().map(constant).collect()
}
