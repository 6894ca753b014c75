//! The Redis half of the backend against real servers: the conformance suites in every topology, and faults.

#[cfg(test)]
#[path = "redis"]
mod redis {
    pub(crate) mod stage;

    mod bus_faults;
    mod conformance;
    mod fred;
    mod limits_faults;
    mod presence_faults;
    mod topologies;
}
