//! What the cockpit itself remembers: focus, selection, scroll, open dialogs, answers at hand. The study is in the mirror.

use super::banner::Banner;
use super::fold::Node;
use super::input::Input;
use super::modal::Modal;
use super::msg::EditFor;
use super::options::{Ending, Options};
use super::panes::reasoning::Subject;
use super::shelf::Shelf;
use super::thoughts::Thoughts;
use crate::client::{LinkState, Mirror};
use crate::model::{Autonomy, DiffOptions, Millis, ProposalId, RunId, Status, Telemetry, TrialId};
use crate::protocol::{Against, LogStream, Query, Row};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One pane; its number is its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    Tree,
    Proposal,
    Curves,
    Log,
    Reasoning,
    Machines,
    Feed,
    Queue,
}

impl Pane {
    /// All of them, in the order of their keys.
    pub const ALL: [Pane; 8] =
        [Self::Tree, Self::Proposal, Self::Curves, Self::Log, Self::Reasoning, Self::Machines, Self::Feed, Self::Queue];

    /// Its key, from 1.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// Its name in the border.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tree => "trials",
            Self::Proposal => "proposal",
            Self::Curves => "curves",
            Self::Log => "log",
            Self::Reasoning => "reasoning",
            Self::Machines => "machine",
            Self::Feed => "events",
            Self::Queue => "review queue",
        }
    }
}

/// Which screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screen {
    /// The tree and everything around it.
    #[default]
    Study,
    /// The review queue.
    Review,
}

/// A short notice.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    /// What.
    pub text: String,
    /// Whether something was refused.
    pub bad: bool,
    /// Until when.
    pub until: Millis,
}

/// The tree of trials.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeState {
    /// Rows in the order of the screen.
    pub nodes: Vec<Node>,
    /// The selected trial.
    pub selected: TrialId,
    /// First row on the screen.
    pub top: usize,
    /// Folded branches.
    pub folded: BTreeSet<TrialId>,
    /// Marked for comparing, oldest first.
    pub marked: Vec<TrialId>,
    /// The selection follows the newest activity until a person moves it.
    pub follow: bool,
    /// What the filter shows; empty shows all.
    pub filter: String,
}

/// How the diff of the shown trial is looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DiffState {
    /// Of which trial; another one starts at the top.
    pub trial: Option<TrialId>,
    /// Which of its revisions, where it is not the current one.
    pub revision: Option<u32>,
    /// The current hunk, counted over all files.
    pub hunk: usize,
    /// Hunks that are to be left out.
    pub left_out: BTreeSet<usize>,
    /// Context and white space.
    pub options: DiffOptions,
    /// Two columns.
    pub side_by_side: bool,
    /// Columns skipped at the left.
    pub shift: usize,
}

/// A part of a log, contiguous.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogState {
    /// Which stream is chosen.
    pub stream: Option<LogStream>,
    /// Which run's log this is.
    pub of: Option<(RunId, LogStream)>,
    /// Its lines; the last one may be unfinished.
    pub lines: VecDeque<String>,
    /// The first byte held, and the one after the last.
    pub span: (u64, u64),
    /// Length of the whole log, as far as known.
    pub total: u64,
    /// A question under way.
    pub flying: Option<u64>,
    /// Whether the question under way is for an earlier part.
    pub earlier: bool,
    /// Lines between the end and the last one shown; 0 follows.
    pub from_end: usize,
    /// Why there is nothing.
    pub error: Option<String>,
    /// The stamp of the last full look (for streams that announce nothing).
    pub stamp: String,
}

/// A question whose answer starts something.
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// Open these files for a revision.
    EditFiles(EditFor),
    /// Choose a file for an idea.
    IdeaPaths {
        /// The node to build on; the incumbent when none.
        parent: Option<TrialId>,
        /// In one sentence.
        hypothesis: String,
    },
    /// Accept without the hunks that were left out.
    Subset {
        /// Which.
        proposal: ProposalId,
        /// Its node.
        trial: TrialId,
        /// The tree that was shown.
        tree: Option<String>,
        /// The hunks to leave out.
        left_out: BTreeSet<usize>,
    },
}

