use super::*;
use crate::model::{Comparison, Verdict};
use fastrand::Rng;

const MEASURED: Noise = Noise::Measured { sd: 0.1, nu: 2 };
const UNKNOWN: Noise = Noise::Unknown { seed_without_effect: false };

fn rule(noise: Noise, min_effect: Option<f64>) -> Rule {
    Rule { goal: Goal::Minimize, noise, min_effect }
}

fn arm(scores: &[f64]) -> Arm<'_> {
    Arm { trial: TrialId(3), scores }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

#[test]
fn noise_is_pooled_over_groups() {
    let known = |groups: &[&[f64]]| match pooled_noise(groups) {
        Noise::Measured { sd, nu } => (sd, nu),
        other => panic!("{groups:?}: {other:?}"),
    };
    // Sums of squares 2 and 0.5 with 2 and 1 degrees of freedom.
    let (sd, nu) = known(&[&[1.0, 2.0, 3.0], &[10.0, 11.0], &[5.0]]);
    assert!(near(sd, (2.5_f64 / 3.0).sqrt()) && nu == 3, "{sd} {nu}");
    // Equal runs of one node do not make the noise unknown while another node shows some.
    let (sd, nu) = known(&[&[1.0, 1.0, 1.0], &[10.0, 11.0]]);
    assert!(near(sd, (0.5_f64 / 3.0).sqrt()) && nu == 3, "{sd} {nu}");
    let (sd, nu) = known(&[&[f64::NAN, 1.0, 2.0, f64::INFINITY]]);
    assert!(near(sd, 0.5_f64.sqrt()) && nu == 1, "{sd} {nu}");
    for (name, groups, seed_without_effect) in [
        ("nothing", &[][..], false),
        ("one run each", &[&[1.0][..], &[2.0]], false),
        ("empty", &[&[]], false),
        ("not finite", &[&[f64::NAN, 1.0]], false),
        ("equal", &[&[0.5, 0.5, 0.5]], true),
        ("equal, and no exact binary fraction", &[&[0.1, 0.1, 0.1]], true),
        ("equal in each group", &[&[0.1, 0.1], &[0.3, 0.3, 0.3]], true),
        ("equal but for the last digit of the sum", &[&[0.3, 0.1 + 0.2]], true),
        ("zero", &[&[0.0, 0.0]], true),
    ] {
        assert_eq!(pooled_noise(groups), Noise::Unknown { seed_without_effect }, "{name}");
    }
}

#[test]
fn quantiles_agree_with_the_tables() {
    // Student 1908 as printed in the usual tables (upper tail probabilities .05, .025, .01, .005).
    for (p, nu, want) in [
        (0.95, 1, 6.314),
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.99, 2, 6.965),
        (0.95, 5, 2.015),
        (0.975, 10, 2.228),
        (0.995, 10, 3.169),
        (0.975, 30, 2.042),
        (0.975, 60, 2.000),
    ] {
        let got = student_t(p, nu);
        assert!((got - want).abs() < 6e-4, "t({p}, {nu}) = {got}, not {want}");
        assert!((student_t(1.0 - p, nu) + got).abs() < 1e-6, "symmetric: {p} {nu}");
    }
    assert!(student_t(0.5, 5).abs() < 1e-9);
    assert_eq!(student_t(0.975, 1_000), student_t(0.975, 60), "freedom is capped");
    assert_eq!(student_t(0.975, 0), student_t(0.975, 1));
    // One degree of freedom is Cauchy's distribution: the quantile is tan(π (p − 1/2)), with Φ(2) = 0.977249868051821.
    let cauchy = (std::f64::consts::PI * (0.977_249_868_051_821 - 0.5)).tan();
    assert!((z_to_t(2.0, 1) / cauchy - 1.0).abs() < 1e-6, "{} {cauchy}", z_to_t(2.0, 1));
    // Few degrees of freedom ask for more, and many come near to the normal.
    let bounds: Vec<f64> = [1, 2, 5, 20, 60].iter().map(|nu| z_to_t(2.0, *nu)).collect();
    assert!(bounds.windows(2).all(|w| w[1] < w[0]) && bounds[4] < 2.05 && bounds[4] > 2.0, "{bounds:?}");
}

#[test]
fn scores_are_put_together() {
    use Aggregate::{Mean, Median};
    for (scores, how, want) in [
        (&[][..], Mean, None),
        (&[], Median, None),
        (&[f64::NAN], Mean, None),
        (&[0.1, 0.1, 0.1], Mean, Some(0.1)),
        (&[1.0, 2.0, 6.0], Mean, Some(3.0)),
        (&[6.0, 1.0, 2.0], Median, Some(2.0)),
        (&[4.0, 1.0], Median, Some(2.5)),
        (&[4.0, f64::NAN, 1.0], Median, Some(2.5)),
        (&[-1.0], Median, Some(-1.0)),
    ] {
        assert_eq!(aggregate(scores, how), want, "{scores:?} {how:?}");
    }
}

