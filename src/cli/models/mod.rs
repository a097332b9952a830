//! Model servers: from the configuration, or from OPENAI_*, to endpoints that can be asked; and `trialdeck models`, which asks.
//!
//! `make` reads the environment, `key` is where keys come from, `trial` asks one server two short questions.

mod key;
mod make;
mod trial;

pub(super) use make::{endpoint_of, endpoints, from_environment};

use super::doctor::finding::{Finding, Level, draw, under};
use super::{Exit, Failure, Outcome, config, host, put, put_json, say};
use crate::headless::Paint;
use trial::{Tried, Verdict};

/// How to configure one.
const EXAMPLE: &str = "\
[[model]]
name = \"local\"                            # yours to choose
model = \"qwen3-coder\"                     # what the server calls it
base_url = \"http://localhost:8000/v1\"
#key_env = \"LOCAL_API_KEY\"                # the variable that holds the key, where one is needed";

/// `trialdeck models`. Exits 1 when one does not work, 2 when there is none.
pub(super) fn models(json: bool) -> Outcome {
    let file = &config::current().file;
    if file.models.is_empty() {
        return Err(none());
    }
    let names: Vec<&str> = file.models.iter().map(|m| m.name.as_str()).collect();
    if host::interactive() && !json {
        say(&format!("asking {} two short questions each; a server that reads slowly may take minutes", names.join(", ")));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let all = file.models.iter().map(|model| trial::tried(model, make::endpoint(model)));
    let tried: Vec<Tried> = runtime.block_on(futures::future::join_all(all));
    if json {
        tried.iter().try_for_each(put_json)?;
    } else {
        let findings: Vec<Finding> = tried.iter().map(finding).collect();
        // Eighty columns, so that the lines can be pasted anywhere.
        put(&draw(&under("models", findings), host::width().min(80), Paint { color: host::colour() }));
    }
    Ok(if tried.iter().all(|t| t.verdict == Verdict::Works) { Exit::DONE } else { Exit::FAILED })
}

fn finding(tried: &Tried) -> Finding {
    let level = match tried.verdict {
        Verdict::Works if tried.remark.is_some() => Level::Warn,
        Verdict::Works => Level::Ok,
        Verdict::Fails => Level::Fail,
    };
    let mut finding = Finding::new(&tried.name, level, format!("{}, {}, {}", tried.base_url, tried.api, tried.model));
    let words = tried.words();
    if !words.is_empty() {
        finding = finding.means(words);
    }
    match tried.trouble.as_ref().or(tried.remark.as_ref()) {
        Some(trouble) => finding.mend(trouble.clone()),
        None => finding,
    }
}

fn none() -> Failure {
    let place = config::Source::find().map_or_else(|| "the configuration".to_owned(), |s| s.path.display().to_string());
    let lies = match from_environment() {
        Ok(env) => {
            format!("\nOPENAI_* name {} at {}: it is used when you ask with `--proposer agents`, and not otherwise", env.model, env.host())
        }
        Err(_) => String::new(),
    };
    Failure::usage(format!(
        "no model is configured; add to {place}, for instance:\n\n{EXAMPLE}\n\n`trialdeck doctor --init` writes a file with every key explained{lies}"
    ))
}
