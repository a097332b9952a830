//! The conversation of one proposal: the model is asked, its tools are called, until it hands something in or gives up.
//!
//! Knows neither the engine nor a file: what is said, thought and spent goes to a listener as it happens. Whatever a model or
//! its server does, the end is a draft or a reason in one line.

use super::tools::{self, Outcome};
use super::{Desk, Scene, Workbench};
use crate::model::conversation::{Answered, Finish, Message, Thought, ToolCall, Turn};
use crate::model::{Draft, Spend, redact};
use crate::propose::llm::{Ask, Fault, FaultKind, Heard, Llm, ToolSpec};
use crate::propose::role::Role;
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What one proposal may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Tokens sent and received, over all answers.
    pub tokens: u64,
    /// US dollars.
    pub usd: Option<f64>,
}

/// What a listener hears of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// For the record.
    Turn(Turn),
    /// For who looks on.
    Thought(Thought),
    /// An answer was paid for.
    Spent(Spend),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// With a proposal that was checked.
    Submitted(Box<Draft>),
    /// Without one.
    Nothing {
        /// In one line.
        why: String,
        /// What ended it.
        end: End,
    },
}

/// What ends a session without a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its server was at fault, not the model's ideas.
    Server,
    /// The model had no idea that is worth a run, and said so.
    GaveUp,
    /// The model came to no end.
    Unfinished,
}

/// Answers without a call of a tool that are let pass in a row.
const IDLE: u32 = 2;
/// Share of the allowance at which the model is told to come to an end.
const NEARLY: f64 = 0.8;
/// Bytes of reasoning that go into the draft.
const REASONING: usize = 24 << 10;
/// Bytes of a call's arguments that who looks on is shown.
const SHOWN: usize = 4 << 10;
/// Bytes of a tool's answer that who looks on is shown: all of it, or its lines would be counted wrong.
const TOLD: usize = tools::LONGEST;
/// Share of what the model can take in that a conversation may fill.
const FULL: f64 = 0.75;
/// Letters of a token, on the safe side.
const LETTERS: f64 = 3.0;

/// Who works on what.
pub struct Session<'a> {
    /// The model.
    pub llm: &'a dyn Llm,
    /// The specialist.
    pub role: Arc<Role>,
    /// The study.
    pub bench: Arc<dyn Workbench>,
    /// What is asked.
    pub scene: Arc<Scene>,
    /// What it may cost.
    pub allowance: Allowance,
    /// Hears what an answer has cost, about, that was broken off because the session was dropped.
    pub lost: &'a (dyn Fn(Spend) + Send + Sync),
}

/// An answer that is being paid for.
struct Unpaid<'a> {
    lost: &'a (dyn Fn(Spend) + Send + Sync),
    prices: [f64; 3],
    sent: usize,
    heard: AtomicUsize,
    open: bool,
}

impl Drop for Unpaid<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let tokens = |letters: usize| (letters as f64 / LETTERS).ceil();
        let (prompt, completion) = (tokens(self.sent), tokens(self.heard.load(Ordering::Relaxed)));
        let [input, _, output] = self.prices;
        (self.lost)(Spend {
            calls: 1,
            prompt_tokens: prompt as u64,
            completion_tokens: completion as u64,
            usd: (prompt * input + completion * output) / 1e6,
            estimated: true,
            ..Spend::default()
        });
    }
}

struct State<'h> {
    messages: Vec<Message>,
    desk: Desk,
    spent: Spend,
    thoughts: String,
    hear: &'h mut (dyn FnMut(Said) + Send),
}

impl State<'_> {
    /// Tells the model something. A key in a log or a file of the repository is no business of a model server.
    fn tell(&mut self, message: Message) {
        let message = covered(message);
        (self.hear)(Said::Turn(Turn::Told { message: message.clone() }));
        self.messages.push(message);
    }

    fn note(&mut self, text: String) {
        (self.hear)(Said::Thought(Thought::Note { text }));
    }

    fn spend(&mut self, spend: Spend) {
        self.spent.add(&spend);
        (self.hear)(Said::Spent(spend));
    }
}

