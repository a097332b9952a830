//! What a proposer may touch beyond the task's own rules: a specialist keeps to the files of its surfaces, and nobody but the
//! researcher touches what the researcher has forbidden.

use crate::lineage;
use crate::model::{Decision, Failure, Label, Reviewer, Safe, Study, Trial};
use crate::task::Surface;

/// What one proposal may touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Territory {
    /// Patterns that a person has forbidden.
    forbidden: Vec<String>,
    /// The specialist and its surfaces; none where it works on all.
    role: Option<(String, Vec<String>)>,
}

/// The territory of a trial's current revision. What a person wrote or edited is bound by the task alone.
pub(super) fn of(study: &Study, trial: &Trial) -> Territory {
    let edited = trial.reviews.iter().any(|r| r.decision == Decision::Edit && r.by == Reviewer::Human);
    if edited || trial.proposer == "researcher" {
        return Territory::default();
    }
    let role = trial.proposer.strip_prefix("agents/").map(|name| role(study, name)).unwrap_or_default();
    Territory { role, ..forbidden(study) }
}

/// The territory of a role whose draft is no trial yet.
pub(in crate::engine) fn of_role(study: &Study, name: &str) -> Territory {
    Territory { role: role(study, name), ..forbidden(study) }
}

fn forbidden(study: &Study) -> Territory {
    Territory { forbidden: study.forbidden.iter().cloned().collect(), role: None }
}

fn role(study: &Study, name: &str) -> Option<(String, Vec<String>)> {
    let role = study.settings.agents.as_ref()?.roles.iter().find(|r| r.name == name)?;
    (!role.surfaces.is_empty()).then(|| (role.name.clone(), role.surfaces.clone()))
}

impl Territory {
    /// Refuses changed paths that lie outside, with the pattern or the surface that owns them. Surfaces without paths bind
    /// nobody: where the task names no paths for a role, it may edit what the task allows.
    pub(in crate::engine) fn allows(&self, surfaces: &[Surface], changed: &[String]) -> Result<(), Failure> {
        let refused = |detail: String| Err(Failure::new(Label::OutOfBounds, detail));
        for path in changed {
            let shown = Safe::line(path);
            if let Some(pattern) = covering(&self.forbidden, path)? {
                return refused(format!("`{shown}` must not be touched: the researcher has forbidden `{pattern}`"));
            }
            let Some((role, own)) = &self.role else { continue };
            let mine: Vec<String> = surfaces.iter().filter(|s| own.contains(&s.name)).flat_map(|s| s.paths.iter().cloned()).collect();
            if mine.is_empty() || covering(&mine, path)?.is_some() {
                continue;
            }
            let mut owner = None;
            for surface in surfaces {
                if owner.is_none() && covering(&surface.paths, path)?.is_some() {
                    owner = Some(&surface.name);
                }
            }
            let owner =
                owner.map_or_else(|| "belongs to no surface of this role".to_owned(), |name| format!("belongs to the surface `{name}`"));
            return refused(format!("`{shown}` {owner}; {role} may edit {} ({})", mine.join(", "), own.join(", ")));
        }
        Ok(())
    }
}

fn covering(patterns: &[String], path: &str) -> Result<Option<String>, Failure> {
    lineage::covering(patterns, path).map_err(|error| Failure::new(Label::Infrastructure, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surfaces() -> Vec<Surface> {
        let text = "[task]\nname = \"t\"\nmetric = \"m\"\ngoal = \"minimize\"\n[repository]\neditable = [\"**\"]\n[run]\ncommand = \"true\"\n\
                    [budget]\nwall = \"1s\"\n[evaluator]\nfrom = \"stdout:m\"\n[surfaces]\noptimizer = { paths = [\"optim/**\", \"train.py\"] }\n\
                    architecture = { paths = [\"models\"] }\n";
        crate::task::parse(text, "task.toml").unwrap().task.surfaces
    }

    #[test]
    fn a_role_keeps_to_the_paths_of_its_surfaces_and_is_told_whose_the_others_are() {
        let role = |own: &[&str]| Territory {
            forbidden: vec!["optim/secret.py".into()],
            role: Some(("optimizer".into(), own.iter().map(|s| (*s).to_owned()).collect())),
        };
        // Which surfaces, the path, what the refusal says.
        let table: &[(&[&str], &str, Option<&str>)] = &[
            (&["optimizer"], "optim/adam.py", None),
            (&["optimizer"], "train.py", None),
            (&["optimizer"], "models/net.py", Some("belongs to the surface `architecture`; optimizer may edit optim/**, train.py")),
            (&["optimizer"], "data.py", Some("belongs to no surface of this role")),
            (&["optimizer", "architecture"], "models/net.py", None),
            (&["optimizer"], "optim/secret.py", Some("has forbidden `optim/secret.py`")),
        ];
        for (own, path, want) in table {
            let said = role(own).allows(&surfaces(), &[(*path).to_owned()]);
            match (want, said) {
                (None, said) => assert_eq!(said, Ok(()), "{own:?} {path}"),
                (Some(want), Err(f)) => assert!(f.label == Label::OutOfBounds && f.detail.contains(want), "{path}: {}", f.detail),
                (Some(want), Ok(())) => panic!("{own:?} {path} passed, wanted: {want}"),
            }
        }
        assert_eq!(Territory::default().allows(&surfaces(), &["models/net.py".into()]), Ok(()));
    }
}
