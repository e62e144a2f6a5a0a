//! Where the CPU time of one thread goes, by stage.

use std::{collections::BTreeMap, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Adds up the CPU time between laps. It measures the thread that it is used on.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    since: Duration,
    spent: BTreeMap<&'static str, Duration>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { since: now(), spent: BTreeMap::new() }
    }

    /// The time since the last lap was for `stage`.
    pub(crate) fn lap(&mut self, stage: &'static str) {
        let now = now();
        *self.spent.entry(stage).or_default() += now.saturating_sub(self.since);
        self.since = now;
    }

    /// Seconds by stage.
    pub(crate) fn seconds(&self) -> BTreeMap<String, f64> {
        self.spent.iter().map(|(stage, time)| ((*stage).to_owned(), time.as_secs_f64())).collect()
    }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
