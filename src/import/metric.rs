//! Which way the metric of a history is better.

use super::{Hints, ImportError};
use crate::model::Goal;

/// The goal that the user gave, else what the name tells.
pub(super) fn goal(metric: &str, hints: &Hints) -> Result<Goal, ImportError> {
    hints.goal.or_else(|| Goal::of_metric(metric)).ok_or_else(|| ImportError::Goal { metric: metric.to_owned() })
}
