use super::mend::Mend;
use super::*;
use crate::model::*;

fn study(policy: PolicyName, goal: Goal) -> Study {
    let settings = Settings { goal, noise: NoisePlan::Given { sd: 0.1 }, policy, ..sample::settings() };
    let event = Event::StudyCreated {
        format: FORMAT,
        study: "s".into(),
        settings: Box::new(settings),
        commit: "c".into(),
        tree: "tree-0".into(),
        source: String::new(),
        evaluator: None,
    };
    let mut study = create(&Record { seq: 1, at: Millis(0), event }).unwrap();
    study.trials[0].score = Some(0.5);
    study
}

/// Asks for a proposal and hands it in; it waits.
fn propose(study: &mut Study, parent: u32, operator: Operator) -> TrialId {
    let (proposal, trial) = (ask(study, parent, operator), study.next_trial());
    let parents = vec![TrialId(parent)];
    tell(
        study,
        Event::Proposed {
            proposal,
            trial,
            proposer: "p".into(),
            parents,
            operator,
            hypothesis: "h".into(),
            surface: None,
            expected: None,
            knobs: Default::default(),
            accepted: false,
            basis: 1,
        },
    );
    let (commit, tree) = ("c".into(), format!("tree-{}", trial.0));
    tell(study, Event::Checked { trial, revision: 1, commit, tree, diff: DiffStat::default(), surface: None, flags: vec![] });
    trial
}

fn ask(study: &mut Study, parent: u32, operator: Operator) -> ProposalId {
    let proposal = study.next_proposal();
    let (parents, decision) = (vec![TrialId(parent)], study.decisions);
    tell(study, Event::ProposalAsked { proposal, proposer: "p".into(), parents, operator, decision, assignment: None });
    proposal
}

fn tell(study: &mut Study, event: Event) {
    let record = Record { seq: study.seq + 1, at: Millis(0), event };
    apply(study, &record);
}

/// A trial that ran, with its verdict and score.
fn judged(study: &mut Study, parent: u32, verdict: Verdict, score: f64) -> TrialId {
    let trial = propose(study, parent, Operator::Improve);
    tell(study, Event::Judged { trial, verdict, verified: false, comparison: None, failure: None });
    study.trial_mut(trial).unwrap().score = Some(score);
    trial
}

/// A trial that failed.
fn failed(study: &mut Study, parent: u32, operator: Operator, label: Label) -> TrialId {
    let trial = propose(study, parent, operator);
    let failure = Some(Failure::new(label, "x"));
    tell(study, Event::Judged { trial, verdict: Verdict::Revert, verified: false, comparison: None, failure });
    trial
}

fn with_drafts(study: &mut Study) {
    for _ in 0..5 {
        let proposal = ask(study, 0, Operator::Draft);
        tell(study, Event::ProposalFailed { proposal, detail: "x".into(), gave_up: false });
    }
}

fn parent(study: &Study, policy: PolicyName) -> u32 {
    let choice = choose(study, policy, Repair::Unable, 1);
    assert_eq!((choice.parents.len(), choice.operator), (1, Operator::Improve), "{choice:?}");
    assert!(!choice.why.is_empty());
    choice.parents[0].0
}

#[test]
fn hillclimb_extends_the_incumbent() {
    let mut study = study(PolicyName::Hillclimb, Goal::Minimize);
    assert_eq!(parent(&study, PolicyName::Hillclimb), 0, "before anything ran");
    let first = judged(&mut study, 0, Verdict::Keep, 0.4);
    tell(&mut study, Event::IncumbentMoved { trial: first, from: TrialId(0) });
    judged(&mut study, 1, Verdict::Revert, 0.3);
    propose(&mut study, 1, Operator::Improve);
    assert_eq!(parent(&study, PolicyName::Hillclimb), 1);
    tell(&mut study, Event::Marked { trial: first, pinned: false, pruned: true });
    assert_eq!(parent(&study, PolicyName::Hillclimb), 0, "a pruned incumbent is left for its parent");
    study.incumbent = TrialId(99);
    assert_eq!(parent(&study, PolicyName::Hillclimb), 0, "total");
}

#[test]
fn greedy_drafts_first_then_improves_the_best() {
    for (goal, sign) in [(Goal::Minimize, 1.0), (Goal::Maximize, -1.0)] {
        let mut study = study(PolicyName::Greedy, goal);
        study.trials[0].score = Some(0.5 * sign);
        for n in 1..=5 {
            let choice = choose(&study, PolicyName::Greedy, Repair::Able, n);
            assert_eq!((choice.parents, choice.operator), (vec![TrialId(0)], Operator::Draft), "draft {n}");
            ask(&mut study, 0, Operator::Draft);
        }
        assert_eq!(parent(&study, PolicyName::Greedy), 0, "nothing was handed in yet");
        judged(&mut study, 0, Verdict::Keep, 0.4 * sign);
        judged(&mut study, 0, Verdict::Revert, 0.3 * sign);
        assert_eq!(parent(&study, PolicyName::Greedy), 2, "the best score, kept or not");
        for verdict in [Verdict::Undecided, Verdict::RolledBack] {
            judged(&mut study, 0, verdict, 0.1 * sign);
        }
        let pending = propose(&mut study, 2, Operator::Improve);
        study.trial_mut(pending).unwrap().score = Some(0.05 * sign);
        failed(&mut study, 2, Operator::Improve, Label::Crashed);
        assert_eq!(parent(&study, PolicyName::Greedy), 2, "pending, undecided, rolled back and failed ones are no parents");
        tell(&mut study, Event::Marked { trial: TrialId(2), pinned: false, pruned: true });
        assert_eq!(parent(&study, PolicyName::Greedy), 1, "nor are pruned ones");
        judged(&mut study, 0, Verdict::Revert, 0.4 * sign);
        assert_eq!(parent(&study, PolicyName::Greedy), 1, "the earliest of equals");
    }
}

