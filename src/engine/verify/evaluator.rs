//! The evaluator's copy: every file hashed, and the list itself compared with the hash that the journal has of it.

use super::Check;
use crate::engine::layout::Layout;
use crate::evaluate::{EvaluateError, Pristine};
use crate::model::{Safe, ScoreSource, SetupStage, Study};

/// Checks the evaluator's copy.
pub fn evaluator(layout: &Layout, study: Option<&Study>) -> Check {
    let mut check = Check::new("evaluator");
    let whole = match Pristine::read_whole(&layout.evaluator()) {
        Ok(whole) => whole,
        Err(EvaluateError::NotSealed { .. }) if study.is_some_and(without) => {
            check.looked_at = "none".into();
            check.leave("evaluator", "the study has no evaluator, or none yet", "nothing");
            return check;
        }
        Err(error) => {
            check.looked_at = "unreadable".into();
            check.wrong("evaluator", error.to_string(), "restore evaluator/ from a copy, or start a new study");
            return check;
        }
    };
    check.looked_at = format!("{} files", whole.files);
    for (name, what) in whole.wrong {
        check.wrong(
            format!("evaluator/{}", Safe::line(&name)),
            what,
            "restore it, or start a new study: scores since then are not its own",
        );
    }
    match study.map(|s| &s.evaluator) {
        Some(Some(journalled)) if whole.digest.as_ref() != Some(journalled) => {
            let what = format!("its hash is {}, the journal says {journalled}", whole.digest.unwrap_or_default());
            check.wrong("evaluator/manifest.json", what, "restore evaluator/ from a copy, or start a new study");
        }
        Some(None) => check.leave("evaluator/manifest.json", "the journal has no hash of it (an older version began the study)", "nothing"),
        _ => {}
    }
    check
}

/// Whether there is nothing to seal: a history without a task, or a preparation that waits for its setup.
fn without(study: &Study) -> bool {
    let waiting = study.setup.as_ref().is_some_and(|s| s.stage != SetupStage::Ready);
    waiting || (study.imported.is_some() && study.settings.score_source == ScoreSource::SelfReported)
}
