//! Landlock: the files that a process and all that come of it may read and write, whatever their permissions say.

use super::{Sandbox, masks, system};
use ::landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Less does not cover truncation, and protects no file.
const MUST: ABI = ABI::V3;
/// Taken where the kernel has it: network by ports, devices, signals and abstract sockets.
const WANT: ABI = ABI::V6;

/// Restricts the calling process.
pub(super) fn apply(sandbox: &Sandbox) -> io::Result<()> {
    restrict(sandbox).map_err(|error| io::Error::other(format!("Landlock: {error}")))
}

fn restrict(sandbox: &Sandbox) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(MUST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANT))?
        .scope(Scope::from_all(WANT))?;
    if !sandbox.network {
        rules = rules.handle_access(AccessNet::from_all(WANT))?;
    }
    let mut rules = rules.create()?;
    let read = AccessFs::from_read(WANT);
    // Nothing that a run makes may be a device.
    let write = AccessFs::from_all(WANT) & !(AccessFs::MakeBlock | AccessFs::MakeChar);
    let system = system::PROGRAMS.iter().map(PathBuf::from).chain(system::settings(sandbox.network));
    let (mut whole, mut names) = (Vec::new(), Vec::new());
    for path in system.chain(sandbox.read.iter().cloned()) {
        let (seen, listed) = masks::around(&path, &sandbox.masked);
        whole.extend(seen);
        names.extend(listed);
    }
    rules = add(rules, whole, read)?;
    rules = add(rules, names, AccessFs::ReadDir.into())?;
    rules = add(rules, ["/proc", "/sys"].map(PathBuf::from), read)?;
    rules = add(rules, system::DEVICES.map(PathBuf::from), write)?;
    rules = add(rules, sandbox.devices.iter().cloned(), write)?;
    rules = add(rules, [PathBuf::from("/dev/shm")], write)?;
    if !sandbox.devices.is_empty() && !rustix::process::geteuid().is_root() {
        // CUDA names its threads there. For root the same right would reach the kernel's settings.
        rules = add(rules, [PathBuf::from("/proc")], AccessFs::WriteFile.into())?;
    }
    rules = add(rules, sandbox.write.iter().cloned(), write)?;
    match rules.restrict_self()?.ruleset {
        RulesetStatus::NotEnforced => Err("the kernel did not take the rules".into()),
        _ => Ok(()),
    }
}

fn add(
    rules: RulesetCreated,
    paths: impl IntoIterator<Item = PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ::landlock::RulesetError> {
    rules.add_rules(path_beneath_rules(paths.into_iter().filter(|p| there(p)), access))
}

fn there(path: &Path) -> bool {
    path.metadata().is_ok()
}
