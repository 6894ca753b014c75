//! How a list of cases becomes a macro that makes a test of each.

/// `suite!($ conformance_x, x, XStage, [case, …])`: lists the cases of a file. `$` is handed in because a macro that
/// writes a macro has no other way to say it.
macro_rules! suite {
    ($d:tt $macro:ident, $module:ident, $stage:ident, [$($case:ident),* $(,)?]) => {
        /// Makes a `#[tokio::test]` of every case. The argument is an expression, `.await` allowed, that sets a fresh
        /// stage.
        #[macro_export]
        macro_rules! $macro {
            ($d stage:expr) => {
                $(
                    #[tokio::test]
                    async fn $case() {
                        let stage = $d stage;
                        $crate::conformance::$module::cases::$case(&stage).await;
                    }
                )*
            };
        }

        /// The cases, each to be run on a fresh stage.
        pub mod cases {
            $(
                #[doc = concat!("The case `", stringify!($case), "`.")]
                pub async fn $case(stage: &dyn $crate::conformance::$stage) {
                    super::$case(stage).await;
                }
            )*
        }
    };
}

pub(super) use suite;

/// Makes a module of each store suite, all on stages set by the same path to an async function.
#[macro_export]
macro_rules! conformance_store {
    ($stage:path) => {
        mod log {
            $crate::conformance_log!($stage().await);
        }
        mod contention {
            $crate::conformance_contention!($stage().await);
        }
        mod rules {
            $crate::conformance_rules!($stage().await);
        }
        mod events {
            $crate::conformance_events!($stage().await);
        }
        mod rooms {
            $crate::conformance_rooms!($stage().await);
        }
        mod history {
            $crate::conformance_history!($stage().await);
        }
        mod markers {
            $crate::conformance_markers!($stage().await);
        }
        mod retention {
            $crate::conformance_retention!($stage().await);
        }
        mod directory {
            $crate::conformance_directory!($stage().await);
        }
    };
}
