//! Which specialist is asked next, by which model, about which part of the recipe: a bandit on gain per cost.
//!
//! Discounted UCB (Garivier and Moulines, "On Upper-Confidence Bound Policies for Switching Bandit Problems", 2011), for
//! what pays early in a study pays no more later; on the ratio of gain and cost as in UCB-BV (Ding, Qin, Zhang and Liu,
//! "Multi-Armed Bandit with Budget Constraint and Variable Costs", 2013), for a kind of edit that fails costs as much as
//! one that helps. What was never tried comes first, in an order that spreads over the parts of the recipe, and no part
//! is left alone for long: a bandit that has seen ten failures of an idea knows little of the next one.

use super::draw;
use crate::model::arms::{Arm, Fate, Play};
use crate::model::number::short;
use std::collections::BTreeMap;

/// What a request of the past counts against the one after it: half after 23 requests.
const DISCOUNT: f64 = 0.97;
/// Weight of what is not known. Rewards are small, since few edits are kept: the 1 of the papers would be uniform choice.
const EXPLORE: f64 = 0.25;
/// A part of the recipe that nobody was asked about during so many requests, times the number of parts, is next.
const PATIENCE: usize = 3;
/// Share of the model's cost in the cost of a request; the rest is compute.
const MODEL_SHARE: f64 = 0.25;
/// What a request without a run costs in compute, as a share of a mean run: a slot may have waited for it.
const WASTED: f64 = 0.5;
/// Bounds of a request's cost, in mean costs: one free answer does not make a kind infinitely good.
const COSTS: (f64, f64) = (0.1, 5.0);

/// A kind of agent that may be asked, and what a person's favour multiplies its worth by; above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub arm: Arm,
    /// More or less often than its results say; 1 is neither.
    pub favour: f64,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// Which kind.
    pub arm: Arm,
    /// Why, in one line with the numbers.
    pub why: String,
}

/// What is known of one kind.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// Discounted number of requests.
    weight: f64,
    /// Discounted sum of rewards.
    reward: f64,
    /// Discounted sum of costs.
    cost: f64,
    asked: u32,
    kept: u32,
    gain: f64,
    seconds: f64,
    usd: f64,
}

/// Chooses among the candidates by what came of `plays`, oldest first. `unit` is a gain that matters, in the metric's unit:
/// the noise of one run or the task's least effect; the largest gain so far where that is unknown. `draw` breaks ties.
/// None without candidates.
pub fn choose(candidates: &[Candidate], plays: &[Play], unit: Option<f64>, number: u64) -> Option<Pick> {
    let candidates: Vec<&Candidate> = candidates.iter().filter(|c| c.favour > 0.0).collect();
    if let Some(arm) = unseen(&candidates, plays) {
        let seen = candidates.iter().filter(|c| plays.iter().any(|p| p.arm == c.arm)).count();
        return Some(Pick { why: format!("{arm}: not asked yet; {seen} of {} kinds were", candidates.len()), arm: arm.clone() });
    }
    let alone = neglected(&candidates, plays);
    let among: Vec<&Candidate> =
        candidates.iter().copied().filter(|c| alone.is_none_or(|surface| c.arm.surface.as_deref() == surface)).collect();
    let known = known(plays, unit);
    let total: f64 = known.values().map(|k| k.weight).sum();
    let mut ranked: Vec<(&Candidate, f64)> = among.iter().map(|c| (*c, worth(c, &known, total))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.arm.cmp(&b.0.arm)));
    let top = ranked.first()?.1;
    let equals = ranked.iter().take_while(|(_, worth)| *worth == top).count();
    let (chosen, worth) = ranked.get(draw::index(number, equals)?)?;
    let why = match alone {
        Some(surface) => {
            let surface = surface.unwrap_or("the whole recipe");
            format!("{}: nobody was asked about {surface} for {} requests", chosen.arm, patience(&candidates))
        }
        None => {
            let next = ranked.iter().find(|(c, _)| c.arm != chosen.arm);
            let next = next.map_or_else(String::new, |(c, worth)| format!(", next best {} with {}", c.arm, short(round(*worth))));
            format!("{}: {}; worth {}{next}", chosen.arm, told(known.get(&chosen.arm)), short(round(*worth)))
        }
    };
    Some(Pick { arm: chosen.arm.clone(), why })
}

