//! `show --conversation`: who was told what, what was thought and answered, which tools ran, and what it cost.
//!
//! Pure. Long texts are folded to a few lines unless all is asked for; nothing of it reaches a terminal uncleaned.

use super::paint::{Paint, Tone};
use super::words::{fit, plural, safe, seconds};
use crate::model::conversation::{Answered, Finish, Message, ToolCall, Turn};
use crate::model::{Proposal, Safe, Spend};

/// Lines of a text that are shown, unless all is.
const LINES: usize = 6;
/// Lines of a tool's answer.
const TOOL_LINES: usize = 3;
/// Columns of a line.
const COLUMNS: usize = 160;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// A few lines of each text.
    Few,
    /// Everything.
    Nothing,
}

/// Returns a conversation for people. `trouble`: what is wrong with its record.
pub fn conversation(request: &Proposal, turns: &[Turn], trouble: Option<&str>, fold: Fold, paint: Paint) -> String {
    let trial = request.trial.map_or_else(|| "no trial came of it".into(), |t| t.to_string());
    let mut lines = vec![format!("{}  {}, {trial}", paint.tone(Tone::Strong, &request.id.to_string()), safe(&request.proposer))];
    if let Some(asked) = &request.assignment {
        lines.push(format!("asked: {} with {} ({})", safe(&asked.role), safe(&asked.model), safe(&asked.why)));
    }
    if let Some(trouble) = trouble {
        lines.push(paint.tone(Tone::Bad, &format!("the record is damaged: {}", safe(trouble))));
    }
    if turns.is_empty() {
        lines.push("nothing is recorded: its proposer speaks with no model".into());
    }
    let mut out = Lines { lines, fold, paint };
    let mut sum = Spend::default();
    for turn in turns {
        out.turn(turn);
        if let Turn::Answered { answer, .. } = turn {
            sum.add(&answer.spend);
        }
    }
    if !sum.is_nothing() {
        out.lines.extend([String::new(), format!("in all: {}, {}", plural(sum.calls as usize, "answer"), spent(&sum))]);
    }
    if let Some(why) = &request.failed {
        out.lines.push(paint.tone(Tone::Bad, &format!("came to nothing: {}", safe(why))));
    }
    out.lines.join("\n") + "\n"
}

/// Tokens and money of one answer or of several.
fn spent(spend: &Spend) -> String {
    let about = if spend.estimated { "about " } else { "" };
    let cached = if spend.cached_tokens > 0 { format!(" ({} cached)", spend.cached_tokens) } else { String::new() };
    let usd = if spend.usd > 0.0 { format!(", ${:.4}", spend.usd) } else { String::new() };
    format!("{about}{}{cached} tokens in, {} out{usd}", spend.prompt_tokens, spend.completion_tokens)
}

struct Lines {
    lines: Vec<String>,
    fold: Fold,
    paint: Paint,
}

impl Lines {
    fn turn(&mut self, turn: &Turn) {
        match turn {
            Turn::Began { revision } => self.head(Tone::Strong, &format!("revision {revision}"), ""),
            Turn::Told { message } => self.told(message),
            Turn::Answered { model, answer } => self.answered(model, answer),
            Turn::Retried { why, wait_secs } => self.head(Tone::Warning, "tried again", &format!("after {}: {why}", seconds(*wait_secs))),
            Turn::Failed { why } => self.head(Tone::Bad, "gave up", why),
        }
    }

    fn head(&mut self, tone: Tone, who: &str, what: &str) {
        self.lines.push(String::new());
        let what = if what.is_empty() { String::new() } else { format!("  {}", safe(what)) };
        self.lines.push(format!("{}{what}", self.paint.tone(tone, &safe(who))));
    }

    fn told(&mut self, message: &Message) {
        match message {
            Message::System { text } => {
                self.head(Tone::Strong, "system", "");
                self.text(text, LINES);
            }
            Message::User { text } => {
                self.head(Tone::Strong, "told", "");
                self.text(text, LINES);
            }
            Message::Assistant { text, calls, .. } => {
                self.head(Tone::Strong, "reminded of its answer", "");
                self.text(text, LINES);
                self.calls(calls);
            }
            Message::Tool { name, text, failed, .. } => {
                let (tone, what) = if *failed { (Tone::Bad, "could not") } else { (Tone::Faint, "") };
                self.head(tone, &format!("tool {name}"), what);
                self.text(text, TOOL_LINES);
            }
        }
    }