#[test]
fn the_screen_turns_back_what_is_not_better() {
    #[derive(Debug, PartialEq)]
    enum Want {
        Revert,
        Advance,
        Undecided,
    }
    use Want::{Advance, Revert, Undecided};
    let given = Noise::Given { sd: 0.1 };
    let dead = Noise::Unknown { seed_without_effect: true };
    for (name, noise, min_effect, candidate, incumbent, want) in [
        ("worse", MEASURED, None, &[0.60][..], &[0.50, 0.52][..], Revert),
        ("equal", MEASURED, None, &[0.50], &[0.50], Revert),
        ("a little better", MEASURED, None, &[0.4999], &[0.50], Advance),
        ("better by far", given, None, &[0.1], &[0.50], Advance),
        ("better, and it matters", MEASURED, Some(0.01), &[0.48], &[0.50], Advance),
        ("better, and it does not matter", MEASURED, Some(0.05), &[0.48], &[0.50], Revert),
        ("unknown noise, better", UNKNOWN, None, &[0.4], &[0.5], Undecided),
        ("unknown noise, worse", UNKNOWN, None, &[0.6], &[0.5], Revert),
        ("unknown noise, equal", dead, None, &[0.5], &[0.5], Revert),
        ("unknown noise, it matters", dead, Some(0.05), &[0.4], &[0.5], Advance),
        ("unknown noise, it does not matter", dead, Some(0.2), &[0.4], &[0.5], Revert),
        ("sd = 0 is unknown", Noise::Given { sd: 0.0 }, None, &[0.4], &[0.5], Undecided),
        ("sd that is no number is unknown", Noise::Measured { sd: f64::NAN, nu: 3 }, None, &[0.4], &[0.5], Undecided),
        ("no freedom is unknown", Noise::Measured { sd: 0.1, nu: 0 }, None, &[0.4], &[0.5], Undecided),
        ("mean of the incumbent, not its minimum", MEASURED, None, &[0.45], &[0.40, 0.60], Advance),
    ] {
        for goal in [Goal::Minimize, Goal::Maximize] {
            let turn = |scores: &[f64]| -> Vec<f64> { scores.iter().map(|s| if goal == Goal::Maximize { -s } else { *s }).collect() };
            let rule = Rule { goal, noise, min_effect };
            let (got, comparison) = match screen(&rule, &turn(candidate), arm(&turn(incumbent))).unwrap() {
                Screen::Revert(c) => (Revert, c),
                Screen::Advance(c) => (Advance, c),
                Screen::Undecided(c) => (Undecided, c),
            };
            assert_eq!(got, want, "{name}, {goal:?}");
            assert_eq!((comparison.against, comparison.n_candidate as usize), (TrialId(3), candidate.len()), "{name}");
        }
    }
    for (candidate, incumbent) in [(&[][..], &[0.5][..]), (&[0.5], &[]), (&[f64::NAN], &[0.5]), (&[0.5], &[f64::INFINITY])] {
        assert_eq!(screen(&rule(MEASURED, None), candidate, arm(incumbent)), None, "{candidate:?} {incumbent:?}");
    }
}

#[test]
fn the_numbers_behind_a_verdict() {
    let judged = confirm(&rule(MEASURED, None), Candidate { screen: &[0.30], fresh: &[0.40] }, arm(&[0.50, 0.54, 0.52])).unwrap();
    let t = 0.17 / (0.1 * (1.0_f64 / 2.0 + 1.0 / 3.0).sqrt());
    let want = Comparison {
        against: TrialId(3),
        candidate: 0.35,
        reference: 0.52,
        gain: 0.17,
        n_candidate: 2,
        n_reference: 3,
        sd: Some(0.1),
        nu: 2,
        t: Some(t),
        needed: Some(z_to_t(0.35, 2)),
    };
    let got = judged.comparison;
    assert!(near(got.candidate, want.candidate) && near(got.reference, want.reference) && near(got.gain, want.gain), "{got:?}");
    assert!(near(got.t.unwrap(), t) && got.needed == want.needed && got.sd == want.sd && got.nu == want.nu, "{got:?}");
    assert_eq!((got.n_candidate, got.n_reference, got.against), (2, 3, TrialId(3)));
    assert_eq!((judged.verdict, judged.verified), (Verdict::Keep, false));
}

