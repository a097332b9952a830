//! Agents at work in the cockpit: what they think, what they cost, how they are steered.

use super::fixture::*;
use super::frames::shot;
use crate::client::{Incoming, LinkState};
use crate::model::conversation::Thought;
use crate::model::*;
use crate::protocol::{Command, Signal};
use crate::tui::msg::UiEffect;
use proptest::prelude::*;
use std::collections::BTreeMap;

const REASONING: &str = "The two kept trials both lowered the gradient noise late in the run.\n\nThe loss of t0002 still swings by 0.02 in its last \
quarter, so the step is too long there. A cosine that ends at a tenth of the start should settle it; let me see how the schedule is applied.";

/// A study of specialists: one trial kept, one that waits, two at work.
pub fn agents() -> Maker {
    let role = |name: &str, surfaces: &[&str]| RoleSettings {
        name: name.into(),
        surfaces: surfaces.iter().map(|s| (*s).into()).collect(),
        operators: vec![Operator::Improve],
    };
    let model = |name: &str| ModelSettings { name: name.into(), priced: true };
    let roles = vec![role("architecture", &["architecture"]), role("debugger", &[]), role("optimizer", &["optimizer", "schedule"])];
    let agents = Agents { roles, models: vec![model("gpt-x"), model("qwen3-coder")] };
    let limits = Limits { trials: Some(20), usd: Some(0.5), ..Limits::default() };
    let settings = Settings { proposers: vec!["agents".into()], agents: Some(Box::new(agents)), limits, ..settings() };
    let mut m = Maker::new("night-1", settings);
    m.baseline();
    let first = proposed(&mut m, 0, "optimizer", "gpt-x", Some("schedule"), "A cosine that ends at a tenth of the start", None);
    m.review(first, Decision::Accept, None);
    m.start(first, 1, RunKind::Screen, 0);
    m.end(first, 1, Ok(0.3871));
    m.start(first, 2, RunKind::Confirm, 0);
    m.end(first, 2, Ok(0.3892));
    m.judge(first, Verdict::Keep, None);
    let idea = Some("names of modules are told by their parts: try trigrams");
    proposed(&mut m, first, "architecture", "qwen3-coder", Some("architecture"), "Character trigrams beside the words", idea);
    asked(&mut m, first, "optimizer", "gpt-x", Some("optimizer"), None);
    m.after(9_000, Event::Spent { proposal: ProposalId(m.study.next_proposal().0 - 1), spend: spend(3_200, 0.01) });
    asked(&mut m, first, "architecture", "qwen3-coder", Some("architecture"), None);
    m.after(2_500, Event::Noted { warning: false, text: "two are asked ahead of the runs".into() });
    m
}

fn spend(tokens: u64, usd: f64) -> Spend {
    Spend { calls: 1, prompt_tokens: tokens * 4 / 5, completion_tokens: tokens / 5, usd, seconds: 4.0, ..Spend::default() }
}

fn asked(m: &mut Maker, parent: u32, role: &str, model: &str, surface: Option<&str>, idea: Option<&str>) -> ProposalId {
    let proposal = m.study.next_proposal();
    let assignment = Assignment {
        role: role.into(),
        model: model.into(),
        surface: surface.map(Into::into),
        why: "gain per minute 0.0021 ± 0.0008 over 4 trials, the best of 5 arms".into(),
        idea: idea.map(Into::into),
        adapts: None,
    };
    let decision = m.study.decisions;
    m.now(Event::ProposalAsked {
        proposal,
        proposer: format!("agents/{role}"),
        parents: vec![TrialId(parent)],
        operator: Operator::Improve,
        decision,
        assignment: Some(Box::new(assignment)),
    });
    proposal
}

