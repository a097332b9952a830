//! `knobs`: the settings that stand in the code.

use super::{Args, Hands};
use crate::propose::agent::{data, line};

const MOST: usize = 150;

pub(super) fn knobs(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let trial = hands.meant(args)?;
    let knobs = hands.bench.knobs(&hands.tree_of(trial)?)?;
    if knobs.is_empty() {
        return Ok(format!("no settings were found in the code of {trial}"));
    }
    let rows: Vec<String> = knobs
        .iter()
        .take(MOST)
        .map(|k| {
            format!(
                "{} = {} ({}:{}; usual range {})",
                line(&k.name, 60),
                line(&k.value, 60),
                line(&k.path, 100),
                k.line,
                line(&k.range, 60)
            )
        })
        .collect();
    let more = if knobs.len() > MOST { format!("\n(+{} more)", knobs.len() - MOST) } else { String::new() };
    Ok(format!("{}{more}", data(&format!("settings in the code of {trial}"), &rows.join("\n"))))
}
