//! A slot's working directory: switched between trees by difference, and equal to its tree when `prepare` returns.
//!
//! Every entry is looked at, none is followed. What the record beside the slot vouches for is not read again; all else is hashed and
//! repaired, and what the tree does not have is removed, but for `keep`, `.trialdeck` and what lies in `public`, which are the engine's.
//! Property: whatever was done to the directory, `prepare` then `verify` finds no difference.

use super::error::{During, OnPath, Result};
use super::rules::Patterns;
use super::slot_fs as fs;
use super::slot_look::{self, Seen};
use super::slot_state::{Key, Record, State};
use super::store::{EXECUTABLE_MODE, LINK_MODE, Leaf, Store};
use git2::{ObjectType, Oid};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::FileType;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Top-level entries that hold what the engine puts there; they are left alone.
const ENGINE_OWNS: [&str; 2] = [".trialdeck", "public"];

/// A working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    dir: PathBuf,
    /// To whom everything in it belongs; none where that is whoever runs the engine.
    owner: Option<u32>,
}

/// What `prepare` did, in files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// Written because the tree changed.
    pub written: usize,
    /// Removed: extras, and files that the new tree lacks.
    pub removed: usize,
    /// Written or reset because something had changed them.
    pub repaired: usize,
}

/// A directory of the tree.
#[derive(Default)]
struct Node<'a> {
    files: BTreeMap<&'a str, &'a Leaf>,
    dirs: BTreeMap<&'a str, Node<'a>>,
}