/// A wish on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// What to say when it is done.
    pub done: String,
    /// The proposal that was reviewed, so that `u` can take it back.
    pub reviewed: Option<ProposalId>,
    /// Leave once it is recorded.
    pub leave: Option<Ending>,
    /// The files of an edit: what was typed is not lost when it is refused.
    pub edited: Option<Edited>,
}

/// The files of a proposal as a person edited them.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// Which.
    pub proposal: ProposalId,
    /// Its node.
    pub trial: TrialId,
    /// Path and text of each.
    pub files: Vec<(String, String)>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct UiState {
    /// Columns and rows.
    pub size: (u16, u16),
    /// The last known time.
    pub now: Millis,
    /// Only looks.
    pub watch_only: bool,
    /// Which screen.
    pub screen: Screen,
    /// Panes, the last focused first.
    pub recent: Vec<Pane>,
    /// One pane alone.
    pub zoom: bool,
    /// The tree.
    pub tree: TreeState,
    /// The selected proposal of the queue.
    pub queue: Option<TrialId>,
    /// Proposals put off, in order.
    pub later: Vec<TrialId>,
    /// The diff.
    pub diff: DiffState,
    /// The log.
    pub log: LogState,
    /// The last line of the setup's log.
    pub setup_log: String,
    /// The chosen metric.
    pub metric: Option<String>,
    /// Metrics seen in signals, by run.
    pub live_keys: BTreeMap<RunId, BTreeSet<String>>,
    /// Thoughts of proposers, by request.
    pub thoughts: Thoughts,
    /// What the reasoning pane showed last: another subject starts at its own place.
    pub reasoning_of: Option<Subject>,
    /// Readings of the machine, oldest first.
    pub meters: VecDeque<Telemetry>,
    /// Rows skipped at the top of each pane.
    pub scroll: BTreeMap<Pane, usize>,
    /// Open dialogs; the last one takes the keys.
    pub modals: Vec<Modal>,
    /// A notice.
    pub toast: Option<Toast>,
    /// "Since you left".
    pub banner: Option<Banner>,
    /// The last fact seen on an earlier visit.
    pub last_seen: Option<(u64, Millis)>,
    /// Proposals that waited at the last look: the bell rings when there is a first one.
    pub waited: u32,
    /// To be set again on the first snapshot.
    pub restore: Option<Autonomy>,
    /// To be set again on the next visit.
    pub restore_next: Option<Autonomy>,
    /// Answers at hand.
    pub shelf: Shelf,
    /// When each trial last changed.
    pub changed: BTreeMap<TrialId, u64>,
    /// Questions that start something.
    pub errands: BTreeMap<u64, Errand>,
    /// Wishes on their way.
    pub sent: BTreeMap<u64, Sent>,
    /// An edit that was refused: the next one of that proposal goes on with it.
    pub refused: Option<Edited>,
    /// The last review given from here.
    pub last_review: Option<ProposalId>,
    /// Number of the next wish or question.
    pub next_id: u64,
    /// Ctrl-C was pressed at this time.
    pub interrupt_at: Option<Millis>,
    /// A stop was asked for from here.
    pub stop_asked: bool,
    /// What is being typed into the filter.
    pub filter_input: Option<Input>,
}

impl Default for UiState {
    fn default() -> Self {
        Self::new(&Options::default(), (80, 24), Millis(0))
    }
}

impl UiState {
    /// The state at the start.
    pub fn new(options: &Options, size: (u16, u16), now: Millis) -> Self {
        Self {
            size,
            now,
            watch_only: options.watch_only,
            screen: Screen::Study,
            recent: Pane::ALL.to_vec(),
            zoom: false,
            tree: TreeState {
                nodes: Vec::new(),
                selected: TrialId::BASELINE,
                top: 0,
                folded: BTreeSet::new(),
                marked: Vec::new(),
                follow: true,
                filter: String::new(),
            },
            queue: None,
            later: Vec::new(),
            diff: DiffState::default(),
            log: LogState::default(),
            setup_log: String::new(),
            metric: None,
            live_keys: BTreeMap::new(),
            thoughts: Thoughts::default(),
            reasoning_of: None,
            meters: VecDeque::new(),
            scroll: BTreeMap::new(),
            modals: Vec::new(),
            toast: None,
            banner: None,
            last_seen: options.last_seen,
            waited: 0,
            restore: options.restore,
            restore_next: None,
            shelf: Shelf::default(),
            changed: BTreeMap::new(),
            errands: BTreeMap::new(),
            sent: BTreeMap::new(),
            refused: None,
            last_review: None,
            next_id: 1,
            interrupt_at: None,
            stop_asked: false,
            filter_input: None,
        }
    }

