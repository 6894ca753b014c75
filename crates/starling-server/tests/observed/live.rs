//! What a gateway tells, and whether a query asks for it.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{self, Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};

/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["job", "instance"];
/// Series that Prometheus makes itself.
const MADE: [&str; 2] = ["up", "ALERTS"];

/// The metrics, with the values of each of their labels.
pub(crate) struct Live(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Live {
    /// Reads Prometheus's text format.
    pub(crate) fn parse(text: &str) -> Self {
        let mut metrics = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
            let (name, labels) = series
                .trim_end_matches('}')
                .split_once('{')
                .unwrap_or((series, ""));
            let known: &mut BTreeMap<String, BTreeSet<String>> = metrics.entry(name.to_owned()).or_default();
            // None of our values has a comma.
            for (label, value) in labels.split(',').filter_map(|label| label.split_once('=')) {
                let value = value.trim_matches('"').to_owned();
                known.entry(label.to_owned()).or_default().insert(value);
            }
        }
        Self(metrics)
    }

    /// Adds what a recording rule makes.
    pub(crate) fn record(&mut self, name: &str) {
        self.0.insert(name.to_owned(), BTreeMap::new());
    }

    /// What is wrong with a query.
    pub(crate) fn faults(&self, query: &str) -> Vec<String> {
        let expression = match parser::parse(query) {
            Ok(expression) => expression,
            Err(error) => return vec![format!("{query}: {error}")],
        };
        let mut asked = Asked {
            live: self,
            labels: ADDED.map(str::to_owned).into(),
            grouped_by: Vec::new(),
            faults: Vec::new(),
        };
        let Ok(_) = walk_expr(&mut asked, &expression);
        let Asked {
            labels,
            grouped_by,
            mut faults,
            ..
        } = asked;
        let strangers = grouped_by.into_iter().filter(|label| !labels.contains(label));
        faults.extend(strangers.map(|label| format!("nothing in it has the label {label}: {query}")));
        faults
    }
}

/// What a query asks for, collected while it is walked.
struct Asked<'a> {
    live: &'a Live,
    /// Of all metrics in the query.
    labels: BTreeSet<String>,
    grouped_by: Vec<String>,
    faults: Vec<String>,
}

impl ExprVisitor for Asked<'_> {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        match expression {
            Expr::VectorSelector(selector) => self.select(selector),
            Expr::MatrixSelector(matrix) => self.select(&matrix.vs),
            Expr::Aggregate(aggregate) => {
                let labels = aggregate
                    .modifier
                    .iter()
                    .flat_map(|modifier| &modifier.labels().labels);
                self.grouped_by.extend(labels.cloned());
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Asked<'_> {
    fn select(&mut self, selector: &VectorSelector) {
        let name = selector.name.as_deref().unwrap_or_default();
        if MADE.contains(&name) {
            return;
        }
        let Some(known) = self.live.0.get(name) else {
            self.faults.push(format!("no gateway tells {name:?}"));
            return;
        };
        self.labels.extend(known.keys().cloned());
        for matcher in &selector.matchers.matchers {
            if ADDED.contains(&matcher.name.as_str()) {
                continue;
            }
            let values = known.get(&matcher.name);
            for wanted in alternatives(matcher) {
                if !values.is_some_and(|values| values.contains(wanted)) {
                    self.faults
                        .push(format!("{name} never has {}={wanted:?}", matcher.name));
                }
            }
        }
    }
}

/// The values that a matcher names.
fn alternatives(matcher: &Matcher) -> Vec<&str> {
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![&matcher.value],
        MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TOLD: &str = "# HELP starling_refusals_total Errors.\n\
                        starling_refusals_total{code=\"internal\"} 0\n\
                        starling_refusals_total{code=\"unavailable\"} 3\n\
                        starling_ack_seconds_bucket{le=\"0.1\"} 7\n\
                        starling_users 1\n";

    #[rstest]
    #[case("starling_users{job=\"starling\", instance=\"a:1\"}", "")]
    #[case(
        "sum by (code) (rate(starling_refusals_total{code=~\"internal|unavailable\"}[5m]))",
        ""
    )]
    #[case(
        "histogram_quantile(0.99, sum by (le, job) (rate(starling_ack_seconds_bucket[5m])))",
        ""
    )]
    #[case("up == 0 unless on (instance) recorded:users:sum", "")]
    #[case("starling_userz", "no gateway tells \"starling_userz\"")]
    #[case(
        "1 - rate(starling_gone_total[5m]) / starling_users",
        "no gateway tells \"starling_gone_total\""
    )]
    #[case("starling_refusals_total{code=\"fatal\"}", "never has code=\"fatal\"")]
    #[case(
        "starling_refusals_total{code=~\"internal|fatal\"}",
        "never has code=\"fatal\""
    )]
    #[case("starling_ack_seconds_bucket{le=\"0.2\"}", "never has le=\"0.2\"")]
    #[case("starling_users{zone=\"x\"}", "never has zone=\"x\"")]
    #[case("sum by (code) (starling_users)", "nothing in it has the label code")]
    #[case("sum(rate(starling_users[5m])", "unclosed left parenthesis")]
    fn a_query_for_what_is_not_told_is_found(#[case] query: &str, #[case] fault: &str) {
        let mut live = Live::parse(TOLD);
        live.record("recorded:users:sum");
        let faults = live.faults(query);
        if fault.is_empty() {
            assert_eq!(faults, [""; 0]);
        } else {
            assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
        }
    }
}
