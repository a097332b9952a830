//! Reads a whole store and says what is wrong with it: every object hashed anew, everything that an object, a reference or the
//! caller names there. Writes nothing.

use super::error::{During, Result};
use super::store::Store;
use git2::{ObjectType, Oid};
use std::collections::{BTreeMap, BTreeSet};

/// What a whole reading of a store found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Objects that were hashed.
    pub objects: usize,
    /// Commits by their references' names.
    pub references: BTreeMap<String, String>,
    /// What is wrong: where, and in words what.
    pub wrong: Vec<(String, String)>,
}

/// An object as others name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A commit.
    Commit,
    /// A tree.
    Tree,
}

impl Store {
    /// Checks everything; `named` are the objects that the journal speaks of, each with the words for its place.
    pub fn check(&self, named: &[(Named, String, String)]) -> Result<Checked> {
        let odb = self.repo.odb().during("opening the object database")?;
        let mut ids = BTreeSet::new();
        odb.foreach(|id| {
            ids.insert(*id);
            true
        })
        .during("listing the objects")?;
        let mut checked = Checked { objects: ids.len(), ..Checked::default() };
        let mut good: BTreeMap<Oid, ObjectType> = BTreeMap::new();
        // What each object needs, and for what.
        let mut needed: Vec<(Oid, ObjectType, String)> = Vec::new();
        for id in ids {
            let at = format!("object {id}");
            let object = match odb.read(id) {
                Ok(object) => object,
                Err(error) => {
                    checked.wrong.push((at, format!("cannot be read: {}", error.message())));
                    continue;
                }
            };
            match Oid::hash_object(object.kind(), object.data()) {
                Ok(found) if found == id => {
                    good.insert(id, object.kind());
                }
                _ => {
                    checked.wrong.push((at, "its content is not what its name says".to_owned()));
                    continue;
                }
            }
            let parsed = match object.kind() {
                ObjectType::Commit => self.of_commit(id, &mut needed),
                ObjectType::Tree => self.of_tree(id, &mut needed),
                _ => Ok(()),
            };
            if let Err(error) = parsed {
                checked.wrong.push((at, error.to_string()));
            }
        }
        for reference in self.repo.references().during("listing the references")? {
            let reference = match reference {
                Ok(reference) => reference,
                Err(error) => {
                    checked.wrong.push(("references".to_owned(), error.message().to_owned()));
                    continue;
                }
            };
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            match reference.target() {
                Some(target) => {
                    needed.push((target, ObjectType::Commit, name.clone()));
                    checked.references.insert(name, target.to_string());
                }
                None => checked.wrong.push((name, "it names no commit".to_owned())),
            }
        }
        for (kind, id, place) in named {
            let kind = match kind {
                Named::Commit => ObjectType::Commit,
                Named::Tree => ObjectType::Tree,
            };
            match Oid::from_str(id) {
                Ok(oid) => needed.push((oid, kind, place.clone())),
                Err(_) => checked.wrong.push((place.clone(), format!("`{id}` is no hash"))),
            }
        }
        let mut told = BTreeSet::new();
        for (id, kind, place) in needed {
            if good.get(&id) != Some(&kind) && told.insert(id) {
                checked.wrong.push((place, format!("it needs the {kind} {id}, which is not whole in the store")));
            }
        }
        Ok(checked)
    }

    fn of_commit(&self, id: Oid, needed: &mut Vec<(Oid, ObjectType, String)>) -> Result<()> {
        let commit = self.repo.find_commit(id).during("parsing it")?;
        needed.push((commit.tree_id(), ObjectType::Tree, format!("commit {id}")));
        needed.extend(commit.parent_ids().map(|parent| (parent, ObjectType::Commit, format!("commit {id}"))));
        Ok(())
    }

    fn of_tree(&self, id: Oid, needed: &mut Vec<(Oid, ObjectType, String)>) -> Result<()> {
        let tree = self.repo.find_tree(id).during("parsing it")?;
        for entry in &tree {
            if let Some(kind @ (ObjectType::Tree | ObjectType::Blob)) = entry.kind() {
                needed.push((entry.id(), kind, format!("tree {id}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::Message;
    use crate::model::TrialId;
    use std::fs;
    use std::path::PathBuf;

    fn bench() -> (tempfile::TempDir, PathBuf, String, String) {
        let dir = tempfile::tempdir().unwrap();
        let user = dir.path().join("user");
        fs::create_dir_all(user.join("deep")).unwrap();
        fs::write(user.join("train.py"), "x = 1\n").unwrap();
        fs::write(user.join("deep/a.py"), "y = 1\n").unwrap();
        let store = Store::create(&dir.path().join("repo.git")).unwrap();
        let imported = store.import(&user, &[]).unwrap();
        let commit = store.commit(TrialId(1), &[imported.commit], &imported.tree, &Message::new(TrialId(1), "a", "b")).unwrap();
        let root = dir.path().join("repo.git");
        (dir, root, commit, imported.tree)
    }

    fn loose(root: &std::path::Path, id: &str) -> PathBuf {
        root.join("objects").join(&id[..2]).join(&id[2..])
    }

    #[test]
    fn a_whole_store_has_nothing_wrong() {
        let (_dir, root, commit, tree) = bench();
        let named = [(Named::Commit, commit.clone(), "line 1".to_owned()), (Named::Tree, tree, "line 2".to_owned())];
        let checked = Store::open(&root).unwrap().check(&named).unwrap();
        assert_eq!(checked.wrong, []);
        assert_eq!(checked.references["refs/trialdeck/trials/t0001"], commit);
        assert!(checked.objects >= 5, "{checked:?}");
    }

    #[test]
    fn every_kind_of_damage_is_found() {
        let (_dir, root, commit, tree) = bench();
        let deeds: [(&str, &dyn Fn()); 3] = [
            ("cannot be read", &|| {
                let path = loose(&root, &tree);
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
                let _ = fs::remove_file(&path);
                fs::write(&path, bytes).unwrap();
            }),
            ("not whole in the store", &|| fs::remove_file(loose(&root, &tree)).unwrap()),
            ("is not whole", &|| fs::write(root.join("refs/trialdeck/trials/t0001"), format!("{}\n", "1".repeat(40))).unwrap()),
        ];
        for (want, deed) in deeds {
            let before = fs::read(loose(&root, &tree)).unwrap();
            deed();
            let checked = Store::open(&root).unwrap().check(&[]).unwrap();
            assert!(checked.wrong.iter().any(|(_, what)| what.contains(want)), "{want}: {checked:?}");
            let _ = fs::remove_file(loose(&root, &tree));
            fs::write(loose(&root, &tree), before).unwrap();
        }
        let gone = [(Named::Commit, "2".repeat(40), "line 9".to_owned()), (Named::Tree, commit, "line 10".to_owned())];
        let places: Vec<_> = Store::open(&root).unwrap().check(&gone).unwrap().wrong.into_iter().map(|(place, _)| place).collect();
        assert!(places.contains(&"line 9".to_owned()) && places.contains(&"line 10".to_owned()), "{places:?}");
    }
}