#[test]
fn a_pin_goes_before_any_policy() {
    for policy in [PolicyName::Hillclimb, PolicyName::Greedy] {
        let mut study = study(policy, Goal::Minimize);
        judged(&mut study, 0, Verdict::Keep, 0.2);
        let pinned = judged(&mut study, 0, Verdict::Revert, 0.6);
        study.incumbent = TrialId(1);
        tell(&mut study, Event::Marked { trial: pinned, pinned: true, pruned: false });
        assert_eq!(parent(&study, policy), pinned.0, "{policy:?}");
        let waiting = propose(&mut study, 0, Operator::Improve);
        tell(&mut study, Event::Marked { trial: waiting, pinned: true, pruned: false });
        assert_eq!(parent(&study, policy), pinned.0, "{policy:?}: a pinned one that has not run is no parent yet");
        tell(&mut study, Event::Marked { trial: pinned, pinned: true, pruned: true });
        assert_ne!(choose(&study, policy, Repair::Unable, 1).parents, vec![pinned], "{policy:?}");
    }
}

/// What greedy repairs over many draws: the parents, and how often it repairs at all.
fn repairs(study: &Study, repair: Repair) -> (std::collections::BTreeSet<u32>, f64) {
    let n = 2_000;
    let choices: Vec<Choice> = (0..n).map(|i| choose(study, PolicyName::Greedy, repair, draw(1, i, draw::stream::POLICY))).collect();
    let debug: Vec<&Choice> = choices.iter().filter(|c| c.operator == Operator::Debug).collect();
    (debug.iter().map(|c| c.parents[0].0).collect(), debug.len() as f64 / n as f64)
}

#[test]
fn greedy_repairs_failed_leaves_half_of_the_time() {
    let mut study = study(PolicyName::Greedy, Goal::Minimize);
    with_drafts(&mut study);
    assert_eq!(repairs(&study, Repair::Able).1, 0.0, "nothing failed");
    for label in [Label::Crashed, Label::Killed, Label::Infrastructure, Label::Tampered, Label::TimedOut, Label::Diverged] {
        failed(&mut study, 0, Operator::Improve, label);
    }
    assert_eq!(repairs(&study, Repair::Unable), (Default::default(), 0.0), "a sampler of values mends nothing");
    let (parents, share) = repairs(&study, Repair::Able);
    assert_eq!(parents, [1, 5, 6].into(), "only failures of the code's own");
    assert!((share - 0.5).abs() < 0.05, "{share}");

    tell(&mut study, Event::Marked { trial: TrialId(5), pinned: false, pruned: true });
    let request = ask(&mut study, 1, Operator::Debug);
    assert_eq!(repairs(&study, Repair::Able).0, [6].into(), "pruned, or a repair is on its way");
    tell(&mut study, Event::ProposalFailed { proposal: request, detail: "no answer".into(), gave_up: false });
    assert_eq!(repairs(&study, Repair::Able).0, [1, 6].into(), "the request came to nothing");
    let vetoed = propose(&mut study, 6, Operator::Debug);
    assert_eq!(repairs(&study, Repair::Able).0, [1].into());
    let by = Reviewer::Human;
    tell(&mut study, Event::Reviewed { trial: vetoed, by, decision: Decision::Veto, reason: None, tree: None });
    assert_eq!(repairs(&study, Repair::Able).0, [1, 6].into(), "a vetoed repair is none");
}

#[test]
fn greedy_gives_a_line_of_failing_repairs_up() {
    let mut study = study(PolicyName::Greedy, Goal::Minimize);
    with_drafts(&mut study);
    let mut leaf = failed(&mut study, 0, Operator::Improve, Label::Crashed);
    for depth in 1..=3 {
        leaf = failed(&mut study, leaf.0, Operator::Debug, Label::Crashed);
        assert_eq!(repairs(&study, Repair::Able).0, [leaf.0].into(), "a leaf of depth {depth}");
    }
    failed(&mut study, leaf.0, Operator::Debug, Label::Crashed);
    assert_eq!(repairs(&study, Repair::Able).1, 0.0);
}

