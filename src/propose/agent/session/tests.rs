//! A scripted model at a small workbench: every way in which a session can end.

use super::*;
use crate::model::conversation::Answered;
use crate::model::{Assignment, Diff, DiffStat, Failure, Label, Operator, ProposalId, RunId, Study, TrialId, sample};
use crate::propose::agent::{Checked, CurveSummary, FileEntry, KnobRow, Preflight};
use crate::propose::role;
use crate::task::Task;
use futures::{FutureExt, future::BoxFuture};
use std::sync::Mutex;

/// One file, one trial, edits that apply when they name the file.
struct Table {
    task: Task,
    study: Study,
}

const TRAIN: &str = "RATE = 0.1\nSTEPS = 10\n";

impl Workbench for Table {
    fn look(&self, look: &mut dyn FnMut(&Study)) {
        look(&self.study);
    }
    fn task(&self) -> &Task {
        &self.task
    }
    fn files(&self, _: &str) -> Result<Vec<FileEntry>, String> {
        Ok(vec![FileEntry { path: "train.py".into(), bytes: TRAIN.len() as u64, editable: true }])
    }
    fn read(&self, _: &str, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok((path == "train.py").then(|| TRAIN.as_bytes().to_vec()))
    }
    fn diff(&self, _: &str, _: &str) -> Result<Diff, String> {
        Err("no diff here".into())
    }
    fn log(&self, _: RunId, _: bool, _: u32) -> Result<String, String> {
        Ok(String::new())
    }
    fn curves(&self, _: RunId) -> Result<Vec<CurveSummary>, String> {
        Ok(Vec::new())
    }
    fn knobs(&self, _: &str) -> Result<Vec<KnobRow>, String> {
        Ok(Vec::new())
    }
    fn draft(&self, _: ProposalId, _: u32) -> Option<Draft> {
        None
    }
    fn brief(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn hardware(&self) -> String {
        "one processor".into()
    }
    fn check(&self, _: &[TrialId], _: &str, draft: &Draft) -> Result<Checked, Failure> {
        let fits = draft.edits.iter().all(|edit| matches!(edit, crate::model::Edit::Replace { search, .. } if TRAIN.contains(search)));
        if !fits || draft.edits.is_empty() {
            return Err(Failure::new(Label::ApplyFailed, "train.py has no such lines"));
        }
        let diff = DiffStat { files: 1, added: 1, removed: 1 };
        let changed = vec!["train.py".to_owned()];
        Ok(Checked { tree: "f".repeat(40), diff, changed, surface: None, flags: Vec::new(), duplicate: None, near: None })
    }
    fn preflight(&self, _: &str) -> Result<Preflight, String> {
        Err("the task has no preflight".into())
    }
}

fn table() -> Table {
    let text = "[task]\nname = \"t\"\nmetric = \"loss\"\ngoal = \"minimize\"\n[run]\ncommand = \"python train.py\"\n[budget]\nwall = \"1s\"\n\
                [evaluator]\ncommand = \"true\"\n";
    let created = crate::model::Event::StudyCreated {
        format: crate::model::FORMAT,
        study: "t-1".into(),
        settings: Box::new(sample::settings()),
        commit: "c".into(),
        tree: "a".repeat(40),
        source: "here".into(),
        evaluator: None,
    };
    let record = crate::model::Record { seq: 1, at: crate::model::Millis(0), event: created };
    Table { task: crate::task::parse(text, "task.toml").unwrap().task, study: crate::model::create(&record).unwrap() }
}

type Script = Vec<Result<Answered, Fault>>;

/// Thinks without end.
struct Thinker;

impl Llm for Thinker {
    fn name(&self) -> &str {
        "thinker"
    }
    fn prices(&self) -> Option<[f64; 3]> {
        Some([1e6, 0.0, 1e6])
    }
    fn context(&self) -> Option<u32> {
        None
    }
    fn ask<'a>(&'a self, _: Ask<'a>, hear: &'a mut (dyn FnMut(Heard<'_>) + Send)) -> BoxFuture<'a, Result<Answered, Fault>> {
        hear(Heard::Reasoning("thirty letters of some thought"));
        Box::pin(std::future::pending())
    }
}

/// Gives one answer after the other and keeps what it was asked.
struct Model {
    script: Mutex<Script>,
    asked: Mutex<Vec<Vec<Message>>>,
    context: Option<u32>,
}

impl Llm for Model {
    fn name(&self) -> &str {
        "scripted"
    }
    fn prices(&self) -> Option<[f64; 3]> {
        None
    }
    fn context(&self) -> Option<u32> {
        self.context
    }
    fn ask<'a>(&'a self, ask: Ask<'a>, hear: &'a mut (dyn FnMut(Heard<'_>) + Send)) -> BoxFuture<'a, Result<Answered, Fault>> {
        self.asked.lock().unwrap().push(ask.messages.to_vec());
        let next = self.script.lock().unwrap().remove(0);
        if let Ok(answer) = &next {
            hear(Heard::Reasoning(&answer.reasoning));
        }
        Box::pin(async move { next })
    }
}

fn says(text: &str, calls: &[(&str, serde_json::Value)]) -> Result<Answered, Fault> {
    let call = |(n, (name, arguments)): (usize, &(&str, serde_json::Value))| ToolCall {
        id: format!("c{n}"),
        name: (*name).to_owned(),
        arguments: arguments.to_string(),
    };
    Ok(Answered {
        text: text.into(),
        reasoning: "hm".into(),
        calls: calls.iter().enumerate().map(call).collect(),
        opaque: Vec::new(),
        finish: if calls.is_empty() { Finish::Stop } else { Finish::Tools },
        spend: Spend { calls: 1, prompt_tokens: 100, completion_tokens: 10, ..Spend::default() },
        first_token_secs: None,
    })
}

fn fault(kind: FaultKind) -> Result<Answered, Fault> {
    Err(Fault { kind, line: "the server is away".into(), spend: Spend::default() })
}

fn submit(search: &str) -> (&'static str, serde_json::Value) {
    let edits = serde_json::json!([{ "path": "train.py", "search": search, "replace": "RATE = 0.2" }]);
    ("submit", serde_json::json!({ "hypothesis": "A larger rate gets further in ten steps.", "edits": edits }))
}

struct Held {
    ended: Ended,
    said: Vec<Said>,
    asked: Vec<Vec<Message>>,
}

fn session<'a>(llm: &'a dyn Llm, tokens: u64, lost: &'a (dyn Fn(Spend) + Send + Sync)) -> Session<'a> {
    let assignment = Assignment {
        role: "generalist".into(),
        model: llm.name().into(),
        surface: Some("optimizer".into()),
        why: "first".into(),
        idea: None,
        adapts: None,
    };
    let role = role::embedded().into_iter().find(|r| r.name == "generalist").unwrap();
    Session {
        llm,
        role: Arc::new(role),
        bench: Arc::new(table()),
        scene: Arc::new(Scene::new(Operator::Improve, vec![TrialId::BASELINE], assignment, 1)),
        allowance: Allowance { tokens, usd: None },
        lost,
    }
}

#[test]
fn an_answer_that_is_broken_off_has_cost_something() {
    let lost = Mutex::new(Vec::new());
    let keep = |spend: Spend| lost.lock().unwrap().push(spend);
    let session = session(&Thinker, PLENTY, &keep);
    let first = vec![Message::User { text: "x".repeat(3000) }];
    // Looked at once, and then dropped.
    assert!(session.propose(first, &mut |_| {}).now_or_never().is_none());
    let lost = lost.into_inner().unwrap();
    let [spend] = &lost[..] else { panic!("{lost:?}") };
    assert!(spend.estimated && spend.calls == 1 && spend.prompt_tokens > 1000, "{spend:?}");
    assert_eq!((spend.completion_tokens, spend.usd), (10, (spend.prompt_tokens + 10) as f64));
}

fn hold(script: Script, tokens: u64, context: Option<u32>) -> Held {
    let model = Model { script: Mutex::new(script), asked: Mutex::default(), context };
    let lost = |spend| panic!("nobody broke it off: {spend:?}");
    let session = session(&model, tokens, &lost);
    let mut said = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = vec![Message::System { text: "you".into() }, Message::User { text: "digest".into() }];
    let ended = runtime.block_on(session.propose(first, &mut |s| said.push(s)));
    Held { ended, said, asked: model.asked.into_inner().unwrap() }
}

const PLENTY: u64 = 1_000_000;

fn why(held: &Held) -> &str {
    match &held.ended {
        Ended::Nothing { why, .. } => why,
        Ended::Submitted(_) => panic!("it was handed in"),
    }
}

#[test]
fn it_reads_corrects_itself_and_hands_in() {
    let held = hold(
        vec![
            says("", &[("read_file", serde_json::json!({ "path": "train.py" }))]),
            says("", &[submit("RATE = 9")]),
            says("now right", &[submit("RATE = 0.1")]),
        ],
        PLENTY,
        None,
    );
    let Ended::Submitted(draft) = &held.ended else { panic!("{:?}", held.ended) };
    assert_eq!((draft.edits.len(), draft.surface.as_deref()), (1, Some("optimizer")));
    assert!(draft.reasoning.contains("hm") && draft.reasoning.contains("now right"), "{}", draft.reasoning);
    // The refusal was told to the model, and what it read came with it.
    let told = |needle: &str| held.asked[2].iter().any(|m| matches!(m, Message::Tool { text, .. } if text.contains(needle)));
    assert!(told("no such lines") && told("STEPS = 10"), "{:#?}", held.asked[2]);
    let spent: u64 = held.said.iter().map(|s| if let Said::Spent(spend) = s { spend.prompt_tokens } else { 0 }).sum();
    assert_eq!(spent, 300);
    let answered = held.said.iter().filter(|s| matches!(s, Said::Turn(Turn::Answered { .. }))).count();
    assert_eq!(answered, 3);
    assert!(held.said.iter().any(|s| matches!(s, Said::Thought(Thought::Told { failed: true, .. }))));
}

#[test]
fn what_failed_in_the_same_answer_is_read_before_anything_is_handed_in() {
    let bad = ("check_edit", serde_json::json!({ "edits": [{ "path": "train.py", "search": "RATE = 9", "replace": "RATE = 1" }] }));
    let good = ("check_edit", serde_json::json!({ "edits": [{ "path": "train.py", "search": "RATE = 0.1", "replace": "RATE = 0.2" }] }));
    let plain = ("submit", serde_json::json!({ "hypothesis": "A larger rate gets further in ten steps." }));
    let script = vec![says("", &[good, bad.clone(), submit("RATE = 0.1")]), says("", std::slice::from_ref(&plain))];
    let held = hold(script, PLENTY, None);
    let Ended::Submitted(draft) = &held.ended else { panic!("{:?}", held.ended) };
    assert_eq!(draft.edits.len(), 1, "the last that fitted");
    let told = held.asked[1].iter().any(|m| matches!(m, Message::Tool { text, failed: true, .. } if text.contains("`check_edit` of this")));
    assert!(told, "{:#?}", held.asked[1]);
    // Without one that fits there is nothing to hand in.
    let held = hold(vec![says("", &[bad]), says("", &[plain]), says("", &[submit("RATE = 0.1")])], PLENTY, None);
    assert!(held.asked[2].iter().any(|m| matches!(m, Message::Tool { text, failed: true, .. } if text.contains("hold no change"))));
}

#[test]
fn answers_without_a_call_are_minded_twice() {
    let held = hold(vec![says("I think", &[]), says("and think", &[]), says("on", &[])], PLENTY, None);
    assert!(why(&held).contains("called no tool"), "{}", why(&held));
    assert!(held.asked[1].iter().any(|m| matches!(m, Message::User { text } if text.contains("called no tool"))));
    let last = held.said.iter().rev().find_map(|s| if let Said::Turn(turn) = s { Some(turn) } else { None });
    assert!(matches!(last, Some(Turn::Failed { .. })), "{last:?}");
}

#[test]
fn what_it_may_cost_is_told_and_kept() {
    let read = || says("", &[("read_file", serde_json::json!({ "path": "train.py" }))]);
    let held = hold((0..10).map(|_| read()).collect(), 400, None);
    assert!(why(&held).contains("allowance"), "{}", why(&held));
    // 110 tokens an answer: 330 of 400 are over four fifths, 440 are over all.
    assert_eq!(held.asked.len(), 4);
    assert!(held.asked[3].iter().any(|m| matches!(m, Message::User { text } if text.contains("Little is left"))));
    assert!(!held.asked[2].iter().any(|m| matches!(m, Message::User { text } if text.contains("Little is left"))));
}

#[test]
fn a_dead_server_is_its_fault_and_not_the_ideas() {
    let held = hold(vec![fault(FaultKind::Server)], PLENTY, None);
    assert_eq!(held.ended, Ended::Nothing { why: "the server is away".into(), end: End::Server });
    let held = hold(vec![fault(FaultKind::Answer)], PLENTY, None);
    assert_eq!(held.ended, Ended::Nothing { why: "the server is away".into(), end: End::Unfinished });
}

#[test]
fn a_conversation_that_is_too_long_loses_what_tools_said_first() {
    let read = || says("", &[("read_file", serde_json::json!({ "path": "train.py" }))]);
    let held = hold(vec![read(), read(), fault(FaultKind::TooLong), says("", &[submit("RATE = 0.1")])], PLENTY, None);
    assert!(matches!(held.ended, Ended::Submitted(_)), "{:?}", held.ended);
    let out = |messages: &[Message]| messages.iter().filter(|m| matches!(m, Message::Tool { text, .. } if text == LEFT_OUT)).count();
    assert_eq!((out(&held.asked[2]), out(&held.asked[3]) > 0), (0, true));
    // The system's word and the digest stay.
    assert!(matches!(&held.asked[3][..2], [Message::System { .. }, Message::User { text }] if text == "digest"));
    // A small model is never sent more than it takes in.
    let held = hold(vec![read(), read(), says("", &[submit("RATE = 0.1")])], PLENTY, Some(40));
    assert!(out(&held.asked[2]) > 0);
}

#[test]
fn a_key_in_what_a_tool_saw_is_not_sent_to_a_server() {
    let key = format!("sk-proj-{}", "Ab3".repeat(16));
    let tool = |text: &str| Message::Tool { call: "c".into(), name: "read_file".into(), text: text.into(), failed: false };
    for message in [tool(&format!("KEY = '{key}'")), Message::User { text: format!("see {key}") }, Message::System { text: key }] {
        let told = format!("{:?}", covered(message));
        assert!(!told.contains("Ab3Ab3") && told.contains("[redacted]"), "{told}");
    }
    assert_eq!(covered(tool("RATE = 0.1")), tool("RATE = 0.1"));
}

#[test]
fn it_may_give_up_with_a_reason() {
    let held = hold(vec![says("", &[("give_up", serde_json::json!({ "why": "all\nwas tried" }))])], PLENTY, None);
    assert!(why(&held).contains("all was tried"), "{}", why(&held));
}

#[test]
fn what_is_shown_is_cut_at_a_character() {
    assert_eq!(cut("añb", 2), "a…");
    assert_eq!(cut("añb", 3), "añ…");
    assert_eq!(cut("añb", 4), "añb");
    assert_eq!(cut("ñ", 1), "ñ");
}
