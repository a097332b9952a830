//! Keys and the wishes that they become.

use super::fixture::*;
use crate::client::{Incoming, LinkState};
use crate::model::*;
use crate::protocol::Command;
use crate::tui::modal::Modal;
use crate::tui::msg::{EditFor, Msg, UiEffect};
use crate::tui::options::{Ending, Options};
use crate::tui::state::{Pane, Screen};

fn commands(desk: &Desk) -> Vec<Command> {
    desk.sent.iter().filter_map(|e| if let UiEffect::Send(_, c) = e { Some(c.clone()) } else { None }).collect()
}

fn p(n: u32) -> ProposalId {
    ProposalId(n)
}

#[test]
fn each_key_becomes_its_wish() {
    let tree = |n: u32| Some(format!("tree{n}"));
    let run = TrialId(10).run(RunNo(1));
    for (keys, want) in [
        ("r a", vec![Command::Accept { proposal: p(11), tree: tree(11) }]),
        ("r down a", vec![Command::Accept { proposal: p(12), tree: tree(12) }]),
        ("r l a", vec![Command::Accept { proposal: p(12), tree: tree(12) }]),
        ("r v \"too slow\" enter", vec![Command::Veto { proposal: p(11), tree: tree(11), reason: "too slow".into() }]),
        ("r v esc", vec![]),
        ("r A", vec![Command::LetPass { proposer: "knobs/tpe".into() }]),
        ("p", vec![Command::Pause]),
        ("m", vec![Command::Autonomy { mode: Autonomy::AskRisky }]),
        ("t \"try data\" enter", vec![Command::Steer { text: "try data".into(), to: None }]),
        ("P", vec![]),
        ("P enter", vec![]),
        ("P y", vec![Command::Prune { trial: TrialId(10), on: true }]),
        ("X y", vec![Command::Kill { run }]),
        ("X n", vec![]),
        ("Q enter", vec![]),
        ("Q a", vec![Command::Stop { now: false }]),
        ("Q n", vec![Command::Stop { now: true }]),
        (": \"pin\" enter", vec![Command::Pin { trial: TrialId(10), on: true }]),
        ("g j : \"fresh\" enter backspace \"2\" enter", vec![Command::Replicate { trial: TrialId(1), runs: 2 }]),
        (
            ": \"limit of\" enter \"+20\" enter",
            vec![Command::Extend { limits: Limits { trials: Some(40), ..Limits::default() }, beyond: true }],
        ),
        // In a field, letters are letters.
        ("t \"apQ\" esc", vec![]),
    ] {
        let mut desk = Desk::new(busy(), (120, 36));
        desk.keys(keys);
        assert_eq!(commands(&desk), want, "{keys}");
    }
}

#[test]
fn what_does_not_work_says_why() {
    for (options, link, keys, want) in [
        (Options { watch_only: true, ..Options::default() }, None, "p", "--watch"),
        (Options::default(), Some(LinkState::Cold), "r a", "trialdeck resume quickstart-1"),
        (Options::default(), Some(LinkState::Reconnecting { why: "gone".into() }), "m", "does not answer"),
        (Options::default(), None, "g a", "does not wait"),
        (Options::default(), None, "u", "nothing was reviewed"),
        (Options::default(), None, "n", "no filter"),
    ] {
        let mut desk = Desk::with(busy(), (120, 36), &options);
        if let Some(link) = link {
            desk.hear(Incoming::Link(link));
        }
        desk.keys(keys);
        assert!(commands(&desk).is_empty(), "{keys}");
        let toast = desk.state.toast.clone().unwrap();
        assert!(toast.bad && toast.text.contains(want), "{keys}: {}", toast.text);
        assert!(desk.screen().contains(want), "{keys}");
    }
}

#[test]
fn a_refusal_of_the_engine_is_shown_and_undo_takes_the_accepted_one_back() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r a");
    desk.ack();
    assert!(desk.screen().contains("accepted p0011"));
    desk.keys("u");
    assert_eq!(commands(&desk).last(), Some(&Command::Undo { proposal: p(11) }));
    let Some(UiEffect::Send(id, _)) = desk.sent.last().cloned() else { panic!() };
    desk.tell(Msg::Incoming(Box::new(Incoming::Acked(id, Err("it has run for 12 s \u{1b}[31malready".into())))));
    assert!(desk.screen().contains("it has run for 12 s already"));
}

#[test]
fn two_quick_accepts_go_to_two_proposals() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r a a a");
    let accepted: Vec<ProposalId> =
        commands(&desk).iter().filter_map(|c| if let Command::Accept { proposal, .. } = c { Some(*proposal) } else { None }).collect();
    assert_eq!(accepted, [p(11), p(12)]);
    assert!(desk.screen().contains("no proposals waiting"));
}

