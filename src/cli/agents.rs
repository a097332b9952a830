//! Agents of a study: which specialists and models it has, and what the engine asks them with.

use super::config::{self, UserFile};
use super::{Failure, host, models};
use crate::engine::cast::Cast;
use crate::engine::layout::Layout;
use crate::engine::recording::Recorded;
use crate::model::{Agents, ModelSettings, Spend};
use crate::propose::agent::Allowance;
use crate::propose::llm::{Answered, Ask, Client, Endpoint, Fault, FaultKind, Fixed, Heard, Llm};
use crate::propose::role;
use crate::task::Task;
use futures::future::BoxFuture;
use std::{fs, path::Path, sync::Arc};

/// Tokens of one proposal at most, where the configuration says nothing.
pub(super) const TOKENS_PER_PROPOSAL: u32 = 500_000;
/// Bytes of a prompt of the user's at most.
const LARGEST: u64 = 256 << 10;

/// The servers that may be asked: those of the configuration, else the one of the environment.
pub(super) fn endpoints(user: &UserFile) -> Result<Vec<Endpoint>, Failure> {
    if user.models.is_empty() { models::from_environment().map(|one| vec![one]) } else { models::endpoints(user) }
}

/// The specialists and models of a new study of this task. Errors: no model, none of its key, prompts that cannot be used.
pub(super) fn of(task: &Task, user: &UserFile) -> Result<Agents, Failure> {
    let endpoints = endpoints(user)?;
    keys_are_set(user)?;
    let roles = role::load(&prompts()?).map_err(|problems| problems_of(&problems))?;
    let models = endpoints.iter().map(|e| ModelSettings { name: e.name.clone(), priced: e.prices.is_some() }).collect();
    Ok(Agents { roles: role::on_task(&roles, task), models })
}

/// A study that could only ever fail to ask is not begun. Commands that print a key are not run for this.
fn keys_are_set(user: &UserFile) -> Result<(), Failure> {
    for model in &user.models {
        if let config::Key::Environment(name) = &model.key
            && host::set(name).is_none()
        {
            let message = format!("the model `{}` takes its key from ${name}, which is not set; export {name}=… first", model.name);
            return Err(Failure::usage(message));
        }
    }
    Ok(())
}

/// Prompts of the user's own, which replace the embedded ones of their name or add to them: `prompts/` beside the configuration.
pub(super) fn prompts() -> Result<Vec<(String, String)>, Failure> {
    let Some(dir) = config::dir().map(|d| d.join("prompts")) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (below, prefix) in [(dir.clone(), ""), (dir.join("parts"), "parts/")] {
        read_into(&below, prefix, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn read_into(dir: &Path, prefix: &str, found: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for path in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let unreadable = |why: String| Failure::usage(format!("the prompt {} cannot be read: {why}", path.display()));
        let size = path.metadata().map_err(|e| unreadable(e.to_string()))?.len();
        if size > LARGEST {
            return Err(unreadable(format!("it has {size} bytes, {LARGEST} are allowed")));
        }
        let text = fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?;
        found.push((format!("{prefix}{name}"), text));
    }
    Ok(())
}

/// The prompts that a study was made with.
pub(super) fn kept(layout: &Layout) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for (below, prefix) in [(layout.prompts(), ""), (layout.prompts().join("parts"), "parts/")] {
        read_into(&below, prefix, &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// Who speaks in a study: its specialists as they were when it was made, the models as they are configured now, or as they
/// were recorded.
pub(super) fn cast(layout: &Layout, recorded: Option<&Recorded>) -> Result<Cast, Failure> {
    let roles = role::load(&kept(layout)?).map_err(|problems| problems_of(&problems))?;
    if let Some(recorded) = recorded {
        return Ok(Cast::new(roles, Arc::new(recorded.models()?), allowance()));
    }
    Ok(Cast::new(roles, Arc::new(clients()), allowance()))
}

fn problems_of(problems: &[role::RoleProblem]) -> Failure {
    Failure::usage(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The models of a study that agents propose for. One that cannot be used takes no other with it: it is told when it is asked.
fn clients() -> Fixed {
    let user = &config::quietly().file;
    let client = |(name, endpoint): (&str, Result<Endpoint, String>)| -> Arc<dyn Llm> {
        match endpoint.and_then(Client::new) {
            Ok(client) => Arc::new(client),
            Err(why) => Arc::new(Unusable { name: name.to_owned(), why }),
        }
    };
    let told = |failure: Failure| failure.message;
    if user.models.is_empty() {
        return Fixed(models::from_environment().ok().map(|endpoint| client(("env", Ok(endpoint)))).into_iter().collect());
    }
    Fixed(user.models.iter().map(|model| client((&model.name, models::endpoint_of(model).map_err(told)))).collect())
}

/// A model of the configuration that cannot be asked as it stands.
struct Unusable {
    name: String,
    why: String,
}

impl Llm for Unusable {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, _: Ask<'a>, _: &'a mut (dyn FnMut(Heard<'_>) + Send)) -> BoxFuture<'a, Result<Answered, Fault>> {
        let line = self.why.clone();
        Box::pin(async move { Err(Fault { kind: FaultKind::Setup, line, spend: Spend::default() }) })
    }
}

/// What one proposal may cost.
fn allowance() -> Allowance {
    let user = &config::quietly().file;
    let tokens = user.tokens_per_proposal.as_ref().map_or(TOKENS_PER_PROPOSAL, |at| at.value);
    Allowance { tokens: u64::from(tokens), usd: user.usd_per_proposal.as_ref().map(|at| at.value) }
}
