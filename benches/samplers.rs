//! Prints the mean normalised regret of the samplers on five problems, at 25, 50 and 100 evaluations, and the time of one
//! suggestion at 1,000 observations.
//!
//! `cargo bench --bench samplers -- DATA [SEEDS]`, where DATA holds `nasbench_macro.json` and `hpo_nmt/`; without it only
//! the three problems that need no data are measured. Regret is (best - f*) / (med - f*), med the median of random points.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use std::{collections::HashMap, path::Path, time::Instant};
use trialdeck::model::splitmix64;
use trialdeck::propose::samplers::{self, Condition, Domain, Observation, Outcome, Param, Sampler, Space, Value};

const MARKS: [usize; 3] = [25, 50, 100];

type Function = Box<dyn Fn(&[Value]) -> Option<f64>>;

struct Problem {
    space: Space,
    best: f64,
    median: f64,
    function: Function,
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let data = args.next();
    let seeds: u64 = args.next().map_or(20, |s| s.parse().unwrap());
    test_vectors();
    for sampler in [Sampler::Random, Sampler::Tpe] {
        let mut sums = [0.0; 3];
        let mut problems = 0.0;
        println!("{:<10} {:>8} {:>8} {:>8}   N = 25, 50, 100; {seeds} seeds", sampler.word(), "", "", "");
        let names = ["hartmann6", "condtrain", "arch108k", "nbmacro", "nmt_sw"];
        for name in names.into_iter().filter(|n| data.is_some() || !matches!(*n, "nbmacro" | "nmt_sw")) {
            let mut regret = [0.0; 3];
            for seed in 0..seeds {
                let problem = problem(name, seed, data.as_deref());
                for (mark, value) in regret.iter_mut().zip(search(&problem, sampler, seed)) {
                    *mark += value / seeds as f64;
                }
            }
            println!("  {name:<10} {:>6.3} {:>8.3} {:>8.3}", regret[0], regret[1], regret[2]);
            sums.iter_mut().zip(regret).for_each(|(s, r)| *s += r);
            problems += 1.0;
        }
        println!("  {:<10} {:>6.3} {:>8.3} {:>8.3}", "mean", sums[0] / problems, sums[1] / problems, sums[2] / problems);
    }
    time();
}

fn search(problem: &Problem, sampler: Sampler, seed: u64) -> Vec<f64> {
    let mut history: Vec<Observation> = Vec::new();
    let mut best = f64::INFINITY;
    let mut out = Vec::new();
    for n in 1..=100u64 {
        let seed = splitmix64(seed).wrapping_add(n);
        let values = samplers::suggest(sampler, &problem.space, &history, seed).unwrap().values;
        let result = (problem.function)(&values);
        best = best.min(result.unwrap_or(0.0));
        history.push(Observation { values, outcome: result.map_or(Outcome::Crash, Outcome::Score) });
        if MARKS.contains(&(n as usize)) {
            out.push((best - problem.best) / (problem.median - problem.best));
        }
    }
    out
}