impl Slot {
    /// The slot at `dir`, e.g. `work/slot-0`; made on the first `prepare`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), owner: None }
    }

    /// The same for runs of another user: all that is in it is given to that one.
    pub fn owned_by(self, owner: Option<u32>) -> Self {
        Self { owner, ..self }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the directory equal to the tree. No process may be using it. `keep` are globs relative to its root.
    pub fn prepare(&self, store: &Store, tree: &str, keep: &[String]) -> Result<Prepared> {
        let (done, record) = self.make_equal(store, tree, keep)?;
        record.save().on_path("recording the state of", &self.dir)?;
        Ok(done)
    }

    /// The same for who is in a hurry: the record is to be saved before the next call.
    pub fn make_equal(&self, store: &Store, tree: &str, keep: &[String]) -> Result<(Prepared, Record)> {
        let keep = Patterns::new(keep)?;
        // Both are long lists in a large repository.
        let (leaves, state) = std::thread::scope(|scope| {
            let state = scope.spawn(|| State::load(&self.dir));
            (store.leaves(tree), state.join().unwrap_or_default())
        });
        let leaves = leaves?;
        let root = fs::open_root(&self.dir).on_path("opening the slot", &self.dir)?;
        fs::take_over(root.as_fd(), self.owner).on_path("giving away", &self.dir)?;
        let record = Vec::with_capacity(leaves.len());
        let seen = Seen::look(root.as_fd(), &leaves);
        let done = Prepared::default();
        let mut work = Work { store, slot: &self.dir, owner: self.owner, keep: &keep, state: &state, seen, done, record };
        work.directory(root.as_fd(), &mut String::new(), &nested(&leaves), false)?;
        let Work { done, record, .. } = work;
        Ok((done, Record::of(&self.dir, record).on_path("recording the state of", &self.dir)?))
    }

    /// Removes one of the entries that a tree never holds (`.trialdeck`, `public`), with all below it, following no link.
    pub fn remove_reserved(&self, name: &str) -> Result<()> {
        let root = fs::open_root(&self.dir).on_path("opening the slot", &self.dir)?;
        let name = OsStr::new(name);
        let Some(stat) = fs::stat(root.as_fd(), name).on_path("looking into", &self.dir)? else { return Ok(()) };
        fs::remove(root.as_fd(), name, stat.kind, "", &|_| false).on_path("emptying", &self.dir)?;
        Ok(())
    }

    /// Makes directories inside of one of those entries, for the engine's own use, following no link.
    pub fn make_reserved(&self, paths: &[&str]) -> Result<()> {
        let root = fs::open_root(&self.dir).on_path("opening the slot", &self.dir)?;
        paths.iter().try_for_each(|path| fs::make_dirs(root.as_fd(), path).map(drop)).on_path("making directories in", &self.dir)
    }

    /// Puts links to data that stay outside at their places in the directory, which equals its tree: whatever a run left there
    /// goes, and no link is followed. The next `prepare` takes the links away again, never what they lead to.
    pub fn link(&self, links: &[(String, PathBuf)]) -> Result<()> {
        for (place, original) in links {
            let at = || self.dir.join(place);
            let Some((dir, name)) = self.cleared(place)? else { continue };
            fs::write_link(dir.as_fd(), name, original.as_os_str().as_encoded_bytes()).on_made_path("linking", at)?;
        }
        Ok(())
    }

    /// Copies a file, or a directory with its files, to its place in the directory, whatever lies there. Links in the
    /// original, which is ours, are followed; none in the directory is.
    pub fn put(&self, place: &str, original: &Path) -> Result<()> {
        let at = || self.dir.join(place);
        if original.is_dir() {
            for entry in original.read_dir().on_path("reading", original)? {
                let entry = entry.on_path("reading", original)?;
                self.put(&format!("{place}/{}", entry.file_name().to_string_lossy()), &entry.path())?;
            }
            return Ok(());
        }
        let mut from = std::fs::File::open(original).on_path("reading", original)?;
        let Some((dir, name)) = self.cleared(place)? else { return Ok(()) };
        let mut to = fs::create_file(dir.as_fd(), name, false).on_made_path("writing", at)?;
        fs::give(dir.as_fd(), name, self.owner).on_made_path("writing", at)?;
        std::io::copy(&mut from, &mut to).on_made_path("writing", at)?;
        Ok(())
    }

    /// Opens the directory of a place, made where it is not there, and removes what lies at the place itself.
    fn cleared<'p>(&self, place: &'p str) -> Result<Option<(OwnedFd, &'p OsStr)>> {
        let at = || self.dir.join(place);
        let mut parts: Vec<&str> = place.split('/').filter(|p| !matches!(*p, "" | "." | "..")).collect();
        let Some(name) = parts.pop() else { return Ok(None) };
        let mut dir = fs::open_root(&self.dir).on_path("opening the slot", &self.dir)?;
        for part in parts {
            let part = OsStr::new(part);
            match fs::stat(dir.as_fd(), part).on_made_path("looking at", at)? {
                Some(stat) if stat.kind == FileType::Directory => {}
                Some(stat) => {
                    fs::remove(dir.as_fd(), part, stat.kind, place, &|_| false).on_made_path("replacing", at)?;
                    fs::make_dir(dir.as_fd(), part).and_then(|()| fs::give(dir.as_fd(), part, self.owner)).on_made_path("making", at)?;
                }
                None => {
                    fs::make_dir(dir.as_fd(), part).and_then(|()| fs::give(dir.as_fd(), part, self.owner)).on_made_path("making", at)?
                }
            }
            dir = fs::open_dir(dir.as_fd(), part).on_made_path("opening", at)?;
        }
        let name = OsStr::new(name);
        if let Some(stat) = fs::stat(dir.as_fd(), name).on_made_path("looking at", at)? {
            fs::remove(dir.as_fd(), name, stat.kind, place, &|_| false).on_made_path("replacing", at)?;
        }
        Ok(Some((dir, name)))
    }

    /// Reads everything and returns what differs from the tree, a line each; empty when equal.
    pub fn verify(&self, store: &Store, tree: &str, keep: &[String]) -> Result<Vec<String>> {
        let keep = Patterns::new(keep)?;
        let mut expected: BTreeMap<String, Leaf> = store.leaves(tree)?.into_iter().map(|l| (l.path.clone(), l)).collect();
        let mut differences = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(prefix) = pending.pop() {
            let dir = self.dir.join(&prefix);
            let mut n = 0;
            for entry in dir.read_dir().on_path("reading", &dir)? {
                let entry = entry.on_path("reading", &dir)?;
                n += 1;
                let name = entry.file_name();
                let path =
                    if prefix.is_empty() { name.to_string_lossy().into_owned() } else { format!("{prefix}/{}", name.to_string_lossy()) };
                let meta = entry.metadata().on_path("reading", &entry.path())?;
                if meta.is_dir() {
                    if !(prefix.is_empty() && path == ".trialdeck") {
                        pending.push(path);
                    }
                    continue;
                }
                let Some(leaf) = expected.remove(&path) else {
                    let owned = path.split('/').next().is_some_and(|top| ENGINE_OWNS.contains(&top));
                    if !owned && !keep.covers(&path) {
                        differences.push(format!("{path} is not in the tree"));
                    }
                    continue;
                };
                differences.extend(difference(&entry.path(), &meta, &leaf)?);
            }
            let owned = prefix.split('/').next().is_some_and(|top| ENGINE_OWNS.contains(&top));
            if n == 0 && !prefix.is_empty() && !owned && !keep.covers(&prefix) {
                differences.push(format!("{prefix} is an empty directory"));
            }
        }
        differences.extend(expected.into_keys().map(|path| format!("{path} is missing")));
        Ok(differences)
    }
}