/// The part of the recipe that the fewest requests of `plays` were about; the first of equals in the order of candidates.
pub fn least_used<'a>(candidates: &'a [Candidate], plays: &[Play]) -> Option<Option<&'a str>> {
    let asked = |surface: Option<&str>| plays.iter().filter(|p| p.arm.surface.as_deref() == surface).count();
    surfaces(candidates.iter().filter(|c| c.favour > 0.0)).into_iter().min_by_key(|surface| asked(*surface))
}

/// The parts of the recipe, each once, in the order of the candidates.
fn surfaces<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Vec<Option<&'a str>> {
    let mut list = Vec::new();
    for surface in candidates.map(|c| c.arm.surface.as_deref()) {
        if !list.contains(&surface) {
            list.push(surface);
        }
    }
    list
}

fn patience(candidates: &[&Candidate]) -> usize {
    PATIENCE * surfaces(candidates.iter().copied()).len()
}

/// The first kind that was never asked: the first of each part, then the second of each, and so on. Parts begin with
/// different kinds, so that several models are tried from the start.
fn unseen<'a>(candidates: &[&'a Candidate], plays: &[Play]) -> Option<&'a Arm> {
    let parts = surfaces(candidates.iter().copied());
    let of = |part: &Option<&str>| candidates.iter().filter(|c| c.arm.surface.as_deref() == *part).map(|c| &c.arm).collect::<Vec<_>>();
    let groups: Vec<Vec<&Arm>> = parts.iter().map(of).collect();
    let deepest = groups.iter().map(Vec::len).max().unwrap_or(0);
    (0..deepest)
        .flat_map(|level| {
            groups
                .iter()
                .enumerate()
                .filter_map(move |(i, group)| (level < group.len()).then(|| group.get((level + i) % group.len()).copied()).flatten())
        })
        .find(|arm| plays.iter().all(|p| p.arm != **arm))
}

/// The part that was left alone longest, if any was for as long as is allowed.
fn neglected<'a>(candidates: &[&'a Candidate], plays: &[Play]) -> Option<Option<&'a str>> {
    let patience = patience(candidates);
    let since = |surface: Option<&str>| plays.iter().rev().take_while(|p| p.arm.surface.as_deref() != surface).count();
    let parts = surfaces(candidates.iter().copied());
    parts.into_iter().map(|s| (s, since(s))).filter(|(_, n)| *n >= patience).max_by_key(|(_, n)| *n).map(|(s, _)| s)
}

/// What is known of each kind, newest requests counting most.
fn known(plays: &[Play], unit: Option<f64>) -> BTreeMap<&Arm, Known> {
    let largest = plays.iter().map(|p| p.gain).fold(0.0, f64::max);
    let unit = unit.filter(|u| u.is_finite() && *u > 0.0).unwrap_or(largest);
    let mean = |of: &dyn Fn(&Play) -> f64| {
        let some: Vec<f64> = plays.iter().map(of).filter(|v| v.is_finite() && *v > 0.0).collect();
        if some.is_empty() { None } else { Some(some.iter().sum::<f64>() / some.len() as f64) }
    };
    let (seconds, usd, tokens) = (mean(&|p| p.seconds), mean(&|p| p.usd), mean(&|p| p.tokens as f64));
    let share = |value: f64, mean: Option<f64>| mean.map_or(1.0, |mean| if value.is_finite() { value / mean } else { 1.0 });
    let mut known: BTreeMap<&Arm, Known> = BTreeMap::new();
    for (age, play) in plays.iter().rev().enumerate() {
        let weight = DISCOUNT.powf(age as f64);
        let compute = match play.fate {
            Fate::Open => 1.0,
            Fate::Nothing => share(play.seconds, seconds).max(WASTED),
            Fate::Failed | Fate::Reverted | Fate::Kept => share(play.seconds, seconds),
        };
        let model = match (play.fate, usd) {
            // What is still being written costs as much as others, and gains nothing yet: others are asked meanwhile.
            (Fate::Open, _) => 1.0,
            (_, Some(_)) => share(play.usd, usd),
            (_, None) => share(play.tokens as f64, tokens),
        };
        let cost = ((1.0 - MODEL_SHARE) * compute + MODEL_SHARE * model).clamp(COSTS.0, COSTS.1);
        let reward = if play.gain > 0.0 && unit > 0.0 { play.gain / (play.gain + unit) } else { 0.0 };
        let k = known.entry(&play.arm).or_default();
        k.weight += weight;
        k.reward += weight * reward;
        k.cost += weight * cost;
        k.asked += 1;
        k.kept += u32::from(play.fate == Fate::Kept);
        k.gain += play.gain;
        k.seconds += play.seconds;
        k.usd += play.usd;
    }
    known
}

