//! The names of proposers: as a study lists them, and as facts carry them.

/// What facts call a proposer of the settings: `knobs/tpe` for `tpe`, `command/claude` for `command:claude`.
pub fn proposer_name(entry: &str) -> String {
    match entry.split_once(':') {
        Some(("command", name)) => format!("command/{name}"),
        _ => format!("knobs/{entry}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_facts() {
        for (entry, name) in
            [("tpe", "knobs/tpe"), ("random", "knobs/random"), ("command:claude", "command/claude"), ("command:a:b", "command/a:b")]
        {
            assert_eq!(proposer_name(entry), name);
        }
    }
}
