//! Which tier a study gets: the one that was asked for, or the strongest that this machine offers, each tried first.

use super::{Failure, engine, host, say};
use crate::engine::{confinement::Confinement, layout::Layout, study_file};
use crate::model::{Study, Tier};
use crate::run::sandbox::probe::{self, Way};
use std::path::{Path, PathBuf};

/// How to get a better tier, in one line.
const MEND: &str = "install bubblewrap (apt install bubblewrap), or run as root in a container, or on Linux 6.2 or later with Landlock";

/// The tier of a new study, as it is stored. `asked` is a letter or `none`; without it the strongest is taken.
///
/// Errors: a tier that is asked for or required and does not work here, and none at all for a study that nobody watches.
pub(super) fn choose(asked: Option<&str>, required: Option<Tier>, unattended: bool) -> Result<String, Failure> {
    let tier = match asked {
        Some(text) if text.eq_ignore_ascii_case("none") => Tier::E,
        Some(text) => match Tier::parse(text) {
            Some(tier) => way(tier)?.tier,
            None => return Err(Failure::usage(format!("--isolation {text}: there are the tiers A to E, and `none` to allow E"))),
        },
        None => probe::best(&host::program()?, &host::temp_dir()).tier,
    };
    if let Some(required) = required.filter(|required| tier > *required) {
        let offered = if asked.is_some() { format!("{tier} was asked for") } else { format!("this machine offers {tier}") };
        return Err(Failure::usage(format!(
            "the task requires isolation {required} ([sandbox] require) and {offered}: `trialdeck doctor` says what is missing; {MEND}"
        )));
    }
    if tier == Tier::E && asked.is_none() && unattended {
        return Err(Failure::usage(format!(
            "nothing on this machine can isolate runs, and nobody would look at the code that they run: {MEND}, or accept that runs have your rights with --isolation none"
        )));
    }
    if tier == Tier::E && asked.is_none() {
        say(&format!("warning: isolation E: {}", Tier::E.means()));
    }
    Ok(tier.word().into())
}

/// Whether a study can go on in its tier, and in which else where another is asked for; none when it stays.
///
/// Errors: as `choose`; and a study whose own tier does not work here (any more), with how to go on in another.
pub(super) fn goes_on(dir: &Path, study: &Study, asked: Option<&str>, unattended: bool) -> Result<Option<Tier>, Failure> {
    let now = Tier::parse(&study.settings.isolation).unwrap_or(Tier::E);
    if asked.is_some() {
        let required = study_file::read(&Layout::new(dir)).ok().and_then(|(task, _)| task.sandbox.require);
        let tier = Tier::parse(&choose(asked, required, unattended)?).filter(|tier| *tier != now);
        return Ok(tier);
    }
    if engine::owner(dir).is_some() {
        return Ok(None);
    }
    match way(now) {
        Ok(_) => Ok(None),
        Err(_) => {
            let best = probe::best(&host::program()?, &host::temp_dir()).tier;
            let word = if best == Tier::E { "none" } else { best.word() };
            Err(Failure::usage(format!(
                "the runs of {name} are contained in tier {now} ({by}), which does not work here; `trialdeck resume {name} --isolation {word}` goes on in another",
                name = study.name,
                by = now.by()
            )))
        }
    }
}

/// Tries one tier.
fn way(tier: Tier) -> Result<Way, Failure> {
    let tried = probe::one(&host::program()?, &host::temp_dir(), tier);
    tried.way.map_err(|why| {
        Failure::usage(format!(
            "isolation {tier} ({}) does not work here: {why}; leave --isolation out for the strongest that does, or see `trialdeck doctor`",
            tier.by()
        ))
    })
}

/// What the runs of a study are kept from, tried again: the machine may have changed since it was made. `dir` is its own, and
/// `slots` where they lie; `shut` is what no library may bring with it.
pub(super) fn confinement(study: &Study, dir: &Path, slots: &Path, shut: &[PathBuf]) -> Result<Confinement, Failure> {
    let tier = Tier::parse(&study.settings.isolation).ok_or_else(|| {
        let said = crate::model::Safe::line(&study.settings.isolation).to_string();
        Failure::usage(format!("the study's isolation is `{said}`, which this version does not know: upgrade trialdeck"))
    })?;
    Ok(Confinement::new(way(tier)?, dir, slots, host::home().into_iter().chain(shut.to_vec()))?)
}
