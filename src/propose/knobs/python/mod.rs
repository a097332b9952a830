//! Reads a Python module once: its named literals, and the facts that tell what they are for.

mod calls;
mod facts;
mod literals;

pub(super) use facts::{Facts, Guard, Import, Use};

use super::found::{Found, line_of};

/// Larger files are not read: no training script is, and the parser's stack is sized by the length.
const LARGEST: usize = 1 << 20;

/// What a module says.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// By place.
    pub literals: Vec<Found>,
    pub facts: Facts,
}

/// Reads a module, or says why it cannot be read.
///
/// The parser grows its stack by itself, but its tree is dropped recursively; so both happen on a thread whose stack
/// fits the worst nesting that a text of this length can hold.
pub(super) fn read(source: &str) -> Result<Module, String> {
    if source.len() > LARGEST {
        return Err(format!("{} bytes are more than a Python file of {LARGEST} bytes that is searched for knobs", source.len()));
    }
    let stack = (8 << 20) + 1024 * source.len();
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("knobs".into()).stack_size(stack).spawn_scoped(scope, || parsed(source));
        match worker {
            Ok(handle) => handle.join().unwrap_or_else(|_| Err("the Python parser gave up on it".into())),
            Err(error) => Err(format!("no thread to parse it: {error}")),
        }
    })
}

fn parsed(source: &str) -> Result<Module, String> {
    let parsed = ruff_python_parser::parse_module(source).map_err(|error| {
        let start = usize::from(error.location.start());
        format!("not valid Python, line {}: {}", line_of(source, start), error.error)
    })?;
    let mut literals = literals::literals(source, parsed.suite());
    literals.sort_by_key(|f| f.place.start);
    literals.dedup_by_key(|f| f.place.start);
    Ok(Module { literals, facts: facts::facts(source, parsed.suite()) })
}
