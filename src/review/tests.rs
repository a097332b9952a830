use super::*;
use crate::model::*;

fn study(autonomy: Autonomy) -> Study {
    let settings = Settings { autonomy, ..sample::settings() };
    let event = Event::StudyCreated {
        format: FORMAT,
        study: "s".into(),
        settings: Box::new(settings),
        commit: "c".into(),
        tree: "tree-0".into(),
        source: String::new(),
        evaluator: None,
    };
    create(&Record { seq: 1, at: Millis(0), event }).unwrap()
}

/// A trial as it is when it has been checked, with reviews in the order of time.
fn waiting(study: &mut Study, proposer: &str, knobs: &[(&str, f64)], reviews: &[(Reviewer, Decision)]) -> Trial {
    let mut facts = vec![Event::Proposed {
        proposal: ProposalId(1),
        trial: TrialId(1),
        proposer: proposer.into(),
        parents: vec![TrialId::BASELINE],
        operator: Operator::Improve,
        hypothesis: "h".into(),
        surface: None,
        expected: None,
        knobs: knobs.iter().map(|(k, v)| ((*k).to_owned(), KnobValue::Float(*v))).collect(),
        accepted: false,
        basis: 1,
    }];
    let checked = |revision| Event::Checked {
        trial: TrialId(1),
        revision,
        commit: "c".into(),
        tree: "t".into(),
        diff: DiffStat::default(),
        surface: None,
        flags: Vec::new(),
    };
    facts.push(checked(1));
    let mut revision = 1;
    for (by, decision) in reviews {
        let by = *by;
        if *decision == Decision::Edit {
            revision += 1;
            facts.push(Event::Revised { trial: TrialId(1), revision, by, reason: None, accepted: false, hypothesis: None, expected: None });
            facts.push(checked(revision));
        } else {
            facts.push(Event::Reviewed { trial: TrialId(1), by, decision: *decision, reason: None, tree: Some("t".into()) });
            if matches!(decision, Decision::Accept | Decision::Veto) {
                facts.push(Event::ReviewUndone { trial: TrialId(1) });
            }
        }
    }
    for event in facts {
        let record = Record { seq: study.seq + 1, at: Millis(1), event };
        apply(study, &record);
    }
    let trial = study.trial(TrialId(1)).unwrap().clone();
    assert_eq!(trial.status, Status::Waiting);
    trial
}