    fn answered(&mut self, model: &str, answer: &Answered) {
        let first = answer.first_token_secs.map(|s| format!(", first token after {}", seconds(s))).unwrap_or_default();
        let how = match answer.finish {
            Finish::Stop | Finish::Tools => "",
            Finish::Length => ", cut at the limit of tokens",
            Finish::Filter => ", held back by the server",
            Finish::Cut => ", the stream was cut",
        };
        self.head(Tone::Good, model, &format!("{}, {}{first}{how}", spent(&answer.spend), seconds(answer.spend.seconds)));
        if !answer.reasoning.trim().is_empty() {
            self.lines.push(self.paint.tone(Tone::Faint, "  thinks"));
            self.text(&answer.reasoning, LINES);
        }
        if !answer.text.trim().is_empty() {
            self.lines.push(self.paint.tone(Tone::Faint, "  says"));
            self.text(&answer.text, LINES);
        }
        self.calls(&answer.calls);
    }

    fn calls(&mut self, calls: &[ToolCall]) {
        for call in calls {
            let line = format!("  calls {} {}", safe(&call.name), safe(&call.arguments));
            self.lines.push(if self.fold == Fold::Few { fit(&line, COLUMNS) } else { line });
            if self.fold == Fold::Nothing && call.arguments.contains('\n') {
                self.text(&call.arguments, LINES);
            }
        }
    }

    fn text(&mut self, text: &str, few: usize) {
        let all = Safe::lines(text.trim_matches('\n'));
        let shown = if self.fold == Fold::Few { few } else { all.len() };
        for line in all.iter().take(shown) {
            let line = if self.fold == Fold::Few { fit(line.as_str(), COLUMNS) } else { line.as_str().to_owned() };
            self.lines.push(format!("    {line}"));
        }
        if all.len() > shown {
            let more = plural(all.len() - shown, "more line");
            self.lines.push(self.paint.tone(Tone::Faint, &format!("    … {more}: --full shows them")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Millis, Operator, ProposalId, TrialId};

    fn request() -> Proposal {
        Proposal {
            id: ProposalId(12),
            proposer: "agents/architecture".into(),
            parents: vec![TrialId(3)],
            operator: Operator::Improve,
            decision: 4,
            asked: Millis(0),
            requested: true,
            trial: Some(TrialId(9)),
            failed: None,
            gave_up: false,
            news: 0,
            assignment: None,
            spend: Spend::default(),
        }
    }

    fn turns() -> Vec<Turn> {
        let call = ToolCall { id: "1".into(), name: "read_file".into(), arguments: "{\"path\": \"train.py\"}".into() };
        let spend = Spend {
            calls: 1,
            prompt_tokens: 1200,
            cached_tokens: 800,
            completion_tokens: 340,
            usd: 0.0021,
            estimated: false,
            seconds: 3.2,
        };
        let answer = Answered {
            text: "I look at \u{1b}[31mthe file".into(),
            reasoning: "the step\nmay be\ntoo large".into(),
            calls: vec![call],
            opaque: Vec::new(),
            finish: Finish::Tools,
            spend,
            first_token_secs: Some(0.4),
        };
        let long: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        vec![
            Turn::Began { revision: 1 },
            Turn::Told { message: Message::System { text: long } },
            Turn::Told { message: Message::User { text: "improve t0003".into() } },
            Turn::Retried { why: "429 of the server".into(), wait_secs: 2.0 },
            Turn::Answered { model: "small".into(), answer },
            Turn::Told {
                message: Message::Tool { call: "1".into(), name: "read_file".into(), text: "no such\u{202e} file".into(), failed: true },
            },
            Turn::Failed { why: "the budget of tokens is used up".into() },
        ]
    }

    #[test]
    fn it_reads_well_and_nothing_acts_on_a_terminal() {
        let text = conversation(&request(), &turns(), None, Fold::Few, Paint::PLAIN);
        insta::assert_snapshot!(text);
        let full = conversation(&request(), &turns(), Some("bytes 3 to 9 cannot be read"), Fold::Nothing, Paint::PLAIN);
        assert!(full.contains("line 20") && !full.contains("--full") && full.contains("the record is damaged: bytes 3 to 9"));
        assert!(!full.contains('\u{1b}') && !full.contains('\u{202e}'), "{full}");
    }

    #[test]
    fn a_sampler_says_nothing() {
        let text = conversation(&Proposal { trial: None, failed: Some("no idea".into()), ..request() }, &[], None, Fold::Few, Paint::PLAIN);
        assert!(text.contains("no trial came of it") && text.contains("nothing is recorded") && text.contains("came to nothing: no idea"));
    }
}
