//! The nearest valid word for a mistyped one.

/// Returns the word nearest to `typed`, if one is near enough to be what was meant.
///
/// Case and the difference between `-` and `_` do not count. Near is an edit distance (transpositions count once) of at
/// most a third of the longer word, or a word that the other one begins with.
pub fn nearest_word<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    if typed.chars().count() > 64 {
        return None;
    }
    let typed = plain(typed);
    words
        .into_iter()
        .filter_map(|word| {
            let other = plain(word);
            let distance = strsim::damerau_levenshtein(&typed, &other);
            let longest = typed.chars().count().max(other.chars().count());
            let begins = typed.len() >= 3 && other.len() >= 3 && (other.starts_with(&typed) || typed.starts_with(&other));
            (distance * 3 <= longest || begins).then_some((distance, word))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest_word;

    #[test]
    fn words_that_were_meant() {
        let words = ["command", "seed", "seeds", "keep", "preflight", "env"];
        for (typed, want) in [
            ("comand", Some("command")),
            ("Command", Some("command")),
            ("cmomand", Some("command")),
            ("keeep", Some("keep")),
            ("pre-flight", Some("preflight")),
            ("seedd", Some("seed")),
            ("environment", Some("env")),
            ("wall", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest_word(typed, words), want, "{typed}");
        }
        assert_eq!(nearest_word(&"x".repeat(100_000), words), None);
    }
}
