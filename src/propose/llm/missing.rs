//! Why there is no answer, or only the beginning of one: what stood in its place, in words for the user, and what may help.

use super::{
    FaultKind,
    gather::Gather,
    reader::Reader,
    trouble::{self, Remedy, Trouble},
    wire::{Away, Instead},
};
use async_openai::error::OpenAIError;
use std::time::Duration;

/// Of an answer that ended after it had begun; the line was silent for so long.
pub(super) fn broken(instead: Option<Instead>, error: &OpenAIError, silent: Duration, gather: &Gather<'_, '_>) -> Trouble {
    let after = match gather.letters() {
        0 => "before its answer began".to_owned(),
        n => format!("after {n} letters of its answer"),
    };
    match instead {
        Some(Instead::Away(Away::Silent)) => {
            let mend = "raise `idle` if it is only slow, else look at its log";
            Trouble::again(format!("fell silent {after} (for {:.0} s)", silent.as_secs_f64()), mend)
        }
        Some(Instead::Away(Away::Broken(why) | Away::Connect(why) | Away::Request(why))) => {
            Trouble::again(format!("broke off {after} ({why})"), "look at its log and at what stands between")
        }
        Some(Instead::Away(Away::ConnectTimeout) | Instead::Answer(_) | Instead::Refusal { .. }) | None => {
            Trouble::again(format!("broke off {after} ({error})"), "look at its log and at what stands between")
        }
    }
}

/// Of what came in place of a stream: an answer in one piece is taken in, all else is a trouble. `connect` and `idle` are how long
/// was waited.
pub(super) fn instead(
    instead: Option<Instead>,
    error: &OpenAIError,
    (connect, idle): (Duration, Duration),
    reader: &mut Reader<'_>,
    gather: &mut Gather<'_, '_>,
) -> Result<(), Trouble> {
    Err(match instead {
        Some(Instead::Answer(body)) => return reader.whole(&body, gather),
        Some(Instead::Refusal { status, body, .. }) if (200..300).contains(&status) => {
            let mend = "check base_url: as a rule it ends in /v1; a proxy may stand between";
            Trouble::new(Remedy::Again(None), format!("answered with {}", trouble::words(&body)), mend)
        }
        Some(Instead::Refusal { status, after, body }) => trouble::refused(status, after, &body, reader.asked),
        Some(Instead::Away(Away::Connect(why))) => unreachable_for(&why),
        Some(Instead::Away(Away::ConnectTimeout)) => {
            Trouble::again(format!("does not accept a connection within {:.0} s", connect.as_secs_f64()), RUNNING)
        }
        Some(Instead::Away(Away::Silent)) => {
            Trouble::again(format!("said nothing for {:.0} s", idle.as_secs_f64()), "raise `idle` if it is only slow, else look at its log")
        }
        Some(Instead::Away(Away::Broken(why))) => Trouble::again(format!("broke the connection ({why})"), "look at its log"),
        Some(Instead::Away(Away::Request(why))) => {
            Trouble::new(Remedy::Nothing(FaultKind::Setup), format!("cannot be asked ({why})"), "check base_url and headers")
        }
        None => Trouble::new(Remedy::Nothing(FaultKind::Setup), format!("cannot be asked ({error})"), "check base_url"),
    })
}

/// What to look at when nobody answers.
const RUNNING: &str = "is the server running, and base_url right?";

/// Of a connection that did not come about. With a certificate that is not believed no second try helps.
fn unreachable_for(why: &str) -> Trouble {
    let why_not = format!("cannot be reached ({why})");
    if why.contains("UnknownIssuer") {
        let mend =
            "its certificate is of an authority that this machine does not know: name a file with that one's certificate in SSL_CERT_FILE";
        Trouble::new(Remedy::Nothing(FaultKind::Setup), why_not, mend)
    } else if why.contains("certificate") {
        Trouble::new(Remedy::Nothing(FaultKind::Setup), why_not, "check base_url against the names and dates in the server's certificate")
    } else {
        Trouble::again(why_not, RUNNING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_believed_is_no_server_that_is_away() {
        for (why, mend) in [
            ("Connection refused", "is the server running"),
            ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "names and dates"),
        ] {
            let trouble = unreachable_for(why);
            assert!(trouble.mend.contains(mend) && trouble.what.contains(why), "{trouble:?}");
        }
    }
}