fn proposed(m: &mut Maker, parent: u32, role: &str, model: &str, surface: Option<&str>, hypothesis: &str, idea: Option<&str>) -> u32 {
    let proposal = asked(m, parent, role, model, surface, idea);
    for n in 1..4 {
        m.after(4_000, Event::Spent { proposal, spend: spend(n * 4_000, 0.012) });
    }
    let trial = m.study.next_trial();
    m.now(Event::Proposed {
        proposal,
        trial,
        proposer: format!("agents/{role}"),
        parents: vec![TrialId(parent)],
        operator: Operator::Improve,
        hypothesis: hypothesis.into(),
        surface: surface.map(Into::into),
        expected: Some(0.008),
        knobs: BTreeMap::new(),
        accepted: false,
        basis: m.study.seq,
    });
    checked(m, trial, 1);
    trial.0
}

fn checked(m: &mut Maker, trial: TrialId, revision: u32) {
    let (commit, tree) = (format!("{:07x}", trial.0 * 7919), format!("tree{}-{revision}", trial.0));
    let diff = DiffStat { files: 2, added: 5, removed: 2 };
    m.now(Event::Checked { trial, revision, commit, tree, diff, surface: None, flags: vec![] });
}

fn think(desk: &mut Desk, proposal: u32, thoughts: &[Thought]) {
    for thought in thoughts {
        desk.hear(Incoming::Signal(Signal::Thought { proposal: ProposalId(proposal), thought: thought.clone() }));
    }
}

fn reasoning(text: &str) -> Thought {
    Thought::Reasoning { text: text.into() }
}

fn called(name: &str, arguments: &str) -> Thought {
    Thought::Called { name: name.into(), arguments: arguments.into() }
}

fn told(name: &str, text: &str, failed: bool) -> Thought {
    Thought::Told { name: name.into(), text: text.into(), failed }
}

