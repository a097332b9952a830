//! The client's copy of a study, changed only by what the engine sends.

use super::{Incoming, LinkState};
use crate::model::{Record, TrialId};
use crate::protocol::{Header, Row};
use std::collections::VecDeque;

/// Facts kept for the feed.
const FEED: usize = 500;

/// One header, one slim row a trial, the last facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    /// Number of the last fact; 0 before the first snapshot.
    pub seq: u64,
    /// The study at a glance; none before the first snapshot.
    pub header: Option<Header>,
    /// One row a trial; the index is the number.
    pub rows: Vec<Row>,
    /// The last facts, oldest first.
    pub feed: VecDeque<Record>,
    /// The state of the link.
    pub link: LinkState,
}

impl Default for Mirror {
    fn default() -> Self {
        Self { seq: 0, header: None, rows: Vec::new(), feed: VecDeque::new(), link: LinkState::Reconnecting { why: "connecting".into() } }
    }
}

impl Mirror {
    /// Takes what the engine sent. Returns false when a fact is missing in between, so that a snapshot must be asked for.
    pub fn take(&mut self, incoming: &Incoming) -> bool {
        match incoming {
            Incoming::Snapshot(snapshot) => {
                self.seq = snapshot.seq;
                self.header = Some(snapshot.header.clone());
                self.rows.clone_from(&snapshot.rows);
                self.feed = snapshot.recent.iter().cloned().collect();
            }
            Incoming::Update(update) => {
                if update.record.seq <= self.seq {
                    return true;
                }
                if update.record.seq != self.seq + 1 {
                    return false;
                }
                self.seq = update.record.seq;
                self.header = Some(update.header.clone());
                for row in &update.rows {
                    match self.rows.get_mut(row.id.0 as usize) {
                        Some(place) => *place = row.clone(),
                        None => self.rows.push(row.clone()),
                    }
                }
                self.feed.push_back(update.record.clone());
                if self.feed.len() > FEED {
                    self.feed.pop_front();
                }
            }
            Incoming::Link(state) => self.link = state.clone(),
            Incoming::Signal(_) | Incoming::Acked(..) | Incoming::Answered(..) => {}
        }
        true
    }

    /// The row of a trial.
    pub fn row(&self, id: TrialId) -> Option<&Row> {
        self.rows.get(id.0 as usize)
    }
}
