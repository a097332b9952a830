//! What one server was found not to know, and the field of a request that is left out or renamed for it. Pure.
//!
//! Each quirk is tried once: where the same complaint comes again it is believed.

use serde_json::Value;
use std::collections::BTreeSet;

/// Something that a server does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quirk {
    /// `stream_options`.
    Usage,
    /// `max_tokens`: it wants `max_completion_tokens`.
    MaxTokens,
    /// `max_completion_tokens`, though it was tried: it wants `max_tokens`.
    MaxCompletionTokens,
    /// So many tokens of an answer.
    ManyTokens,
    /// `temperature`.
    Temperature,
    /// `reasoning_effort`, or all of `reasoning`.
    Effort,
    /// `reasoning.summary`.
    Summary,
    /// `include`.
    Encrypted,
    /// `store`.
    Store,
    /// `tools`.
    Tools,
}

impl Quirk {
    /// What is done about it, for the user.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Usage => "asked again without stream_options; tokens may be estimated",
            Self::MaxTokens => "asked again with max_completion_tokens",
            Self::MaxCompletionTokens => "asked again with max_tokens",
            Self::ManyTokens => "asked again without max_tokens",
            Self::Temperature => "asked again without temperature",
            Self::Effort => "asked again without reasoning effort",
            Self::Summary => "asked again without a summary of the reasoning",
            Self::Encrypted => "asked again without encrypted reasoning",
            Self::Store => "asked again without store",
            Self::Tools => "asked again with tools described in words",
        }
    }
}

/// What is known of a server.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Quirks(BTreeSet<Quirk>);

impl Quirks {
    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }

    /// Remembers.
    pub(super) fn learn(&mut self, quirk: Quirk) {
        self.0.insert(quirk);
    }
}

/// A complaint about the length of the answer that was allowed.
pub(super) fn too_many_tokens(low: &str, asked: &Value) -> Option<Quirk> {
    let sent =
        asked.get("max_tokens").is_some() || asked.get("max_completion_tokens").is_some() || asked.get("max_output_tokens").is_some();
    let named = ["max_tokens", "max_completion_tokens", "max_output_tokens"].iter().any(|w| low.contains(w));
    let large = ["too large", "too high", "at most", "must be less than", "exceeds the limit", "range of"].iter().any(|w| low.contains(w));
    (sent && named && large).then_some(Quirk::ManyTokens)
}

/// Which field of the request a complaint is about.
pub(super) fn of(low: &str, asked: &Value) -> Option<Quirk> {
    let sent = |field: &str| asked.get(field).is_some();
    let says = |words: &[&str]| words.iter().any(|w| low.contains(w));
    let rules: [(bool, Quirk); 10] = [
        (sent("stream_options") && says(&["stream_options", "include_usage", "stream options"]), Quirk::Usage),
        (sent("max_tokens") && says(&["max_completion_tokens"]), Quirk::MaxTokens),
        (sent("max_completion_tokens") && says(&["max_completion_tokens"]), Quirk::MaxCompletionTokens),
        (sent("temperature") && says(&["temperature"]), Quirk::Temperature),
        (sent("include") && says(&["encrypted", "include"]), Quirk::Encrypted),
        (asked.pointer("/reasoning/summary").is_some() && says(&["summary", "summaries"]), Quirk::Summary),
        (sent("reasoning_effort") && says(&["reasoning_effort", "reasoning effort", "thinking", "reasoning"]), Quirk::Effort),
        (sent("reasoning") && says(&["reasoning"]), Quirk::Effort),
        (sent("store") && says(&["store"]), Quirk::Store),
        (sent("tools") && says(&["tool", "function call", "function_call", "functions"]), Quirk::Tools),
    ];
    rules.into_iter().find(|(holds, _)| *holds).map(|(_, quirk)| quirk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_complaint_is_traced_to_a_field() {
        let chat = json!({"stream_options": {}, "max_tokens": 1, "temperature": 1, "reasoning_effort": "low", "tools": []});
        let responses = json!({"include": [], "reasoning": {"summary": "auto"}, "store": false, "tools": [], "temperature": 1});
        for (asked, said, want) in [
            (&chat, "Unknown parameter: 'stream_options'", Some(Quirk::Usage)),
            (
                &chat,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                Some(Quirk::MaxTokens),
            ),
            (&chat, "'temperature' does not support 0.2 with this model", Some(Quirk::Temperature)),
            (&chat, "Function tools with reasoning_effort are not supported", Some(Quirk::Effort)),
            (&chat, "registry.ollama.ai/library/gemma does not support tools", Some(Quirk::Tools)),
            (&chat, "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set", Some(Quirk::Tools)),
            (&chat, "No endpoints found that support tool use", Some(Quirk::Tools)),
            (&chat, "the model is not there", None),
            (&json!({}), "temperature tools stream_options", None),
            (&responses, "Encrypted content is not supported with this model.", Some(Quirk::Encrypted)),
            (&responses, "Your organization must be verified to generate reasoning summaries.", Some(Quirk::Summary)),
            (&responses, "Unsupported parameter: 'reasoning.effort'", Some(Quirk::Effort)),
        ] {
            assert_eq!(of(&said.to_lowercase(), asked), want, "{said}");
        }
        let large = "max_tokens is too large: 99999. This model supports at most 16384 completion tokens";
        assert_eq!(too_many_tokens(large, &chat), Some(Quirk::ManyTokens));
        assert_eq!(too_many_tokens("this model's maximum context length is 8192 tokens", &chat), None);
        let mut quirks = Quirks::default();
        quirks.learn(Quirk::Tools);
        assert!(quirks.has(Quirk::Tools) && !quirks.has(Quirk::Store));
    }
}
