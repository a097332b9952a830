//! Keys and passwords in text that is about to be written down or shown: found, and covered in place.
//!
//! Two kinds are known. Exact values, of variables whose names say that they hold a key, also as base64, hex, URL or JSON would write
//! them; and shapes (`sk-…`, `ghp_…`, `Bearer …`, a private key, `user:password@`), which need no knowledge of the user's.
//! A cover is as long as what it covers, so that offsets into a log stay true. Pure: `cli` reads the
//! environment once and says what is in it.

mod shapes;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::Stream;

use regex::bytes::Regex;
use serde_json::Value;
use shapes::{Body, HEADS};
use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Write,
    ops::Range,
    sync::{OnceLock, PoisonError, RwLock},
};

/// Shorter values are words that would be covered wherever they stand.
const SHORTEST: usize = 8;
/// What people write where a key is asked for and none is needed.
const PLACEHOLDERS: [&str; 10] = [
    "password",
    "changeme",
    "not-needed",
    "not_needed",
    "no-key-required",
    "undefined",
    "disabled",
    "placeholder",
    "your-api-key",
    "sk-no-key-required",
];
/// What is said of a key that came without a variable.
const LEARNT_NAME: &str = "MODEL_KEY";
/// Stands where something was covered; asterisks fill the rest.
const COVER: &[u8] = b"[redacted]";

/// Names, joined by commas, of variables that count as keys whatever they are called: the user handed them to a command by name.
pub const GRANTED: &str = "TRIALDECK_GRANTED";

static VARIABLES: OnceLock<Vec<(String, String)>> = OnceLock::new();
/// Keys that came later, from programs that print them.
static LEARNT: RwLock<Vec<String>> = RwLock::new(Vec::new());
static OURS: RwLock<Option<&'static Redactor>> = RwLock::new(None);

/// Says which variables this process was started with; the first call counts. Those that hold no key are forgotten.
pub fn know(variables: impl IntoIterator<Item = (String, String)>) {
    let all: Vec<(String, String)> = variables.into_iter().collect();
    if let Some((_, names)) = all.iter().find(|(name, _)| name == GRANTED) {
        let granted = |name: &str| names.split(',').any(|n| n == name);
        all.iter().filter(|(name, _)| granted(name)).for_each(|(_, value)| learn(value));
    }
    let _ = VARIABLES.set(all.into_iter().filter(|(name, value)| holds_a_key(name, value)).collect());
}

