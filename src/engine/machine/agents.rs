//! Which agent is asked, for what: repairs first, then what the policy and the plateau ladder say, by the kind of agent that
//! the bandit chooses.

use super::{budget, reports::cut};
use crate::model::arms::{self, Arm, Play};
use crate::model::{Agents, Assignment, Event, Millis, Noise, Operator, PolicyName, ProposalId, RoleSettings, Study, TrialId};
use crate::search::bandit::{self, Candidate, Pick};
use crate::search::{self, Choice, Repair, plateau, repair};

/// What a study's settings call the agents.
pub(super) const NAME: &str = "agents";
/// Requests to agents at a time. Beyond four the servers' queues grow, not the proposals.
const CALLERS: usize = 4;
/// Longest reason of an assignment, in characters.
const WHY: usize = 400;
/// Who turns a person's idea into an edit, unless another is named.
const GENERALIST: &str = "generalist";

/// Whether a proposer is an agent.
pub(super) fn is_agent(proposer: &str) -> bool {
    proposer.starts_with("agents/")
}

/// Whether an agent may be asked now: there are some, money is left, few are at work, and their servers answer.
pub(super) fn may_ask(study: &Study, now: Millis) -> bool {
    let at_work = study.asked.iter().filter_map(|id| study.proposals.get(id)).filter(|p| p.assignment.is_some()).count();
    let faults = study.faults;
    // While nothing is known of the servers or of the cost, one at a time finds out.
    let callers = if faults.in_a_row > 0 || budget::unknown(study) { 1 } else { CALLERS };
    let waited = faults.in_a_row == 0 || now.seconds_since(faults.last) >= faults.wait_secs();
    at_work < callers && waited && !budget::spent(study) && kinds(study, None).next().is_some()
}

/// The request to the agent whose turn it is; none when no role can be asked for what is wanted.
pub(super) fn ask(study: &Study, decision: u64) -> Option<Event> {
    let (choice, wanted_for) = choice(study, decision)?;
    let mut candidates = candidates(study, Some(choice.operator));
    let mut why = wanted_for.unwrap_or_default();
    let plays: Vec<Play> = arms::plays(study).collect();
    if choice.operator == Operator::Debug {
        candidates = menders(study, candidates, choice.parents.first().copied());
    } else {
        if candidates.is_empty() {
            // A policy that drafts, and roles that only improve: they begin anew as well.
            candidates = self::candidates(study, Some(Operator::Improve));
        }
        let flat = plateau::flat(study);
        if plateau::rung(flat) >= plateau::Rung::Switch
            && let Some(surface) = bandit::least_used(&candidates, &plays).map(|s| s.map(str::to_owned))
        {
            candidates.retain(|c| c.arm.surface == surface);
            why = format!("{} for {flat} trials nothing was kept, so the least used part of the recipe", separated(why));
        }
    }
    let pick = pick(study, &candidates, &plays, decision)?;
    let why = if why.trim().is_empty() { pick.why } else { format!("{}; {}", why.trim(), pick.why) };
    Some(asked(study, decision, &choice, pick.arm, why, None))
}

fn separated(text: String) -> String {
    if text.is_empty() { text } else { format!("{text};") }
}

/// The node to build on and the operator, with what speaks for a repair or a detour.
fn choice(study: &Study, decision: u64) -> Option<(Choice, Option<String>)> {
    let able = |operator: Operator| kinds(study, Some(operator)).next().is_some();
    let mends = able(Operator::Debug);
    if mends
        && study.settings.policy == PolicyName::Hillclimb
        && let Some(choice) = repair::next(study)
    {
        let why = choice.why.clone();
        return Some((choice, Some(why)));
    }
    if let Some(choice) = plateau::detour(study, able) {
        let why = choice.why.clone();
        return Some((choice, Some(why)));
    }
    let number = search::draw(study.settings.seed, decision, search::draw::stream::POLICY);
    let choice = search::choose(study, study.settings.policy, if mends { Repair::Able } else { Repair::Unable }, number);
    let why = (choice.operator == Operator::Debug).then(|| choice.why.clone());
    Some((choice, why))
}

/// Who mends a node: those who do nothing else, else the roles of its part of the recipe, else all that can.
fn menders(study: &Study, candidates: Vec<Candidate>, failed: Option<TrialId>) -> Vec<Candidate> {
    let surface = failed.and_then(|id| study.trial(id)).and_then(|t| t.surface.clone());
    let only_mends = |c: &Candidate| {
        let role = study.settings.agents.as_ref().and_then(|a| a.roles.iter().find(|r| r.name == c.arm.role));
        role.is_some_and(|r| r.operators.iter().all(|o| *o == Operator::Debug))
    };
    let (menders, others): (Vec<Candidate>, Vec<Candidate>) = candidates.into_iter().partition(only_mends);
    let (same, rest): (Vec<Candidate>, Vec<Candidate>) = others.into_iter().partition(|c| surface.is_some() && c.arm.surface == surface);
    let mut list = [menders, same, rest].into_iter().find(|list| !list.is_empty()).unwrap_or_default();
    for candidate in &mut list {
        // The part of the recipe is the failed node's, whatever else the role works on.
        candidate.arm.surface.clone_from(&surface);
    }
    once_each(list)
}

