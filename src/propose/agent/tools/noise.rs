//! `noise`: how much scores vary, and what that means for a comparison.

use super::Hands;
use crate::model::{Noise, number};
use crate::propose::digest::Effect;

pub(super) fn noise(hands: &Hands<'_>) -> Result<String, String> {
    hands
        .ask(|study| {
            let settings = &study.settings;
            let mut lines = Vec::new();
            match (Effect::of(study), study.noise) {
                (Some(effect), noise) => {
                    let how = match noise {
                        Noise::Measured { nu, .. } => format!("measured, {nu} degrees of freedom"),
                        Noise::Given { .. } => "given by the task".to_owned(),
                        Noise::Unknown { .. } => "unknown".to_owned(),
                    };
                    lines.push(format!("one run of {} has sd {} ({how})", settings.metric, number::rough(effect.sd)));
                    lines.push(format!("the incumbent {} has {} runs with a score", study.incumbent, effect.runs));
                    for runs in [1, 2, 4] {
                        lines.push(format!(
                            "{runs} run{} of a candidate can tell a difference of {} from noise (95 %)",
                            if runs == 1 { "" } else { "s" },
                            number::rough(effect.distinguishable(runs))
                        ));
                    }
                    lines.push(
                        "one run screens a candidate; an apparent gain gets a confirming run with another seed before it is kept"
                            .to_owned(),
                    );
                }
                (None, Noise::Unknown { seed_without_effect: true }) => {
                    lines.push(
                        "equal scores came of different seeds: the seed has no effect, and any difference may be an accident of the code"
                            .to_owned(),
                    );
                }
                (None, _) => lines.push("the noise is not known yet".to_owned()),
            }
            if let Some(least) = settings.min_effect {
                lines.push(format!("differences below {} do not matter for this task", number::short(least)));
            }
            let scores = study.reference().map(|t| t.scores()).unwrap_or_default();
            let scores: Vec<String> = scores.iter().take(12).map(|s| number::short(*s)).collect();
            if !scores.is_empty() {
                lines.push(format!("scores of the baseline's runs: {}", scores.join(", ")));
            }
            lines.join("\n")
        })
        .ok_or_else(|| "the study cannot be read now".to_owned())
}
