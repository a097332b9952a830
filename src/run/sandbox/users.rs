//! Users for runs, where root has them to give: ids that are nobody's, each lent to one place of one study for as long as that
//! study is there. Two studies never have the same one, not even between the end of a run and the copy of what it left.
//!
//! Who has which is written in a directory that is root's alone, a file for each user; the locks of users lie there too, where
//! nobody else can hold them.

use rustix::fs::FlockOperation;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Where the list lies: the first that can be had. The same for all of root's studies, whatever their environment says.
const PLACES: [&str; 2] = ["/run/trialdeck", "/var/tmp/.trialdeck-users"];
/// A place may not be there yet when its user is lent.
const YOUNG: Duration = Duration::from_secs(600);

/// The list of who has which user.
#[derive(Debug)]
pub struct Users {
    dir: PathBuf,
}

/// One entry: whose, and since when.
struct Loan {
    study: PathBuf,
    place: String,
    since: SystemTime,
}

impl Users {
    /// The list of this machine. Errors: there is no place for it that is ours alone.
    pub fn ours() -> io::Result<Self> {
        let mut last = io::Error::other("there is no place for the list of users");
        for dir in PLACES.map(Path::new) {
            match Self::at(dir) {
                Ok(users) => return Ok(users),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn at(dir: &Path) -> io::Result<Self> {
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let meta = dir.symlink_metadata()?;
        if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!("{} is not ours alone: somebody else made it; remove it", dir.display())));
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// The user of a place to run: the same whenever it is asked for while the study is there, and nobody else's.
    pub fn lend(&self, study: &Path, place: &str) -> io::Result<u32> {
        let _one_at_a_time = self.locked()?;
        let loans = self.loans()?;
        if let Some((user, _)) = loans.iter().find(|(_, loan)| loan.study == study && loan.place == place) {
            return Ok(*user);
        }
        let free = |user: &u32| loans.get(user).is_none_or(|loan| self.over(*user, loan));
        let user = super::candidates(study, place).find(free).or_else(|| self.longest_unused(&loans));
        let user = user.ok_or_else(|| io::Error::other("all users for runs are lent; remove studies that are no longer wanted"))?;
        let draft = self.dir.join("draft");
        let words = [study.as_os_str().as_bytes(), &[0], place.as_bytes()].concat();
        fs::write(&draft, words)?;
        fs::rename(draft, self.dir.join(user.to_string()))?;
        Ok(user)
    }

    /// Takes a user back that nothing runs as any more.
    pub fn give_back(&self, user: u32) {
        let Ok(_one_at_a_time) = self.locked() else { return };
        let _ = fs::remove_file(self.dir.join(user.to_string()));
    }

    /// The file that is locked while something runs as the user.
    pub fn lock(&self, user: u32) -> PathBuf {
        self.dir.join(format!("trialdeck-user-{user}.lock"))
    }

    fn locked(&self) -> io::Result<File> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.dir.join("lock"))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    fn loans(&self) -> io::Result<BTreeMap<u32, Loan>> {
        let mut loans = BTreeMap::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Some(user) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
            let text = fs::read(entry.path())?;
            let mut parts = text.splitn(2, |b| *b == 0);
            let study = PathBuf::from(std::ffi::OsString::from_vec(parts.next().unwrap_or_default().to_vec()));
            let place = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
            loans.insert(user, Loan { study, place, since: entry.metadata()?.modified()? });
        }
        Ok(loans)
    }

    /// Whether a user can be lent again: its study is gone, and nothing runs as it.
    fn over(&self, user: u32, loan: &Loan) -> bool {
        let gone = loan.study.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        gone && loan.since.elapsed().is_ok_and(|age| age > YOUNG) && self.idle(user)
    }

    fn idle(&self, user: u32) -> bool {
        match File::open(self.lock(user)) {
            Ok(file) => rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Where some hundred studies have them all: one that has not run for longest, and that nothing runs as.
    fn longest_unused(&self, loans: &BTreeMap<u32, Loan>) -> Option<u32> {
        let last_run = |user: u32, loan: &Loan| {
            let locked = self.lock(user).metadata().and_then(|meta| meta.modified());
            locked.unwrap_or(loan.since).max(loan.since)
        };
        let mut all: Vec<_> = loans.iter().map(|(user, loan)| (last_run(*user, loan), *user)).collect();
        all.sort();
        all.into_iter().map(|(_, user)| user).find(|user| super::USERS.contains(user) && self.idle(*user))
    }
}

/// A user that is given back when it goes.
#[derive(Debug)]
pub(super) struct ForNow {
    users: Users,
    pub(super) user: u32,
}

impl ForNow {
    /// Of something that is over soon.
    pub(super) fn lend(owner: &Path, place: &str) -> io::Result<Self> {
        let users = Users::ours()?;
        let user = users.lend(owner, place)?;
        Ok(Self { users, user })
    }
}

impl Drop for ForNow {
    fn drop(&mut self) {
        self.users.give_back(self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn users() -> (tempfile::TempDir, Users) {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::at(&dir.path().join("users")).unwrap();
        (dir, users)
    }

    fn age(path: &Path) {
        let long_ago = SystemTime::now() - YOUNG * 2;
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn no_two_studies_that_are_there_have_the_same_user() {
        let (dir, users) = users();
        let mut seen = std::collections::BTreeSet::new();
        // Far more than chance would keep apart: of 300 out of 4,336 some ten would be equal.
        for n in 0..300 {
            let study = dir.path().join(format!("study-{n}"));
            fs::create_dir(&study).unwrap();
            let user = users.lend(&study, "slot-0").unwrap();
            assert!(super::super::USERS.contains(&user) && seen.insert(user), "{user} twice");
            assert_eq!(users.lend(&study, "slot-0").unwrap(), user);
        }
    }

    #[test]
    fn a_user_is_lent_again_once_its_study_is_gone_and_nothing_runs_as_it() {
        let (dir, users) = users();
        let study = dir.path().join("study");
        fs::create_dir(&study).unwrap();
        let user = users.lend(&study, "slot-0").unwrap();
        let is_over = || users.over(user, &users.loans().unwrap()[&user]);
        age(&users.dir.join(user.to_string()));
        assert!(!is_over(), "its study is there");
        fs::remove_dir(&study).unwrap();
        let lock = File::create(users.lock(user)).unwrap();
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
        assert!(!is_over(), "something runs as it");
        drop(lock);
        assert!(is_over());
        users.give_back(user);
        assert!(users.loans().unwrap().is_empty());
    }

    #[test]
    fn with_all_lent_the_one_that_is_longest_unused_goes_on() {
        let (dir, users) = users();
        for user in super::super::USERS {
            fs::write(users.dir.join(user.to_string()), [dir.path().as_os_str().as_bytes(), b"\0slot-0"].concat()).unwrap();
        }
        age(&users.dir.join("61300"));
        age(&users.dir.join("61299"));
        let lock = File::create(users.lock(61_299)).unwrap();
        age(&users.lock(61_299));
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
        assert_eq!(users.lend(Path::new("/another"), "slot-0").unwrap(), 61_300);
    }

    #[test]
    fn a_list_that_others_can_read_or_made_is_not_used() {
        let (dir, users) = users();
        assert!(Users::at(&users.dir).is_ok());
        fs::set_permissions(&users.dir, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Users::at(&users.dir).is_err());
        std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
        assert!(Users::at(&dir.path().join("link")).unwrap_err().to_string().contains("not ours alone"));
    }
}
