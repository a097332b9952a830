//! One run that is being followed: its files, its counts, its cache, and the points not yet handed out.

use super::{
    cache::{Cache, Mark},
    discover::Globs,
    names::{self, Fate, Names},
    reader::{Format, Losses, Patterns, Reader, Reading},
    tail::{self, Links, Look, Mood, Tail},
    wake::{Wake, is_remote},
    watcher::{Plan, Seen, Totals, WatchError},
    whole::Whole,
};
use crate::model::{Batch, Millis, Point, curve, redact};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Most keys of one run; what comes under further names is not stored.
const MAX_KEYS: usize = 512;
/// Most files of one run that are followed beside its output.
const MAX_FILES: usize = 64;
/// Longest key that is stored, in bytes.
const MAX_KEY_BYTES: usize = 200;
/// Most points of one batch that is handed out; a larger one is thinned (the cache has all).
const MAX_BATCH: usize = 2048;
/// Least time between two batches of one run: 20 a second at most.
pub(super) const BETWEEN_BATCHES: Duration = Duration::from_millis(50);
/// A walk for new files may take this share of the time: 1 / 50.
const WALK_SHARE: u32 = 50;

/// A run and all that is known of it.
pub(super) struct Followed {
    plan: Plan,
    patterns: Arc<Patterns>,
    globs: Globs,
    files: Vec<Source>,
    known: BTreeSet<PathBuf>,
    directories: BTreeSet<PathBuf>,
    restored: BTreeMap<String, Mark>,
    cache: Cache,
    counts: HashMap<Arc<str>, u64>,
    names: Names,
    totals: Totals,
    pending: Vec<Point>,
    unstored: bool,
    notes: BTreeSet<String>,
    news: Vec<Seen>,
    sizes: (u64, u64),
    told_sizes: (u64, u64),
    next_walk: Option<Instant>,
    last_emit: Option<Instant>,
    events: bool,
    remote: bool,
}

/// One file of a run.
struct Source {
    name: String,
    path: PathBuf,
    /// See `names`.
    log: Arc<str>,
    tail: Tail,
    /// Instead of the tail, for a format that is written anew each time.
    whole: Option<Whole>,
    format: Format,
    reader: Box<dyn Reader>,
    taken: u64,
    skip: u64,
    headed: bool,
    broken: bool,
}

/// What one look read: of the content that was there before a restart of the file, and of what is there now.
#[derive(Default)]
struct Fresh {
    old: Vec<Reading>,
    new: Vec<Reading>,
    losses: Losses,
}

impl Followed {
    /// Prepares a run, with what its cache already holds.
    pub(super) fn new(plan: Plan) -> Result<Self, WatchError> {
        let patterns = Patterns::compile(&plan.patterns, plan.primary.as_deref(), &plan.printed)?;
        let patterns = Arc::new(if plan.automatic { patterns.and_automatic() } else { patterns });
        let globs = Globs::compile(&plan.files)?;
        let mut counts: HashMap<Arc<str>, u64> = HashMap::new();
        let mut totals = Totals::default();
        let (run, primary) = (plan.run, plan.primary.clone());
        let (cache, restored) = Cache::open(&plan.cache, |point| {
            *counts.entry(Arc::from(point.key.as_str())).or_default() += 1;
            totals.count(run, &point, primary.as_deref());
        })
        .map_err(|source| WatchError::Cache { path: plan.cache.clone(), source })?;
        let mut followed = Self {
            patterns,
            globs,
            files: Vec::new(),
            known: BTreeSet::new(),
            directories: BTreeSet::new(),
            restored,
            cache,
            counts,
            names: Names::default(),
            totals,
            pending: Vec::new(),
            unstored: false,
            notes: BTreeSet::new(),
            news: Vec::new(),
            sizes: (0, 0),
            told_sizes: (0, 0),
            next_walk: None,
            last_emit: None,
            events: false,
            remote: is_remote(&plan.root) || plan.stdout.parent().is_some_and(is_remote),
            plan,
        };
        let stdout = followed.plan.stdout.clone();
        followed.follow(":stdout".into(), stdout, Format::Text, Links::Follow);
        if let Some(diverged) = followed.totals.diverged.clone() {
            // The engine may have ended before it acted on it.
            followed.news.push(Seen::Diverged(diverged));
        }
        Ok(followed)
    }

    /// Asks for events where they help.
    pub(super) fn arm(&mut self, wake: &mut Wake) {
        self.events = !self.remote;
        if let Some(directory) = self.plan.stdout.parent().map(Path::to_owned) {
            self.watch(directory, wake);
        }
    }

    /// Gives the events back.
    pub(super) fn disarm(&mut self, wake: &mut Wake) {
        std::mem::take(&mut self.directories).iter().for_each(|directory| wake.release(directory));
    }

    /// How long it may go without a look.
    pub(super) fn period(&self) -> Duration {
        Duration::from_millis(if self.events { 200 } else { 100 })
    }

    fn watch(&mut self, directory: PathBuf, wake: &mut Wake) {
        if self.events && !self.directories.contains(&directory) {
            self.events = wake.hold(&directory);
            if self.events {
                self.directories.insert(directory);
            }
        }
    }

