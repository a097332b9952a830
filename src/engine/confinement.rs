//! What the runs of a study are kept from on this machine, and what each of them may see.

use super::{abandoned, short_tmp};
use crate::model::{Failure, Label, Tier};
use crate::run::sandbox::{self, Sandbox, Users, probe::Way, python::Python};
use crate::run::{Spec, interpreter, slots};
use crate::task::Task;
use std::{
    collections::BTreeMap,
    fs::Permissions,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Shared memory of a run where neither its task nor the machine says how much there is, in bytes.
const SHARED_MEMORY: u64 = 4 << 30;

/// Where everybody can get, and what lies there stays over a restart.
pub const OPEN: &str = "/var/tmp";

/// How runs are contained, as it was tried when the engine started.
pub struct Confinement {
    way: Way,
    /// Where the slots lie: what users are lent to, beside the place.
    slots: PathBuf,
    /// Whether the users are given back in the end, for slots that go then.
    for_now: bool,
    /// The list of users; none where runs have none of their own.
    users: Option<Users>,
    /// What was lent so far.
    lent: Mutex<BTreeMap<String, u32>>,
    /// Nothing above these is granted with a library: the study, the user's home, the repository's files of the evaluator.
    shut: Vec<PathBuf>,
    /// What is covered, by what is granted.
    masked: Mutex<BTreeMap<Vec<PathBuf>, Option<Vec<PathBuf>>>>,
    /// Interpreters that were asked.
    known: Mutex<BTreeMap<PathBuf, Option<Python>>>,
}

/// Who a sandbox is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Runs and preflights on a slot.
    Run(u32),
    /// Candidate code on inputs, for the evaluator.
    Inference(u32),
    /// The evaluator of runs on a slot.
    Evaluator(u32),
    /// The preflight that an agent asks for.
    Tryout,
    /// A program that proposes.
    Proposer(u32),
}

impl Who {
    /// It is a trial's code, or one that is trusted no more, in a place of its own, within reach of other users.
    fn runs_code(self) -> bool {
        matches!(self, Self::Run(_) | Self::Tryout | Self::Proposer(_))
    }

    fn name(self) -> String {
        match self {
            Self::Run(slot) => format!("slot-{slot}"),
            Self::Inference(slot) => format!("inference-{slot}"),
            Self::Evaluator(slot) => format!("evaluator-{slot}"),
            Self::Tryout => "tryout".into(),
            Self::Proposer(number) => format!("proposer-{number}"),
        }
    }
}

/// What is granted to a command beside its interpreter.
#[derive(Debug, Default, Clone)]
pub struct Granted {
    /// Files and directories to read.
    pub read: Vec<PathBuf>,
    /// Directories to write.
    pub write: Vec<PathBuf>,
    /// UUIDs of GPUs.
    pub gpus: Vec<String>,
    /// The network, whatever the task says of its runs.
    pub network: bool,
}

impl Confinement {
    /// Of the study in `study` with slots in `slots`, contained in this way. Nothing above `shut` is granted with a library.
    ///
    /// Errors: runs are to have users of their own, and the list of those cannot be had, or not be trusted.
    pub fn new(way: Way, study: &Path, slots: &Path, shut: impl IntoIterator<Item = PathBuf>) -> std::io::Result<Self> {
        let study = study.canonicalize().unwrap_or_else(|_| study.to_owned());
        let slots = slots.canonicalize().unwrap_or_else(|_| slots.to_owned());
        let users = way.own_user.then(Users::ours).transpose()?;
        let for_now = slots != study;
        let shut = std::iter::once(study).chain(shut).collect();
        Ok(Self { way, slots, for_now, users, lent: Mutex::default(), shut, masked: Mutex::default(), known: Mutex::default() })
    }

    /// Where the slots of a study lie if the users of its runs cannot get to its directory; `work` becomes a link to there.
    /// None where they can, or see it in namespaces of their own.
    pub fn settle(&self, work: &Path) -> std::io::Result<Option<PathBuf>> {
        if self.way.own_user {
            abandoned::clear(Path::new(OPEN));
        }
        short_tmp::clear(Path::new(short_tmp::COMMON));
        let closed = matches!(self.way, Way { tier: Tier::B | Tier::D, own_user: true });
        let above = work.parent().unwrap_or(work);
        if !closed || sandbox::unreachable(above).is_none() {
            return Ok(None);
        }
        let above = above.canonicalize().unwrap_or_else(|_| above.to_owned());
        let open = Path::new(OPEN).join(format!("trialdeck-{}", sandbox::name_of(&above)));
        for dir in [&open, &open.join("work")] {
            make_own(dir)?;
        }
        abandoned::mark(&open, &above)?;
        if work.read_link().ok().as_deref() != Some(&open.join("work")) {
            if work.symlink_metadata().is_ok_and(|m| m.is_dir()) {
                std::fs::remove_dir_all(work)?;
            } else if work.is_symlink() {
                std::fs::remove_file(work)?;
            }
            std::os::unix::fs::symlink(open.join("work"), work)?;
        }
        Ok(Some(open))
    }

