//! How a list of cases becomes a macro that makes a test of each.

/// `cases!($ e2e_x, x, [case, …])`: lists the cases of a file. `$` is handed in because a macro that writes a macro has
/// no other way to say it.
macro_rules! cases {
    ($d:tt $macro:ident, $module:ident, [$($case:ident),* $(,)?]) => {
        /// Makes a `#[tokio::test]` of every case, from the path of an async function that gives a harness and from the
        /// codec that its clients speak.
        #[macro_export]
        macro_rules! $macro {
            ($d harness:path, $d wire:ident) => {
                $(
                    #[tokio::test]
                    async fn $case() {
                        let harness = $d harness().await;
                        let stage = $crate::e2e::Stage::new(&harness, $crate::client::Wire::$d wire);
                        $crate::e2e::$module::cases::$case(&stage).await;
                    }
                )*
            };
        }

        /// The cases, each to be run on a fresh stage.
        pub mod cases {
            $(
                #[doc = concat!("The case `", stringify!($case), "`.")]
                pub async fn $case(stage: &$crate::e2e::Stage<'_>) {
                    super::$case(stage).await;
                }
            )*
        }
    };
}

pub(super) use cases;
