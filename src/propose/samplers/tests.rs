use super::*;

fn float(lo: f64, hi: f64, log: bool) -> Param {
    Param { name: "x".into(), domain: Domain::Float { lo, hi, log }, active: None }
}

fn search(sampler: Sampler, space: &Space, n: u64, seed: u64, f: impl Fn(&[Value]) -> Outcome) -> Vec<Observation> {
    let mut history: Vec<Observation> = Vec::new();
    for i in 0..n {
        let Some(suggestion) = suggest(sampler, space, &history, seed * 1_000 + i) else { break };
        let outcome = f(&suggestion.values);
        history.push(Observation { values: suggestion.values, outcome });
    }
    history
}

fn best(history: &[Observation]) -> f64 {
    history.iter().fold(f64::INFINITY, |b, o| if let Outcome::Score(v) = o.outcome { b.min(v) } else { b })
}

fn number(value: Value) -> f64 {
    match value {
        Value::Float(v) => v,
        Value::Int(v) => v as f64,
        Value::Choice(v) => v as f64,
    }
}

#[test]
fn tpe_beats_random_on_a_bowl() {
    let int = Param { name: "i".into(), domain: Domain::Int { lo: 1, hi: 64, log: true }, active: None };
    let space = Space { params: vec![float(1e-5, 1.0, true), float(-1.0, 1.0, false), float(0.0, 1.0, false), int] };
    let bowl = |x: &[Value]| {
        let x: Vec<f64> = x.iter().map(|v| number(*v)).collect();
        let parts = [(x[0].log10() + 3.0) / 5.0, (x[1] - 0.4) / 2.0, x[2] - 0.7, (x[3].log2() - 4.0) / 6.0];
        Outcome::Score(parts.iter().map(|p| p * p).sum())
    };
    let seeds = 20;
    let mean = |sampler| (0..seeds).map(|seed| best(&search(sampler, &space, 60, seed, bowl))).sum::<f64>() / seeds as f64;
    let (random, tpe) = (mean(Sampler::Random), mean(Sampler::Tpe));
    assert!(tpe < 0.5 * random, "tpe {tpe}, random {random}");
}

#[test]
fn same_seed_same_suggestion() {
    let space = Space { params: vec![float(0.0, 1.0, false), float(1e-3, 1.0, true)] };
    let run = |seed| search(Sampler::Tpe, &space, 15, seed, |x| Outcome::Score(number(x[0])));
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_finite_space_is_walked_through_without_repetition() {
    let choice = |n| Param { name: "c".into(), domain: Domain::Choice { n }, active: None };
    let int = Param { name: "i".into(), domain: Domain::Int { lo: -1, hi: 1, log: false }, active: None };
    let space = Space { params: vec![choice(3), choice(4), int] };
    for sampler in [Sampler::Random, Sampler::Tpe] {
        let history = search(sampler, &space, 100, 1, |x| if number(x[0]) == 0.0 { Outcome::Crash } else { Outcome::Score(number(x[1])) });
        let keys: HashSet<Vec<i64>> = history.iter().map(|o| space.key(&o.values)).collect();
        assert_eq!((history.len(), keys.len()), (36, 36), "{sampler:?}");
    }
}

#[test]
fn an_inactive_parameter_does_not_tell_points_apart() {
    let mut params = vec![Param { name: "c".into(), domain: Domain::Choice { n: 2 }, active: None }, float(0.0, 1.0, false)];
    params[1].active = Some(Condition { param: 0, equals: vec![1] });
    let space = Space { params };
    let key = |c, x| space.key(&[Value::Choice(c), Value::Float(x)]);
    assert_eq!(key(0, 0.1), key(0, 0.2));
    assert_ne!(key(1, 0.1), key(1, 0.2));
}

#[test]
fn crashes_and_pending_points_push_away() {
    let space = Space { params: vec![float(0.0, 1.0, false)] };
    let at = |x: f64, outcome| Observation { values: vec![Value::Float(x)], outcome };
    let history: Vec<Observation> = (0..20)
        .map(|i| {
            let x = f64::from(i) / 20.0;
            at(x, if x > 0.6 { Outcome::Crash } else { Outcome::Score((x - 0.5).abs()) })
        })
        .collect();
    let model = Model::fit(&space, &history);
    let ratios = model.log_ratio(&space, &[vec![Value::Float(0.5)], vec![Value::Float(0.9)], vec![Value::Float(0.1)]]);
    assert!(ratios[0] > ratios[1] && ratios[0] > ratios[2], "{ratios:?}");
    let mut pending = history;
    pending.extend((0..6).map(|i| at(0.5 + 0.001 * f64::from(i), Outcome::Pending)));
    let after = Model::fit(&space, &pending).log_ratio(&space, &[vec![Value::Float(0.5)]]);
    assert!(after[0] < ratios[0], "{after:?} {ratios:?}");
}

#[test]
fn the_density_integrates_to_one() {
    let space = Space { params: vec![float(1e-4, 1.0, true)] };
    let domains = [space.params[0].domain, Domain::Int { lo: 1, hi: 9, log: true }, Domain::Choice { n: 3 }];
    let rows: Vec<Vec<f64>> = (1..8).map(|i| vec![-f64::from(i), f64::from(i).ln(), f64::from(i % 3)]).collect();
    let parzen = kernel::Parzen::fit(&domains, &rows);
    let (lo, steps) = (1e-4f64.ln(), 400);
    let width = -lo / f64::from(steps);
    let mut total = 0.0;
    for s in 0..steps {
        let x = Value::Float((lo + (f64::from(s) + 0.5) * width).exp());
        let points: Vec<Vec<Value>> = (1..10).flat_map(|i| (0..3).map(move |c| vec![x, Value::Int(i), Value::Choice(c)])).collect();
        total += width * parzen.log_density(&points).iter().map(|d| d.exp()).sum::<f64>();
    }
    assert!((total - 1.0).abs() < 1e-3, "{total}");
}