/// What each candidate is worth, favours included: the largest is asked next. None for what was never asked, and so comes first.
pub fn worths(candidates: &[Candidate], plays: &[Play], unit: Option<f64>) -> Vec<Option<f64>> {
    let known = known(plays, unit);
    let total: f64 = known.values().map(|k| k.weight).sum();
    let of = |c: &Candidate| if c.favour > 0.0 { worth(c, &known, total) } else { 0.0 };
    candidates.iter().map(of).map(|worth| (worth < f64::MAX).then_some(worth)).collect()
}

/// The upper bound of gain per cost.
fn worth(candidate: &Candidate, known: &BTreeMap<&Arm, Known>, total: f64) -> f64 {
    let Some(k) = known.get(&candidate.arm).filter(|k| k.weight > 0.0 && k.cost > 0.0) else { return f64::MAX };
    let mean_cost = k.cost / k.weight;
    let unknown = EXPLORE * (total.max(1.0).ln() / k.weight).sqrt();
    candidate.favour * (k.reward / k.weight + unknown) / mean_cost
}

fn told(known: Option<&Known>) -> String {
    let Some(k) = known else { return "not asked yet".into() };
    let money = if k.usd > 0.0 { format!(", ${}", short(round(k.usd))) } else { String::new() };
    format!("{} of {} kept, gain {} in {:.0} s of runs{money}", k.kept, k.asked, short(round(k.gain)), k.seconds)
}