#[test]
fn leaving_a_hunk_out_becomes_an_edit_with_the_rest() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r enter ] ] space a");
    let Some(Command::Edit { proposal, tree, draft, accepted }) = commands(&desk).pop() else { panic!("{:?}", desk.sent) };
    assert_eq!((proposal, tree.as_deref(), accepted), (p(11), Some("tree11"), true));
    let [Edit::Write { path, content }, Edit::Write { path: second, .. }] = draft.edits.as_slice() else { panic!() };
    assert_eq!((path.as_str(), second.as_str()), ("train.py", "features/trigrams.py"));
    assert!(content.contains("LEARNING_RATE = 0.031") && !content.contains("DECAY"));
    assert!(draft.reasoning.contains("left out 1 of 3"));
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r enter ] ] space space ] space");
    assert_eq!(desk.state.diff.left_out.iter().copied().collect::<Vec<_>>(), [2], "taken again, another one left");
}

#[test]
fn an_edit_goes_through_the_editor() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r e");
    let Some(UiEffect::Edit(purpose, files)) = desk.sent.last().cloned() else { panic!() };
    assert_eq!(files.len(), 2);
    desk.tell(Msg::Edited(purpose.clone(), Ok(None)));
    assert!(commands(&desk).is_empty());
    desk.tell(Msg::Edited(purpose, Ok(Some(vec![("train.py".into(), "x = 1\n".into())]))));
    let Some(Command::Edit { accepted: true, draft, .. }) = commands(&desk).pop() else { panic!() };
    assert_eq!(draft.edits, [Edit::Write { path: "train.py".into(), content: "x = 1\n".into() }]);
    assert!(draft.hypothesis.starts_with("Learning rate 0.031"));
}

#[test]
fn an_edit_that_is_refused_is_not_lost() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("r e");
    let Some(UiEffect::Edit(purpose, _)) = desk.sent.last().cloned() else { panic!() };
    let typed = vec![("train.py".to_owned(), "x = (\n".to_owned())];
    desk.tell(Msg::Edited(purpose, Ok(Some(typed.clone()))));
    let Some(UiEffect::Send(id, Command::Edit { .. })) = desk.sent.last().cloned() else { panic!() };
    let why = "preflight_failed: train.py does not parse".to_owned();
    desk.hear(Incoming::Acked(id, Err(why)));
    assert!(desk.screen().contains("does not parse") && desk.screen().contains("e goes on with your text"), "{}", desk.screen());
    desk.keys("e");
    let Some(UiEffect::Edit(purpose, files)) = desk.sent.last().cloned() else { panic!() };
    assert_eq!((files[0].clone(), files.len()), (typed[0].clone(), 2));
    // Once it is taken the next edit begins with what is there.
    desk.tell(Msg::Edited(purpose, Ok(Some(vec![("train.py".into(), "x = 1\n".into())]))));
    let Some(UiEffect::Send(id, Command::Edit { .. })) = desk.sent.last().cloned() else { panic!() };
    desk.hear(Incoming::Acked(id, Ok(crate::protocol::Ack { seq: 900, trial: None, proposal: None })));
    assert_eq!(desk.state.refused, None);
}

#[test]
fn an_idea_asks_for_words_a_file_and_the_editor() {
    for (keys, parent) in [("i \"my idea\" enter down enter", 5), ("g j b \"my idea\" enter \"train\" enter", 1)] {
        let mut desk = Desk::new(busy(), (120, 36));
        desk.keys(keys);
        let Some(UiEffect::Edit(purpose, files)) = desk.sent.last().cloned() else { panic!("{keys}: {:?}", desk.state.modals) };
        assert_eq!(purpose, EditFor::Own { parent: Some(TrialId(parent)), hypothesis: "my idea".into() });
        assert_eq!(files[0].0, "train.py");
        desk.tell(Msg::Edited(purpose, Ok(Some(vec![("train.py".into(), "y\n".into())]))));
        let Some(Command::Propose { parent: Some(TrialId(n)), proposer, accepted: true, .. }) = commands(&desk).pop() else { panic!() };
        assert_eq!((n, proposer.as_str()), (parent, "researcher"));
    }
}

