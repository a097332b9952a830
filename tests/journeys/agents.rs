//! Specialists from end to end: a scripted model reads what it is sent, and what it answers follows from that alone. What comes
//! back to a model is proven by what it does with it.

mod choosing;
mod failures;
mod hostile;
mod mending;
mod servers;
mod steering;

use crate::endpoint::{Endpoint, Reply, Request};
use crate::support::{Place, Toy};
use std::{fs, path::PathBuf};

/// A place with a toy task and a model.
pub(crate) struct Lab {
    pub(crate) place: Place,
    pub(crate) server: Endpoint,
}

impl Lab {
    /// `task` changes the toy; `script` answers for the model `local`.
    pub(crate) fn new(task: impl FnOnce(Toy) -> Toy, script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let place = Place::new();
        task(Toy::new(&place).quick()).write(&place, "toy");
        let server = Endpoint::start(script);
        configured(&place, &server.model("local"));
        Self { place, server }
    }

    /// Bodies of all requests so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.server.requests()
    }
}

/// Writes the configuration of a place.
pub(crate) fn configured(place: &Place, models: &str) -> PathBuf {
    let file = place.path("home/.config/trialdeck/config.toml");
    fs::write(&file, format!("[run]\nisolation = \"none\"\n{models}")).unwrap();
    file
}
