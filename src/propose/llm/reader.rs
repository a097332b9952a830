//! The events of one answer, whichever API they belong to, on their way to who gathers them.

use super::{
    chat,
    endpoint::Api,
    gather::Gather,
    responses,
    trouble::{self, Trouble},
};
use serde_json::Value;

/// The events of one try, by the API that they belong to.
pub(super) struct Reader<'a> {
    api: Api,
    events: responses::Events,
    pub(super) asked: &'a Value,
}

impl<'a> Reader<'a> {
    /// Of the answer to what was asked.
    pub(super) fn new(api: Api, asked: &'a Value) -> Self {
        Self { api, events: responses::Events::default(), asked }
    }

    /// Takes in one event.
    pub(super) fn take(&mut self, event: &Value, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        match self.api {
            Api::Chat => chat::take(event, self.asked, gather),
            Api::Responses => self.events.take(event, self.asked, gather),
        }
    }

    /// Data that is not one piece of JSON: several in one event, a word to keep the line alive, or rubbish.
    pub(super) fn odd(&mut self, data: &str, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        for line in data.lines() {
            let line = line.trim();
            let line = line.strip_prefix("data:").unwrap_or(line).trim();
            if !line.starts_with(['{', '[']) {
                continue;
            }
            // A piece that is lost could be a piece of code: rather the whole answer again.
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                return Err(Trouble::again(format!("sent a piece that is no JSON: {}", trouble::line(line, 60)), "look at its log"));
            };
            self.take(&event, gather)?;
        }
        Ok(())
    }

    /// An answer in one piece, from a server that does not stream.
    pub(super) fn whole(&mut self, body: &str, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        match serde_json::from_str::<Value>(body) {
            Ok(answer) => {
                self.take(&answer, gather)?;
                let known = gather.finish.is_some() || !gather.is_silent();
                if known {
                    Ok(())
                } else {
                    Err(Trouble::again(format!("answered something else: {}", trouble::words(body)), "check base_url and api"))
                }
            }
            Err(_) => Err(Trouble::again(format!("answered what is no JSON: {}", trouble::words(body)), "check base_url and api")),
        }
    }
}