    /// The tier.
    pub fn tier(&self) -> Tier {
        self.way.tier
    }

    /// Has the kernel make ready for a run that starts in a moment, beside what the caller does meanwhile.
    pub fn expect_run(&self) {
        if self.way.tier != Tier::E {
            std::thread::spawn(sandbox::expect_group);
        }
    }

    /// The user that a command runs as; none for the engine's own.
    pub fn user(&self, who: Who) -> Option<u32> {
        // Another user is of no use to who must read what is closed to it: the evaluator, within the study's own directory.
        let of_use = match self.way.tier {
            Tier::A => true,
            Tier::B => who.runs_code() || sandbox::can_reach(),
            _ => who.runs_code(),
        };
        of_use.then(|| self.lend(&who.name())).flatten()
    }

    fn lend(&self, place: &str) -> Option<u32> {
        let users = self.users.as_ref()?;
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = lent.get(place) {
            return Some(*user);
        }
        let user = users.lend(&self.slots, place).unwrap_or_else(|error| {
            // Never root instead: the one that its name points to, as if nobody else had it.
            super::log::line(&format!("no user can be lent to {place}: {error}"));
            sandbox::user_without_list(&self.slots, place)
        });
        lent.insert(place.to_owned(), user);
        Some(user)
    }

    /// The interpreter that a program of this name on this path is, and where it lies; asked once.
    pub fn python(&self, program: &Path) -> Option<Python> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(program.to_owned()).or_insert_with(|| Python::ask(program, &self.shut)).clone()
    }

    /// Puts a command into its sandbox: what it may see follows from its directory, its interpreter and what is granted.
    pub fn contain(&self, spec: &mut Spec, who: Who, granted: Granted, task: &Task, setup: Option<&Path>) {
        let temporary = self.shorten_tmp(spec, who, &granted);
        if self.way.tier == Tier::E || (self.way.tier == Tier::D && !who.runs_code()) {
            return;
        }
        let user = self.user(who);
        // What is hidden may lie in a directory that is granted.
        let mut read: Vec<PathBuf> = granted.read.iter().flat_map(|path| super::grants::around_shut(path, &self.shut)).collect();
        read.extend(setup.map(Path::to_owned));
        let path = spec.env.get("PATH").cloned().unwrap_or_default();
        if let Some(program) = interpreter::of_command(&spec.command, &path, setup) {
            let python = self.python(&program);
            let real = python.as_ref().map(|p| p.program.clone());
            read.extend(python.into_iter().flat_map(|p| p.read));
            // A wrapper in a directory that is not granted would not be found: the interpreter itself comes first.
            let hidden = |p: &Path| !sandbox::of_system(p) && !read.iter().any(|r| p.starts_with(r));
            if let Some(dir) = real.as_deref().and_then(Path::parent).filter(|_| hidden(&program)) {
                spec.env.insert("PATH".into(), format!("{}:{path}", dir.display()));
            }
        }
        // What lies in a directory that is granted is there already, and may be a link that nothing can be put over.
        let programs: Vec<PathBuf> = programs_of(&spec.command, &path)
            .into_iter()
            .filter(|p| !sandbox::of_system(p) && !read.iter().any(|r| p.starts_with(r)))
            .collect();
        read.extend(programs);
        read.sort();
        read.dedup();
        for name in ["USER", "LOGNAME"] {
            // Libraries ask for a name, and a user of nobody's has none.
            spec.env.entry(name.into()).or_insert_with(|| "trial".into());
        }
        let reach = user.is_some() && matches!(self.way.tier, Tier::A | Tier::B) && sandbox::can_reach() && {
            // In namespaces of its own every directory above what is granted is open.
            let closed = |p: &PathBuf| if self.way.tier == Tier::A { sandbox::closed(p) } else { sandbox::unreachable(p).is_some() };
            read.iter().chain(&granted.write).any(closed)
        };
        let mut masked = if reach { self.masked(read.iter().chain(&granted.write).cloned().collect()) } else { Some(Vec::new()) };
        if let (Who::Proposer(_), Some(masked)) = (who, &mut masked) {
            // A coding agent's own directory is granted for the sake of what it holds.
            masked.retain(|mask| !granted.read.iter().any(|path| mask.starts_with(path)));
        }
        // Better an interpreter that is not found than keys that are.
        let reach = reach && masked.is_some();
        if let (Some(user), Some(users)) = (user, &self.users) {
            spec.locks.push(users.lock(user));
        }
        spec.sandbox = Some(Sandbox {
            tier: self.way.tier,
            user,
            reach,
            masked: masked.unwrap_or_default(),
            read,
            write: granted.write,
            temporary,
            devices: slots::devices(&granted.gpus),
            network: granted.network || (task.sandbox.network && matches!(who, Who::Run(_) | Who::Tryout)),
            processes: sandbox::processes(std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))),
            shared_memory_bytes: task.budget.memory_bytes.unwrap_or(SHARED_MEMORY),
        });
    }

    /// Gives a command a short way to its directory for temporary files, where that is its own and deep: a link, within the
    /// sandbox in tier A; returns what that one leads to.
    fn shorten_tmp(&self, spec: &mut Spec, who: Who, granted: &Granted) -> Option<PathBuf> {
        let deep = spec.env.get("TMPDIR").filter(|path| short_tmp::is_long(path)).map(PathBuf::from)?;
        let own = deep.starts_with(&spec.cwd) || granted.write.iter().any(|dir| deep.starts_with(dir));
        if !own {
            return None;
        }
        if self.way.tier == Tier::A {
            spec.env.insert("TMPDIR".into(), sandbox::TEMPORARY.into());
            return Some(deep);
        }
        match short_tmp::link(Path::new(short_tmp::COMMON), &self.slots, &who.name(), &deep) {
            Ok(link) => {
                spec.env.insert("TMPDIR".into(), link.to_string_lossy().into_owned());
            }
            Err(error) => super::log::line(&format!("temporary files keep their long path: {error}")),
        }
        None
    }

    /// What stays out of sight of a command that may look through directories of others; looked for once.
    fn masked(&self, granted: Vec<PathBuf>) -> Option<Vec<PathBuf>> {
        let mut masked = self.masked.lock().unwrap_or_else(PoisonError::into_inner);
        let found = masked.entry(granted).or_insert_with_key(|granted| {
            let found = sandbox::masks(granted);
            if found.is_none() {
                super::log::line(
                    "runs may not look through directories of others: there is too much in what is granted to look for keys in it",
                );
            }
            found
        });
        found.clone()
    }

    /// Why a command could not work in its sandbox, with the mend: its user cannot get at what it must read.
    pub fn fault(&self, spec: &Spec) -> Option<Failure> {
        let sandbox = spec.sandbox.as_ref()?;
        let user = sandbox.user.filter(|_| !sandbox.reach && self.way.tier != Tier::A)?;
        let closed = |path: &PathBuf| Some((path.clone(), sandbox::unreachable(path)?));
        let (path, at) = sandbox.read.iter().find_map(closed).or_else(|| {
            sandbox.write.iter().find_map(|path| {
                let at = sandbox::unreachable(path)?;
                (at != *path).then(|| (path.clone(), at))
            })
        })?;
        Some(Failure::new(
            Label::Infrastructure,
            format!(
                "runs are user {user}, who cannot get to {}: {} is closed to others; open it (chmod o+x), or move what lies there, or choose --isolation C",
                path.display(),
                at.display()
            ),
        ))
    }
}

