//! The few keys of `study.toml` that queries need. The rest of the file is not looked at, so that a study of a newer version
//! still lists its files.

use std::path::Path;

/// What queries need of a study's task.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StudyFile {
    /// What may be touched; everything by default.
    pub(super) editable: Vec<String>,
    /// What may not, even so.
    pub(super) protected: Vec<String>,
    /// The evaluator prints a number that stays sealed until the study is over.
    pub(super) holdout: bool,
}

impl StudyFile {
    /// Reads it. Errors: in words, with the path.
    pub(super) fn read(study_dir: &Path) -> Result<Self, String> {
        let path = study_dir.join("study.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
        let table: toml::Table = text.parse().map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
        let section = |name: &str| table.get(name).and_then(toml::Value::as_table);
        let list = |key: &str| {
            let values = section("repository")?.get(key)?.as_array()?;
            Some(values.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect::<Vec<_>>())
        };
        Ok(Self {
            editable: list("editable").unwrap_or_else(|| vec!["**".into()]),
            protected: list("protected").unwrap_or_default(),
            holdout: section("evaluator").is_some_and(|evaluator| evaluator.contains_key("holdout")),
        })
    }
}