impl Session<'_> {
    /// Sees it through. Dropping the future ends it.
    ///
    /// `first` is what the model is told: who it is, then the digest and what is asked of it.
    pub async fn propose(&self, first: Vec<Message>, hear: &mut (dyn FnMut(Said) + Send)) -> Ended {
        let mut state = State { messages: Vec::new(), desk: Desk::default(), spent: Spend::default(), thoughts: String::new(), hear };
        for message in first {
            state.tell(message);
        }
        let ended = self.converse(&mut state).await;
        if let Ended::Nothing { why, .. } = &ended {
            (state.hear)(Said::Turn(Turn::Failed { why: why.clone() }));
        }
        ended
    }

    async fn converse(&self, state: &mut State<'_>) -> Ended {
        let specs = tools::specs(&self.role, &*self.bench);
        let (mut idle, mut warned) = (0, false);
        for turn in 0..self.role.limits.turns {
            let used = self.used(&state.spent);
            if used >= 1.0 {
                return nothing(format!("the allowance of one proposal is used up after {} answers", state.spent.calls));
            }
            let last = turn + 2 >= self.role.limits.turns;
            if (used >= NEARLY || last) && !warned {
                warned = true;
                state.tell(Message::User { text: NEARLY_OVER.to_owned() });
            }
            let answer = match self.ask(state, &specs).await {
                Ok(answer) => answer,
                Err(fault) => {
                    let end = if fault.kind == FaultKind::Answer { End::Unfinished } else { End::Server };
                    return Ended::Nothing { why: fault.line, end };
                }
            };
            let cut = matches!(answer.finish, Finish::Length | Finish::Cut);
            let calls = answer.calls.clone();
            remember(&mut state.thoughts, &answer);
            state.messages.push(Message::Assistant { text: answer.text, calls: answer.calls, opaque: answer.opaque });
            if calls.is_empty() {
                idle += 1;
                if idle > IDLE {
                    return nothing(format!("{idle} answers in a row called no tool, so nothing was handed in"));
                }
                state.tell(Message::User { text: if cut { WAS_CUT } else { NO_CALL }.to_owned() });
                continue;
            }
            idle = 0;
            if let Some(ended) = self.call_all(state, calls).await {
                return ended;
            }
        }
        nothing(format!("{} answers were not enough for a proposal", self.role.limits.turns))
    }

    /// Calls the tools of one answer, in order; the first that ends the session ends the rest.
    async fn call_all(&self, state: &mut State<'_>, calls: Vec<ToolCall>) -> Option<Ended> {
        let mut unheard = None;
        for call in calls {
            let arguments = cut(&one_line(&call.arguments), SHOWN);
            (state.hear)(Said::Thought(Thought::Called { name: call.name.clone(), arguments }));
            if let (tools::SUBMIT, Some(check)) = (call.name.as_str(), &unheard) {
                let text = format!(
                    "not handed in: `{check}` of this same answer failed, and you have not read why. Read it, mend the edit, and submit again"
                );
                (state.hear)(Said::Thought(Thought::Told { name: call.name.clone(), text: text.clone(), failed: true }));
                state.tell(Message::Tool { call: call.id.clone(), name: call.name.clone(), text, failed: true });
                continue;
            }
            let desk = std::mem::take(&mut state.desk);
            let (bench, role, scene, asked) = (Arc::clone(&self.bench), Arc::clone(&self.role), Arc::clone(&self.scene), call.clone());
            let work = move || {
                let mut desk = desk;
                let outcome = tools::call(&*bench, &role, &scene, &mut desk, &asked);
                (desk, outcome)
            };
            let Ok((desk, outcome)) = tokio::task::spawn_blocking(work).await else {
                return Some(nothing("an error inside trialdeck while a tool was at work; engine.log has more".into()));
            };
            state.desk = desk;
            let told = |state: &mut State<'_>, text: &str, failed: bool| {
                let shown = Thought::Told { name: call.name.clone(), text: cut(text, TOLD), failed };
                (state.hear)(Said::Thought(shown));
            };
            match outcome {
                Outcome::Told { text, failed } => {
                    if failed && tools::TRIALS.contains(&call.name.as_str()) {
                        unheard = Some(call.name.clone());
                    }
                    told(state, &text, failed);
                    state.tell(Message::Tool { call: call.id.clone(), name: call.name.clone(), text, failed });
                }
                Outcome::Submitted { mut draft, checked } => {
                    let text = format!("handed in: {} files, +{} −{}", checked.diff.files, checked.diff.added, checked.diff.removed);
                    told(state, &text, false);
                    if draft.reasoning.trim().is_empty() {
                        draft.reasoning = std::mem::take(&mut state.thoughts);
                    }
                    draft.surface = draft.surface.or_else(|| self.scene.assignment.surface.clone());
                    return Some(Ended::Submitted(draft));
                }
                Outcome::GaveUp { why } => {
                    told(state, &why, false);
                    let why = format!("the {} has nothing to propose: {}", self.role.title, one_line(&why));
                    return Some(Ended::Nothing { why, end: End::GaveUp });
                }
            }
        }
        None
    }

    /// One answer. What does not fit into the model is made shorter once.
    async fn ask(&self, state: &mut State<'_>, specs: &[ToolSpec]) -> Result<Answered, Fault> {
        let mut shorten = self.llm.context().map_or(usize::MAX, |tokens| (f64::from(tokens) * FULL * LETTERS) as usize);
        for again in [true, false] {
            let messages = fitted(&state.messages, shorten);
            let ask = Ask { messages: &messages, tools: specs, max_tokens: self.role.limits.max_tokens };
            let hear = &mut *state.hear;
            let tools: usize = specs.iter().map(|s| s.description.len() + s.parameters.to_string().len()).sum();
            let mut unpaid = Unpaid {
                lost: self.lost,
                prices: self.llm.prices().unwrap_or_default(),
                sent: length(&messages) + tools,
                heard: AtomicUsize::new(0),
                open: true,
            };
            let heard_so_far = &unpaid.heard;
            let grew = |text: &str| heard_so_far.fetch_add(text.len(), Ordering::Relaxed);
            let mut listen = |heard: Heard<'_>| match heard {
                Heard::Reasoning(text) => {
                    grew(text);
                    hear(Said::Thought(Thought::Reasoning { text: text.to_owned() }));
                }
                Heard::Text(text) => {
                    grew(text);
                    hear(Said::Thought(Thought::Answer { text: text.to_owned() }));
                }
                // It is shown with its arguments once they are whole.
                Heard::Calling(_) => {}
                Heard::Retrying { why, wait_secs } => {
                    hear(Said::Turn(Turn::Retried { why: why.to_owned(), wait_secs }));
                    hear(Said::Thought(Thought::Note { text: format!("{why}; the next try is in {wait_secs:.0} s") }));
                }
            };
            let result = self.llm.ask(ask, &mut listen).await;
            unpaid.open = false;
            match result {
                Ok(answer) => {
                    state.spend(answer.spend);
                    let model = self.llm.name().to_owned();
                    (state.hear)(Said::Turn(Turn::Answered { model, answer: answer.clone() }));
                    return Ok(answer);
                }
                Err(fault) => {
                    if !fault.spend.is_nothing() {
                        state.spend(fault.spend);
                    }
                    if fault.kind != FaultKind::TooLong || !again {
                        return Err(fault);
                    }
                    shorten = length(&messages) / 2;
                    state.note("the conversation is longer than the model takes in: older answers of tools are left out".into());
                }
            }
        }
        Err(Fault { kind: FaultKind::TooLong, line: "the conversation does not fit into the model".into(), spend: Spend::default() })
    }

    /// Share of the allowance that is used.
    fn used(&self, spent: &Spend) -> f64 {
        let tokens = (spent.prompt_tokens - spent.cached_tokens.min(spent.prompt_tokens) + spent.completion_tokens) as f64;
        let money = self.allowance.usd.map_or(0.0, |usd| if usd > 0.0 { spent.usd / usd } else { 1.0 });
        (tokens / self.allowance.tokens.max(1) as f64).max(money)
    }
}

