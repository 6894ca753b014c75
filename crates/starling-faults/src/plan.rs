//! What is done when: made from a seed, so that the same seed makes the same plan.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::Duration;

use crate::faults::{self, Fault};

/// Between two steps there is no fault for about so long.
const CALM: Duration = Duration::from_secs(2);
/// What a step costs beside its faults: healing, samples.
const AROUND: Duration = Duration::from_secs(2);

/// Faults that are injected together, and the calm behind them.
pub(crate) struct Step {
    pub(crate) faults: Vec<Chosen>,
    pub(crate) calm: Duration,
}

/// A fault, and whom it befalls.
pub(crate) struct Chosen {
    pub(crate) fault: Box<dyn Fault>,
    pub(crate) target: usize,
    pub(crate) seed: u64,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    /// How long the faults shall last in all; without it every fault comes once.
    pub(crate) budget: Option<Duration>,
    /// These faults alone; without them all.
    pub(crate) only: Vec<String>,
    /// Leave these out.
    pub(crate) without: Vec<String>,
}

/// First every fault alone, in an order that the seed decides, as far as the time goes; then pairs of faults of
/// different kinds. A fault that would take more than a sixth of the time is left out.
pub(crate) fn make(wish: &Wish) -> anyhow::Result<Vec<Step>> {
    check_names(wish)?;
    let mut chance = StdRng::seed_from_u64(wish.seed);
    let longest = wish.budget.map_or(Duration::MAX, |budget| budget / 6);
    let wanted = |fault: &dyn Fault| {
        let name = fault.name().to_owned();
        !wish.without.contains(&name)
            && if wish.only.is_empty() {
                fault.lasts() <= longest
            } else {
                wish.only.contains(&name)
            }
    };
    // Made anew whenever one is needed: a fault is a value without a state.
    let pick = |name: &str| {
        let mut all = faults::all().into_iter().flat_map(|(_, faults)| faults);
        all.find(|fault| fault.name() == name)
    };
    let mut known: Vec<(&'static str, &'static str)> = faults::all()
        .iter()
        .flat_map(|(kind, faults)| faults.iter().map(move |fault| (*kind, fault)))
        .filter(|(_, fault)| wanted(fault.as_ref()))
        .map(|(kind, fault)| (kind, fault.name()))
        .collect();
    anyhow::ensure!(
        !known.is_empty(),
        "no fault is left: every one takes too long for this time"
    );
    known.sort_unstable();
    known.shuffle(&mut chance);
    let mut steps = Vec::new();
    let mut left = wish.budget;
    for n in 0.. {
        let mut faults = Vec::new();
        let (kind, first) = known[n % known.len()];
        faults.extend(pick(first));
        if n >= known.len() {
            let others: Vec<_> = known.iter().filter(|(other, _)| *other != kind).collect();
            if !others.is_empty() {
                faults.extend(pick(others[chance.random_range(0..others.len())].1));
            }
        }
        let takes = faults.iter().map(|fault| fault.lasts()).max().unwrap_or_default() + CALM + AROUND;
        match &mut left {
            Some(left) if *left < takes && n > 0 => break,
            Some(left) => *left = left.saturating_sub(takes),
            None if n >= known.len() => break,
            None => {}
        }
        let first = chance.random_range(0..wish.nodes);
        let chosen = faults.into_iter().enumerate().map(|(n, fault)| Chosen {
            target: target(fault.as_ref(), first + n, wish.nodes),
            seed: chance.random(),
            fault,
        });
        steps.push(Step {
            faults: chosen.collect(),
            calm: CALM.mul_f64(chance.random_range(0.5..1.5)),
        });
    }
    Ok(steps)
}

/// The first gateway is spared what ends a process.
fn target(fault: &dyn Fault, wanted: usize, nodes: usize) -> usize {
    let target = wanted % nodes;
    if fault.ends_gateways() && target == 0 && nodes > 1 {
        1 + wanted % (nodes - 1)
    } else {
        target
    }
}

fn check_names(wish: &Wish) -> anyhow::Result<()> {
    let known: Vec<&str> = faults::all()
        .iter()
        .flat_map(|(_, faults)| faults.iter().map(|fault| fault.name()))
        .collect();
    for name in wish.only.iter().chain(&wish.without) {
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "there is no fault {name}; `cargo xtask faults --list` names them all"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(seed: u64) -> Wish {
        Wish {
            seed,
            nodes: 3,
            budget: Some(Duration::from_secs(1200)),
            only: Vec::new(),
            without: Vec::new(),
        }
    }

    fn shown(wish: &Wish) -> Vec<String> {
        let steps = make(wish).expect("a plan");
        let step = |step: &Step| {
            let faults = step.faults.iter();
            let faults =
                faults.map(|chosen| format!("{}@{}#{}", chosen.fault.name(), chosen.target, chosen.seed));
            format!("{} then {:?}", faults.collect::<Vec<_>>().join("+"), step.calm)
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn a_seed_is_a_plan() {
        assert_eq!(shown(&wish(7)), shown(&wish(7)));
        assert_ne!(shown(&wish(7)), shown(&wish(8)));
    }

    #[test]
    fn every_fault_comes_alone_before_any_comes_with_another() {
        let count = faults::all()
            .iter()
            .map(|(_, faults)| faults.len())
            .sum::<usize>();
        let steps = make(&wish(1)).expect("a plan");
        let (alone, paired) = steps.split_at(count);
        assert!(alone.iter().all(|step| step.faults.len() == 1));
        assert!(!paired.is_empty() && paired.iter().all(|step| step.faults.len() == 2));
        for step in &steps {
            let ends_the_first = |chosen: &Chosen| chosen.fault.ends_gateways() && chosen.target == 0;
            assert!(
                !step.faults.iter().any(ends_the_first),
                "the first gateway is spared"
            );
        }
    }

    #[test]
    fn a_short_plan_has_short_faults_and_a_wrong_name_is_told() {
        let mut short = wish(1);
        short.budget = Some(Duration::from_secs(60));
        let steps = make(&short).expect("a plan");
        assert!(steps.len() > 3);
        for chosen in steps.iter().flat_map(|step| &step.faults) {
            assert!(chosen.fault.lasts() <= Duration::from_secs(10));
        }
        short.only = vec!["kill-everything".into()];
        let error = make(&short).err().expect("an error").to_string();
        assert!(error.contains("kill-everything"), "{error}");
    }
}