    fn follow(&mut self, name: String, path: PathBuf, format: Format, links: Links) {
        let mark = self.restored.remove(&name);
        let whole = format.whole().then(|| Whole::new(path.clone(), links.clone(), mark.as_ref().map(Mark::readings)));
        let mut tail = Tail::new(path.clone(), links);
        let mut skip = 0;
        if let Some(mark) = mark.filter(|_| whole.is_none())
            && tail.holds(&mark.place())
        {
            tail.begin_at(mark.place().begin);
            skip = mark.n;
        }
        let reader = format.reader(&path, &self.patterns);
        let log = names::log(&name, format);
        self.files.push(Source { name, path, log, tail, whole, format, reader, taken: 0, skip, headed: false, broken: false });
    }

    fn note(&mut self, text: String) {
        if self.notes.insert(text.clone()) {
            self.news.push(Seen::Note(format!("{}: {text}", self.plan.run)));
        }
    }

    /// Looks at all files once. True if there is more to read at once.
    pub(super) fn pass(&mut self, wake: &mut Wake, mood: Mood, at: Millis, buffer: &mut Vec<u8>) -> bool {
        let now = Instant::now();
        if !self.globs.is_empty() && (mood == Mood::Final || self.next_walk.is_none_or(|due| now >= due)) {
            self.walk(wake, now);
        }
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        self.sizes = (size(&self.plan.stdout), self.plan.stderr.as_deref().map_or(0, size));
        let mut more = false;
        let mut files = std::mem::take(&mut self.files);
        for source in &mut files {
            let mut read = Fresh::default();
            if source.whole.is_some() {
                self.reread(source, mood, at);
                continue;
            }
            match source.look(&self.patterns, mood, now, buffer, &mut read) {
                Ok(look) => {
                    more |= look.more;
                    if look.restarted {
                        self.take(source, read.old, at);
                        self.lose(read.losses);
                        (source.taken, source.skip) = (0, 0);
                        self.names.begin_again(&source.log);
                    }
                    if look.skipped > 0 {
                        self.note(format!("{}: the first {} bytes of a huge file are not read", source.name, look.skipped));
                    }
                }
                Err(error) => self.broke(source, &error),
            }
            self.take(source, read.new, at);
        }
        self.files = files;
        more
    }

    fn broke(&mut self, source: &mut Source, error: &io::Error) {
        if !source.broken {
            source.broken = true;
            self.note(format!("{}: cannot be read: {error}", source.name));
        }
    }

    /// Looks at a file that is written anew each time.
    fn reread(&mut self, source: &mut Source, mood: Mood, at: Millis) {
        let Some(whole) = &mut source.whole else { return };
        match whole.look(source.format, &self.patterns, mood) {
            Ok(None) => {}
            Ok(Some(state)) if state.lines => {
                // It is read on as what it is, from its beginning; what it gave as a document were its first lines.
                source.skip = whole.given().0;
                source.whole = None;
                source.format = Format::JsonLines;
                source.reader = source.format.reader(&source.path, &self.patterns);
            }
            Ok(Some(state)) => {
                if mood == Mood::Final {
                    self.lose(state.losses);
                }
                self.take(source, state.fresh, at);
            }
            Err(error) => self.broke(source, &error),
        }
    }

    /// The run has ended: half lines are whole ones.
    pub(super) fn finish(&mut self, at: Millis) -> Totals {
        let mut files = std::mem::take(&mut self.files);
        for source in files.iter_mut().filter(|source| source.whole.is_none()) {
            let mut readings = Vec::new();
            source.reader.finish(&mut readings);
            self.take(source, readings, at);
            self.lose(source.reader.losses());
        }
        self.files = files;
        self.totals.clone()
    }

    fn lose(&mut self, losses: Losses) {
        self.totals.rubbish_lines += losses.rubbish;
        self.totals.long_lines += losses.too_long;
    }

    fn walk(&mut self, wake: &mut Wake, now: Instant) {
        let found = self.globs.walk(&self.plan.root);
        for file in found.files {
            if self.known.contains(&file) {
                continue;
            }
            if self.files.len() > MAX_FILES {
                self.note(format!("more than {MAX_FILES} files match `[live] files`; the others are not read"));
                break;
            }
            self.known.insert(file.clone());
            let path = self.plan.root.join(&file);
            let links = Links::Beneath(self.plan.root.clone());
            match Format::of(&file, &tail::head(&path, &links)) {
                Ok(format) => self.follow(file.to_string_lossy().into_owned(), path, format, links),
                Err(why) => self.note(format!("{}: not read: {why}", file.display())),
            }
        }
        if found.cut {
            self.note("`[live] files` covers very many files; not all were looked at".into());
        }
        for directory in found.directories {
            self.watch(directory, wake);
        }
        self.next_walk = Some(now + now.elapsed() * WALK_SHARE);
    }

