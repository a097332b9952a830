//! What was said between a proposer and its model, beside the journal: `proposals/p0012/conversation.jsonl.gz`.
//!
//! One gzip member an entry, appended whole, so that a crash costs at most the entry that was being written: its torn rest is
//! told apart from damage and cut off before the next is appended. Keys are covered before anything is written. What a model was
//! told is kept whole up to 256 KiB and an answer up to 4 MiB; of longer texts the middle is left out, and says so. Tested beside
//! the code, with files cut and altered at every byte.

use crate::model::conversation::{Message, Turn};
use crate::model::{ProposalId, redact};
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Longest message to a model that is kept whole, in bytes of JSON.
const TOLD: usize = 256 << 10;
/// Longest answer that is kept whole: a replay needs it as it was.
const ANSWERED: usize = 4 << 20;
/// Longest entry that is read.
const LONGEST_ENTRY: u64 = 16 << 20;
/// Longest file that is read.
pub const LONGEST_FILE: u64 = 256 << 20;
/// Places at which reading is taken up again after damage.
const TRIES: usize = 10_000;
/// How a gzip member begins.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];

/// Where the conversation of a proposal lies.
pub fn path(study_dir: &Path, proposal: ProposalId) -> PathBuf {
    study_dir.join("proposals").join(proposal.to_string()).join("conversation.jsonl.gz")
}

/// Writes the conversation of one attempt at a revision.
#[derive(Debug)]
pub struct Recorder {
    file: File,
}

impl Recorder {
    /// Begins an attempt at a revision: cuts off what a crash left half written, and notes the beginning. Errors: of the disk.
    pub fn begin(study_dir: &Path, proposal: ProposalId, revision: u32) -> io::Result<Self> {
        let path = path(study_dir, proposal);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        if file.metadata()?.len() > 0
            && let Ok(Record { torn: Some(from), .. }) = read(study_dir, proposal)
        {
            file.set_len(from)?;
        }
        let mut recorder = Self { file };
        recorder.note(&Turn::Began { revision })?;
        Ok(recorder)
    }

    /// Appends one entry, with keys covered. Errors: of the disk.
    pub fn note(&mut self, turn: &Turn) -> io::Result<()> {
        let mut turn = turn.clone();
        let bound = if matches!(turn, Turn::Answered { .. }) { ANSWERED } else { TOLD };
        shorten(&mut turn, bound);
        let mut value = serde_json::to_value(&turn)?;
        redact::ours().value(&mut value);
        let mut member = GzEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut member, &value)?;
        member.write_all(b"\n")?;
        self.file.write_all(&member.finish()?)
    }
}

/// A conversation as it lies on the disk.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Record {
    /// What can be read, in the order of writing.
    pub turns: Vec<Turn>,
    /// From this byte on the last entry was not written to its end.
    pub torn: Option<u64>,
    /// What else is wrong with the file: byte and trouble, one line each.
    pub damage: Vec<String>,
}

impl Record {
    /// What was said about a revision; of all when none is named.
    pub fn of(self, revision: Option<u32>) -> Vec<Turn> {
        let Some(revision) = revision else { return self.turns };
        let mut at = 1;
        let mut of = |turn: &Turn| {
            if let Turn::Began { revision } = turn {
                at = *revision;
            }
            at == revision
        };
        self.turns.into_iter().filter(|turn| of(turn)).collect()
    }

    /// What a reader is told of the file's state; none where all is well.
    pub fn trouble(&self) -> Option<String> {
        let torn = self.torn.map(|from| format!("the entry from byte {from} on was not written to its end"));
        let told: Vec<String> = self.damage.iter().take(3).cloned().chain(torn).collect();
        let more = self.damage.len().saturating_sub(3);
        match (told.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(told.join("; ")),
            (false, more) => Some(format!("{}; and {more} more", told.join("; "))),
        }
    }
}

/// Reads the conversation of a proposal; one that never was is empty. Damage is told in the record. Errors: of the disk, and a
/// file that is too long.
pub fn read(study_dir: &Path, proposal: ProposalId) -> io::Result<Record> {
    let path = path(study_dir, proposal);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(format!("{} is longer than {} MiB", path.display(), LONGEST_FILE >> 20)));
    }
    Ok(parse(&bytes))
}

