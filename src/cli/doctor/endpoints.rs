//! The model servers of the configuration, as far as they can be judged without asking them. No key is read aloud, no call made.

use super::finding::Finding;
use crate::cli::config::{Config, Header, Key, Model};
use crate::cli::host;

pub(super) fn endpoints(config: &Config) -> Vec<Finding> {
    let models = &config.file.models;
    if models.is_empty() {
        let lies = if host::set("OPENAI_API_KEY").is_some() { "; OPENAI_API_KEY is set and stays unused" } else { "" };
        return vec![Finding::info("models", format!("none configured: knob samplers and you propose{lies}"))];
    }
    let mut findings: Vec<Finding> = models.iter().map(|m| endpoint(m, &|name| host::set(name).is_some())).collect();
    findings.push(Finding::info("use", "agents speak through them; nothing was called here, `trialdeck models` tries them"));
    findings
}

/// `is_set` says whether an environment variable says something.
fn endpoint(model: &Model, is_set: &dyn Fn(&str) -> bool) -> Finding {
    let mut wanted: Vec<&str> =
        model.headers.values().filter_map(|h| if let Header::Environment(name) = h { Some(name.as_str()) } else { None }).collect();
    let key = match &model.key {
        Key::None => "without a key".to_owned(),
        Key::Environment(name) => {
            wanted.push(name);
            format!("key ${name}{}", if is_set(name) { ", set" } else { "" })
        }
        Key::Command(_) => "key by command".to_owned(),
    };
    let text = format!("{}, {}, {key}", model.base_url, model.api.word());
    let missing: Vec<&str> = wanted.into_iter().filter(|name| !is_set(name)).collect();
    if let Some(name) = missing.first() {
        return Finding::warn(&model.name, text)
            .means(format!("{} not set here", missing.join(" and ")))
            .mend(format!("export {name}=… before `trialdeck run`"));
    }
    if let Key::Command(command) = &model.key {
        let program = shell_words::split(command).ok().and_then(|w| w.into_iter().next()).unwrap_or_default();
        if !program.is_empty() && host::which(&program).is_none() && !std::path::Path::new(&program).is_file() {
            return Finding::warn(&model.name, text).means(format!("its key_command begins with `{program}`, which is not found"));
        }
    }
    let host = model.base_url.strip_prefix("http://").map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
    let near =
        host.is_none_or(|h| h == "localhost" || h.starts_with("127.") || h == "[" || h.starts_with("10.") || h.starts_with("192.168."));
    if !near && model.key != Key::None {
        return Finding::warn(&model.name, text)
            .means("http:// to another machine: the key would travel unencrypted")
            .mend("write https://");
    }
    Finding::ok(&model.name, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn an_endpoint_is_judged_without_being_asked() {
        for (more, level, says) in [
            ("base_url = \"https://h/v1/\"\nkey_env = \"SET\"", Level::Ok, "https://h/v1, chat, key $SET, set"),
            ("base_url = \"https://h/v1\"\nkey_env = \"UNSET\"", Level::Warn, "export UNSET="),
            ("base_url = \"https://h/v1\"\nheaders = { a = { env = \"UNSET\" } }", Level::Warn, "UNSET not set here"),
            ("base_url = \"http://h/v1\"\nkey_env = \"SET\"", Level::Warn, "unencrypted"),
            ("base_url = \"http://localhost:8000/v1\"\nkey_env = \"SET\"", Level::Ok, "localhost"),
            ("base_url = \"http://[::1]:8000/v1\"\nkey_env = \"SET\"", Level::Ok, "::1"),
            ("base_url = \"http://h/v1\"", Level::Ok, "without a key"),
            ("base_url = \"https://h/v1\"\nkey_command = \"sh -c 'echo x'\"", Level::Ok, "key by command"),
            ("base_url = \"https://h/v1\"\nkey_command = \"no-such-program-at-all\"", Level::Warn, "not found"),
        ] {
            let (file, problems) = config::parse(&format!("[[model]]\nname = \"m\"\n{more}\n"));
            assert!(problems.is_none(), "{more}");
            let finding = endpoint(&file.models[0], &|name| name == "SET");
            let all = format!("{} {:?} {:?}", finding.found, finding.means, finding.mend);
            assert_eq!(finding.level, level, "{more}: {all}");
            assert!(all.contains(says), "{more}: {all}");
        }
    }
}