/// Kinds that became the same, with the larger favour.
fn once_each(mut kinds: Vec<Candidate>) -> Vec<Candidate> {
    kinds.sort_by(|a, b| a.arm.cmp(&b.arm).then(b.favour.total_cmp(&a.favour)));
    kinds.dedup_by(|later, first| later.arm == first.arm);
    kinds
}

fn pick(study: &Study, candidates: &[Candidate], plays: &[Play], decision: u64) -> Option<Pick> {
    let noise = match study.noise {
        Noise::Measured { sd, .. } | Noise::Given { sd } => Some(sd),
        Noise::Unknown { .. } => None,
    };
    let unit = study.settings.min_effect.or(noise);
    bandit::choose(candidates, plays, unit, search::draw(study.settings.seed, decision, search::draw::stream::ARM))
}

/// The kinds of agents that can be asked for an operator, or for anything, and that nobody turned off.
fn kinds(study: &Study, operator: Option<Operator>) -> impl Iterator<Item = Candidate> {
    let agents: Option<&Agents> = study.settings.agents.as_deref();
    let roles = agents.into_iter().flat_map(|a| a.roles.iter().map(move |r| (r, a)));
    let able = move |r: &RoleSettings| operator.is_none_or(|o| r.operators.contains(&o));
    roles.filter(move |(r, _)| able(r)).flat_map(move |(role, agents)| {
        let surfaces: Vec<Option<String>> =
            if role.surfaces.is_empty() { vec![None] } else { role.surfaces.iter().cloned().map(Some).collect() };
        let arms = surfaces.into_iter().flat_map(move |surface| {
            let models = agents.models.iter();
            models.map(move |model| Arm { role: role.name.clone(), model: model.name.clone(), surface: surface.clone() })
        });
        arms.map(|arm| Candidate { favour: arms::favour(study, &arm), arm }).filter(|c| c.favour > 0.0)
    })
}

fn candidates(study: &Study, operator: Option<Operator>) -> Vec<Candidate> {
    kinds(study, operator).collect()
}

/// The request that turns a person's idea into an edit, or why there is none.
pub(super) fn pitched(study: &Study, text: String, parent: Option<TrialId>, to: Option<String>) -> Result<(Event, ProposalId), String> {
    let role = role(study, to.as_deref().unwrap_or(GENERALIST)).or_else(|why| match (&to, study.settings.agents.as_ref()) {
        (None, Some(agents)) => agents.roles.iter().find(|r| r.operators.contains(&Operator::Improve)).ok_or(why),
        _ => Err(why),
    })?;
    if budget::spent(study) {
        return Err("the limit for models is spent; raise it with `trialdeck resume STUDY --cost USD`".into());
    }
    let parent = parent.unwrap_or(study.incumbent);
    let node = study.trial(parent).ok_or_else(|| format!("there is no trial {parent}"))?;
    if node.tree.is_none() {
        return Err(format!("{parent} has no tree to build on ({})", node.status.word()));
    }
    let operator = if node.failure.is_some() { Operator::Debug } else { Operator::Improve };
    let mut kinds: Vec<Candidate> = candidates(study, None).into_iter().filter(|c| c.arm.role == role.name).collect();
    for kind in &mut kinds {
        kind.arm.surface = None;
    }
    let kinds = once_each(kinds);
    let plays: Vec<Play> = arms::plays(study).collect();
    let pick = pick(study, &kinds, &plays, study.decisions)
        .ok_or_else(|| format!("no model speaks for {}, or it was turned off with `ctl favour`", role.name))?;
    let choice = Choice { parents: vec![parent], operator, why: String::new() };
    let event = asked(study, study.decisions, &choice, pick.arm, "the researcher's idea".into(), Some(text));
    Ok((event, study.next_proposal()))
}

/// The role with this name, or which there are.
pub(super) fn role<'a>(study: &'a Study, name: &str) -> Result<&'a RoleSettings, String> {
    let agents = study.settings.agents.as_ref().filter(|a| !a.roles.is_empty() && !a.models.is_empty());
    let agents = agents.ok_or("this study has no agents: start one with `trialdeck run TASK --proposer agents`")?;
    agents.roles.iter().find(|r| r.name == name).ok_or_else(|| {
        let names: Vec<&str> = agents.roles.iter().map(|r| r.name.as_str()).collect();
        format!("there is no role `{name}`; the roles are {}", names.join(", "))
    })
}

fn asked(study: &Study, decision: u64, choice: &Choice, arm: Arm, why: String, idea: Option<String>) -> Event {
    Event::ProposalAsked {
        proposal: study.next_proposal(),
        proposer: format!("{NAME}/{}", arm.role),
        parents: choice.parents.clone(),
        operator: choice.operator,
        decision,
        assignment: Some(Box::new(Assignment { role: arm.role, model: arm.model, surface: arm.surface, why: cut(&why, WHY), idea })),
    }
}
