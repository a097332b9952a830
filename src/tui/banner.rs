//! "Since you left": what was decided while nobody looked. The words are those of `analysis::summary`.

use super::ink;
use super::panes::status;
use crate::analysis::summary::{self, Decided};
use crate::client::Mirror;
use crate::model::{Millis, Status};

/// One line, until it is dismissed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// What to say.
    pub text: String,
}

impl Banner {
    /// Its lines on a screen of this width, two at most; the hint of the key stands behind the first.
    pub fn lines(&self, columns: usize) -> Vec<String> {
        let mut lines = ink::wrap(&self.text, columns.saturating_sub(6).max(1));
        if lines.len() > 2 {
            let rest = lines.split_off(1).join(" ");
            lines.push(ink::cut(&rest, columns.saturating_sub(6)));
        }
        lines
    }
}

/// What happened since `seen`; none when nothing was decided and nothing waits.
pub fn since(mirror: &Mirror, seen: Millis, now: Millis) -> Option<Banner> {
    let header = mirror.header.as_ref()?;
    // A vetoed or refused proposal has a time too, but it never became a trial that ran.
    let decided = mirror.rows.iter().filter(|r| r.status == Status::Done).filter_map(|r| {
        let score = r.score;
        let failure = r.label.filter(|_| score.is_none());
        Some(Decided { trial: r.id, at: r.finished?, verdict: r.verdict, failure, verified: r.verified, score })
    });
    let rows: Vec<Decided> = decided.collect();
    let absence = summary::since(seen, now, header.goal, &rows);
    if absence.trials == 0 && header.waiting == 0 {
        return None;
    }
    let decimals = status::decimals(header);
    let mut text = absence.sentence(|score| status::score(score, decimals));
    if header.waiting > 0 {
        text.push_str(&format!(", {} waiting", header.waiting));
    }
    Some(Banner { text })
}