const NEARLY_OVER: &str = "Little is left of what this one proposal may cost. Hand in the best edit that you have with `submit`, in your \
                           very next answer, or end with `give_up` and say why.";
const NO_CALL: &str = "Your answer called no tool, so nothing happened. Work with the tools; the proposal itself is handed in by calling \
                       `submit`, and `give_up` ends without one.";
const WAS_CUT: &str = "Your answer was cut off before it called a tool. Think in fewer words and call a tool: `submit` hands the proposal \
                       in, `give_up` ends without one.";

fn covered(message: Message) -> Message {
    let clean = |text: String| match redact::ours().text(&text) {
        Cow::Owned(covered) => covered,
        Cow::Borrowed(_) => text,
    };
    match message {
        Message::System { text } => Message::System { text: clean(text) },
        Message::User { text } => Message::User { text: clean(text) },
        Message::Tool { call, name, text, failed } => Message::Tool { call, name, text: clean(text), failed },
        own @ Message::Assistant { .. } => own,
    }
}

fn nothing(why: String) -> Ended {
    Ended::Nothing { why, end: End::Unfinished }
}

/// Keeps what was thought and said, the end of it where it is long.
fn remember(thoughts: &mut String, answer: &Answered) {
    for text in [&answer.reasoning, &answer.text] {
        if !text.trim().is_empty() {
            thoughts.push_str(text.trim());
            thoughts.push_str("\n\n");
        }
    }
    if thoughts.len() > REASONING {
        let from = (thoughts.len() - REASONING..thoughts.len()).find(|at| thoughts.is_char_boundary(*at)).unwrap_or(0);
        thoughts.drain(..from);
    }
}

fn length(messages: &[Message]) -> usize {
    let of = |message: &Message| match message {
        Message::System { text } | Message::User { text } | Message::Tool { text, .. } => text.len(),
        Message::Assistant { text, calls, .. } => text.len() + calls.iter().map(|c| c.arguments.len()).sum::<usize>(),
    };
    messages.iter().map(of).sum()
}

/// The same conversation in at most so many bytes, where that can be had: the oldest answers of tools give way first. What a
/// tool said can be asked again; what was asked of the model cannot.
fn fitted(messages: &[Message], most: usize) -> Vec<Message> {
    let mut all = messages.to_vec();
    let mut over = length(&all).saturating_sub(most);
    for message in &mut all {
        if over == 0 {
            break;
        }
        if let Message::Tool { text, .. } = message
            && text.len() > LEFT_OUT.len()
        {
            over = over.saturating_sub(text.len() - LEFT_OUT.len());
            LEFT_OUT.clone_into(text);
        }
    }
    all
}

const LEFT_OUT: &str = "(left out to save room; call the tool again if you need it)";

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text, at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= most).last() {
        Some(end) if end < text.len() => format!("{}…", text.get(..end).unwrap_or_default()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