/// Takes a file apart. Never fails: what is not understood is told.
fn parse(bytes: &[u8]) -> Record {
    let (mut record, mut at, mut bad, mut tries) = (Record::default(), 0, None, 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match member(rest) {
            Ok((text, length)) => {
                if let Some((from, why)) = bad.take() {
                    record.damage.push(format!("bytes {from} to {at} cannot be read: {why}"));
                }
                match serde_json::from_slice(&text) {
                    Ok(turn) => record.turns.push(turn),
                    Err(error) => record.damage.push(format!("the entry at byte {at} is none that this version knows: {error}")),
                }
                at += length.max(1);
            }
            Err(error) => {
                bad.get_or_insert((at, error));
                tries += 1;
                let next = bytes.get(at + 1..).and_then(|later| later.windows(MEMBER.len()).position(|w| w == MEMBER));
                match next {
                    Some(next) if tries < TRIES => at += 1 + next,
                    _ => break,
                }
            }
        }
    }
    match bad {
        Some((from, error)) if error.kind() == io::ErrorKind::UnexpectedEof => record.torn = Some(from as u64),
        Some((from, error)) => record.damage.push(format!("byte {from} and what follows cannot be read: {error}")),
        None => {}
    }
    record
}

/// Unpacks the member at the beginning and says how long it is.
fn member(bytes: &[u8]) -> io::Result<(Vec<u8>, usize)> {
    let mut unpacked = Vec::new();
    let mut decoder = GzDecoder::new(bytes);
    (&mut decoder).take(LONGEST_ENTRY + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > LONGEST_ENTRY {
        return Err(io::Error::other("the entry is too long"));
    }
    Ok((unpacked, bytes.len() - decoder.into_inner().len()))
}

/// Leaves out the middle of the longest texts until an entry has at most so many bytes of JSON. What a server wants back as it
/// was is kept, and left out as a whole where nothing else helps.
pub(super) fn shorten(turn: &mut Turn, bound: usize) {
    let size = |turn: &Turn| serde_json::to_vec(turn).map_or(0, |json| json.len());
    let mut longest = bound / 2;
    while size(turn) > bound && longest >= 256 {
        for text in texts(turn) {
            middle_out(text, longest);
        }
        longest /= 2;
    }
    if size(turn) > bound.max(ANSWERED) {
        match turn {
            Turn::Told { message: Message::Assistant { opaque, .. } } => opaque.clear(),
            Turn::Answered { answer, .. } => answer.opaque.clear(),
            Turn::Told { .. } | Turn::Began { .. } | Turn::Retried { .. } | Turn::Failed { .. } => {}
        }
    }
}

/// All texts of an entry.
fn texts(turn: &mut Turn) -> Vec<&mut String> {
    match turn {
        Turn::Told { message: Message::System { text } | Message::User { text } | Message::Tool { text, .. } } => vec![text],
        Turn::Told { message: Message::Assistant { text, calls, .. } } => {
            std::iter::once(text).chain(calls.iter_mut().map(|c| &mut c.arguments)).collect()
        }
        Turn::Answered { answer, .. } => {
            let calls = answer.calls.iter_mut().map(|c| &mut c.arguments);
            [&mut answer.text, &mut answer.reasoning].into_iter().chain(calls).collect()
        }
        Turn::Retried { why, .. } | Turn::Failed { why } => vec![why],
        Turn::Began { .. } => Vec::new(),
    }
}

fn middle_out(text: &mut String, longest: usize) {
    if text.len() <= longest {
        return;
    }
    let (head, tail) = (text.floor_char_boundary(longest / 2), text.ceil_char_boundary(text.len() - longest / 2));
    let left_out = tail - head;
    text.replace_range(head..tail, &format!("\n[… {left_out} bytes left out …]\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Spend;
    use crate::model::conversation::{Answered, Finish, ToolCall};
    use proptest::prelude::*;

    const P: ProposalId = ProposalId(12);

    fn told(text: &str) -> Turn {
        Turn::Told { message: Message::User { text: text.into() } }
    }

    fn answered(text: &str) -> Turn {
        let call = ToolCall { id: "c1".into(), name: "read_file".into(), arguments: "{\"path\":\"train.py\"}".into() };
        let answer = Answered {
            text: text.into(),
            reasoning: "it may help".into(),
            calls: vec![call],
            opaque: vec![serde_json::json!({"type": "reasoning", "id": "rs_1"})],
            finish: Finish::Tools,
            spend: Spend { calls: 1, prompt_tokens: 1200, completion_tokens: 340, usd: 0.0021, ..Spend::default() },
            first_token_secs: Some(0.4),
        };
        Turn::Answered { model: "small".into(), answer }
    }

    fn recorded(dir: &Path, turns: &[Turn]) {
        let mut recorder = Recorder::begin(dir, P, 1).unwrap();
        turns.iter().for_each(|turn| recorder.note(turn).unwrap());
    }

    #[test]
    fn what_was_noted_is_read_and_revisions_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path(), P).unwrap(), Record::default(), "nothing was said");
        recorded(dir.path(), &[told("improve it"), answered("so")]);
        let mut second = Recorder::begin(dir.path(), P, 2).unwrap();
        second.note(&told("smaller, please")).unwrap();
        let record = read(dir.path(), P).unwrap();
        assert_eq!(record.trouble(), None);
        let all = [Turn::Began { revision: 1 }, told("improve it"), answered("so"), Turn::Began { revision: 2 }, told("smaller, please")];
        assert_eq!(record.clone().of(None), all);
        assert_eq!(record.clone().of(Some(1)), all[..3]);
        assert_eq!(record.of(Some(2)), all[3..]);
    }

    #[test]
    fn a_torn_end_is_told_from_damage_and_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path(), &[told("one"), answered("two")]);
        let whole = fs::read(path(dir.path(), P)).unwrap();
        let mut before_last = 0;
        for cut in 0..whole.len() {
            let record = parse(&whole[..cut]);
            assert_eq!(record.damage, Vec::<String>::new(), "cut at {cut}");
            if let Some(torn) = record.torn {
                before_last = usize::try_from(torn).unwrap();
                assert_eq!(parse(&whole[..before_last]).turns, record.turns);
            }
        }
        fs::write(path(dir.path(), P), &whole[..whole.len() - 3]).unwrap();
        recorded(dir.path(), &[told("again")]);
        let record = read(dir.path(), P).unwrap();
        assert_eq!(record.trouble(), None);
        assert_eq!(record.turns, [Turn::Began { revision: 1 }, told("one"), Turn::Began { revision: 1 }, told("again")]);
        assert!(before_last > 0);
    }

    #[test]
    fn damage_in_the_middle_leaves_the_rest_readable() {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path(), &[told("one"), told("two"), told("three")]);
        let whole = fs::read(path(dir.path(), P)).unwrap();
        let starts: Vec<usize> = whole.windows(3).enumerate().filter(|(_, w)| *w == MEMBER).map(|(at, _)| at).collect();
        let mut broken = whole;
        broken[starts[2] + 14] ^= 0x55;
        let record = parse(&broken);
        assert_eq!(record.turns, [Turn::Began { revision: 1 }, told("one"), told("three")]);
        assert_eq!((record.damage.len(), record.torn), (1, None), "{:?}", record.damage);
        assert!(record.trouble().unwrap().contains(&format!("bytes {} to {}", starts[2], starts[3])));
    }

    #[test]
    fn long_texts_lose_their_middle_and_keys_are_covered() {
        let dir = tempfile::tempdir().unwrap();
        let key = format!("sk-proj-{}", "Ab3".repeat(16));
        let long = format!("begin{}end", "x".repeat(600 << 10));
        recorded(dir.path(), &[told(&long), told(&format!("use {key} here")), answered(&long)]);
        let turns = read(dir.path(), P).unwrap().turns;
        let Turn::Told { message: Message::User { text } } = &turns[1] else { panic!("{turns:?}") };
        assert!(text.len() <= TOLD && text.starts_with("begin") && text.ends_with("end") && text.contains("bytes left out"));
        let Turn::Told { message: Message::User { text } } = &turns[2] else { panic!("{turns:?}") };
        assert!(!text.contains("Ab3Ab3") && text.starts_with("use "), "{text}");
        assert_eq!(turns[3], answered(&long), "answers are kept whole");
    }

    proptest! {
        #[test]
        fn no_file_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let record = parse(&bytes);
            prop_assert_eq!(record.turns.is_empty() && record.trouble().is_none(), bytes.is_empty());
        }

        #[test]
        fn an_altered_byte_costs_one_entry_at_most(at in 0usize..10_000, change in 1u8..=255) {
            let dir = tempfile::tempdir().unwrap();
            recorded(dir.path(), &[told("one"), told("two"), answered("three")]);
            let mut bytes = fs::read(path(dir.path(), P)).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= change;
            let record = parse(&bytes);
            prop_assert!(record.turns.len() >= 3, "{:?}", record);
        }

        #[test]
        fn texts_are_cut_between_characters(text in "\\PC{0,400}", longest in 256usize..300) {
            let mut turn = told(&text.repeat(4));
            shorten(&mut turn, longest);
            prop_assert!(serde_json::to_string(&turn).is_ok());
        }
    }
}