fn difference(path: &Path, meta: &std::fs::Metadata, leaf: &Leaf) -> Result<Option<String>> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    let bytes = match (meta.is_symlink(), meta.is_file(), leaf.mode) {
        (true, _, LINK_MODE) => std::fs::read_link(path).on_path("reading", path)?.as_os_str().as_bytes().to_vec(),
        (_, true, mode) if mode != LINK_MODE => std::fs::read(path).on_path("reading", path)?,
        _ => return Ok(Some(format!("{} is of another kind", leaf.path))),
    };
    if Oid::hash_object(ObjectType::Blob, &bytes).during("hashing")? != leaf.oid {
        return Ok(Some(format!("{} has another content", leaf.path)));
    }
    let plain = meta.is_symlink() || (meta.nlink() == 1 && meta.mode() & 0o7600 == 0o600);
    let executable = meta.is_symlink() || (meta.mode() & 0o100 != 0) == (leaf.mode == EXECUTABLE_MODE);
    Ok((!plain || !executable).then(|| format!("{} has another mode or a second name", leaf.path)))
}

fn nested(leaves: &[Leaf]) -> Node<'_> {
    let mut root = Node::default();
    for leaf in leaves {
        let mut node = &mut root;
        let mut rest = leaf.path.as_str();
        while let Some((first, below)) = rest.split_once('/') {
            node = node.dirs.entry(first).or_default();
            rest = below;
        }
        node.files.insert(rest, leaf);
    }
    root
}

struct Work<'a> {
    store: &'a Store,
    slot: &'a Path,
    owner: Option<u32>,
    keep: &'a Patterns,
    state: &'a State,
    seen: Seen,
    done: Prepared,
    record: Vec<(Leaf, Key)>,
}

impl<'a> Work<'a> {
    /// Makes one directory equal to its node. In a `lenient` one extras stay.
    fn directory(&mut self, dir: BorrowedFd<'_>, prefix: &mut String, node: &Node<'a>, lenient: bool) -> Result<()> {
        let length = prefix.len();
        let mut there: HashSet<&str> = HashSet::with_capacity(node.files.len() + node.dirs.len());
        let entries = match self.seen.take(prefix) {
            Some(entries) => entries,
            None => slot_look::list(dir).on_made_path("reading", || self.at(prefix))?,
        };
        for (name, stat) in entries {
            let shown = name.to_string_lossy();
            prefix.push_str(&shown);
            let utf8 = name.to_str();
            let owned = length == 0 && utf8.is_some_and(|n| ENGINE_OWNS.contains(&n));
            if let Some((known, leaf)) = utf8.and_then(|n| node.files.get_key_value(n)) {
                there.insert(known);
                self.file(dir, &name, leaf, Some(&stat))?;
            } else if let Some((known, below)) = utf8.and_then(|n| node.dirs.get_key_value(n)) {
                there.insert(known);
                if stat.kind == FileType::Directory {
                    if stat.mode & 0o700 != 0o700 {
                        fs::make_usable(dir, &name).on_made_path("resetting the mode of", || self.at(prefix))?;
                        self.done.repaired += 1;
                    }
                    self.descend(dir, &name, prefix, below, owned)?;
                } else {
                    self.remove(dir, &name, stat.kind, prefix, false)?;
                    self.fill(dir, &name, prefix, below)?;
                }
            } else if owned {
                // A link in place of the engine's directory would lead its files elsewhere.
                if stat.kind != FileType::Directory {
                    self.remove(dir, &name, stat.kind, prefix, false)?;
                }
            } else if !lenient {
                self.remove(dir, &name, stat.kind, prefix, true)?;
            }
            prefix.truncate(length);
        }
        for (name, leaf) in node.files.iter().filter(|(n, _)| !there.contains(**n)) {
            self.file(dir, OsStr::new(name), leaf, None)?;
        }
        for (name, below) in node.dirs.iter().filter(|(n, _)| !there.contains(**n)) {
            prefix.push_str(name);
            self.fill(dir, OsStr::new(name), prefix, below)?;
            prefix.truncate(length);
        }
        Ok(())
    }