/// Three digits that count.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(2.0 - value.abs().log10().floor());
    if scale.is_finite() && scale > 0.0 { (value * scale).round() / scale } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Millis, ProposalId};

    fn arm(role: &str, surface: &str) -> Arm {
        Arm { role: role.into(), model: "m".into(), surface: (!surface.is_empty()).then(|| surface.into()) }
    }

    fn candidates() -> Vec<Candidate> {
        let arms = [arm("architecture", "architecture"), arm("architecture", "init"), arm("optimizer", "optimizer"), arm("generalist", "")];
        arms.map(|arm| Candidate { arm, favour: 1.0 }).to_vec()
    }

    fn play(arm: Arm, fate: Fate, gain: f64) -> Play {
        Play { proposal: ProposalId(1), arm, fate, gain, seconds: 10.0, tokens: 1000, usd: 0.0, asked: Millis(0) }
    }

    /// Plays `n` requests in a world where each kind's keeps are drawn at a rate.
    fn played(n: usize, candidates: &[Candidate], rate: impl Fn(&Arm) -> f64) -> Vec<Play> {
        let mut plays = Vec::new();
        for i in 0..n as u64 {
            let pick = choose(candidates, &plays, Some(0.1), draw::draw(3, i, 9)).unwrap();
            let kept = draw::unit(draw::draw(5, i, 8)) < rate(&pick.arm);
            let gain = if kept { 0.1 } else { 0.0 };
            plays.push(play(pick.arm, if kept { Fate::Kept } else { Fate::Reverted }, gain));
        }
        plays
    }

    fn count(plays: &[Play], arm: &Arm) -> usize {
        plays.iter().filter(|p| p.arm == *arm).count()
    }

    #[test]
    fn what_was_never_tried_comes_first_and_spreads_over_the_parts() {
        let plays = played(4, &candidates(), |_| 0.0);
        assert!(candidates().iter().all(|c| count(&plays, &c.arm) == 1));
        // Two models of each part: both parts are seen before any second model is, and not by one model alone.
        let two = |surface: &str| ["a", "b"].map(|model| Candidate { arm: Arm { model: model.into(), ..arm("r", surface) }, favour: 1.0 });
        let four: Vec<Candidate> = [two("x"), two("y")].concat();
        let plays = played(4, &four, |_| 0.0);
        assert_ne!(plays[0].arm.surface, plays[1].arm.surface);
        assert_ne!(plays[0].arm.model, plays[1].arm.model);
        assert!(four.iter().all(|c| count(&plays, &c.arm) == 1));
    }

    #[test]
    fn what_pays_is_asked_more_and_nothing_starves() {
        let plays = played(200, &candidates(), |arm| if arm.role == "optimizer" { 0.4 } else { 0.02 });
        let best = count(&plays, &arm("optimizer", "optimizer"));
        assert!(best > 80, "{best}");
        for candidate in candidates() {
            let longest = plays.split(|p| p.arm.surface == candidate.arm.surface).map(<[Play]>::len).max().unwrap();
            assert!(longest <= PATIENCE * 4 + 4, "{}: {longest}", candidate.arm);
        }
        let last = choose(&candidates(), &plays, Some(0.1), 1).unwrap();
        assert!(last.why.contains("kept") || last.why.contains("nobody was asked"), "{}", last.why);
    }

    #[test]
    fn failures_and_duplicates_cost() {
        let mut plays = Vec::new();
        for i in 0..40 {
            let (good, bad) = (arm("optimizer", "optimizer"), arm("generalist", ""));
            plays.push(play(good, if i % 4 == 0 { Fate::Kept } else { Fate::Reverted }, if i % 4 == 0 { 0.1 } else { 0.0 }));
            plays.push(Play { seconds: 0.0, ..play(bad, Fate::Nothing, 0.0) });
        }
        let two: Vec<Candidate> = candidates().into_iter().skip(2).collect();
        assert_eq!(choose(&two, &plays, Some(0.1), 0).unwrap().arm.role, "optimizer");
    }

    #[test]
    fn a_favour_turns_the_choice_and_zero_turns_a_kind_off() {
        let plays = played(60, &candidates(), |_| 0.1);
        for wanted in candidates() {
            let mut favoured = candidates();
            favoured.iter_mut().for_each(|c| c.favour = if c.arm == wanted.arm { 50.0 } else { 1.0 });
            let recent: Vec<Play> = candidates().iter().map(|c| play(c.arm.clone(), Fate::Reverted, 0.0)).collect();
            let plays = [plays.clone(), recent].concat();
            assert_eq!(choose(&favoured, &plays, Some(0.1), 0).unwrap().arm, wanted.arm);
            favoured.iter_mut().for_each(|c| c.favour = if c.arm == wanted.arm { 0.0 } else { 1.0 });
            assert_ne!(choose(&favoured, &plays, Some(0.1), 0).unwrap().arm, wanted.arm);
        }
        let off: Vec<Candidate> = candidates().into_iter().map(|c| Candidate { favour: 0.0, ..c }).collect();
        assert_eq!(choose(&off, &plays, None, 0), None);
        assert_eq!(choose(&[], &[], None, 0), None);
    }

    #[test]
    fn what_is_shown_of_each_kind_is_what_chooses() {
        let mut favoured = candidates();
        favoured[0].favour = 0.0;
        let plays = played(60, &favoured[..3], |arm| if arm.role == "optimizer" { 0.4 } else { 0.0 });
        let worths = worths(&favoured, &plays, Some(0.1));
        assert_eq!((worths[0], worths[3]), (Some(0.0), None), "turned off, and never asked");
        let recent: Vec<Play> = favoured[1..3].iter().map(|c| play(c.arm.clone(), Fate::Reverted, 0.0)).collect();
        let plays = [plays, recent].concat();
        let shown = super::worths(&favoured[1..3], &plays, Some(0.1));
        let best = if shown[0] > shown[1] { 1 } else { 2 };
        assert_eq!(choose(&favoured[1..3], &plays, Some(0.1), 0).unwrap().arm, favoured[best].arm);
    }

    #[test]
    fn the_same_plays_and_number_give_the_same_choice() {
        let plays = played(50, &candidates(), |_| 0.2);
        for number in [0, 7, u64::MAX] {
            assert_eq!(choose(&candidates(), &plays, None, number), choose(&candidates(), &plays, None, number));
        }
        // Numbers that are no numbers do not break it.
        let odd = Play { seconds: f64::NAN, usd: f64::INFINITY, ..play(arm("optimizer", "optimizer"), Fate::Kept, f64::MAX) };
        assert!(choose(&candidates(), &[plays, vec![odd]].concat(), Some(f64::NAN), 0).is_some());
    }

    #[test]
    fn the_least_used_part_is_the_one_with_the_fewest_requests() {
        let plays: Vec<Play> =
            ["architecture", "architecture", "init", ""].map(|s| play(arm("architecture", s), Fate::Reverted, 0.0)).to_vec();
        assert_eq!(least_used(&candidates(), &plays), Some(Some("optimizer")));
        assert_eq!(least_used(&[], &plays), None);
    }
}
