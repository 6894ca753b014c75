//! The section `[drain]`.

use std::time::Duration;

use super::{
    kind::Time,
    section::{Rules, Validate, section},
    units::show_duration,
};

section! {
    /// How a node stops, on SIGTERM: first it says that it is not ready, then it moves its clients elsewhere.
    struct DrainConfig("drain") {
        /// How long load balancers get to notice that the node is not ready.
        readiness_delay: Duration = Duration::from_secs(2), Time::secs(0..=300);
        /// Over how long the clients are told to move, so that they do not all arrive elsewhere at once.
        window: Duration = Duration::from_secs(20), Time::secs(0..=3600);
        /// How long all of it may take; then the process ends. Keep the orchestrator's grace period longer.
        timeout: Duration = Duration::from_secs(30), Time::secs(1..=7200);
    }
}

impl Validate for DrainConfig {
    fn validate(&self, rules: &mut Rules) {
        let least = self.readiness_delay + self.window;
        rules.require(
            self.timeout >= least,
            &["drain.timeout", "drain.readiness_delay", "drain.window"],
            format!(
                "at least drain.readiness_delay and drain.window together ({})",
                show_duration(least)
            ),
        );
    }
}