    fn descend(&mut self, dir: BorrowedFd<'_>, name: &OsStr, prefix: &mut String, node: &Node<'a>, lenient: bool) -> Result<()> {
        let below = fs::open_dir(dir, name).on_made_path("opening", || self.at(prefix))?;
        let length = prefix.len();
        prefix.push('/');
        // `public` itself is lenient, and so is all below it.
        let lenient = lenient || prefix.starts_with("public/");
        self.directory(below.as_fd(), prefix, node, lenient)?;
        prefix.truncate(length);
        Ok(())
    }

    fn fill(&mut self, dir: BorrowedFd<'_>, name: &OsStr, prefix: &mut String, node: &Node<'a>) -> Result<()> {
        fs::make_dir(dir, name).and_then(|()| fs::give(dir, name, self.owner)).on_made_path("making", || self.at(prefix))?;
        self.descend(dir, name, prefix, node, false)
    }

    fn remove(&mut self, dir: BorrowedFd<'_>, name: &OsStr, kind: FileType, path: &str, respect_keep: bool) -> Result<()> {
        let keep = |path: &str| respect_keep && !self.keep.is_empty() && self.keep.covers(path);
        let (removed, _) = fs::remove(dir, name, kind, path, &keep).on_made_path("removing", || self.at(path))?;
        self.done.removed += removed;
        Ok(())
    }

    /// Makes one file equal to its leaf.
    fn file(&mut self, dir: BorrowedFd<'_>, name: &OsStr, leaf: &'a Leaf, stat: Option<&fs::Stat>) -> Result<()> {
        let path = &leaf.path;
        let known = self.state.get(path).filter(|k| k.oid == leaf.oid && k.mode == leaf.mode).copied();
        if let Some(stat) = stat {
            let untouched = known.is_some_and(|k| !k.fresh && k.stat == Key::from(stat));
            if fits(stat, leaf) && (untouched || self.same_content(dir, name, leaf, stat)?) {
                self.record.push((leaf.clone(), Key::from(stat)));
                return Ok(());
            }
            fs::remove(dir, name, stat.kind, path, &|_| false).on_made_path("replacing", || self.at(path))?;
        }
        let blob = self.store.repo.find_blob(leaf.oid).during(format!("reading {path}"))?;
        let written = match leaf.mode {
            LINK_MODE => fs::write_link(dir, name, blob.content()),
            mode => fs::write_file(dir, name, blob.content(), mode == EXECUTABLE_MODE),
        };
        written.and_then(|()| fs::give(dir, name, self.owner)).on_made_path("writing", || self.at(path))?;
        let stat = fs::stat(dir, name).on_made_path("looking at", || self.at(path))?;
        if let Some(stat) = stat {
            self.record.push((leaf.clone(), Key::from(&stat)));
        }
        if known.is_some() {
            self.done.repaired += 1;
        } else {
            self.done.written += 1;
        }
        Ok(())
    }

    /// Reads the file, unless its size tells already.
    fn same_content(&self, dir: BorrowedFd<'_>, name: &OsStr, leaf: &Leaf, stat: &fs::Stat) -> Result<bool> {
        let odb = self.store.repo.odb().during("opening the object database")?;
        let (size, _) = odb.read_header(leaf.oid).during(format!("reading {}", leaf.path))?;
        if stat.size != size as u64 {
            return Ok(false);
        }
        let Ok(bytes) = fs::read(dir, name, stat.kind) else { return Ok(false) };
        Ok(Oid::hash_object(ObjectType::Blob, &bytes).during("hashing")? == leaf.oid)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.slot.join(path)
    }
}

/// Whether kind, mode and number of names are those of the leaf. A second name (a hard link) could change the file from elsewhere.
fn fits(stat: &fs::Stat, leaf: &Leaf) -> bool {
    match leaf.mode {
        LINK_MODE => stat.kind == FileType::Symlink,
        mode => {
            let executable = stat.mode & 0o100 != 0;
            let plain = stat.kind == FileType::RegularFile && stat.links == 1 && stat.mode & 0o7600 == 0o600;
            plain && executable == (mode == EXECUTABLE_MODE)
        }
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
