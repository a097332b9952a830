use super::*;
use crate::propose::knobs::{Kind, discover};

const SCRIPT: &str =
    "LEARNING_RATE = 0.03\nEPOCHS = 2\nWEIGHT_DECAY = 0.0\nMOMENTUM = 0.5\nHIDDEN = 64\nBATCH_SIZE = 32\nUSE_BIAS = False\nDROPOUT = 0.3\n";

fn tree(source: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("train.py".to_owned(), source.to_owned())])
}

/// Place in the range, 0 to 1.
fn unit(knob: &Knob) -> f64 {
    let n = match knob.value {
        KnobValue::Int(v) => v as f64,
        KnobValue::Float(v) => v,
        KnobValue::Bool(b) => return f64::from(u8::from(b)),
        KnobValue::Choice(_) => return 0.0,
    };
    let (lo, hi, log) = match knob.kind {
        Kind::Float { lo, hi, log } => (lo, hi, log),
        Kind::Int { lo, hi, log } => (lo as f64, hi as f64, log),
        Kind::Bool | Kind::Choice(_) => return 0.0,
    };
    if log { (n.max(lo) / lo).ln() / (hi / lo).ln() } else { (n - lo) / (hi - lo) }
}

/// Share of the loss that a study of `n` trials removes, hill climbing on a noisy bowl, and the drafts it made.
fn study(sampler: Sampler, n: u32, seed: u64) -> (f64, Vec<Draft>) {
    let mut rng = samplers::rng(seed);
    let base = discover(&tree(SCRIPT), &[]).knobs;
    let bowl: Vec<(f64, f64)> = base.iter().map(|_| (rng.f64(), rng.f64().powi(3))).collect();
    let loss = |knobs: &[Knob]| knobs.iter().zip(&bowl).map(|(k, (at, weight))| weight * (unit(k) - at).powi(2)).sum::<f64>();
    let first = loss(&base);
    let (mut parent, mut best) = (tree(SCRIPT), first);
    let mut history = vec![Seen { trial: TrialId(0), knobs: values(&base), outcome: Outcome::Score(first) }];
    let mut drafts = Vec::new();
    for i in 1..=n {
        let knobs = anchor(discover(&parent, &[]), &base);
        let request = Request {
            sampler,
            knobs: &knobs,
            sources: &parent,
            history: &history,
            goal: Goal::Minimize,
            metric: "loss",
            noise_sd: Some(0.03 * first),
            seed: seed * 100 + u64::from(i),
        };
        let draft = draft(&request).unwrap();
        let [Edit::Write { path, content }] = draft.edits.as_slice() else { panic!("{:?}", draft.edits) };
        let child = BTreeMap::from([(path.clone(), content.clone())]);
        let there = anchor(discover(&child, &[]), &base);
        let score = loss(&there) + 0.03 * first * (rng.f64() + rng.f64() - 1.0);
        history.push(Seen { trial: TrialId(i), knobs: values(&there), outcome: Outcome::Score(score) });
        if score < best {
            (parent, best) = (child, score);
        }
        drafts.push(draft);
    }
    (1.0 - loss(&anchor(discover(&parent, &[]), &base)) / first, drafts)
}

#[test]
fn a_dozen_trials_go_further_with_tpe_than_with_random() {
    let seeds = 100;
    let mean = |sampler| (0..seeds).map(|seed| study(sampler, 12, seed).0).sum::<f64>() / seeds as f64;
    let (random, tpe) = (mean(Sampler::Random), mean(Sampler::Tpe));
    assert!(tpe > 0.4 && tpe > random + 0.02, "tpe {tpe}, random {random}");
}

#[test]
fn drafts_are_small_new_and_told_in_words() {
    let (_, drafts) = study(Sampler::Tpe, 25, 7);
    let mut trees = std::collections::HashSet::from([SCRIPT.to_owned()]);
    for draft in &drafts {
        let Edit::Write { content, .. } = &draft.edits[0] else { panic!() };
        assert!(trees.insert(content.clone()), "seen before: {}", draft.hypothesis);
        assert!((1..=MOST_CHANGES).contains(&draft.knobs.len()), "{}", draft.hypothesis);
        assert_eq!(content.lines().count(), SCRIPT.lines().count());
        for (name, value) in &draft.knobs {
            assert!(draft.hypothesis.contains(name.as_str()), "{}", draft.hypothesis);
            assert!(draft.reasoning.contains(&format!("→ {value} in ")), "{}", draft.reasoning);
        }
        assert!(!draft.hypothesis.contains('\n') && draft.hypothesis.len() < 250, "{}", draft.hypothesis);
    }
    assert_eq!(study(Sampler::Tpe, 25, 7).1, drafts);
}

#[test]
fn a_spent_space_says_so() {
    let sources = tree("USE_BIAS = True\n");
    let knobs = discover(&sources, &[]).knobs;
    let mut history = vec![Seen { trial: TrialId(0), knobs: values(&knobs), outcome: Outcome::Score(1.0) }];
    let request = |history: &[Seen]| {
        draft(&Request {
            sampler: Sampler::Tpe,
            knobs: &knobs,
            sources: &sources,
            history,
            goal: Goal::Maximize,
            metric: "accuracy",
            noise_sd: None,
            seed: 1,
        })
    };
    let one = request(&history).unwrap();
    assert_eq!(one.hypothesis, "explore: USE_BIAS true → false: it was never tried");
    assert_eq!(one.surface.as_deref(), Some("architecture"));
    assert_eq!(one.edits, [Edit::Write { path: "train.py".into(), content: "USE_BIAS = False\n".into() }]);
    history.push(Seen { trial: TrialId(1), knobs: one.knobs, outcome: Outcome::Pending });
    assert_eq!(request(&history).unwrap_err().to_string(), "all values of the 1 knobs around this parent were tried");
    let nothing = Request {
        sampler: Sampler::Random,
        knobs: &[],
        sources: &sources,
        history: &[],
        goal: Goal::Maximize,
        metric: "accuracy",
        noise_sd: None,
        seed: 1,
    };
    assert!(matches!(draft(&nothing), Err(NoDraft::NoKnobs)));
}

#[test]
fn a_weight_decay_can_be_switched_on_and_off() {
    let knobs = discover(&tree("WEIGHT_DECAY = 0.0\n"), &[]).knobs;
    let axis = Axis::new(&knobs[0]).unwrap();
    let zero = axis.encode(&KnobValue::Float(0.0)).unwrap();
    assert_eq!(axis.decode(&zero), KnobValue::Float(0.0));
    let mut rng = samplers::rng(1);
    let drawn: Vec<KnobValue> = (0..200).map(|_| axis.decode(&axis.domain.draw(&mut rng))).collect();
    let zeros = drawn.iter().filter(|v| **v == KnobValue::Float(0.0)).count();
    assert!((8..50).contains(&zeros), "{zeros}");
    assert!(drawn.iter().all(|v| matches!(v, KnobValue::Float(x) if *x == 0.0 || (1e-6..=0.1).contains(x))));
}
