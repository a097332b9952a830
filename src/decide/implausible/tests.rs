use super::*;
use crate::model::{Goal, Noise};

const QUIET: Noise = Noise::Measured { sd: 0.005, nu: 8 };
const UNKNOWN: Noise = Noise::Unknown { seed_without_effect: false };
/// Losses of a study that gets on slowly.
const SLOW: &[f64] =
    &[0.50, 0.51, 0.49, 0.50, 0.52, 0.48, 0.49, 0.50, 0.53, 0.48, 0.47, 0.49, 0.48, 0.47, 0.50, 0.46, 0.47, 0.46, 0.48, 0.47];

fn rule(goal: Goal, noise: Noise) -> Rule {
    Rule { goal, noise, min_effect: None }
}

#[test]
fn what_is_too_good() {
    for (name, scores, noise, anchor, candidate, want) in [
        ("a step on", SLOW, QUIET, None, 0.44, false),
        ("a great step on", SLOW, QUIET, None, 0.36, false),
        ("far beyond everything", SLOW, QUIET, None, 0.05, true),
        ("the same, noise unknown", SLOW, UNKNOWN, None, 0.05, true),
        ("the same, of a noisy study", SLOW, Noise::Given { sd: 0.1 }, None, 0.05, false),
        ("worse by as much", SLOW, QUIET, None, 0.95, false),
        ("history is short", &[0.5, 0.51, 0.49, 0.5], QUIET, None, 0.05, false),
        ("no history", &[], QUIET, None, 0.05, false),
        ("five scores ask for more", &[0.5, 0.51, 0.49, 0.5, 0.52], QUIET, None, 0.05, false),
        ("five scores, absurd", &[0.5, 0.51, 0.49, 0.5, 0.52], QUIET, None, -50.0, true),
        ("nine scores", SLOW.get(..9).unwrap(), QUIET, None, 0.05, false),
        ("twelve scores", SLOW.get(..12).unwrap(), QUIET, None, 0.05, true),
        ("a level that was reached before", &[&[0.05], SLOW].concat(), QUIET, None, 0.04, false),
        ("equal scores have no spread", &[0.5; 8], QUIET, None, 0.4, false),
        ("equal scores, absurd", &[0.5; 8], QUIET, None, -5.0, true),
        ("equal scores, noise unknown", &[0.5; 8], UNKNOWN, None, -5.0, false),
        ("values that are no numbers", &[f64::NAN, f64::INFINITY, 0.5], QUIET, None, 0.05, false),
        ("no number itself", SLOW, QUIET, None, f64::NAN, false),
        ("first trial, twice the way to the target", &[0.5], QUIET, Some(0.4), 0.3, false),
        ("first trial, four times the way to the target", &[0.5], QUIET, Some(0.4), 0.1, true),
        ("a target within the noise", &[0.5], QUIET, Some(0.495), 0.4, false),
        ("a target that is passed", &[0.5], QUIET, Some(0.6), 0.1, false),
        ("a target that was left far behind before", &[0.5, 0.12], QUIET, Some(0.4), 0.1, false),
    ] {
        for goal in [Goal::Minimize, Goal::Maximize] {
            let turn = |s: f64| if goal == Goal::Maximize { -s } else { s };
            let turned: Vec<f64> = scores.iter().map(|s| turn(*s)).collect();
            let history = History { scores: &turned, baseline: turn(0.5), anchor: anchor.map(turn) };
            let got = implausible(&rule(goal, noise), &[turn(candidate)], &history);
            assert_eq!(got.is_some(), want, "{name}, {goal:?}: {got:?}");
            if let Some(i) = got {
                assert!(i.z.is_finite() && i.held_up.is_none() && (i.needed.is_some() || i.way.is_some_and(|w| w >= 3.0)), "{name}: {i:?}");
                assert!(!i.why().is_empty());
            }
        }
    }
    let history = History { scores: SLOW, baseline: 0.5, anchor: None };
    let i = implausible(&rule(Goal::Minimize, QUIET), &[0.05], &history).unwrap();
    assert_eq!((i.median, i.scores, i.needed), (0.485, 20, Some(10.0)));
    assert!((i.scale - NORMAL * 0.015).abs() < 1e-9 && (i.z - 0.435 / i.scale).abs() < 1e-9, "{i:?}");
}

#[test]
fn reruns_bear_out_or_do_not() {
    // The gain is 0.4: a quarter of it always agrees, a half never.
    for (name, noise, fresh, want) in [
        ("the same again", QUIET, &[0.10, 0.11][..], true),
        ("better still", QUIET, &[0.02, 0.01], true),
        ("a little less", QUIET, &[0.15, 0.16], true),
        ("half of it", QUIET, &[0.30, 0.32], false),
        ("nothing of it", QUIET, &[0.50, 0.49], false),
        ("one of two", QUIET, &[0.10, 0.50], false),
        ("noise unknown, the same", UNKNOWN, &[0.12, 0.13], true),
        ("noise unknown, nothing", UNKNOWN, &[0.50, 0.50], false),
        ("much noise does not excuse everything", Noise::Measured { sd: 1.0, nu: 2 }, &[0.50, 0.50], false),
        ("much noise excuses something", Noise::Measured { sd: 1.0, nu: 2 }, &[0.28, 0.28], true),
    ] {
        let got = rerun(&rule(Goal::Minimize, noise), &[0.10], fresh, 0.4).unwrap();
        assert_eq!(got.held_up, want, "{name}: {got:?}");
        assert!((0.1..=0.2).contains(&got.allowed), "{name}: {got:?}");
    }
    assert_eq!(rerun(&rule(Goal::Minimize, QUIET), &[0.1], &[], 0.4), None);
    assert_eq!(rerun(&rule(Goal::Minimize, QUIET), &[f64::NAN], &[0.1], 0.4), None);
}

/// A normal number, by Box and Muller.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Climbs of 40 trials whose edits are good at times, mostly not, as in the simulation of the verdicts.
#[test]
fn honest_searches_are_rarely_doubted_and_leaks_are() {
    let mut rng = fastrand::Rng::with_seed(7);
    let rule = rule(Goal::Maximize, Noise::Given { sd: 0.3 });
    let (mut doubted, mut studies, mut caught) = (0, 0, 0);
    for _ in 0..500 {
        let (mut truth, mut scores, mut any) = (0.0, vec![0.0], false);
        for _ in 0..40 {
            let exponential = |mean: f64, rng: &mut fastrand::Rng| -mean * (1.0 - rng.f64()).ln();
            let delta = match rng.f64() {
                p if p < 0.15 => exponential(1.0, &mut rng),
                p if p < 0.5 => 0.0,
                _ => -exponential(3.0, &mut rng),
            };
            let score = truth + delta + 0.3 * normal(&mut rng);
            any |= implausible(&rule, &[score], &History { scores: &scores, baseline: 0.0, anchor: None }).is_some();
            scores.push(score);
            truth += delta.max(0.0);
        }
        studies += 1;
        doubted += u32::from(any);
        let leak = truth + 60.0;
        caught += u32::from(implausible(&rule, &[leak], &History { scores: &scores, baseline: 0.0, anchor: None }).is_some());
    }
    assert!(doubted * 50 <= studies, "{doubted} of {studies} honest studies were held up");
    assert!(caught * 100 >= studies * 95, "{caught} of {studies} leaks were caught");
}
