//! Specialist agents as facts know them: who was asked for what, what it cost, which roles and models a study has.

use super::{Operator, TrialId};
use serde::{Deserialize, Serialize};

/// Who is asked for a proposal, and for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The specialist: the name of a prompt.
    pub role: String,
    /// The name of the `[[model]]` that speaks for it.
    pub model: String,
    /// The part of the recipe to look at, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
    /// Why it was chosen, in one line with the numbers.
    pub why: String,
    /// The researcher's idea that is to become an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idea: Option<String>,
    /// The refused proposal whose idea is to come in a form that is legal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapts: Option<TrialId>,
}

/// What was spent on a model. Adds up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    /// Answers that were asked for.
    pub calls: u32,
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// How many of them the server knew already.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Tokens that came back, reasoning included.
    pub completion_tokens: u64,
    /// US dollars; 0 where the model has no price.
    pub usd: f64,
    /// Tokens were counted by their letters, for the server did not say.
    #[serde(default)]
    pub estimated: bool,
    /// Seconds that the servers took.
    #[serde(default)]
    pub seconds: f64,
}

impl Spend {
    /// Nothing was asked.
    pub fn is_nothing(&self) -> bool {
        self.calls == 0
    }

    /// Adds what was spent later.
    pub fn add(&mut self, more: &Self) {
        self.calls = self.calls.saturating_add(more.calls);
        self.prompt_tokens = self.prompt_tokens.saturating_add(more.prompt_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(more.cached_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(more.completion_tokens);
        self.usd += more.usd;
        self.estimated |= more.estimated;
        self.seconds += more.seconds;
    }
}

/// The specialists of a study, as they were when it began.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agents {
    /// Roles, in the order of their names.
    pub roles: Vec<RoleSettings>,
    /// Models that may speak for them, in the order of the configuration.
    pub models: Vec<ModelSettings>,
}

/// What decisions need to know of a specialist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleSettings {
    /// Its name: `architecture`, `optimizer`, `debugger`, …
    pub name: String,
    /// Parts of the recipe that it works on; empty is all of them.
    pub surfaces: Vec<String>,
    /// What it may be asked for.
    pub operators: Vec<Operator>,
}

/// What decisions need to know of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSettings {
    /// Its name in the configuration.
    pub name: String,
    /// What it costs is known.
    pub priced: bool,
}

/// A word of the researcher's to the agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steer {
    /// What was said.
    pub text: String,
    /// To which role; to all when null.
    #[serde(default)]
    pub to: Option<String>,
    /// Number of the fact.
    pub seq: u64,
}

/// A person's word on how often agents of a kind are asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Favour {
    /// The role.
    pub role: String,
    /// The model; every one when null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The surface; every one when null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
    /// What their worth is multiplied by; 0 is never, 1 is no favour.
    pub factor: f64,
}

impl Favour {
    /// Whether it speaks of this kind.
    pub fn covers(&self, role: &str, model: &str, surface: Option<&str>) -> bool {
        let fits = |wanted: &Option<String>, is: Option<&str>| wanted.is_none() || wanted.as_deref() == is;
        self.role == role && fits(&self.model, Some(model)) && fits(&self.surface, surface)
    }
}

impl std::fmt::Display for Favour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.role)?;
        for part in self.model.iter().chain(&self.surface) {
            write!(f, "/{part}")?;
        }
        if self.factor == 0.0 {
            f.write_str(" is not asked from now on")
        } else if self.factor == 1.0 {
            f.write_str(" is asked as its results say")
        } else {
            write!(f, " counts {} times from now on", super::number::short(self.factor))
        }
    }
}

/// What a study says once, and again only after it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caution {
    /// Most of what models may cost is spent.
    BudgetNear,
    /// All of it is.
    BudgetSpent,
    /// Nothing was kept for a while.
    Flat,
    /// A person turned off every agent, so that nobody is asked.
    TurnedOff,
    /// The baseline failed and is being mended.
    Mending,
    /// The noise of what stands in for the baseline is not known.
    NoiseUnknown,
}

/// Why no agent is asked, although agents propose in a study that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// A person turned off every one of them.
    TurnedOff,
    /// Requests came to nothing: they are asked less often until one is answered.
    Failing,
    /// They gave up on what is known.
    GivenUp,
}

impl Quiet {
    /// In a few words.
    pub fn short(self) -> &'static str {
        match self {
            Self::TurnedOff => "all agents are off",
            Self::Failing => "agents fail, asked less often",
            Self::GivenUp => "agents gave up for now",
        }
    }

    /// With what to do.
    pub fn told(self) -> &'static str {
        match self {
            Self::TurnedOff => "every agent is turned off, so none proposes: `trialdeck ctl STUDY favour ROLE 1` turns one on",
            Self::Failing => "the last requests to agents came to nothing: they are asked less often until one is answered",
            Self::GivenUp => {
                "agents gave up on what is known: they are asked again after a score, a decision, or a word by `trialdeck ctl NAME steer`"
            }
        }
    }
}

/// Requests to agents in a row that came to nothing, since the last draft of one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// How many.
    pub in_a_row: u32,
    /// When the last one was told.
    pub last: super::Millis,
}

impl Faults {
    /// Seconds after the last one during which no agent is asked: they double, to a minute.
    pub fn wait_secs(self) -> f64 {
        if self.in_a_row == 0 { 0.0 } else { f64::from(2_u32.pow(self.in_a_row.min(6))).min(60.0) }
    }
}