#[test]
fn who_may_pass() {
    use Autonomy::{Ask, AskRisky, Auto};
    use Decision::{Accept, Edit, Revise, Veto};
    use Reviewer::{Human, Rule};
    let knob: &[(&str, f64)] = &[("lr", 0.1)];
    let auto = Some(Reviewer::Auto);
    let rule = Some(Reviewer::Rule);
    for (name, mode, proposer, knobs, let_pass, reviews, want) in [
        ("auto, sampler", Auto, "knobs/tpe", knob, "", &[][..], auto),
        ("auto, agent", Auto, "agents/optimizer", &[][..], "", &[], auto),
        ("auto, researcher", Auto, "researcher", &[], "", &[], auto),
        ("ask, sampler", Ask, "knobs/tpe", knob, "", &[], None),
        ("ask, let pass", Ask, "knobs/tpe", knob, "knobs/tpe", &[], rule),
        ("ask, another one is let pass", Ask, "knobs/tpe", knob, "knobs/random", &[], None),
        ("ask-risky, sampler", AskRisky, "knobs/tpe", knob, "", &[], rule),
        ("ask-risky, sampler without values", AskRisky, "knobs/tpe", &[], "", &[], None),
        ("ask-risky, agent that sets knobs", AskRisky, "agents/optimizer", knob, "", &[], None),
        ("ask-risky, a name that only looks so", AskRisky, "my-knobs/tpe", knob, "", &[], None),
        ("ask-risky, researcher", AskRisky, "researcher", &[], "", &[], None),
        ("ask-risky, let pass", AskRisky, "agents/optimizer", &[], "agents/optimizer", &[], rule),
        ("ask-risky, edited", AskRisky, "knobs/tpe", knob, "", &[(Human, Edit)], None),
        ("ask, let pass, edited", Ask, "knobs/tpe", knob, "knobs/tpe", &[(Human, Edit)], None),
        ("auto, edited", Auto, "knobs/tpe", knob, "", &[(Human, Edit)], auto),
        ("ask-risky, the sampler's own revision", AskRisky, "knobs/tpe", knob, "", &[(Human, Revise), (Rule, Edit)], rule),
        ("auto, accept undone", Auto, "knobs/tpe", knob, "", &[(Reviewer::Auto, Accept)], None),
        ("ask-risky, accept undone", AskRisky, "knobs/tpe", knob, "", &[(Rule, Accept)], None),
        ("auto, veto undone", Auto, "knobs/tpe", knob, "", &[(Human, Veto)], None),
        ("auto, undone, then edited", Auto, "knobs/tpe", knob, "", &[(Human, Accept), (Human, Edit)], auto),
    ] {
        let mut study = study(mode);
        if !let_pass.is_empty() {
            study.let_pass.insert(let_pass.into());
        }
        let trial = waiting(&mut study, proposer, knobs, reviews);
        let got = match ruling(&study, &trial) {
            Ruling::Passes { by, reason } => {
                assert!(!reason.is_empty(), "{name}");
                Some(by)
            }
            Ruling::Vetoed { reason } => panic!("{name}: {reason}"),
            Ruling::Waits { why } => {
                assert!(!why.is_empty(), "{name}");
                None
            }
        };
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn what_is_flagged() {
    use Autonomy::{Ask, AskRisky, Auto};
    use FlagKind::{Clock, EvaluatorNamed, MetricPrint, Seed, Split, TimeLimit};
    let waits = "waits";
    for (name, mode, flags, want) in [
        ("auto, only the seed", Auto, &[(Seed, true)][..], "vetoed: it only changes the seed"),
        ("auto, seed and more", Auto, &[(Seed, false)], "passes"),
        (
            "auto, three kinds of nothing",
            Auto,
            &[(Seed, true), (TimeLimit, true), (MetricPrint, true)],
            "vetoed: it only changes the seed, ",
        ),
        ("auto, only the split", Auto, &[(Split, true)], "passes"),
        ("auto, seed and split", Auto, &[(Seed, true), (Split, true)], "passes"),
        ("auto, the clock", Auto, &[(Clock, false)], "passes"),
        ("ask-risky, a sampler's", AskRisky, &[(Split, true)], waits),
        ("ask-risky, only the seed", AskRisky, &[(Seed, true)], waits),
        ("ask, let pass, flagged", Ask, &[(EvaluatorNamed, false)], waits),
    ] {
        let mut study = study(mode);
        study.let_pass.insert("knobs/tpe".into());
        let mut trial = waiting(&mut study, "knobs/tpe", &[("lr", 0.1)], &[]);
        trial.flags = flags.iter().map(|(flag, only)| Flag { flag: *flag, only: *only, evidence: "t.py:1 x".into() }).collect();
        let got = match ruling(&study, &trial) {
            Ruling::Passes { reason, .. } => format!("passes: {reason}"),
            Ruling::Vetoed { reason } => format!("vetoed: {reason}"),
            Ruling::Waits { why } => format!("waits: {why}"),
        };
        assert!(got.starts_with(want), "{name}: {got}");
        assert!(want.starts_with("vetoed") || got.contains("flagged: "), "{name}: {got}");
    }
    // A veto that was taken back waits for its person.
    let mut study = study(Auto);
    let mut trial = waiting(&mut study, "agents/x", &[], &[(Reviewer::Rule, Decision::Veto)]);
    trial.flags = vec![Flag { flag: Seed, only: true, evidence: String::new() }];
    assert!(matches!(ruling(&study, &trial), Ruling::Waits { .. }));
}
