//! The suites that every backend runs, wherever keys and topics are spread in another way. (Behind sentinels is one
//! server again.)

/// Modules of the suites on stages set by one function.
macro_rules! suites {
    ($stage:path) => {
        mod bus {
            starling_testkit::conformance_bus!($stage());
        }
        mod presence {
            starling_testkit::conformance_presence!($stage());
        }
        mod registry {
            starling_testkit::conformance_registry!($stage());
        }
        mod limits {
            starling_testkit::conformance_limits!($stage());
        }
    };
}

mod single {
    suites!(crate::redis::stage::Stage::single);
}
mod sharded {
    suites!(crate::redis::stage::sharded);
}
mod cluster {
    suites!(crate::redis::stage::cluster);
}