#[test]
fn the_confirming_run_decides() {
    use Verdict::{Keep, Revert, Undecided};
    let base: &[f64] = &[0.50, 0.50, 0.50];
    let many = Noise::Measured { sd: 0.1, nu: 200 };
    for (name, noise, min_effect, screen, fresh, want) in [
        ("confirmed", MEASURED, None, &[0.40][..], &[0.42][..], (Keep, false)),
        ("not confirmed", MEASURED, None, &[0.40], &[0.62], (Revert, false)),
        ("confirmed by a hair", many, None, &[0.40], &[0.59], (Revert, false)),
        ("confirmed beyond doubt", many, None, &[0.20], &[0.20], (Keep, true)),
        ("the same with noise known from three runs", MEASURED, None, &[0.20], &[0.20], (Keep, false)),
        ("a lucky screen verifies nothing", many, None, &[-9.0], &[0.42], (Keep, false)),
        ("more fresh runs verify", many, None, &[0.30], &[0.30, 0.31, 0.29], (Keep, true)),
        ("verified, but it does not matter", many, Some(0.4), &[0.20], &[0.20], (Revert, false)),
        ("fresh gain below what matters", many, Some(0.3), &[0.05], &[0.22], (Keep, false)),
        ("given noise", Noise::Given { sd: 0.1 }, None, &[0.20], &[0.20], (Keep, true)),
        ("unknown noise", UNKNOWN, None, &[0.20], &[0.20], (Undecided, false)),
        ("unknown noise, a loss", UNKNOWN, None, &[0.20], &[0.90], (Revert, false)),
        ("unknown noise, it matters", UNKNOWN, Some(0.1), &[0.20], &[0.20], (Keep, false)),
        ("unknown noise, exactly what matters", UNKNOWN, Some(0.25), &[0.25], &[0.25], (Keep, false)),
        ("unknown noise, it does not matter", UNKNOWN, Some(0.4), &[0.20], &[0.20], (Revert, false)),
        ("unknown noise, equal, any gain matters", UNKNOWN, Some(0.0), &[0.50], &[0.50], (Revert, false)),
        ("no fresh run", many, None, &[0.10], &[], (Keep, false)),
    ] {
        let judged = confirm(&rule(noise, min_effect), Candidate { screen, fresh }, arm(base)).unwrap();
        assert_eq!((judged.verdict, judged.verified), want, "{name}: {judged:?}");
    }
    assert_eq!(confirm(&rule(MEASURED, None), Candidate { screen: &[], fresh: &[] }, arm(base)), None);
}

#[test]
fn fresh_runs_certify_or_take_back() {
    let base: &[f64] = &[0.50, 0.50, 0.50, 0.50];
    let known = Noise::Given { sd: 0.1 };
    for (name, noise, screen, fresh, want) in [
        ("no fresh run yet", known, &[0.3][..], &[][..], "more"),
        ("beyond doubt", known, &[0.3], &[0.2], "verified"),
        ("it may yet be told", known, &[0.3], &[0.35], "more"),
        ("hopeless", known, &[0.3], &[0.45], "futile"),
        ("four runs are enough", known, &[0.3], &[0.41, 0.42, 0.41], "futile"),
        ("worse, of two runs", known, &[0.3], &[0.6], "more"),
        ("worse, of three runs", known, &[0.3], &[0.6, 0.45], "roll back"),
        ("worse, whatever the screen said", known, &[-9.0], &[0.6, 0.6], "roll back"),
        ("worse, of four runs", known, &[0.3], &[0.6, 0.6, 0.6], "roll back"),
        ("unknown noise", UNKNOWN, &[0.3], &[0.2], "futile"),
        ("unknown noise, no fresh run", UNKNOWN, &[0.3], &[], "futile"),
    ] {
        let (got, comparison) = match certify(&rule(noise, None), Candidate { screen, fresh }, arm(base)).unwrap() {
            Certificate::Verified(c) => ("verified", c),
            Certificate::More(c) => ("more", c),
            Certificate::Futile(c) => ("futile", c),
            Certificate::RollBack(c) => ("roll back", c),
        };
        assert_eq!(got, want, "{name}: {comparison:?}");
    }
    let strict = Rule { min_effect: Some(0.35), ..rule(known, None) };
    let got = certify(&strict, Candidate { screen: &[0.3], fresh: &[0.2, 0.2, 0.2] }, arm(base)).unwrap();
    assert!(matches!(got, Certificate::Futile(_)), "a gain that does not matter is not certified: {got:?}");
}