    fn take(&mut self, source: &mut Source, readings: Vec<Reading>, at: Millis) {
        for mut reading in readings {
            source.taken += 1;
            let fate = if self.globs.is_empty() {
                // Standard output alone clashes with nothing.
                Fate::Own
            } else {
                // Before a restart of the engine it may have had its further name already.
                self.names.of(&source.log, &reading, |name| source.skip > 0 && self.counts.contains_key(name))
            };
            if source.skip > 0 {
                // It is in the cache from before a restart of the engine.
                source.skip -= 1;
                continue;
            }
            match fate {
                Fate::Again => continue,
                Fate::Own => {}
                Fate::Further(name) => reading.key = name,
                Fate::Parted(name, left_out) => {
                    for before in left_out {
                        self.point(Reading { key: Arc::clone(&name), ..before }, at);
                    }
                    reading.key = name;
                }
            }
            self.point(reading, at);
        }
    }

    /// Counts a point, stores it and hands it out.
    fn point(&mut self, reading: Reading, at: Millis) {
        if !self.counts.contains_key(&reading.key) && (self.counts.len() >= MAX_KEYS || reading.key.len() > MAX_KEY_BYTES) {
            self.note(format!("more than {MAX_KEYS} metrics, or a name over {MAX_KEY_BYTES} bytes; the others are not stored"));
            return;
        }
        let mut reading = reading;
        if !self.counts.contains_key(&reading.key)
            && let Cow::Owned(covered) = redact::ours().text(&reading.key)
        {
            reading.key = Arc::from(covered);
        }
        let count = self.counts.entry(Arc::clone(&reading.key)).or_default();
        *count += 1;
        let point = Point { key: reading.key.to_string(), step: reading.step.unwrap_or(*count as f64), value: reading.value, at };
        if self.totals.count(self.plan.run, &point, self.plan.primary.as_deref())
            && let Some(diverged) = self.totals.diverged.clone()
        {
            self.news.push(Seen::Diverged(diverged));
        }
        self.cache.push(&point);
        self.unstored = true;
        self.pending.push(point);
    }

    /// Stores and hands out what is new, unless the last batch was a moment before `now`. True if something waits for the next time.
    pub(super) fn emit(&mut self, mood: Mood, now: Instant, sink: &mut dyn FnMut(Seen)) -> bool {
        let fresh = self.unstored || !self.pending.is_empty() || !self.news.is_empty() || self.sizes != self.told_sizes;
        if !fresh {
            return false;
        }
        if mood == Mood::Patient && self.last_emit.is_some_and(|last| now.duration_since(last) < BETWEEN_BATCHES) {
            return true;
        }
        self.last_emit = Some(now);
        if self.unstored {
            let marks: Vec<_> = self.files.iter().filter(|f| f.taken > 0).map(Source::mark).collect();
            match self.cache.flush(&marks) {
                Ok(()) => self.unstored = false,
                Err(error) => self.note(format!("{} cannot be written: {error}", self.plan.cache.display())),
            }
        }
        if !self.pending.is_empty() {
            sink(Seen::Points(Batch { run: self.plan.run, points: thin(std::mem::take(&mut self.pending)) }));
        }
        self.news.drain(..).for_each(&mut *sink);
        if self.sizes != self.told_sizes {
            self.told_sizes = self.sizes;
            sink(Seen::LogGrew { run: self.plan.run, stdout: self.sizes.0, stderr: self.sizes.1 });
        }
        false
    }
}

impl Source {
    /// Reads what is new. A half line of a file that was rotated away is a whole one; it is dropped where the file was truncated.
    fn look(&mut self, patterns: &Arc<Patterns>, mood: Mood, now: Instant, buffer: &mut Vec<u8>, read: &mut Fresh) -> io::Result<Look> {
        let look = self.tail.look(buffer, mood, now)?;
        if look.restarted {
            if look.complete {
                self.reader.finish(&mut read.old);
            }
            read.losses = self.reader.losses();
            self.reader = self.format.reader(&self.path, patterns);
            self.headed = false;
        }
        if !self.headed && !buffer.is_empty() {
            self.headed = true;
            if self.format == Format::Csv
                && self.tail.place().begin > 0
                && let Some(header) = self.tail.first_line()
            {
                self.reader.feed(&header, &mut read.new);
            }
        }
        self.reader.feed(buffer, &mut read.new);
        Ok(look)
    }

    /// Where a restart of the engine goes on.
    fn mark(&self) -> Mark {
        if let Some(whole) = &self.whole {
            return Mark::whole(&self.name, whole.given());
        }
        Mark::new(&self.name, self.tail.place(), self.taken)
    }
}

/// Thins a batch to what a live chart can show, key by key.
fn thin(points: Vec<Point>) -> Vec<Point> {
    if points.len() <= MAX_BATCH {
        return points;
    }
    let mut by_key: HashMap<&str, Vec<(f64, f64)>> = HashMap::new();
    for (at, point) in points.iter().enumerate() {
        by_key.entry(&point.key).or_default().push((at as f64, point.value));
    }
    let width = (MAX_BATCH / 2 / by_key.len()).max(1);
    let kept: BTreeSet<usize> = by_key.values().flat_map(|list| curve::decimate(list, None, width)).map(|(at, _)| at as usize).collect();
    points.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, point)| point).collect()
}