/// Says a key that no variable's name gave away: it is covered from now on. Words that are no keys are not.
pub fn learn(key: &str) {
    let known = |keys: &[String]| keys.iter().any(|k| k == key);
    if !holds_a_key(LEARNT_NAME, key) || known(&LEARNT.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut learnt = LEARNT.write().unwrap_or_else(PoisonError::into_inner);
    if !known(&learnt) {
        learnt.push(key.to_owned());
        *OURS.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The redactor of this process: what `know` and `learn` were told, and the shapes.
pub fn ours() -> &'static Redactor {
    if let Some(ours) = *OURS.read().unwrap_or_else(PoisonError::into_inner) {
        return ours;
    }
    // What was learnt stays held while it is made, so that no later key is left out; there are as many as there are keys.
    let learnt = LEARNT.read().unwrap_or_else(PoisonError::into_inner);
    let later = learnt.iter().map(|key| (LEARNT_NAME.to_owned(), key.clone()));
    let made: &'static Redactor = Box::leak(Box::new(Redactor::new(VARIABLES.get().into_iter().flatten().cloned().chain(later))));
    *OURS.write().unwrap_or_else(PoisonError::into_inner) = Some(made);
    made
}

/// What this process knows, and these variables of a command besides.
pub fn ours_and(variables: &std::collections::BTreeMap<String, String>) -> Redactor {
    let learnt = LEARNT.read().unwrap_or_else(PoisonError::into_inner).clone();
    let known = VARIABLES.get().into_iter().flatten().cloned().chain(learnt.into_iter().map(|key| (LEARNT_NAME.to_owned(), key)));
    Redactor::new(known.chain(variables.iter().map(|(name, value)| (name.clone(), value.clone()))))
}

/// Whether a variable's value must not be written down: by its name, and by what such names hold besides keys.
pub fn holds_a_key(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = |words: &[&str]| words.iter().any(|w| name.ends_with(w));
    if value.len() < SHORTEST || PLACEHOLDERS.contains(&value) || value.lines().count() > 200 {
        return false;
    }
    if ends(&["_FILE", "_PATH", "_DIR", "_SOCK", "_HOME", "_CREDENTIALS"]) && value.starts_with(['/', '~', '.']) {
        return false;
    }
    let says_so = ["PASSWORD", "PASSWD", "SECRET", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL", "AUTH_TOKEN"];
    if ends(&["_KEY", "_TOKEN", "_PAT", "_PASS"]) || name == "TOKEN" || name == "KEY" || says_so.iter().any(|w| name.contains(w)) {
        return true;
    }
    // Of these services whatever is no address, place, name or number counts.
    let service =
        ["AWS_", "OPENAI_", "ANTHROPIC_", "HF_", "GITHUB_", "GITLAB_", "WANDB_", "AZURE_", "GOOGLE_", "GEMINI_", "MISTRAL_", "OPENROUTER_"];
    let looks_random = value.len() >= 16 && value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic());
    let plain = ends(&[
        "_URL",
        "_URI",
        "_REGION",
        "_PROFILE",
        "_MODEL",
        "_NAME",
        "_ENDPOINT",
        "_VERSION",
        "_PROJECT",
        "_ENTITY",
        "_REPOSITORY",
        "_ACTOR",
        "_REF",
        "_SHA",
        "_WORKFLOW",
    ]) || value.starts_with(['/', '~', '.'])
        || value.contains("://")
        || value.contains(char::is_whitespace);
    service.iter().any(|s| name.starts_with(s)) && looks_random && !plain
}

/// Finds and covers keys.
#[derive(Debug)]
pub struct Redactor {
    /// All beginnings at once: of values as a whole, of shapes.
    heads: Option<Regex>,
    kinds: HashMap<Vec<u8>, Kind>,
    names: Vec<String>,
    longest: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A whole value, of the variable with this number.
    Exact(usize),
    /// The beginning of a shape.
    Shape(Body),
}

/// What a look at a text found.
#[derive(Debug, Default)]
struct Found {
    covers: Vec<Range<usize>>,
    /// From here on more text could make another find; the end of the text where nothing is open.
    sure: usize,
}

impl Redactor {
    /// Of these variables, where `holds_a_key`, and of all shapes.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut kinds, mut names): (HashMap<Vec<u8>, Kind>, Vec<String>) = (HashMap::new(), Vec::new());
        kinds.extend(HEADS.iter().map(|(head, body)| (head.as_bytes().to_vec(), Kind::Shape(*body))));
        for (name, value) in variables.into_iter().filter(|(name, value)| holds_a_key(name, value)) {
            kinds.extend(forms(&value).into_iter().map(|form| (form.into_bytes(), Kind::Exact(names.len()))));
            names.push(name);
        }
        let mut order: Vec<&Vec<u8>> = kinds.keys().collect();
        // The first alternative wins: a whole value over the shape it begins with, the longer over the shorter.
        order.sort_by_key(|head| (matches!(kinds.get(*head), Some(Kind::Shape(_))), std::cmp::Reverse(head.len()), *head));
        let longest = order.iter().map(|h| h.len()).max().unwrap_or(0);
        let words: Vec<String> = order.iter().map(|h| regex::escape(&String::from_utf8_lossy(h))).collect();
        // Only thousands of long variables could be too much for it; then values are not known, and shapes are.
        let compile = |words: &[String]| regex::bytes::RegexBuilder::new(&words.join("|")).size_limit(64 << 20).build().ok();
        let shapes = || compile(&HEADS.iter().map(|(head, _)| regex::escape(head)).collect::<Vec<_>>());
        let heads = compile(&words).or_else(shapes);
        Self { heads, kinds, names, longest }
    }

    /// The text with keys covered.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.find(text.as_bytes(), true);
        if found.covers.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut bytes = text.as_bytes().to_vec();
        cover(&mut bytes, &found.covers);
        Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Covers keys in place; whether there were any.
    pub fn cover(&self, bytes: &mut [u8]) -> bool {
        let found = self.find(bytes, true);
        cover(bytes, &found.covers);
        !found.covers.is_empty()
    }

    /// Covers keys in all strings of a JSON value, names of members included; whether there were any.
    pub fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                Cow::Owned(covered) => {
                    *text = covered;
                    true
                }
                Cow::Borrowed(_) => false,
            },
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.value(item) | any),
            Value::Object(members) => {
                let mut any = false;
                for (name, mut member) in std::mem::take(members) {
                    any |= self.value(&mut member);
                    let covered = self.text(&name);
                    any |= matches!(covered, Cow::Owned(_));
                    members.insert(covered.into_owned(), member);
                }
                any
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The name of a variable whose very value stands in the text, in one of its forms.
    pub fn value_in(&self, text: &str) -> Option<&str> {
        let heads = self.heads.as_ref().filter(|_| !self.names.is_empty())?;
        let mut from = 0;
        while let Some(hit) = heads.find_at(text.as_bytes(), from) {
            if let Some(Kind::Exact(number)) = self.kinds.get(hit.as_bytes()) {
                return self.names.get(*number).map(String::as_str);
            }
            from = hit.start() + 1;
        }
        None
    }

    fn find(&self, bytes: &[u8], complete: bool) -> Found {
        let mut found = Found { covers: Vec::new(), sure: bytes.len() };
        let Some(heads) = &self.heads else { return found };
        let mut from = 0;
        while let Some(hit) = heads.find_at(bytes, from) {
            from = hit.start() + 1;
            if let Some(last) = found.covers.last().filter(|cover| cover.contains(&hit.start())) {
                from = last.end;
                continue;
            }
            match self.kinds.get(hit.as_bytes()) {
                Some(Kind::Exact(_)) => {
                    found.covers.push(hit.range());
                    from = hit.end();
                }
                Some(Kind::Shape(body)) => {
                    let look = body.look(bytes, hit.start(), hit.end());
                    if look.open && !complete {
                        found.sure = hit.start();
                        return found;
                    }
                    if let Some(range) = look.cover {
                        // What stands between a shape's head and what it covers is looked at for itself: a key as the user of a URL.
                        from = if range.start > hit.end() { from } else { range.end.max(from) };
                        found.covers.push(range);
                    }
                }
                None => {}
            }
        }
        if !complete {
            // A shape that came to nothing may stand at the beginning of a value.
            let told = found.covers.iter().map(|cover| cover.end).max().unwrap_or(0);
            found.sure = self.begun(bytes, told);
        }
        found
    }

    /// Where a beginning that is not whole yet stands at the end of a text.
    fn begun(&self, bytes: &[u8], from: usize) -> usize {
        let first = from.max(bytes.len().saturating_sub(self.longest.saturating_sub(1)));
        for at in first..bytes.len() {
            let tail = bytes.get(at..).unwrap_or_default();
            let begins = |(head, kind): (&Vec<u8>, &Kind)| {
                head.len() > tail.len() && head.starts_with(tail) && (matches!(kind, Kind::Exact(_)) || shapes::apart(bytes, at, head))
            };
            if self.kinds.iter().any(begins) {
                return at;
            }
        }
        bytes.len()
    }
}

