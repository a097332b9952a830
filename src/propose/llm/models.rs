//! Where the models of a study come from: configured servers, a recording, or a test's own.

use super::Llm;
use crate::model::ProposalId;
use std::sync::Arc;

/// Finds the model that speaks for a proposal.
pub trait Models: Send + Sync {
    /// The model of this name, for this proposal. Errors: in words for the person who configured it.
    fn get(&self, model: &str, proposal: ProposalId) -> Result<Arc<dyn Llm>, String>;

    /// An attempt at a revision of a proposal begins, be it for the second time. Only a recording minds.
    fn begin(&self, _proposal: ProposalId, _revision: u32) {}
}

/// The same models for all proposals.
pub struct Fixed(pub Vec<Arc<dyn Llm>>);

impl Models for Fixed {
    fn get(&self, model: &str, _: ProposalId) -> Result<Arc<dyn Llm>, String> {
        let found = self.0.iter().find(|llm| llm.name() == model).map(Arc::clone);
        found.ok_or_else(|| match self.0.is_empty() {
            true => format!("no model is configured, so `{model}` cannot be asked; add a [[model]] to the configuration"),
            false => {
                let names: Vec<&str> = self.0.iter().map(|llm| llm.name()).collect();
                format!("there is no model `{model}` any more; the configuration has {}", names.join(", "))
            }
        })
    }
}
