//! How all kinds of agents of a study stand with the bandit: also those that nobody has asked yet, so that they can be favoured.

use super::bandit::{self, Candidate};
use crate::model::arms::{Arm, ArmRow, arms, favour, plays};
use crate::model::{Noise, Study};

/// What came of each kind of agent, with its share of the worth by which the next one is chosen, in percent: 0 for one that was
/// turned off, none for one that was never asked, which comes before all others. In the order of their names.
pub fn standing(study: &Study) -> Vec<ArmRow> {
    let mut rows = arms(study);
    for arm in all(study) {
        if !rows.iter().any(|r| r.arm == arm) {
            rows.push(ArmRow { favour: favour(study, &arm), ..ArmRow::unasked(arm) });
        }
    }
    rows.sort_by(|a, b| a.arm.cmp(&b.arm));
    let candidates: Vec<Candidate> = rows.iter().map(|r| Candidate { arm: r.arm.clone(), favour: r.favour }).collect();
    let plays: Vec<_> = plays(study).collect();
    let noise = match study.noise {
        Noise::Measured { sd, .. } | Noise::Given { sd } => Some(sd),
        Noise::Unknown { .. } => None,
    };
    let worths = bandit::worths(&candidates, &plays, study.settings.min_effect.or(noise));
    let total: f64 = worths.iter().flatten().sum();
    for (row, worth) in rows.iter_mut().zip(worths) {
        row.share = worth.map(|w| if total > 0.0 { 100.0 * w / total } else { 0.0 });
    }
    rows
}

/// All kinds that the study's settings make.
fn all(study: &Study) -> Vec<Arm> {
    let mut all = Vec::new();
    let Some(agents) = study.settings.agents.as_deref() else { return all };
    for role in &agents.roles {
        let surfaces: Vec<Option<String>> =
            if role.surfaces.is_empty() { vec![None] } else { role.surfaces.iter().cloned().map(Some).collect() };
        for surface in surfaces {
            let arm =
                |model: &crate::model::ModelSettings| Arm { role: role.name.clone(), model: model.name.clone(), surface: surface.clone() };
            all.extend(agents.models.iter().map(arm));
        }
    }
    all
}