#[test]
fn leaving_asks_once_when_proposals_wait() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("q esc");
    assert!(desk.sent.is_empty());
    desk.keys("q enter");
    assert_eq!(desk.sent, [UiEffect::Leave(Ending::Detached)]);
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("q d");
    assert_eq!(commands(&desk), [Command::Autonomy { mode: Autonomy::Auto }]);
    desk.ack();
    assert_eq!(desk.sent.last(), Some(&UiEffect::Leave(Ending::Detached)));
    assert_eq!(desk.state.restore_next, Some(Autonomy::Ask));
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("ctrl-c");
    assert!(desk.sent.is_empty());
    desk.keys("ctrl-c");
    assert_eq!(desk.sent, [UiEffect::Leave(Ending::Detached)]);
    let mut desk = Desk::new(empty(), (120, 36));
    desk.keys("q");
    assert_eq!(desk.sent, [UiEffect::Leave(Ending::Detached)]);
}

#[test]
fn suspending_works_in_a_field_too() {
    let mut desk = Desk::new(busy(), (80, 24));
    desk.keys("t \"abc\" ctrl-z ctrl-l");
    assert_eq!(desk.sent, [UiEffect::Suspend, UiEffect::Redraw]);
    assert_eq!(desk.state.modals.len(), 1);
}

#[test]
fn escape_goes_up_one_level_and_never_leaves() {
    let mut desk = Desk::new(busy(), (80, 24));
    desk.keys("/ \"tpe\" enter r enter z");
    assert!(desk.state.zoom && desk.state.screen == Screen::Review);
    desk.keys("esc");
    assert!(!desk.state.zoom);
    desk.keys("esc");
    assert_eq!(desk.state.focus(), Pane::Queue);
    desk.keys("esc");
    assert_eq!(desk.state.screen, Screen::Study);
    desk.keys("esc");
    assert!(desk.state.tree.filter.is_empty());
    desk.keys("esc esc esc esc");
    assert!(desk.sent.is_empty());
}

#[test]
fn the_selection_follows_until_it_is_moved_and_is_kept_by_id() {
    let mut desk = Desk::new(busy(), (120, 36));
    assert_eq!(desk.state.tree.selected, TrialId(10));
    desk.keys("g j j");
    assert_eq!(desk.state.tree.selected, TrialId(2));
    let better = Comparison {
        against: TrialId(5),
        candidate: 0.34,
        reference: 0.35,
        gain: 0.01,
        n_candidate: 1,
        n_reference: 2,
        sd: None,
        nu: 0,
        t: None,
        needed: None,
    };
    desk.fact(Event::Judged {
        trial: TrialId(9),
        verdict: Verdict::Keep,
        verified: false,
        comparison: Some(Box::new(better)),
        failure: None,
    });
    desk.fact(Event::IncumbentMoved { trial: TrialId(9), from: TrialId(5) });
    assert_eq!(desk.state.tree.selected, TrialId(2));
    // The trunk follows the incumbent: it stands at the left and last.
    let last = desk.state.tree.nodes.last().unwrap();
    assert_eq!((last.id, last.guide.as_str()), (TrialId(9), ""));
    desk.keys("G");
    assert_eq!(desk.state.tree.selected, TrialId(10), "the newest that runs");
}

#[test]
fn folding_hides_a_branch_and_says_how_much() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("g");
    let all = desk.state.tree.nodes.len();
    desk.keys("j j h");
    assert_eq!(desk.state.tree.nodes.len(), all - 2);
    assert!(desk.screen().contains("t0002+2"));
    desk.keys("l");
    assert_eq!(desk.state.tree.nodes.len(), all);
}

#[test]
fn the_mouse_selects_scrolls_and_takes_tabs() {
    let mut desk = Desk::new(busy(), (80, 24));
    desk.keys("g");
    desk.tell(Msg::Click(10, 5));
    assert_eq!((desk.state.focus(), desk.state.tree.selected), (Pane::Tree, TrialId(1)));
    desk.tell(Msg::Wheel(10, 5, 1));
    assert_eq!(desk.state.tree.selected, TrialId(2));
    let lay = crate::tui::layout::layout((80, 24), &desk.state);
    let tabs = lay.places[1].area;
    desk.tell(Msg::Click(tabs.x + 16, tabs.y));
    assert_eq!(desk.state.focus(), Pane::Curves);
}

#[test]
fn a_lost_engine_is_survived_and_the_draft_stays() {
    let mut desk = Desk::new(busy(), (120, 36));
    desk.keys("t \"half a sen\"");
    desk.hear(Incoming::Link(LinkState::Reconnecting { why: "connection reset".into() }));
    assert!(desk.screen().contains("reconnecting: connection reset"));
    desk.hear(Incoming::Link(LinkState::Live { pid: 9 }));
    assert!(matches!(desk.state.modals.last(), Some(Modal::Prompt(p)) if p.input.text() == "half a sen"));
    desk.keys("\"tence\" enter");
    assert_eq!(commands(&desk), [Command::Steer { text: "half a sentence".into(), to: None }]);
}

