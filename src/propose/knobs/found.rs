//! What the readers of all formats hand out: literals with a name, and the few texts that are numbers or switches.
//!
//! Knows nothing of ranges: what is a knob is decided in `ranges`.

use super::Form;
use crate::model::KnobValue;
use std::ops::Range;

/// Where a literal was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// A constant of a Python module, in capitals.
    Constant,
    /// A variable of a Python module or a shell script, assigned once.
    Variable,
    /// A value of a dictionary in Python.
    Entry,
    /// An item of a short list or tuple.
    Item,
    /// The default of an argparse or click argument.
    Argument,
    /// The default of a class attribute or dataclass field.
    Field,
    /// The default of a function's parameter.
    Parameter,
    /// The default of an environment variable.
    Environment,
    /// The value of an option on a command line in a shell script.
    Flag,
    /// A scalar of a configuration file.
    Setting,
}

/// A literal with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub name: String,
    /// The bytes that a new value replaces.
    pub place: Range<usize>,
    /// From 1.
    pub line: usize,
    pub value: KnobValue,
    pub text: String,
    pub form: Form,
    pub site: Site,
    /// Choices that the source itself names.
    pub choices: Vec<KnobValue>,
    /// The type says that it is a float, though the literal may be whole.
    pub float: bool,
    /// A name that tells more than its own: the option that a shell variable is handed to.
    pub meaning: Option<String>,
}

impl Found {
    pub(super) fn new(name: String, source: &str, place: Range<usize>, value: KnobValue, form: Form, site: Site) -> Self {
        let line = line_of(source, place.start);
        let text = source.get(place.clone()).unwrap_or_default().to_owned();
        let float = matches!(value, KnobValue::Float(_));
        Self { name, place, line, value, text, form, site, choices: Vec::new(), float, meaning: None }
    }

    /// The name that tells what it is.
    pub(super) fn told(&self) -> &str {
        self.meaning.as_deref().unwrap_or(&self.name)
    }
}

/// Line of an offset, from 1.
pub(super) fn line_of(source: &str, offset: usize) -> usize {
    source.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// The last part of a dotted name, without the index of a list: `opt.betas.0` is `betas`.
pub(super) fn leaf(name: &str) -> &str {
    let parts = name.rsplit(['.', ':', '/']);
    parts.map(|p| p.split('#').next().unwrap_or(p)).find(|p| !p.is_empty() && !p.bytes().all(|b| b.is_ascii_digit())).unwrap_or(name)
}

/// A decimal number as all formats write it; none for anything else (`0x10`, `1_`, `inf`, `007`).
pub(super) fn number(text: &str) -> Option<KnobValue> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if digits(unsigned) {
        // A leading zero is an octal or an identifier.
        let plain = unsigned == "0" || !unsigned.starts_with('0');
        return plain.then(|| text.parse().ok()).flatten().map(KnobValue::Int);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let fits =
        (digits(whole) || whole.is_empty()) && (digits(fraction) || fraction.is_empty()) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)));
    if !fits || !exponent_fits || mantissa == "." {
        return None;
    }
    text.parse().ok().filter(|v: &f64| v.is_finite()).map(KnobValue::Float)
}

/// A switch in one of the spellings of Python, YAML, TOML and JSON.
pub(super) fn switch(text: &str) -> Option<KnobValue> {
    match text {
        "true" | "True" | "TRUE" => Some(KnobValue::Bool(true)),
        "false" | "False" | "FALSE" => Some(KnobValue::Bool(false)),
        _ => None,
    }
}

/// A word without quotes: a number, a switch, or a name that a choice may have. None for what is none of them.
pub(super) fn bare(text: &str) -> Option<(KnobValue, Form)> {
    if let Some(value) = number(text) {
        return Some((value, Form::Number));
    }
    if let Some(value) = switch(text) {
        return Some((value, Form::Word));
    }
    is_plain(text).then(|| (KnobValue::Choice(text.to_owned()), Form::Bare))
}

/// Whether a text can stand without quotes in every format and shell.
pub(super) fn is_plain(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/'));
    first && text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./+".contains(c))
}