#[test]
fn the_headline_leaves_the_selecting_run_out() {
    let base: &[f64] = &[0.50, 0.54, 0.52];
    let candidate = Candidate { screen: &[0.10], fresh: &[0.40, 0.44] };
    let got = headline(Goal::Minimize, MEASURED, candidate, base).unwrap();
    let half = 4.302_652_729_911_275 * 0.1 * (1.0_f64 / 2.0 + 1.0 / 3.0).sqrt();
    let [low, high] = got.interval.unwrap();
    assert!(near(got.gain, 0.10) && (low - (0.10 - half)).abs() < 1e-6 && (high - (0.10 + half)).abs() < 1e-6, "{got:?} {half}");
    let only_screen = headline(Goal::Maximize, UNKNOWN, Candidate { screen: &[0.60], fresh: &[] }, base).unwrap();
    assert!(near(only_screen.gain, 0.08) && only_screen.interval.is_none(), "{only_screen:?}");
    assert_eq!(headline(Goal::Minimize, MEASURED, candidate, &[]), None);
}

/// A normal number, by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// The edit stream of reference/search.md 5.3: 15 % good, 35 % without effect, 50 % harmful.
fn effect(rng: &mut Rng) -> f64 {
    let exponential = |mean: f64, rng: &mut Rng| -mean * (1.0 - rng.f64()).ln();
    match rng.f64() {
        p if p < 0.15 => exponential(1.0, rng),
        p if p < 0.50 => 0.0,
        _ => -exponential(3.0, rng),
    }
}

#[derive(Default)]
struct Tally {
    kept: u32,
    false_kept: u32,
    verified: u32,
    false_verified: u32,
    gain: f64,
}

/// One stream of 100 runs; scores are to be maximised and the start is worth 0.
fn stream(rng: &mut Rng, sigma: f64, ours: bool, tally: &mut Tally) {
    let run = |value: f64, rng: &mut Rng| value + sigma * normal(rng);
    let (mut truth, mut left) = (0.0, 100_i32);
    let pilot: Vec<f64> = (0..3).map(|_| run(truth, rng)).collect();
    left -= 3;
    let mut groups = vec![pilot.clone()];
    let mut incumbent = pilot;
    while left > 0 {
        let delta = effect(rng);
        let screen_run = [run(truth + delta, rng)];
        left -= 1;
        if !ours {
            if screen_run[0] > incumbent.iter().copied().fold(f64::MIN, f64::max) {
                tally.kept += 1;
                tally.false_kept += u32::from(delta <= 0.0);
                truth += delta;
                incumbent = screen_run.to_vec();
            }
            continue;
        }
        let noise = pooled_noise(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let rule = Rule { goal: Goal::Maximize, noise, min_effect: None };
        if !matches!(screen(&rule, &screen_run, arm(&incumbent)), Some(Screen::Advance(_))) {
            continue;
        }
        let mut fresh = vec![run(truth + delta, rng)];
        left -= 1;
        let judged = confirm(&rule, Candidate { screen: &screen_run, fresh: &fresh }, arm(&incumbent)).unwrap();
        groups.push(vec![screen_run[0], fresh[0]]);
        if judged.verdict == Verdict::Keep {
            tally.kept += 1;
            tally.false_kept += u32::from(delta <= 0.0);
            tally.verified += u32::from(judged.verified);
            tally.false_verified += u32::from(judged.verified && delta <= 0.0);
            truth += delta;
            fresh.extend(screen_run);
            incumbent = fresh;
        }
    }
    tally.gain += truth;
}

#[test]
fn fewer_false_keeps_than_keep_if_better_at_most_of_its_gain() {
    // The measured shares of reference/search.md 5.3 are 31, 34, 39 and 50 % against 45, 46, 50 and 60 %.
    // With noise twice the size of a good effect, one in four "verified" keeps is false there too (certify on every keep).
    for (sigma, bound, least_gain, false_claims) in
        [(0.25, 0.36, 0.70, 0.05), (0.5, 0.38, 0.75, 0.08), (1.0, 0.42, 0.80, 0.12), (2.0, 0.54, 0.90, 0.35)]
    {
        let mut tallies = [Tally::default(), Tally::default()];
        for (ours, tally) in [false, true].into_iter().zip(&mut tallies) {
            let mut rng = Rng::with_seed(1);
            (0..300).for_each(|_| stream(&mut rng, sigma, ours, tally));
        }
        let [naive, ours] = &tallies;
        let share = |t: &Tally| f64::from(t.false_kept) / f64::from(t.kept);
        assert!(share(ours) < bound && share(ours) + 0.05 < share(naive), "sigma {sigma}");
        assert!(ours.gain > least_gain * naive.gain, "sigma {sigma}");
        assert!(f64::from(ours.false_verified) <= false_claims * f64::from(ours.verified), "sigma {sigma}: verified must mean something");
    }
}
