//! A study's recording (`--proposer replay:STUDY`): its facts, bodies and conversations, copied into the new study.
//!
//! What is promised: with the slots of then and the same task, requests, answers, staling, rebasing and what people did come again as
//! they were, and checks, runs and the evaluator work afresh and are taken in the recorded order, so that the same tree results as
//! long as scores do. Agents speak from their recorded answers and cost what they cost; programs and samplers are not asked.
//! The recorded study is only read, once.

mod part;
mod player;

pub use player::{Player, Turn};

use super::layout::Layout;
use crate::archive::conversation;
use crate::journal;
use crate::model::{Draft, Event, ProposalId, Settings};
use crate::propose::llm::recorded::{self, Recording};
use crate::run::durable;
use part::Part;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Largest body of a revision that is read, in bytes.
const LARGEST_DRAFT: u64 = 16 << 20;

/// What a replay goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Manifest {
    /// The name of the recorded study.
    study: String,
    /// The facts that come again, are waited for, or are compared, in their order.
    events: Vec<Event>,
}

/// A recorded study, as a new one needs it.
pub struct Source {
    /// Its directory.
    pub dir: PathBuf,
    /// Its first settings.
    pub settings: Settings,
    /// Places to run that it had.
    pub slots: Option<u32>,
    manifest: Manifest,
}

impl Source {
    /// Reads a study that is to be replayed. Errors: in words; histories without proposals that an engine asked for.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let events: Vec<Event> = journal::read_from(dir, journal::Cursor::default())?.records.into_iter().map(|r| r.event).collect();
        let first = events.iter().find_map(|event| match event {
            Event::StudyCreated { study, settings, .. } => Some((study.clone(), (**settings).clone())),
            _ => None,
        });
        let (study, settings) = first.ok_or_else(|| anyhow::anyhow!("{} has no first record", dir.display()))?;
        if events.iter().any(|e| matches!(e, Event::HistoryImported { .. })) {
            anyhow::bail!("{study} is an imported history: nothing was recorded that could be replayed");
        }
        let slots = events.iter().find_map(|event| match event {
            Event::EngineStarted { slots, .. } => u32::try_from(slots.len()).ok(),
            _ => None,
        });
        let events = events.into_iter().filter(|e| part::part(e) != Part::Own).collect();
        Ok(Self { dir: dir.to_owned(), settings, slots, manifest: Manifest { study, events } })
    }

    /// Copies what a replay needs into a study that is being made.
    pub fn copy(&self, layout: &Layout) -> anyhow::Result<()> {
        let into = layout.recording();
        fs::create_dir_all(&into)?;
        for proposal in proposals(&self.manifest.events, |_| true) {
            let name = proposal.to_string();
            let (from, to) = (self.dir.join("proposals").join(&name), into.join("proposals").join(&name));
            let bodies = (1..).map(|n| (from.join(format!("rev-{n}.json")), LARGEST_DRAFT)).take_while(|(file, _)| is_plain(file));
            let said = Some((conversation::path(&self.dir, proposal), conversation::LONGEST_FILE)).filter(|(file, _)| is_plain(file));
            for (file, most) in bodies.chain(said) {
                fs::create_dir_all(&to)?;
                if let Some(file_name) = file.file_name() {
                    copy(&file, &to.join(file_name), most).map_err(|e| anyhow::anyhow!("{} cannot be copied: {e}", file.display()))?;
                }
            }
        }
        durable::write_json(&into.join("recording.json"), &self.manifest, durable::Keep::Durable)?;
        Ok(())
    }
}

/// The recorded study may be somebody else's: a link in it leads to files that are none of its own.
fn is_plain(file: &Path) -> bool {
    file.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// Copies a plain file of at most so many bytes, and follows no link that took its place.
fn copy(from: &Path, to: &Path, most: u64) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(from)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > most {
        return Err(io::Error::other(format!("it is no plain file of at most {} MiB", most >> 20)));
    }
    io::copy(&mut file.take(most), &mut fs::File::create(to)?).map(drop)
}

