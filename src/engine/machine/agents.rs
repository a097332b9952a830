//! Which agent is asked, for what: repairs first, then what was refused in another form, then what the plateau ladder and the
//! policy say, by the kind of agent that the bandit chooses.

use super::{budget, reports::cut};
use crate::model::arms::{self, Arm, Play};
use crate::model::{
    Agents, Assignment, Event, Millis, Noise, Operator, PolicyName, Proposal, ProposalId, RoleSettings, Status, Study, TrialId,
};
use crate::search::bandit::{self, Candidate, Pick};
use crate::search::mend::{self, Mend};
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

/// Whether an agent may be asked now: there are some, they can be told what the baseline scores, money is left, few are at work,
/// and their servers answer.
pub(super) fn may_ask(study: &Study, now: Millis) -> bool {
    let at_work = study.asked.iter().filter_map(|id| study.proposals.get(id)).filter(|p| p.assignment.is_some()).count();
    let faults = study.faults;
    // While nothing is known of the servers or of the cost, one at a time finds out.
    let callers = if faults.in_a_row > 0 || budget::unknown(study) { 1 } else { CALLERS };
    let waited = faults.in_a_row == 0 || now.seconds_since(faults.last) >= faults.wait_secs();
    at_work < callers && waited && measured(study) && !budget::spent(study) && kinds(study, None).next().is_some()
}

/// Whether a first run of the baseline has a score, or all have failed: what one proposes without a score and without its seconds is a guess.
fn measured(study: &Study) -> bool {
    study.baseline().is_some_and(|b| b.status == Status::Done || b.live_runs().any(|r| r.score.is_some()))
}

/// The request to the agent whose turn it is; none when no role can be asked for what is wanted, or all of them have given up
/// on what is known.
pub(super) fn ask(study: &Study, decision: u64) -> Option<Event> {
    let tired = tired(study);
    wishes(study, decision).into_iter().find_map(|wish| request(study, decision, wish, &tired))
}

/// What somebody is to be asked for.
struct Wish {
    choice: Choice,
    /// What speaks for a repair, an adaptation or a detour.
    why: Option<String>,
    /// The refused proposal whose idea is to come in another form.
    adapts: Option<TrialId>,
}

/// The request to whoever is asked for this.
fn request(study: &Study, decision: u64, wish: Wish, tired: &Tired) -> Option<Event> {
    let Wish { choice, why, adapts } = wish;
    let mut candidates = candidates(study, Some(choice.operator));
    let mut why = why.unwrap_or_default();
    let plays: Vec<Play> = arms::plays(study).collect();
    if let Some(refused) = adapts {
        candidates = authors(study, refused);
    } else if choice.operator == Operator::Debug {
        candidates.retain(|c| !tired.of_repair(&c.arm, &choice.parents));
        candidates = menders(study, candidates, choice.parents.first().copied());
    } else {
        if candidates.is_empty() {
            // A policy that drafts, and roles that only improve: they begin anew as well.
            candidates = self::candidates(study, Some(Operator::Improve));
        }
        candidates.retain(|c| !tired.of_ideas(&c.arm));
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
    Some(asked(study, decision, &choice, Assigned { arm: pick.arm, why, idea: None, adapts }))
}

/// Kinds of agents that had no idea worth a run, knowing all that is known now.
struct Tired<'a>(Vec<&'a Proposal>);

fn tired(study: &Study) -> Tired<'_> {
    // Requests are numbered in the order in which they were asked, and what is known only grows.
    let now = study.proposals.values().rev().take_while(|p| p.news >= study.news);
    Tired(now.filter(|p| p.gave_up && p.requested).collect())
}

impl Tired<'_> {
    fn any(&self, arm: &Arm, so: impl Fn(&Proposal, &Assignment) -> bool) -> bool {
        let same = |a: &Assignment| a.role == arm.role && a.model == arm.model;
        self.0.iter().any(|p| p.assignment.as_deref().is_some_and(|a| same(a) && so(p, a)))
    }

    fn of_ideas(&self, arm: &Arm) -> bool {
        self.any(arm, |p, a| p.operator != Operator::Debug && a.adapts.is_none() && a.surface == arm.surface)
    }

    /// That one cannot be mended says nothing of the next.
    fn of_repair(&self, arm: &Arm, parents: &[TrialId]) -> bool {
        self.any(arm, |p, a| p.operator == Operator::Debug && a.adapts.is_none() && p.parents == parents)
    }
}