/// One suggestion with 10 parameters of all kinds.
fn time() {
    let params = (0..10).map(|i| {
        let domain = match i {
            0..4 => Domain::Float { lo: 1e-5, hi: 1.0, log: i % 2 == 0 },
            4..7 => Domain::Int { lo: 1, hi: 64, log: i % 2 == 0 },
            _ => Domain::Choice { n: 5 },
        };
        Param { name: format!("p{i}"), domain, active: None }
    });
    let space = Space { params: params.collect() };
    let mut rng = samplers::rng(1);
    let history: Vec<Observation> =
        (0..1_000).map(|_| Observation { values: space.draw(&mut rng), outcome: Outcome::Score(rng.f64()) }).collect();
    let mut times: Vec<f64> = (0..101)
        .map(|seed| {
            let start = Instant::now();
            std::hint::black_box(samplers::suggest(Sampler::Tpe, &space, &history, seed));
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("tpe, 10 parameters, 1,000 observations: {:.2} ms a suggestion (median), {:.2} ms worst", times[50], times[100]);
}

fn float(value: &Value) -> f64 {
    match *value {
        Value::Float(v) => v,
        Value::Int(v) => v as f64,
        Value::Choice(v) => v as f64,
    }
}

fn param(name: &str, domain: Domain) -> Param {
    Param { name: name.into(), domain, active: None }
}

fn problem(name: &str, seed: u64, data: Option<&str>) -> Problem {
    let choices = |sizes: &[usize]| Space { params: sizes.iter().map(|n| param("c", Domain::Choice { n: *n })).collect() };
    match name {
        "hartmann6" => Problem {
            space: Space { params: (0..6).map(|_| param("x", Domain::Float { lo: 0.0, hi: 1.0, log: false })).collect() },
            best: -3.322_368_01,
            median: -0.107_334_773_132_918_48,
            function: Box::new(|x| Some(hartmann6(&x.iter().map(float).collect::<Vec<_>>()))),
        },
        "condtrain" => {
            let mut params = vec![
                param("optimiser", Domain::Choice { n: 3 }),
                param("log10 lr", Domain::Float { lo: -5.0, hi: 0.0, log: false }),
                param("momentum", Domain::Float { lo: 0.0, hi: 0.99, log: false }),
                param("log10 1-beta2", Domain::Float { lo: -4.0, hi: -1.0, log: false }),
                param("depth", Domain::Int { lo: 2, hi: 16, log: false }),
                param("log2 width", Domain::Int { lo: 6, hi: 10, log: false }),
                param("activation", Domain::Choice { n: 4 }),
            ];
            params[2].active = Some(Condition { param: 0, equals: vec![0] });
            params[3].active = Some(Condition { param: 0, equals: vec![1] });
            Problem {
                space: Space { params },
                best: 3.0,
                median: 3.655_373_969_145_222,
                function: Box::new(|x| Some(condtrain(&x.iter().map(float).collect::<Vec<_>>()))),
            }
        }
        "arch108k" => {
            let arch = Arch::new(1 + seed % 10);
            let (best, median) = arch.scale();
            let function: Function = Box::new(move |x| Some(arch.value(&x.iter().map(|v| float(v) as usize).collect::<Vec<_>>())));
            Problem { space: choices(&[10, 6, 5, 4, 5, 3, 3, 2]), best, median, function }
        }
        "nbmacro" => {
            let text = std::fs::read_to_string(Path::new(data.unwrap()).join("nasbench_macro.json")).unwrap();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let cells: HashMap<String, f64> =
                json.as_object().unwrap().iter().map(|(k, v)| (k.clone(), -v["mean_acc"].as_f64().unwrap())).collect();
            let key = |x: &[Value]| x.iter().map(|v| float(v).to_string()).collect::<String>();
            assert!((cells["00000000"] + 45.363_332_112_630_21).abs() < 1e-12);
            let function: Function = Box::new(move |x| cells.get(&key(x)).copied());
            Problem { space: choices(&[3; 8]), best: -93.126_663_208_007_81, median: -90.999_997_456_868_48, function }
        }
        _ => {
            let cells = nmt(Path::new(data.unwrap()));
            assert_eq!(cells.get(&vec![0; 6]), Some(&-23.97));
            let sizes = [6, 4, 3, 2, 2, 3];
            let params = sizes.iter().map(|n| param("i", Domain::Int { lo: 0, hi: n - 1, log: false })).collect();
            let function: Function = Box::new(move |x| cells.get(&x.iter().map(|v| float(v) as usize).collect::<Vec<_>>()).copied());
            Problem { space: Space { params }, best: -26.09, median: -19.25, function }
        }
    }
}

fn nmt(data: &Path) -> HashMap<Vec<usize>, f64> {
    let table = |file: &str| -> Vec<Vec<f64>> {
        let text = std::fs::read_to_string(data.join("hpo_nmt").join(file)).unwrap();
        text.lines().map(|l| l.split_whitespace().filter_map(|w| w.parse().ok()).collect()).collect()
    };
    let (hyps, evals) = (table("sw-en.hyps"), table("sw-en.evals"));
    let levels: Vec<Vec<f64>> = (0..6)
        .map(|c| {
            let mut column: Vec<f64> = hyps.iter().map(|row| row[c]).collect();
            column.sort_by(f64::total_cmp);
            column.dedup();
            column
        })
        .collect();
    let index = |row: &Vec<f64>| row.iter().zip(&levels).map(|(v, l)| l.iter().position(|x| x == v).unwrap()).collect();
    hyps.iter().zip(&evals).map(|(row, eval)| (index(row), -eval[0])).collect()
}

fn hartmann6(x: &[f64]) -> f64 {
    const ALPHA: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    -(0..4).map(|i| ALPHA[i] * (-(0..6).map(|j| A[i][j] * (x[j] - 1e-4 * P[i][j]).powi(2)).sum::<f64>()).exp()).sum::<f64>()
}

fn condtrain(x: &[f64]) -> f64 {
    let optimiser = x[0] as usize;
    let (lr, m, b, d, w) = (x[1], x[2], x[3], x[4], x[5]);
    let mut loss = 3.0 + [0.20, 0.05, 0.0][optimiser] + 0.15 * (lr - [-1.0, -3.0, -1.7][optimiser]).powi(2);
    loss += if optimiser == 0 { 0.3 * (m - 0.9).powi(2) } else { 0.0 };
    loss += if optimiser == 1 { 0.05 * (b + 2.5).powi(2) } else { 0.0 };
    loss += 0.005 * (d - if optimiser == 2 { 10.0 } else { 8.0 }).powi(2) + 0.03 * (w - 9.0).powi(2);
    loss += [0.06, 0.02, 0.0, 0.03][x[6] as usize];
    loss + if d > 10.0 && lr > -2.0 { 0.1 * (d - 10.0) * (lr + 2.0) } else { 0.0 }
}

fn hash(keys: &[u64]) -> f64 {
    let state = keys.iter().fold(0x243F_6A88_85A3_08D3, |s, k| splitmix64(s ^ k));
    (state >> 11) as f64 / (1u64 << 53) as f64
}

/// 108,000 architectures: two coupled choices and six that matter less.
struct Arch {
    arch: Vec<f64>,
    rest: HashMap<Vec<usize>, f64>,
}

impl Arch {
    fn new(seed: u64) -> Self {
        let arch: Vec<f64> = (0..60)
            .map(|c| {
                let (i, j) = (c / 6, c % 6);
                hash(&[seed, 1, i]) + 0.7 * hash(&[seed, 2, j]) + 0.8 * hash(&[seed, 3, i, j])
            })
            .collect();
        let mut cells: Vec<Vec<usize>> = vec![Vec::new()];
        for size in [5, 4, 5, 3, 3, 2] {
            cells = cells.into_iter().flat_map(|c| (0..size).map(move |v| [c.clone(), vec![v]].concat())).collect();
        }
        let value = |c: &Vec<usize>| {
            let each: f64 = c.iter().enumerate().map(|(d, v)| hash(&[seed, 10 + d as u64, *v as u64])).sum();
            each + 0.5 * hash(&[seed, 20, c[0] as u64, c[1] as u64])
        };
        let rest: Vec<f64> = cells.iter().map(value).collect();
        Self { arch: standardised(&arch), rest: cells.into_iter().zip(standardised(&rest)).collect() }
    }

    fn value(&self, x: &[usize]) -> f64 {
        -(0.94f64.sqrt() * self.arch[x[0] * 6 + x[1]] + 0.06f64.sqrt() * self.rest[&x[2..]])
    }

    /// The best value, and the median over all cells (by a fine histogram over the sum of the two independent parts).
    fn scale(&self) -> (f64, f64) {
        let mut all: Vec<f64> = Vec::with_capacity(108_000);
        for a in &self.arch {
            all.extend(self.rest.values().map(|r| -(0.94f64.sqrt() * a + 0.06f64.sqrt() * r)));
        }
        all.sort_by(f64::total_cmp);
        (all[0], all[all.len() / 2])
    }
}

fn standardised(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    values.iter().map(|v| (v - mean) / sd).collect()
}

/// Values that every implementation of the suite must give.
fn test_vectors() {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    assert_eq!(splitmix64(0), 16_294_208_416_658_607_535);
    close(hash(&[1, 1, 0]), 0.626_320_383_831_133_8);
    close(hash(&[1, 2, 0]), 0.929_280_589_887_544_3);
    close(hash(&[1, 3, 2, 4]), 0.611_711_132_696_474);
    close(hartmann6(&[0.5; 6]), -0.505_314_991_702_233_3);
    close(hartmann6(&[0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]), -3.322_368_011_391_339);
    close(condtrain(&[0.0, -1.0, 0.9, -2.5, 8.0, 9.0, 2.0]), 3.2);
    close(condtrain(&[1.0, -3.0, 0.5, -2.5, 8.0, 9.0, 3.0]), 3.08);
    close(condtrain(&[2.0, -1.7, 0.0, 0.0, 12.0, 8.0, 0.0]), 3.17);
    close(condtrain(&[2.0, -1.7, 0.0, 0.0, 10.0, 9.0, 2.0]), 3.0);
    let (one, two) = (Arch::new(1), Arch::new(2));
    close(one.value(&[0; 8]), -1.112_807_565_249_536_6);
    close(one.value(&[9, 5, 4, 3, 4, 2, 2, 1]), -1.289_796_787_681_828);
    close(two.value(&[0; 8]), 1.128_398_071_479_507);
    close(two.value(&[9, 5, 4, 3, 4, 2, 2, 1]), -0.306_215_639_873_916_87);
    close(one.scale().0, -2.781_083_128_605_444);
    close(two.scale().0, -2.757_573_421_290_249);
}