/// Both think: one reads and waits for its server, the other speaks.
fn busy_minds(size: (u16, u16)) -> Desk {
    let mut desk = Desk::new(agents(), size).meters(false);
    let file: Vec<String> = (1..=80).map(|n| format!("{n:>4}  LEARNING_RATE = 0.2")).collect();
    think(&mut desk, 3, &[reasoning(REASONING), called("read_file", r#"{"path":"train.py","from":1,"to":80}"#)]);
    think(&mut desk, 3, &[told("read_file", &file.join("\n"), false), called("search", r#"{"pattern":"cosine"}"#)]);
    think(
        &mut desk,
        3,
        &[told("search", "nothing holds `cosine`", false), Thought::Note { text: "the server is away, next try in 8 s".into() }],
    );
    think(&mut desk, 4, &[reasoning("Words that never occurred in training all look alike to this model.\n"), called("tree", "{}")]);
    think(&mut desk, 4, &[told("tree", "t0000\nt0001\nt0002", false), Thought::Answer { text: "I will hash the suffixes, ".into() }]);
    think(&mut desk, 4, &[Thought::Answer { text: "three letters each, into 512 buckets.".into() }]);
    desk.state.now = Millis(desk.maker.at + 600);
    desk
}

fn commands(desk: &Desk) -> Vec<Command> {
    desk.sent.iter().filter_map(|e| if let UiEffect::Send(_, c) = e { Some(c.clone()) } else { None }).collect()
}

#[test]
fn two_specialists_think() {
    for (w, h) in [(80, 24), (120, 36), (160, 48), (200, 60)] {
        let mut desk = busy_minds((w, h));
        desk.keys(if w == 80 { "5 z" } else { "5" });
        let screen = desk.screen();
        for want in ["● optimizer · gpt-x", "● architecture · qwen3-coder", "next try in 8 s", "512 buckets"] {
            assert!(screen.contains(want), "{want}\n{screen}");
        }
        shot(&format!("agents-thinking-{w}x{h}"), &screen);
    }
    let mut desk = busy_minds((80, 24));
    let screen = text(&paint(&desk.keys("5 z").vm(), (80, 24), "mono", false));
    assert!(screen.is_ascii(), "{screen}");
    shot("agents-ascii-80x24", &screen);
}

#[test]
fn what_was_said_before_one_came_stands_in_place_of_what_was_heard() {
    let heard = |revision, lost, thoughts: &[Thought]| {
        Incoming::Signal(Signal::Heard { proposal: ProposalId(3), revision, lost, thoughts: thoughts.to_vec() })
    };
    let mut desk = Desk::new(agents(), (120, 36)).meters(false);
    desk.keys("5");
    think(&mut desk, 3, &[reasoning("the middle of")]);
    desk.hear(heard(1, 0, &[reasoning("From its start, the middle of")]));
    think(&mut desk, 3, &[reasoning(" a sentence")]);
    let frame = desk.screen();
    assert!(frame.contains("From its start, the middle of a sentence"), "{frame}");
    assert_eq!(frame.matches("the middle of").count(), 1, "{frame}");
    assert!(!desk.state.thoughts.wants_record(ProposalId(3)), "all of it was heard");
    // The engine was lost and found: another attempt is under way, and what was not heard meanwhile is in the record.
    desk.hear(Incoming::Link(LinkState::Reconnecting { why: "gone".into() }));
    assert!(desk.state.thoughts.wants_record(ProposalId(3)));
    desk.hear(heard(1, 9, &[reasoning("Once more.")]));
    let stream = desk.state.thoughts.of(ProposalId(3)).unwrap();
    assert!(stream.whole && stream.lost == 9 && stream.row.is_some(), "{stream:?}");
    assert!(!desk.screen().contains("a sentence"));
    desk.hear(heard(2, 0, &[]));
    assert!(desk.state.thoughts.wants_record(ProposalId(3)), "the revision before is in the record alone");
}

#[test]
fn a_tool_call_folds_and_opens() {
    let mut desk = busy_minds((120, 36));
    desk.keys("5 z");
    assert!(desk.screen().contains("▸ read_file train.py 1–80 · 80 lines"));
    desk.keys("] enter");
    let screen = desk.screen();
    assert!(screen.contains("▾ read_file") && screen.contains("path  train.py") && screen.contains("   1  LEARNING_RATE"), "{screen}");
    shot("agents-call-open", &screen);
    desk.keys("enter");
    assert!(desk.screen().contains("▸ read_file train.py 1–80 · 80 lines"));
    // Scrolled up it stays; at the end it follows again.
    desk.keys("g");
    assert!(desk.screen().contains("scrolled"));
    desk.keys("G");
    assert!(desk.screen().contains("following"));
}

#[test]
fn the_pane_follows_the_end_unless_scrolled_up() {
    let mut desk = busy_minds((80, 24));
    desk.keys("5 z");
    for n in 0..400 {
        think(&mut desk, 4, &[Thought::Answer { text: format!("\nline {n} of a long answer") }]);
    }
    assert!(desk.screen().contains("line 399"));
    desk.keys("k k k");
    let before = desk.screen();
    assert!(!before.contains("line 399") && before.contains("line 390"), "{before}");
    think(&mut desk, 4, &[Thought::Answer { text: "\nmore\nand more".into() }]);
    let lines =
        |s: &str| s.lines().filter(|l| l.contains("line 39")).map(|l| l.trim_matches(['│', '┃', ' ']).to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&desk.screen()), lines(&before), "what is read stays where it is");
    desk.keys("G");
    assert!(desk.screen().contains("and more"));
}

#[test]
fn a_review_of_an_agents_proposal_tells_who_and_why() {
    for (w, h) in [(80, 24), (120, 36), (160, 48)] {
        let mut desk = busy_minds((w, h));
        desk.keys("r");
        shot(&format!("agents-review-{w}x{h}"), &desk.screen());
        desk.keys("enter tab");
        let screen = desk.screen();
        for want in ["why", "gain per minute", "idea", "trigrams", "expects", "24k tok $0.036", "▸ read_file features/words.py · 3 lines"]
        {
            assert!(screen.contains(want), "{want}\n{screen}");
        }
        shot(&format!("agents-review-reasons-{w}x{h}"), &screen);
    }
}

#[test]
fn a_revision_keeps_its_place_in_the_queue() {
    let mut maker = agents();
    let parent = 1;
    proposed(&mut maker, parent, "optimizer", "gpt-x", Some("optimizer"), "Momentum 0.95", None);
    let mut desk = Desk::new(maker, (120, 36)).meters(false);
    desk.keys("r R \"smaller buckets\" enter");
    assert_eq!(commands(&desk), [Command::Revise { proposal: ProposalId(2), comment: "smaller buckets".into() }]);
    desk.ack();
    let reason = Some("smaller buckets".to_owned());
    desk.fact(Event::Reviewed { trial: TrialId(2), by: Reviewer::Human, decision: Decision::Revise, reason: reason.clone(), tree: None });
    assert_eq!(desk.state.queue, Some(TrialId(2)));
    desk.keys("a");
    assert!(desk.screen().contains("its new revision is being written"));
    desk.keys("esc");
    think(&mut desk, 2, &[reasoning("The reviewer wants fewer buckets: 128 then."), called("check_edit", "{\"edits\":[1]}")]);
    desk.state.now = Millis(desk.maker.at + 4_000);
    desk.keys("enter tab");
    let screen = desk.screen();
    assert!(screen.contains("revising") && screen.contains("128 then"), "{screen}");
    shot("agents-revising", &screen);
    desk.fact(Event::Revised {
        trial: TrialId(2),
        revision: 2,
        by: Reviewer::Proposer,
        reason,
        accepted: false,
        hypothesis: None,
        expected: None,
    });
    assert_eq!(desk.state.queue, Some(TrialId(2)), "while it is checked");
    checked(&mut desk.maker, TrialId(2), 2);
    let event = desk.maker.records.pop().unwrap().event;
    desk.maker.study.seq -= 1;
    desk.fact(event);
    desk.keys("esc");
    assert_eq!(desk.state.queue, Some(TrialId(2)));
    let screen = desk.screen();
    assert!(screen.contains(" r2 "), "{screen}");
    shot("agents-revised", &screen);
    desk.keys("o");
    let screen = desk.screen();
    assert!(screen.contains("revision 1 of 2 (superseded)") && screen.contains("smaller buckets"), "{screen}");
    shot("agents-superseded", &screen);
    let sent = commands(&desk).len();
    desk.keys("a");
    assert_eq!(commands(&desk).len(), sent, "what is accepted is what is shown");
    assert!(desk.screen().contains("o shows the newest"));
    desk.keys("o");
    assert!(!desk.screen().contains("superseded"));
    desk.keys("a");
    assert_eq!(commands(&desk).len(), sent + 1);
}

#[test]
fn a_sampler_takes_no_comment() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r R");
    assert!(desk.screen().contains("a sampler takes no comment"));
}

#[test]
fn one_steers_all_or_one() {
    let say = |to: Option<&str>| Command::Steer { text: "look at the data".into(), to: to.map(Into::into) };
    for (keys, want) in [
        ("t \"look at the data\" enter", say(None)),
        ("t \"look at the data\" tab enter", say(Some("architecture"))),
        ("t tab tab \"look at the data\" tab enter", say(Some("optimizer"))),
        ("t \"look at the data\" backtab enter", say(Some("optimizer"))),
    ] {
        let mut desk = Desk::new(agents(), (120, 36));
        desk.keys(keys);
        assert_eq!(commands(&desk), [want], "{keys}");
    }
    for (w, h) in [(80, 24), (120, 36), (160, 48)] {
        let mut desk = busy_minds((w, h));
        desk.keys("t \"keep the batch size\" tab tab tab");
        shot(&format!("agents-steer-{w}x{h}"), &desk.screen());
    }
    let mut desk = Desk::new(busy(), (120, 36));
    assert!(desk.keys("t").screen().contains("No agents propose in this study"));
}

#[test]
fn an_idea_goes_to_an_agent_or_to_the_editor() {
    let idea = |parent: Option<u32>, to: Option<&str>| Command::Idea {
        text: "hash suffixes".into(),
        parent: parent.map(TrialId),
        to: to.map(Into::into),
    };
    for (keys, want) in [
        ("i \"hash suffixes\" enter", vec![idea(None, None)]),
        ("i \"hash suffixes\" backtab enter", vec![idea(None, Some("optimizer"))]),
        ("i \"hash suffixes\" tab tab enter", vec![idea(None, Some("architecture"))]),
        ("g j b \"hash suffixes\" backtab enter", vec![idea(Some(1), None)]),
        ("i \"hash suffixes\" tab enter", vec![]),
        ("g j b \"hash suffixes\" enter", vec![]),
    ] {
        let mut desk = Desk::new(agents(), (120, 36));
        desk.keys(keys);
        assert_eq!(commands(&desk), want, "{keys}");
        let chooses = matches!(desk.state.modals.last(), Some(crate::tui::modal::Modal::Choose(_)));
        assert_eq!(chooses, want.is_empty(), "one's own edit begins with its file: {keys}");
    }
    for (w, h) in [(80, 24), (120, 36), (160, 48)] {
        let mut desk = busy_minds((w, h));
        desk.keys("i \"hash the suffixes of words\"");
        shot(&format!("agents-idea-{w}x{h}"), &desk.screen());
    }
}

#[test]
fn who_proposes_and_what_came_of_it() {
    for (w, h) in [(40, 12), (80, 24), (120, 36)] {
        let mut desk = busy_minds((w, h));
        desk.keys(": \"arms\" enter");
        shot(&format!("agents-arms-{w}x{h}"), &desk.screen());
    }
    let mut desk = busy_minds((120, 36));
    desk.keys(": \"arms\" enter j +");
    let favour =
        Favour { role: "architecture".into(), model: Some("qwen3-coder".into()), surface: Some("architecture".into()), factor: 2.0 };
    assert_eq!(commands(&desk), [Command::Favour { favour }]);
    let desk = Desk::new(busy(), (120, 36));
    let why = crate::tui::update::enabled(crate::tui::keymap::Action::Arms, &desk.state, &desk.mirror);
    assert_eq!(why, Err("no agents propose in this study".to_owned()));
}

#[test]
fn what_they_cost_warns_before_it_is_spent() {
    let mut desk = busy_minds((120, 36));
    assert!(desk.screen().contains("51k tok $0.082 of $0.50"), "{}", desk.screen());
    desk.fact(Event::Spent { proposal: ProposalId(3), spend: spend(90_000, 0.345) });
    for (w, h) in [(80, 24), (120, 36), (160, 48)] {
        desk.tell(crate::tui::msg::Msg::Resize(w, h));
        let screen = desk.screen();
        assert!(screen.contains("of $0.50"), "{screen}");
        shot(&format!("agents-spend-{w}x{h}"), &screen);
    }
    let header = desk.mirror.header.as_ref().unwrap();
    assert!((crate::tui::header::spent_share(header).unwrap() - 0.854).abs() < 0.01);
}

#[test]
fn a_request_that_came_to_nothing_says_why() {
    let mut desk = busy_minds((120, 36));
    let detail = "the model never submitted: 24 answers, the last one empty".to_owned();
    desk.fact(Event::ProposalFailed { proposal: ProposalId(3), detail, gave_up: false });
    desk.keys("5 z");
    let screen = desk.screen();
    assert!(screen.contains("✗ optimizer · gpt-x · came to nothing") && screen.contains("24 answers"), "{screen}");
    shot("agents-failed", &screen);
}

#[test]
fn events_tell_what_agents_do() {
    let mut desk = busy_minds((120, 36));
    desk.fact(Event::Steered { text: "less depth".into(), to: Some("architecture".into()) });
    desk.fact(Event::Rebased { trial: TrialId(2), revision: 2, parents: vec![TrialId(1)] });
    desk.keys("7 z");
    let screen = desk.screen();
    assert_eq!(screen.matches("p0002 spent").count(), 1, "{screen}");
    shot("agents-events", &screen);
}

/// What a model may say at its worst.
fn hostile() -> impl Strategy<Value = String> {
    let bad = prop::sample::select(vec![
        "\u{1b}[2J",
        "\u{1b}]0;owned\u{7}",
        "\u{1b}[31m",
        "\u{9b}5n",
        "\u{202e}evil",
        "\u{200b}",
        "\u{2066}",
        "\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\r",
        "\r\n",
        "\n\n\n",
        "\t",
        "\0",
        "日本語",
        "🏳️‍🌈",
        "\u{1b}",
        "\u{90}q#0",
        "{\"a\":",
        "word ",
    ]);
    prop::collection::vec(prop_oneof![3 => bad.prop_map(str::to_owned), 1 => "[a-z ]{0,400}", 1 => "x{2000,6000}"], 0..12)
        .prop_map(|v| v.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_model_says_leaves_its_pane(
        parts in prop::collection::vec((hostile(), 0u8..6, 3u32..5), 1..24),
        size in prop::sample::select(vec![(40u16, 12u16), (80, 24), (120, 36), (200, 60)]),
        keys in prop::sample::select(vec!["5", "5 ] enter", "5 z [ enter k", "5 g", "r enter tab"]),
    ) {
        // The same beside harmless words, so that what keys do is the same.
        let [desk, quiet] = [false, true].map(|harmless| {
            let mut desk = Desk::new(agents(), size);
            for (text, kind, of) in &parts {
                let text = if harmless { "x".to_owned() } else { text.clone() };
                let thought = match kind {
                    0 | 1 => Thought::Reasoning { text },
                    2 => Thought::Answer { text },
                    3 => Thought::Called { name: text.chars().take(30).collect(), arguments: format!("{{\"path\":{}}}", serde_json::json!(text)) },
                    4 => Thought::Told { name: "read_file".into(), text, failed: *of == 3 },
                    _ => Thought::Note { text },
                };
                think(&mut desk, *of, &[thought]);
            }
            desk.keys(keys);
            desk
        });
        let vm = desk.vm();
        let lay = crate::tui::layout::layout(size, &desk.state);
        let shown = lay.place_of(crate::tui::state::Pane::Reasoning).map(|p| p.area);
        let (buffer, still) = (paint(&vm, size, "default", true), paint(&quiet.vm(), size, "default", true));
        for y in 0..size.1 {
            for x in 0..size.0 {
                let symbol = buffer[(x, y)].symbol();
                prop_assert!(symbol.is_empty() || drawable(symbol), "{symbol:?}");
                let inside = shown.is_some_and(|a| a.contains(ratatui::layout::Position { x, y }));
                // The footer tells which keys work, and that depends on whether there are calls.
                if !inside && y + 2 < size.1 {
                    prop_assert_eq!(symbol, still[(x, y)].symbol(), "{} {}", x, y);
                }
            }
        }
    }
}

/// The cost of a frame does not grow with what was thought: only the end of it is laid out.
#[test]
fn a_frame_of_endless_thoughts_costs_what_shows() {
    let time = |bytes: usize| {
        let mut desk = Desk::new(agents(), (200, 60));
        desk.keys("5 z");
        let words = "a line of thought that goes on and on about learning rates\n".repeat(bytes / 58);
        think(&mut desk, 3, &[reasoning(&words)]);
        think(&mut desk, 4, &[Thought::Answer { text: words }]);
        (0..20)
            .map(|_| {
                let begun = std::time::Instant::now();
                desk.vm();
                begun.elapsed()
            })
            .min()
            .unwrap()
    };
    let (short, long) = (time(8 << 10), time(10 << 20));
    assert!(long < short * 4 + std::time::Duration::from_millis(2), "8 KiB {short:?}, 10 MiB {long:?}");
    // Scrolled up all that is held is laid out, which is bounded too.
    let mut desk = Desk::new(agents(), (200, 60));
    desk.keys("5 z");
    for of in [3, 4] {
        think(&mut desk, of, &[reasoning(&"word ".repeat(2 << 20))]);
    }
    desk.keys("g");
    let begun = std::time::Instant::now();
    desk.vm();
    assert!(begun.elapsed() < std::time::Duration::from_millis(400), "{:?}", begun.elapsed());
}