/// Why agents who alone propose cannot go on: each that can be asked has given up on what is known, and nothing is under way
/// that would tell them more. A score, a decision or a word of the researcher's makes all of them askable again.
pub(super) fn given_up(study: &Study) -> Option<String> {
    let last = study.proposals.values().rev().take_while(|p| p.news >= study.news).find(|p| p.gave_up && p.requested)?;
    let under_way = || study.open.iter().filter_map(|id| study.trial(*id)).any(|t| !t.status.is_final() || t.replicates_wanted > 0);
    let over = study.asked.is_empty()
        && study.settings.proposers.iter().all(|p| p == NAME || p == "researcher")
        && !under_way()
        && ask(study, study.decisions).is_none();
    over.then(|| last.failed.clone().unwrap_or_default())
}

fn separated(text: String) -> String {
    if text.is_empty() { text } else { format!("{text};") }
}

/// The nodes to build on and the operators, the most wanted first: repairs, adaptations, detours, what the policy says. Where nobody
/// can be asked for one, the next is asked for.
fn wishes(study: &Study, decision: u64) -> Vec<Wish> {
    let able = |operator: Operator| kinds(study, Some(operator)).next().is_some();
    let mends = able(Operator::Debug);
    let told = |choice: Choice, adapts| Wish { why: Some(choice.why.clone()), choice, adapts };
    // What builds on a baseline that does not run would not run either.
    if let Some(state) = mend::baseline(study) {
        return if let Mend::Due(choice) = state { vec![told(choice, None)] } else { Vec::new() };
    }
    let repair = if mends && study.settings.policy == PolicyName::Hillclimb { repair::next(study) } else { None };
    let adapt = repair::adapt(study).map(|adapt| told(adapt.choice, Some(adapt.refused)));
    let detour = plateau::detour(study, able).map(|choice| told(choice, None));
    let number = search::draw(study.settings.seed, decision, search::draw::stream::POLICY);
    let policy = |repair| search::choose(study, study.settings.policy, repair, number);
    let mending = mends.then(|| policy(Repair::Able)).filter(|choice| choice.operator == Operator::Debug);
    let special = [repair.map(|choice| told(choice, None)), adapt, detour, mending.map(|choice| told(choice, None))];
    special.into_iter().flatten().chain([Wish { choice: policy(Repair::Unable), why: None, adapts: None }]).collect()
}

/// Who is asked for a refused idea in another form: the role whose idea it is, on the same part of the recipe.
fn authors(study: &Study, refused: TrialId) -> Vec<Candidate> {
    let whose = study.trial(refused).and_then(|t| study.proposals.get(&t.proposal?)?.assignment.as_deref());
    let mut list = candidates(study, None);
    list.retain(|c| whose.is_some_and(|a| a.role == c.arm.role));
    for candidate in &mut list {
        candidate.arm.surface = whose.and_then(|a| a.surface.clone());
    }
    once_each(list)
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
    let assigned = Assigned { arm: pick.arm, why: "the researcher's idea".into(), idea: Some(text), adapts: None };
    let event = asked(study, study.decisions, &choice, assigned);
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

/// Who is asked, and for what beside the choice.
struct Assigned {
    arm: Arm,
    why: String,
    idea: Option<String>,
    adapts: Option<TrialId>,
}

fn asked(study: &Study, decision: u64, choice: &Choice, assigned: Assigned) -> Event {
    let Assigned { arm, why, idea, adapts } = assigned;
    let why = cut(&why, WHY);
    Event::ProposalAsked {
        proposal: study.next_proposal(),
        proposer: format!("{NAME}/{}", arm.role),
        parents: choice.parents.clone(),
        operator: choice.operator,
        decision,
        assignment: Some(Box::new(Assignment { role: arm.role, model: arm.model, surface: arm.surface, why, idea, adapts })),
    }
}