impl Drop for Confinement {
    fn drop(&mut self) {
        let lent = self.lent.get_mut().unwrap_or_else(PoisonError::into_inner);
        for user in std::mem::take(lent).into_values().filter(|_| self.for_now) {
            self.users.iter().for_each(|users| users.give_back(user));
        }
    }
}

/// Makes a directory that everybody may pass through and only we write. What somebody else made in its place is not used: they
/// could lead us anywhere from there.
fn make_own(dir: &Path) -> std::io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o711).create(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = dir.symlink_metadata()?;
    if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err(std::io::Error::other(format!("{} is not ours alone: somebody else made it; remove it", dir.display())));
    }
    std::fs::set_permissions(dir, Permissions::from_mode(0o711))
}

/// Programs that a command names by their path, or that lie elsewhere than the system's do.
fn programs_of(command: &str, path: &str) -> Vec<PathBuf> {
    let words = shell_words::split(command).unwrap_or_default();
    words.iter().take(4).filter_map(|word| interpreter::find(word, path)).collect()
}

/// Copies what every run may read to where its user can get; what was there before goes.
pub(super) fn copy_open(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.symlink_metadata().is_ok() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, Permissions::from_mode(0o755))?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, kind) = (to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            copy_open(&entry.path(), &path)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &path)?;
            std::fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}

/// Gives a directory with all below it to a user, following no link.
pub fn give(dir: &Path, user: Option<u32>) -> std::io::Result<()> {
    let user = user.unwrap_or_else(|| rustix::process::geteuid().as_raw());
    let meta = dir.symlink_metadata()?;
    if meta.uid() != user {
        lchown(dir, Some(user), Some(user))?;
    }
    if meta.is_dir() {
        for entry in std::fs::read_dir(dir)? {
            give(&entry?.path(), Some(user))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_place_that_somebody_else_made_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        make_own(&at("new")).unwrap();
        make_own(&at("new")).unwrap();
        assert_eq!(at("new").metadata().unwrap().mode() & 0o777, 0o711);
        fs::create_dir(at("precious")).unwrap();
        fs::set_permissions(at("precious"), Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(at("precious"), at("link")).unwrap();
        assert!(make_own(&at("link")).unwrap_err().to_string().contains("not ours alone"));
        assert_eq!(at("precious").metadata().unwrap().mode() & 0o777, 0o700);
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), Permissions::from_mode(0o777)).unwrap();
        assert!(make_own(&at("open")).is_err());
        if rustix::process::geteuid().is_root() {
            fs::create_dir(at("foreign")).unwrap();
            lchown(at("foreign"), Some(65_533), Some(65_533)).unwrap();
            assert!(make_own(&at("foreign")).is_err());
        }
    }
}
