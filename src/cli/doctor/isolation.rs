//! What this machine isolates runs with: each tier is really started and tries what it must refuse, never told by versions.

use super::asked::asked;
use super::finding::Finding;
use crate::cli::host;
use crate::model::Tier;
use crate::run::sandbox::probe::{self, Tried};
use std::fs;

/// How many acts are tried.
const ACTS: usize = 7;

pub(super) fn isolation() -> Vec<Finding> {
    let tried = match host::program() {
        Ok(program) => probe::all(&program, &host::temp_dir()),
        Err(failure) => return vec![Finding::fail("tier", format!("nothing could be tried: {}", failure.message))],
    };
    let version = host::which("bwrap").and_then(|path| asked(&path, &["--version"]).ok());
    findings(&tried, version.as_deref(), rustix::process::geteuid().is_root(), &cgroup())
}

/// Really makes a control group below our own, and takes it away again.
fn cgroup() -> Result<String, String> {
    let text = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
    let own = text.lines().find_map(|l| l.strip_prefix("0::")).ok_or("only version 1 is mounted")?;
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().find(|r| fs::metadata(format!("{r}/cgroup.controllers")).is_ok());
    let dir = format!("{}{own}", root.ok_or("version 2 is not mounted")?);
    let probe = format!("{dir}/trialdeck-probe-{}", std::process::id());
    fs::create_dir(&probe).map_err(|_| "not delegated to this user".to_owned())?;
    let _ = fs::remove_dir(&probe);
    let controllers = fs::read_to_string(format!("{dir}/cgroup.controllers")).unwrap_or_default();
    Ok(if controllers.trim().is_empty() { "without controllers".to_owned() } else { controllers.trim().replace(' ', ", ") })
}

fn findings(tried: &[Tried], bubblewrap: Option<&str>, root: bool, cgroup: &Result<String, String>) -> Vec<Finding> {
    let best = tried.iter().find_map(|t| t.way.as_ref().ok()).map_or(Tier::E, |way| way.tier);
    let first = format!("{best}, {}", best.by());
    let first = if best == Tier::E {
        Finding::warn("tier", first)
            .means(Tier::E.means())
            .mend("`--auto` wants `--isolation none` here; install bubblewrap, use a newer kernel, or a container on a shared machine")
    } else {
        let finding = Finding::ok("tier", first).means(best.means());
        if best > Tier::A { finding.mend("for A install bubblewrap (apt install bubblewrap) and allow namespaces") } else { finding }
    };
    let each = tried.iter().filter(|t| t.tier != Tier::E).map(|t| one(t, bubblewrap));
    let user = match root {
        true => Finding::ok("user", "root: the runs of tiers A, B and D get users of their own"),
        false => Finding::ok("user", "not root"),
    };
    let cgroup = match cgroup {
        Ok(controllers) => Finding::info("cgroup", format!("groups of our own can be made: {controllers}")),
        Err(why) => Finding::info("cgroup", format!("{why}: limits are kept by watching processes")),
    };
    std::iter::once(first).chain(each).chain([user, cgroup]).collect()
}

fn one(tried: &Tried, bubblewrap: Option<&str>) -> Finding {
    let name = format!("tier {}", tried.tier);
    match &tried.way {
        Ok(way) => {
            let refused = ACTS - tried.open.len();
            let user = if way.own_user { ", a user of its own" } else { "" };
            let with = bubblewrap.filter(|_| tried.tier == Tier::A).map(|v| format!(" ({v})")).unwrap_or_default();
            let finding = Finding::ok(&name, format!("works{with}{user}: refused {refused} of {ACTS} forbidden acts"));
            if tried.open.is_empty() { finding } else { finding.means(format!("open to a run: {}", tried.open.join(", "))) }
        }
        Err(why) => Finding::info(&name, format!("does not work: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sandbox::probe::Way;

    #[test]
    fn the_strongest_that_works_comes_first() {
        let works = |tier, open: &[&str]| Tried {
            tier,
            way: Ok(Way { tier, own_user: tier == Tier::B }),
            open: open.iter().map(|o| (*o).to_owned()).collect(),
        };
        let fails = |tier| Tried { tier, way: Err("no namespaces".into()), open: Vec::new() };
        let all = |tried: &[Tried]| findings(tried, Some("bubblewrap 0.8.0"), true, &Err("not delegated to this user".into()));
        let found = all(&[fails(Tier::A), works(Tier::B, &[]), works(Tier::C, &["mode"])]);
        let words: Vec<&str> = found.iter().map(|f| f.found.as_str()).collect();
        assert_eq!(words[0], "B, another user, Landlock and seccomp");
        assert_eq!(words[1], "does not work: no namespaces");
        assert_eq!(words[2], "works, a user of its own: refused 7 of 7 forbidden acts");
        assert_eq!(words[3], "works: refused 6 of 7 forbidden acts");
        assert_eq!(found[3].means.as_deref(), Some("open to a run: mode"));
        let found = all(&[fails(Tier::A), fails(Tier::B)]);
        assert!(found[0].found.starts_with("E, nothing") && found[0].mend.is_some());
        assert!(all(&[works(Tier::A, &[])])[1].found.contains("bubblewrap 0.8.0"));
    }
}
