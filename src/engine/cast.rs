//! Who speaks in a study: its specialists, the models behind them, and what one proposal of theirs may cost.

use crate::propose::agent::Allowance;
use crate::propose::llm::{Fixed, Models};
use crate::propose::role::Role;
use std::sync::Arc;

/// The agents of a study.
pub struct Cast {
    /// Models that they speak through.
    pub models: Arc<dyn Models>,
    /// What one proposal may cost.
    pub allowance: Allowance,
    roles: Vec<Arc<Role>>,
}

impl Cast {
    /// These specialists with these models.
    pub fn new(roles: Vec<Role>, models: Arc<dyn Models>, allowance: Allowance) -> Self {
        Self { models, allowance, roles: roles.into_iter().map(Arc::new).collect() }
    }

    /// Nobody: for a study without agents, and for what asks none.
    pub fn nobody() -> Self {
        Self::new(Vec::new(), Arc::new(Fixed(Vec::new())), Allowance { tokens: 0, usd: None })
    }

    /// The specialist of this name. Errors: in words, when the study has none.
    pub fn role(&self, name: &str) -> Result<Arc<Role>, String> {
        self.roles.iter().find(|r| r.name == name).map(Arc::clone).ok_or_else(|| format!("the study has no specialist `{name}`"))
    }
}