    /// The panes of this screen.
    pub fn all_panes(&self) -> &'static [Pane] {
        use Pane::*;
        match self.screen {
            Screen::Study => &[Tree, Proposal, Curves, Log, Reasoning, Machines, Feed],
            Screen::Review => &[Queue, Proposal, Reasoning, Curves],
        }
    }

    /// The pane that keys go to.
    pub fn focus(&self) -> Pane {
        self.front(self.all_panes())
    }

    /// Of panes that share a place, the one that shows: the last focused.
    pub fn front(&self, panes: &[Pane]) -> Pane {
        self.recent.iter().find(|p| panes.contains(p)).or(panes.first()).copied().unwrap_or(Pane::Tree)
    }

    /// Gives a pane the focus.
    pub fn focus_on(&mut self, pane: Pane) {
        self.recent.retain(|p| *p != pane);
        self.recent.insert(0, pane);
    }

    /// A fresh number for a wish or question.
    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Says something for a few seconds.
    pub fn say(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: false, until: Millis(self.now.0 + 4_000) });
    }

    /// Says why something is not done.
    pub fn refuse(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: true, until: Millis(self.now.0 + 6_000) });
    }

    /// The trial that the proposal, log and curve panes show.
    pub fn shown(&self) -> Option<TrialId> {
        match self.screen {
            Screen::Study => Some(self.tree.selected),
            Screen::Review => self.queue,
        }
    }

    /// The row of it.
    pub fn shown_row<'a>(&self, mirror: &'a Mirror) -> Option<&'a Row> {
        mirror.row(self.shown()?)
    }

    /// Proposals that wait, and those that come back to the queue with a new revision, in their places.
    pub fn queued(&self, mirror: &Mirror) -> Vec<TrialId> {
        let late = |id: &TrialId| self.later.iter().position(|l| l == id);
        let mut list: Vec<TrialId> = mirror.rows.iter().filter(|r| self.waits(r) || r.back.is_some()).map(|r| r.id).collect();
        list.sort_by_key(|id| (late(id).map_or(0, |p| p + 1), *id));
        list
    }

    /// Proposals that wait, those put off last.
    pub fn waiting(&self, mirror: &Mirror) -> Vec<TrialId> {
        if mirror.header.as_ref().is_none_or(|h| h.waiting == 0) {
            return Vec::new();
        }
        let late = |id: &TrialId| self.later.iter().position(|l| l == id);
        let mut list: Vec<TrialId> = mirror.rows.iter().filter(|r| self.waits(r)).map(|r| r.id).collect();
        list.sort_by_key(|id| (late(id).map_or(0, |p| p + 1), *id));
        list
    }

    /// Whether a proposal waits for this person: not while an answer to it is on its way.
    pub fn waits(&self, row: &Row) -> bool {
        row.status == Status::Waiting && !self.sent.values().any(|s| s.reviewed.is_some() && s.reviewed == row.proposal)
    }

    /// The question for a trial's diff against its parent, of the revision that is looked at.
    pub fn diff_query(&self, trial: TrialId) -> Query {
        let revision = self.diff.revision.filter(|_| self.diff.trial == Some(trial));
        Query::Diff { trial, against: Against::Parent, options: self.diff.options, revision }
    }

    /// Why no wish can be sent; none when one can.
    pub fn mute(&self, mirror: &Mirror) -> Option<String> {
        if self.watch_only {
            return Some("only watching (--watch)".into());
        }
        match &mirror.link {
            LinkState::Live { .. } => None,
            LinkState::Reconnecting { .. } => Some("the engine does not answer; trying again".into()),
            LinkState::Cold => Some(match &mirror.header {
                Some(h) if h.imported.as_ref().is_some_and(|from| from.fixed.is_some()) => {
                    "an imported history is to look at: nothing runs for it".into()
                }
                Some(h) => format!("no engine runs; `trialdeck resume {}` starts one", h.study),
                None => "no engine runs".into(),
            }),
        }
    }
}