#[test]
fn a_broken_baseline_is_mended_at_its_newest_failure_three_times_at_most() {
    let mut study = study(PolicyName::Greedy, Goal::Minimize);
    assert_eq!(mend::baseline(&study), None);
    study.trials[0].score = None;
    tell(&mut study, Event::BaselineDone { failure: Some(Failure::new(Label::Crashed, "ImportError")) });
    let mut newest = TrialId(0);
    for _ in 0..3 {
        let Some(Mend::Due(choice)) = mend::baseline(&study) else { panic!("{:?}", mend::baseline(&study)) };
        assert_eq!((choice.parents, choice.operator), (vec![newest], Operator::Debug), "{}", choice.why);
        let asked = ask(&mut study, newest.0, Operator::Debug);
        assert_eq!(mend::baseline(&study), Some(Mend::UnderWay));
        // A server that was away is no answer.
        tell(&mut study, Event::ProposalFailed { proposal: asked, detail: "503".into(), gave_up: false });
        let waiting = propose(&mut study, newest.0, Operator::Debug);
        assert_eq!(mend::baseline(&study), Some(Mend::UnderWay));
        let failure = Some(Failure::new(Label::Crashed, "x"));
        tell(&mut study, Event::Judged { trial: waiting, verdict: Verdict::Revert, verified: false, comparison: None, failure });
        newest = waiting;
    }
    assert_eq!(mend::baseline(&study), Some(Mend::GivenUp));
    assert_eq!(repair::next(&study), None, "a broken baseline is no failed idea");
    tell(&mut study, Event::BaselineMended { trial: newest, runs: 0 });
    assert_eq!((mend::baseline(&study), repair::next(&study)), (None, None));
    // Two answers of which nothing came are enough, and what no edit could mend is left.
    for label in [Label::Crashed, Label::Infrastructure] {
        let mut study = self::study(PolicyName::Hillclimb, Goal::Minimize);
        study.trials[0].score = None;
        tell(&mut study, Event::BaselineDone { failure: Some(Failure::new(label, "x")) });
        for _ in 0..if label == Label::Crashed { 2 } else { 0 } {
            assert!(matches!(mend::baseline(&study), Some(Mend::Due(_))));
            let proposal = ask(&mut study, 0, Operator::Debug);
            tell(&mut study, Event::ProposalFailed { proposal, detail: "no idea".into(), gave_up: true });
        }
        assert_eq!(mend::baseline(&study), Some(Mend::GivenUp), "{label:?}");
    }
}

#[test]
fn the_same_draw_gives_the_same_choice() {
    let mut study = study(PolicyName::Greedy, Goal::Minimize);
    with_drafts(&mut study);
    for _ in 0..4 {
        failed(&mut study, 0, Operator::Improve, Label::Crashed);
    }
    for n in 0..50 {
        let number = draw(3, n, draw::stream::POLICY);
        let once = choose(&study, PolicyName::Greedy, Repair::Able, number);
        assert_eq!(once, choose(&study, PolicyName::Greedy, Repair::Able, number));
    }
}

/// Four numbers, each in -5..5; the best is (1, 1, 1, 1).
fn bowl(x: [f64; 4]) -> f64 {
    x.iter().map(|v| (v - 1.0) * (v - 1.0)).sum()
}

/// The best score of 60 trials: small steps from the node that the policy names, or from nowhere when there is none.
fn race(policy: Option<PolicyName>, seed: u64) -> f64 {
    let mut study = study(policy.unwrap_or(PolicyName::Hillclimb), Goal::Minimize);
    let uniform = |n: u64, i: usize| draw::unit(draw(seed, n * 4 + i as u64, draw::stream::PROPOSER)) * 2.0 - 1.0;
    let mut points = vec![[-4.0; 4]];
    study.trials[0].score = Some(bowl(points[0]));
    for n in 0..60 {
        let choice = policy.map(|p| choose(&study, p, Repair::Unable, draw(seed, n, draw::stream::POLICY)));
        let x = match &choice {
            Some(choice) => {
                let base = points[choice.parents[0].0 as usize];
                std::array::from_fn(|i| (base[i] + uniform(n, i) * 1.5).clamp(-5.0, 5.0))
            }
            None => std::array::from_fn(|i| uniform(n, i) * 5.0),
        };
        let score = bowl(x);
        let better = study.trial(study.incumbent).and_then(|t| t.score).is_some_and(|s| score < s);
        let (parent, verdict) = (choice.map_or(0, |c| c.parents[0].0), if better { Verdict::Keep } else { Verdict::Revert });
        let operator = if n < 5 { Operator::Draft } else { Operator::Improve };
        let trial = propose(&mut study, parent, operator);
        tell(&mut study, Event::Judged { trial, verdict, verified: false, comparison: None, failure: None });
        study.trial_mut(trial).unwrap().score = Some(score);
        if better {
            study.incumbent = trial;
        }
        points.push(x);
    }
    study.trials.iter().filter_map(|t| t.score).fold(f64::INFINITY, f64::min)
}

#[test]
fn policies_beat_random_search_on_a_bowl() {
    let mean = |policy| (0..20).map(|seed| race(policy, seed)).sum::<f64>() / 20.0;
    let random = mean(None);
    for policy in [PolicyName::Hillclimb, PolicyName::Greedy] {
        let ours = mean(Some(policy));
        assert!(ours < 0.5 * random, "{policy:?}: {ours} against {random}");
    }
}