#[test]
fn points_of_a_running_run_grow_its_curve() {
    use crate::protocol::{Answer, Query, Signal};
    let mut desk = Desk::new(busy(), (120, 36));
    let run = TrialId(10).run(RunNo(1));
    let query = Query::Series { run, key: "val_error".into(), width: crate::tui::panes::curves::ASKED_WIDTH };
    let count = |desk: &Desk| match desk.state.shelf.get(&query) {
        Some(Ok(Answer::Series { curve })) => curve.steps.len(),
        other => panic!("{other:?}"),
    };
    let before = count(&desk);
    let point = |step: f64| Point { key: "val_error".into(), step, value: f64::NAN, at: Millis(0) };
    desk.hear(Incoming::Signal(Signal::Points { batch: Batch { run, points: vec![point(5.0), point(5000.0)] } }));
    assert_eq!(count(&desk), before + 1, "what is known already is not drawn twice");
}

#[test]
fn a_log_grows_at_its_end_and_is_read_backwards() {
    use crate::protocol::{Answer, LogPart, LogStream, Query, Signal};
    use crate::tui::update;
    let mut desk = Desk::new(busy(), (80, 24));
    let run = TrialId(10).run(RunNo(1));
    let ask = |desk: &mut Desk, msg: Msg| -> Option<(u64, i64)> {
        let effects = update(&mut desk.state, &desk.mirror, msg);
        effects.into_iter().find_map(|e| match e {
            UiEffect::Ask(id, Query::Log { stream: LogStream::Stdout, offset, .. }) => Some((id, offset)),
            _ => None,
        })
    };
    let say = |id: u64, offset: u64, next: u64, total: u64, text: &str| {
        let part = LogPart { offset, next, total, text: text.into() };
        Msg::Incoming(Box::new(Incoming::Answered(id, Ok(Box::new(Answer::Log { part })))))
    };
    let grew = |n: u64| Msg::Incoming(Box::new(Incoming::Signal(Signal::LogGrew { run, stdout: n, stderr: 0 })));
    let (id, offset) = ask(&mut desk, Msg::Key(parse("4"))).unwrap();
    assert!(offset < 0, "the end first");
    assert_eq!(ask(&mut desk, say(id, 100, 114, 114, "cut\nsecond\nthi")), None);
    assert_eq!(desk.state.log.lines, ["second", "thi"]);
    let (id, offset) = ask(&mut desk, grew(118)).unwrap();
    assert_eq!(offset, 114);
    // Half a character at the end: no progress, no second question before it grows again.
    assert_eq!(ask(&mut desk, say(id, 114, 117, 118, "rd\n")).map(|(_, o)| o), Some(117));
    let id = desk.state.log.flying.unwrap();
    assert_eq!(ask(&mut desk, say(id, 117, 117, 118, "")), None);
    assert_eq!(desk.state.log.lines, ["second", "third", ""]);
    // Backwards from the top.
    let (id, offset) = ask(&mut desk, Msg::Key(parse("k"))).or_else(|| ask(&mut desk, Msg::Key(parse("g")))).unwrap_or((0, -1));
    if id > 0 {
        assert_eq!(offset, 0);
        ask(&mut desk, say(id, 0, 104, 118, "first\ncut\n"));
        assert_eq!(desk.state.log.lines, ["first", "cut", "second", "third", ""]);
        assert_eq!(desk.state.log.span.0, 0);
    }
}

#[test]
fn the_bell_rings_for_the_first_that_waits_and_at_the_end() {
    let mut desk = Desk::new(empty(), (120, 36));
    let rings_after = |desk: &mut Desk, facts: &dyn Fn(&mut Maker)| {
        let heard = desk.maker.records.len();
        facts(&mut desk.maker);
        for record in desk.maker.records.split_off(heard) {
            desk.maker.records.push(record.clone());
            let header = crate::protocol::header(&desk.maker.study);
            desk.hear(Incoming::Update(Box::new(crate::protocol::Update { record, header, rows: vec![] })));
        }
        desk.sent.iter().filter(|e| **e == UiEffect::Ring).count()
    };
    let propose = |maker: &mut Maker| {
        maker.propose(0, "knobs/tpe", Operator::Improve, "optimizer", "x");
    };
    assert_eq!(rings_after(&mut desk, &Maker::baseline), 0);
    assert_eq!(rings_after(&mut desk, &propose), 1);
    assert_eq!(rings_after(&mut desk, &propose), 1, "one waits already");
    let end =
        |maker: &mut Maker| maker.now(Event::StateChanged { state: StudyState::Finished, reason: Some(EndReason::User), detail: None });
    assert_eq!(rings_after(&mut desk, &end), 2);
}