/// What was asked for or handed in by those who are meant.
fn proposals(events: &[Event], who: impl Fn(&str) -> bool) -> BTreeSet<ProposalId> {
    let mut found = BTreeSet::new();
    for event in events {
        if let Event::ProposalAsked { proposal, proposer, .. } | Event::Proposed { proposal, proposer, .. } = event
            && who(proposer)
        {
            found.insert(*proposal);
        }
    }
    found
}

/// The recording that lies in a study.
pub struct Recorded {
    dir: PathBuf,
    manifest: Manifest,
}

impl Recorded {
    /// Of a study that replays one; none of others. Errors: of the disk.
    pub fn open(layout: &Layout) -> anyhow::Result<Option<Self>> {
        let dir = layout.recording();
        if !dir.exists() {
            return Ok(None);
        }
        let path = dir.join("recording.json");
        let bytes = fs::read(&path).map_err(|e| anyhow::anyhow!("the recording {} cannot be read: {e}", path.display()))?;
        let manifest = serde_json::from_slice(&bytes).map_err(|e| anyhow::anyhow!("the recording {} is damaged: {e}", path.display()))?;
        Ok(Some(Self { dir, manifest }))
    }

    /// What models answered. Errors: of the disk.
    pub fn models(&self) -> anyhow::Result<Recording> {
        let mut all = BTreeMap::new();
        for proposal in proposals(&self.manifest.events, |who| who.starts_with("agents/")) {
            let record = conversation::read(&self.dir, proposal)?;
            all.extend(recorded::answers(record.turns).into_iter().map(|(revision, spoken)| ((proposal, revision), spoken)));
        }
        Ok(Recording::new(&self.manifest.study, all))
    }

    /// The body of a revision. Errors: why there is none, in words.
    fn draft(&self, proposal: ProposalId, revision: u32) -> Result<Draft, String> {
        let path = self.dir.join("proposals").join(proposal.to_string()).join(format!("rev-{revision}.json"));
        let unread = |why: String| format!("the recording of {} has no revision {revision} of {proposal}: {why}", self.manifest.study);
        let size = path.metadata().map_err(|e| unread(e.to_string()))?.len();
        if size > LARGEST_DRAFT {
            return Err(unread("it is too long".into()));
        }
        let bytes = fs::read(&path).map_err(|e| unread(e.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|e| unread(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_is_damaged_is_told_apart_from_none() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(Recorded::open(&layout).unwrap().is_none(), "most studies replay none");
        fs::create_dir_all(layout.recording()).unwrap();
        let file = layout.recording().join("recording.json");
        for (text, want) in [(None, "cannot be read"), (Some("{\"study\":\"first\""), "is damaged"), (Some("[1, 2]"), "is damaged")] {
            if let Some(text) = text {
                fs::write(&file, text).unwrap();
            }
            let why = Recorded::open(&layout).err().unwrap().to_string();
            assert!(why.contains(want) && why.contains("recording.json"), "{text:?}: {why}");
        }
        fs::write(&file, "{\"study\":\"first\",\"events\":[]}").unwrap();
        assert_eq!(Recorded::open(&layout).unwrap().unwrap().manifest.study, "first");
    }

    #[test]
    fn nothing_but_plain_files_of_a_recording_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("plain"), "{}").unwrap();
        fs::write(at("secret"), "of somebody's").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
        fs::File::create(at("endless")).unwrap().set_len(1 << 40).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(is_plain(&at("plain")) && !is_plain(&at("link")) && !is_plain(&at("pipe")) && !is_plain(&at("gone")));
        copy(&at("plain"), &at("copy"), 10).unwrap();
        assert_eq!(fs::read(at("copy")).unwrap(), b"{}");
        for bad in ["link", "endless", "pipe"] {
            assert!(copy(&at(bad), &at("other"), 10).is_err() && !at("other").exists(), "{bad}");
        }
    }
}
