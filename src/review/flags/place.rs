//! Where a token stands in its statement, and what that says of it: which call, which keyword, what is assigned.

use super::lex::{Kind, Statement, Token};
use super::names;
use crate::model::FlagKind;

/// What a changed token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// A part of what these flags are about.
    Flagged(Vec<FlagKind>),
    /// It has no effect on a score: an import, a greeting.
    Neutral,
    /// Anything else: an idea.
    Other,
}

/// What the classes depend on.
pub(super) struct Facts<'a> {
    /// The metric's key.
    pub(super) metric: &'a str,
    /// Names by which the program is told the harness's seed.
    pub(super) seeds: &'a [String],
}

/// A bracket that is open at a token.
#[derive(Debug, Clone, Default)]
struct Frame {
    callee: String,
    keyword: Option<String>,
    /// The first argument, where it is a text.
    first: Option<String>,
    /// The first argument's path, where it is one.
    first_path: String,
    /// Where its bracket stands.
    open: usize,
    /// Where the slot of the token begins.
    slot: usize,
}

/// A statement taken apart.
pub(super) struct Places<'a> {
    tokens: &'a [Token],
    /// Last parts of what is assigned to.
    targets: Vec<String>,
    /// The whole path of the first.
    pub(super) target_path: String,
    /// Index of the `=`.
    equals: Option<usize>,
    above: &'a [String],
    facts: &'a Facts<'a>,
    shell: bool,
}

impl<'a> Places<'a> {
    pub(super) fn new(statement: &'a Statement, facts: &'a Facts<'a>) -> Self {
        let tokens = statement.tokens.as_slice();
        let shell = tokens.first().is_some_and(|t| t.kind == Kind::Word);
        let mut places =
            Self { tokens, targets: Vec::new(), target_path: String::new(), equals: None, above: &statement.above, facts, shell };
        if !shell {
            places.find_targets();
        }
        places
    }

