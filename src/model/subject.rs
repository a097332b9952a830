//! Which node a fact is about.

use super::{Event, TrialId};

impl Event {
    /// The node that this fact is about.
    pub fn trial(&self) -> Option<TrialId> {
        match self {
            Self::Proposed { trial, .. }
            | Self::Revised { trial, .. }
            | Self::Checked { trial, .. }
            | Self::Rejected { trial, .. }
            | Self::Reviewed { trial, .. }
            | Self::ReviewUndone { trial }
            | Self::NotRevised { trial, .. }
            | Self::Rebased { trial, .. }
            | Self::Staled { trial, .. }
            | Self::Advanced { trial, .. }
            | Self::SetAside { trial, .. }
            | Self::Rerun { trial, .. }
            | Self::Judged { trial, .. }
            | Self::CommitLabelled { trial, .. }
            | Self::BaselineMended { trial, .. }
            | Self::IncumbentMoved { trial, .. }
            | Self::BestChanged { trial, .. }
            | Self::ReplicatesAsked { trial, .. }
            | Self::Marked { trial, .. }
            | Self::Imported { trial, .. } => Some(*trial),
            Self::RunScheduled { run, .. }
            | Self::RunStarted { run, .. }
            | Self::RunKillAsked { run }
            | Self::RunEnded { run, .. }
            | Self::RunScored { run, .. } => Some(run.trial),
            Self::BaselineDone { .. } => Some(TrialId::BASELINE),
            Self::StudyCreated { .. }
            | Self::EngineStarted { .. }
            | Self::EngineStopped
            | Self::SetupAsked { .. }
            | Self::SetupStarted { .. }
            | Self::SetupEnded { .. }
            | Self::SetupPrepared { .. }
            | Self::SetupGone { .. }
            | Self::StateChanged { .. }
            | Self::StopAsked { .. }
            | Self::SettingsChanged { .. }
            | Self::Steered { .. }
            | Self::ProposalAsked { .. }
            | Self::ProposalFailed { .. }
            | Self::Spent { .. }
            | Self::NoiseMeasured { .. }
            | Self::HoldoutUnsealed { .. }
            | Self::HistoryImported { .. }
            | Self::Cautioned { .. }
            | Self::Noted { .. } => None,
        }
    }
}