fn cover(bytes: &mut [u8], covers: &[Range<usize>]) {
    for range in covers {
        let Some(place) = bytes.get_mut(range.clone()) else { continue };
        place.fill(b'*');
        if let Some(head) = place.get_mut(..COVER.len()) {
            head.copy_from_slice(COVER);
        }
    }
}

/// A value and how it reads in other clothes; parts that depend on what stands around it are left out.
fn forms(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let hex = bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    });
    let escaped = |upper: bool| {
        bytes.iter().fold(String::new(), |mut out, b| {
            if b.is_ascii_alphanumeric() || b"-_.~".contains(b) {
                out.push(char::from(*b));
            } else if upper {
                let _ = write!(out, "%{b:02X}");
            } else {
                let _ = write!(out, "%{b:02x}");
            }
            out
        })
    };
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let mut forms = vec![value.to_owned(), hex.to_uppercase(), hex, escaped(true), escaped(false), json.replace('/', "\\/"), json];
    for before in 0..3 {
        let plain = base64(bytes, before);
        forms.push(plain.replace('+', "-").replace('/', "_"));
        forms.push(plain);
    }
    forms.sort();
    forms.dedup();
    forms.retain(|f| f.len() >= SHORTEST);
    forms
}

/// What base64 makes of the bytes wherever they stand, `before` bytes after a multiple of three: only the letters that no neighbour changes.
fn base64(bytes: &[u8], before: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| {
        let byte = (at / 8).checked_sub(before).and_then(|i| bytes.get(i)).copied().unwrap_or(0);
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let letters = (before * 8).div_ceil(6)..(before + bytes.len()) * 8 / 6;
    letters.filter_map(|l| LETTERS.get((0..6).fold(0, |sum, i| sum << 1 | bit(l * 6 + i)))).map(|b| char::from(*b)).collect()
}