    fn get(&self, at: usize) -> Option<&'a Token> {
        self.tokens.get(at)
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.get(at).is_some_and(|t| t.is(text))
    }

    fn find_targets(&mut self) {
        let (mut depth, mut colon) = (0_i32, None);
        let looped = self.tokens.iter().position(|t| t.is("for")).filter(|at| *at <= 1);
        for (at, token) in self.tokens.iter().enumerate() {
            match token.text.as_str() {
                _ if token.kind == Kind::Text => {}
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                ":" if depth == 0 && colon.is_none() => colon = Some(at),
                "=" | "+=" | "-=" | "*=" | "/=" | ":=" if depth == 0 => {
                    self.equals = Some(at);
                    break;
                }
                "in" if depth == 0 && looped.is_some() => {
                    self.equals = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let Some(equals) = self.equals else { return };
        let from = looped.map_or(0, |at| at + 1);
        let until = colon.filter(|c| *c < equals).unwrap_or(equals);
        let (mut depth, mut path, mut last) = (0, String::new(), String::new());
        for token in self.tokens.get(from..until).unwrap_or_default() {
            match (token.kind, token.text.as_str()) {
                (Kind::Mark, "," | "(" | ")") if depth == 0 => {
                    if !last.is_empty() {
                        self.targets.push(std::mem::take(&mut last));
                    }
                    if self.target_path.is_empty() {
                        self.target_path = std::mem::take(&mut path);
                    }
                    path.clear();
                }
                (Kind::Mark, "[") => depth += 1,
                (Kind::Mark, "]") => depth -= 1,
                (Kind::Mark, ".") if depth == 0 => path.push('.'),
                (Kind::Name, text) if depth == 0 => {
                    path.push_str(text);
                    text.clone_into(&mut last);
                }
                (Kind::Text, text) => text.clone_into(&mut last),
                _ => {}
            }
        }
        if !last.is_empty() {
            self.targets.push(last);
        }
        if self.target_path.is_empty() {
            self.target_path = path;
        }
    }

    /// The dotted path that ends before `at`.
    fn path_before(&self, at: usize) -> String {
        let mut parts = Vec::new();
        let mut end = at;
        while let Some(name) = end.checked_sub(1).and_then(|i| self.get(i)).filter(|t| t.kind == Kind::Name) {
            parts.push(name.text.as_str());
            if !(end >= 2 && self.is(end - 2, ".")) {
                break;
            }
            end -= 2;
        }
        parts.reverse();
        parts.join(".")
    }

    /// The dotted path that begins at `at`, and the index behind it.
    fn path_from(&self, at: usize) -> (String, usize) {
        let (mut path, mut end) = (String::new(), at);
        while let Some(name) = self.get(end).filter(|t| t.kind == Kind::Name) {
            path.push_str(&name.text);
            end += 1;
            if !(self.is(end, ".") && self.get(end + 1).is_some_and(|t| t.kind == Kind::Name)) {
                break;
            }
            path.push('.');
            end += 1;
        }
        (path, end)
    }

    fn frame(&self, open: usize) -> Frame {
        let callee = self.path_before(open);
        let looks_up = match names::last(&callee) {
            "add_argument" | "option" | "get" | "getenv" | "getattr" | "setdefault" | "DEFINE_integer" | "DEFINE_float" | "patch" => {
                self.is(open, "(")
            }
            subscripted => self.is(open, "[") && !subscripted.is_empty(),
        };
        let first = self.get(open + 1).filter(|t| looks_up && t.kind == Kind::Text);
        Frame {
            callee,
            keyword: self.keyword(open, open + 1),
            first: first.map(|t| t.text.clone()),
            first_path: self.path_from(open + 1).0,
            open,
            slot: open + 1,
        }
    }

    /// The name of the slot that begins at `at` in the bracket at `open`.
    fn keyword(&self, open: usize, at: usize) -> Option<String> {
        let token = self.get(at)?;
        let defines = self.tokens.iter().take(2).any(|t| t.is("def"));
        let named = match token.kind {
            Kind::Name => self.is(at + 1, "=") || (self.is(at + 1, ":") && (self.is(open, "{") || defines)),
            Kind::Text => self.is(open, "{") && self.is(at + 1, ":"),
            _ => false,
        };
        named.then(|| token.text.clone())
    }

    /// The brackets around a token, the innermost last; the name of a call belongs to its bracket.
    fn frames(&self, at: usize) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        for (i, token) in self.tokens.iter().enumerate().take(at) {
            if token.kind == Kind::Text {
                continue;
            }
            match token.text.as_str() {
                "(" | "[" | "{" => frames.push(self.frame(i)),
                ")" | "]" | "}" => {
                    frames.pop();
                }
                "," => {
                    if let Some(frame) = frames.last_mut() {
                        frame.slot = i + 1;
                        frame.keyword = self.keyword(frame.open, i + 1);
                    }
                }
                _ => {}
            }
        }
        if self.get(at).is_some_and(|t| t.kind == Kind::Name) {
            let (_, end) = self.path_from(at);
            if self.is(end, "(") {
                frames.push(Frame { keyword: None, ..self.frame(end) });
            }
        }
        frames
    }

    /// The class of a changed token.
    pub(super) fn class(&self, at: usize) -> Class {
        if self.shell {
            return self.shell_class(at);
        }
        if self.tokens.first().is_some_and(|t| t.is("import") || (t.is("from") && self.tokens.iter().any(|t| t.is("import")))) {
            return Class::Neutral;
        }
        if let Some(class) = self.printed() {
            return class;
        }
        let mut flags = Vec::new();
        let (mut foreign, mut opaque) = (false, false);
        let frames = self.frames(at);
        for frame in frames.iter().rev() {
            if foreign {
                break;
            }
            if let Some(keyword) = &frame.keyword {
                flags.extend(self.named(keyword, at, names::splits(&frame.callee), false));
                let chosen = keyword == "split"
                    && self.get(at).is_some_and(|t| t.kind == Kind::Text && names::subsets_in(&t.text) != (false, false));
                if chosen {
                    flags.push(FlagKind::Split);
                }
                foreign = true;
            }
            let callee = frame.callee.as_str();
            if names::seeds(callee, self.facts.seeds) {
                flags.push(FlagKind::Seed);
            }
            if names::splits(callee) && !opaque {
                flags.push(FlagKind::Split);
            }
            if matches!(names::last(callee), "alarm" | "setitimer" | "setrlimit") || callee == "signal.signal" && self.ends_runs(frame) {
                flags.push(FlagKind::TimeLimit);
            }
            if let Some(first) = &frame.first {
                flags.extend(self.named(first, at, false, first.starts_with('-')));
                foreign |= first.starts_with('-');
            }
            // `["--seed", "1"]`
            let option = frame.slot.checked_sub(2).and_then(|i| self.get(i)).filter(|t| t.kind == Kind::Text && t.text.starts_with('-'));
            flags.extend(option.and_then(|o| self.named(&o.text, at, false, true)));
            if self.slot_is_seed(frame.slot) {
                flags.push(FlagKind::Seed);
            }
            opaque |= !callee.is_empty() && !matches!(names::last(callee), "int" | "float" | "str" | "len" | "round" | "range" | "list");
            if !flags.is_empty() {
                break;
            }
        }
        if flags.is_empty() && !foreign {
            flags.extend(self.assigned(at, &frames));
        }
        if flags.is_empty() && self.asks_the_clock() {
            flags.push(FlagKind::TimeLimit);
        }
        if flags.is_empty() && frames.is_empty() && self.equals.is_none() && self.slot_is_seed(0) {
            flags.push(FlagKind::Seed);
        }
        // A name that is assigned to goes with what is assigned.
        if flags.is_empty() && self.equals.is_some_and(|e| at < e) && self.get(at).is_some_and(|t| t.kind != Kind::Text) {
            return self.target_class();
        }
        flags.sort_unstable();
        flags.dedup();
        if flags.is_empty() { Class::Other } else { Class::Flagged(flags) }
    }

    /// What is assigned gives the class of its target where all of it has one.
    fn target_class(&self) -> Class {
        let from = self.equals.map_or(0, |e| e + 1);
        let mut all: Option<Class> = None;
        for at in (from..self.tokens.len()).filter(|at| self.counts(*at)) {
            let class = self.class(at);
            match &all {
                None => all = Some(class),
                Some(before) if *before == class => {}
                Some(_) => return Class::Other,
            }
        }
        all.unwrap_or(Class::Other)
    }

    /// Whether a token has an effect of its own.
    pub(super) fn counts(&self, at: usize) -> bool {
        self.get(at).is_some_and(|t| t.kind != Kind::Mark)
    }

    /// What a name says of a value that is given to it.
    fn named(&self, name: &str, at: usize, splitting: bool, alone: bool) -> Option<FlagKind> {
        let number = self.get(at).filter(|t| t.kind == Kind::Number).map(|t| t.text.as_str());
        let share = number.and_then(|n| n.parse::<f64>().ok()).is_some_and(|n| n > 0.0 && n < 1.0);
        if names::seed(name, self.facts.seeds) {
            Some(FlagKind::Seed)
        } else if names::time_limit(name, alone) {
            Some(FlagKind::TimeLimit)
        } else if names::split(name) || (names::subset_size(name) && (share || splitting)) || (names::fold(name) && number.is_some()) {
            Some(FlagKind::Split)
        } else if names::cadence(name) {
            Some(FlagKind::MetricPrint)
        } else {
            None
        }
    }

    fn assigned(&self, at: usize, frames: &[Frame]) -> Option<FlagKind> {
        if self.targets.is_empty() || self.tokens.first().is_some_and(|t| t.is("def") || t.is("class") || t.is("with")) {
            return None;
        }
        let mut kinds = self.targets.iter().map(|t| self.named(t, at, false, true));
        let first = kinds.next().flatten();
        if first.is_some() && kinds.all(|k| k == first) {
            return first;
        }
        let parent = self.above.last().map(String::as_str).unwrap_or_default();
        let list = self.targets.iter().all(|t| names::SUBSETS.contains(&t.as_str()));
        if list && matches!(parent, "split" | "splits" | "data_split") {
            return Some(FlagKind::Split);
        }
        // `train_data = data[:n]`, but not a column of it, nor a part of itself.
        let rows = |f: &Frame| {
            let inside = || self.tokens.iter().skip(f.open + 1).take_while(|t| !t.is("]"));
            self.is(f.open, "[") && inside().any(|t| t.is(":")) && !inside().any(|t| t.is(","))
        };
        let cut = frames.iter().any(|f| rows(f) && !self.targets.iter().any(|t| t == names::last(&f.callee)));
        (cut && self.targets.iter().all(|t| names::subset(t))).then_some(FlagKind::Split)
    }

    /// Whether all names of a slot are those of seeds: `args.seed + 17`.
    fn slot_is_seed(&self, from: usize) -> bool {
        let (mut depth, mut seeds, mut at) = (0_i32, false, from);
        while let Some(token) = self.get(at) {
            match token.text.as_str() {
                _ if token.kind == Kind::Text => return false,
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" | "," if depth == 0 => break,
                ")" | "]" | "}" => depth -= 1,
                "if" | "is" | "not" | "None" | "int" | "or" | "and" => {}
                _ if token.kind == Kind::Name => {
                    let (path, end) = self.path_from(at);
                    if !names::seed(names::last(&path), self.facts.seeds) {
                        return false;
                    }
                    seeds = true;
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        seeds
    }

    /// A condition on how long it has run.
    fn asks_the_clock(&self) -> bool {
        let compares = self.tokens.iter().any(|t| matches!(t.text.as_str(), "<" | ">" | "<=" | ">=") && t.kind == Kind::Operator);
        let clock = |t: &Token| {
            let elapsed = || names::words(&t.text).iter().any(|w| w == "elapsed");
            t.kind == Kind::Name
                && (matches!(t.text.as_str(), "perf_counter" | "monotonic") || elapsed() || names::time_limit(&t.text, false))
        };
        let called =
            (0..self.tokens.len()).any(|i| self.is(i, "time") && self.is(i + 1, ".") && self.is(i + 2, "time") && self.is(i + 3, "("));
        compares && (called || self.tokens.iter().any(clock))
    }

    fn ends_runs(&self, frame: &Frame) -> bool {
        let inside = self.tokens.iter().skip(frame.open + 1);
        inside.clone().any(|t| matches!(t.text.as_str(), "SIGTERM" | "SIGALRM" | "SIGXCPU" | "SIGINT" | "SIGHUP"))
    }

    /// The class of a statement that prints.
    fn printed(&self) -> Option<Class> {
        let (callee, end) = self.path_from(usize::from(self.is(0, "await")));
        if !self.is(end, "(") || !names::prints(&callee) {
            return None;
        }
        let metric = self.tokens.iter().skip(end).filter(|t| matches!(t.kind, Kind::Name | Kind::Text));
        let metric = metric.into_iter().any(|t| names::is_metric(&t.text, self.facts.metric));
        Some(if metric { Class::Flagged(vec![FlagKind::MetricPrint]) } else { Class::Neutral })
    }

    fn shell_class(&self, at: usize) -> Class {
        let word = |i: usize| self.get(i).map(|t| t.text.as_str()).unwrap_or_default();
        if matches!(word(0), "echo" | "printf") {
            let metric = self.tokens.iter().any(|t| names::is_metric(&t.text, self.facts.metric));
            return if metric { Class::Flagged(vec![FlagKind::MetricPrint]) } else { Class::Neutral };
        }
        let here = word(at);
        let kind = match here.split_once('=') {
            Some((name, _)) => self.named(names::last(name), at, false, true),
            None if matches!(here, "export" | "#SBATCH") => return Class::Neutral,
            None if word(0) == "timeout" && at <= 2 => Some(FlagKind::TimeLimit),
            None if word(0) == "for" => self.named(word(1), at, false, true),
            // An option, or the value of the one before it.
            None => (0..=at).rev().map(word).find(|w| w.starts_with('-') && !w.contains('=')).and_then(|o| self.named(o, at, false, true)),
        };
        let slurm =
            word(0) == "#SBATCH" && (here.starts_with("--time") || here == "-t" || (at > 0 && matches!(word(at - 1), "--time" | "-t")));
        match kind.or(slurm.then_some(FlagKind::TimeLimit)) {
            Some(kind) => Class::Flagged(vec![kind]),
            None => Class::Other,
        }
    }

    /// Whether the statement puts something else in the clock's place.
    pub(super) fn patches_the_clock(&self) -> bool {
        if self.shell {
            return self.tokens.iter().any(|t| t.text.starts_with("FAKETIME") || t.text == "faketime");
        }
        let assigned = self.equals.is_some() && names::clock(&self.target_path);
        let replaced = self.target_path == "sys.modules" && self.targets.iter().any(|t| t == "time");
        let called = self.tokens.iter().enumerate().filter(|(_, t)| t.is("(")).any(|(open, _)| {
            let frame = self.frame(open);
            match names::last(&frame.callee) {
                "setattr" | "object" => names::holds_clock(&frame.first_path),
                "patch" => frame.first.as_deref().is_some_and(names::clock),
                "freeze_time" => true,
                _ => false,
            }
        });
        assigned || replaced || called
    }
}
