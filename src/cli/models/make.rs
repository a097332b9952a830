//! Endpoints of what the user configured, or of OPENAI_*. Nothing is asked here, and no key is looked at yet.

use super::key::{FromCommand, FromVariable};
use crate::cli::config::{self, Header, Key, Model};
use crate::cli::{Failure, host};
use crate::model::redact;
use crate::propose::llm::{Api, Endpoint, KeySource, NoKey, Patience, Prices};
use std::sync::Arc;

/// The address behind OPENAI_API_KEY where OPENAI_BASE_URL says no other.
const OPENAI: &str = "https://api.openai.com/v1";

/// The endpoints of all `[[model]]`s, in the order of the file.
///
/// Errors: one that cannot be used as it stands.
pub(in crate::cli) fn endpoints(user: &config::UserFile) -> Result<Vec<Endpoint>, Failure> {
    user.models.iter().map(endpoint_of).collect()
}

/// The endpoint of one of them, with its name in the error.
pub(in crate::cli) fn endpoint_of(model: &Model) -> Result<Endpoint, Failure> {
    endpoint(model).map_err(|why| Failure::usage(format!("the model {} {why}", model.name)))
}

/// The endpoint of a `[[model]]`.
///
/// Errors: what is missing in the environment, to follow the model's name.
pub(super) fn endpoint(model: &Model) -> Result<Endpoint, String> {
    let mut headers = Vec::new();
    for (name, header) in &model.headers {
        let value = match header {
            Header::Text(text) => text.clone(),
            Header::Environment(variable) => {
                let value = host::set(variable)
                    .ok_or_else(|| format!("wants a header from {variable}, which is not set; export {variable}=… first"))?;
                if config::names_a_key(name) {
                    redact::learn(&value);
                }
                value
            }
        };
        headers.push((name.clone(), value));
    }
    let key: Arc<dyn KeySource> = match &model.key {
        Key::None => Arc::new(NoKey),
        Key::Environment(name) => Arc::new(FromVariable(name.clone())),
        Key::Command(command) => Arc::new(FromCommand::new(command)),
    };
    let usual = Patience::default();
    Ok(Endpoint {
        api: match model.api {
            config::Api::Chat => Api::Chat,
            config::Api::Responses => Api::Responses,
        },
        key,
        tools: model.tools,
        temperature: model.temperature,
        reasoning_effort: model.reasoning_effort.map(str::to_owned),
        max_tokens: model.max_tokens,
        context: model.context,
        prices: model.prices.map(|p| Prices { input: p.input, cached_input: p.cached_input, output: p.output }),
        headers,
        body: model.body.clone(),
        patience: Patience { idle: model.idle.unwrap_or(usual.idle), ..usual },
        ..Endpoint::new(&model.name, &model.model, &model.base_url)
    })
}

/// The endpoint `env` of OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL, for who asks for agents by name and has no `[[model]]`.
///
/// Errors: neither a key nor an address, or no model.
pub(in crate::cli) fn from_environment() -> Result<Endpoint, Failure> {
    named(&|name| host::set(name)).map_err(Failure::usage)
}

fn named(set: &dyn Fn(&str) -> Option<String>) -> Result<Endpoint, String> {
    let (key, base) = (set("OPENAI_API_KEY"), set("OPENAI_BASE_URL"));
    if key.is_none() && base.is_none() {
        return Err("agents need a model: add a [[model]] to the configuration (`trialdeck models` shows how), or set OPENAI_API_KEY and OPENAI_MODEL".into());
    }
    let model =
        set("OPENAI_MODEL").ok_or("OPENAI_MODEL is not set: name the model that agents shall use, such as export OPENAI_MODEL=…")?;
    let base = base.unwrap_or_else(|| OPENAI.to_owned());
    if base.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@')) {
        return Err("OPENAI_BASE_URL holds a user or a key: leave out what stands before the @, and set OPENAI_API_KEY".into());
    }
    let mut endpoint = Endpoint::new("env", model, base);
    if key.is_some() {
        endpoint.key = Arc::new(FromVariable("OPENAI_API_KEY".into()));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::llm::ToolStyle;
    use std::time::Duration;

    #[test]
    fn a_model_becomes_an_endpoint() {
        let text = "[[model]]\nname = \"m\"\nmodel = \"big\"\nbase_url = \"https://h/v1/\"\napi = \"responses\"\ntools = \"text\"\nidle = \"20s\"\nmax_tokens = 5\ncontext = 9\ntemperature = 0.5\nprices = { input = 1, output = 2 }\nheaders = { a = \"b\" }\nbody = { top_p = 0.5 }\n";
        let (file, problems) = config::parse(text);
        assert!(problems.is_none(), "{problems:?}");
        let made = endpoint(&file.models[0]).unwrap();
        assert_eq!((made.name.as_str(), made.model.as_str(), made.base_url.as_str()), ("m", "big", "https://h/v1"));
        assert_eq!((made.api, made.tools, made.patience.idle), (Api::Responses, ToolStyle::Text, Duration::from_secs(20)));
        assert_eq!((made.max_tokens, made.context, made.temperature), (Some(5), Some(9), Some(0.5)));
        assert_eq!(
            (made.prices.map(|p| p.output), made.headers[0].1.as_str(), &made.body["top_p"]),
            (Some(2.0), "b", &serde_json::json!(0.5))
        );
        let (file, _) =
            config::parse("[[model]]\nname = \"m\"\nbase_url = \"http://h\"\nheaders = { x = { env = \"NO_SUCH_VARIABLE_AT_ALL\" } }\n");
        assert!(endpoint(&file.models[0]).unwrap_err().contains("export NO_SUCH_VARIABLE_AT_ALL=…"));
    }

    #[test]
    fn the_environment_is_a_model_for_who_asks() {
        let of = |pairs: &'static [(&'static str, &'static str)]| {
            named(&move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        let made = of(&[("OPENAI_API_KEY", "k"), ("OPENAI_MODEL", "m")]).unwrap();
        assert_eq!((made.name.as_str(), made.model.as_str(), made.base_url.as_str()), ("env", "m", OPENAI));
        let made = of(&[("OPENAI_BASE_URL", "http://localhost:1/v1/"), ("OPENAI_MODEL", "m")]).unwrap();
        assert_eq!((made.base_url.as_str(), made.key.key()), ("http://localhost:1/v1", Ok(None)));
        let keyed = of(&[("OPENAI_BASE_URL", "https://me:hush-hush@h/v1"), ("OPENAI_MODEL", "m")]).unwrap_err();
        assert!(keyed.contains("before the @") && !keyed.contains("hush"), "{keyed}");
        assert!(of(&[("OPENAI_API_KEY", "k")]).unwrap_err().starts_with("OPENAI_MODEL is not set"));
        assert!(of(&[("OPENAI_MODEL", "m")]).unwrap_err().starts_with("agents need a model"));
    }
}
