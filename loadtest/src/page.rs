//! The page of a `chat` test: one file with everything in it, for light and dark.

use std::fmt::Write;

use crate::{
    latency::Summary,
    plot::{self, Axis, Line, Plot},
    report::{Report, number},
    scenario::chat::{Chatted, Row},
};

const STYLE: &str = include_str!("page.css");

/// The page.
#[must_use]
pub fn render(result: &Chatted) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Starling load test</title>\n<style>\n{STYLE}</style>\n<main>\n{}{}{}{}{}</main>\n</html>\n",
        head(result),
        cards(result),
        plots(result),
        latencies(result),
        seconds(&result.series),
    )
}

/// What HTML reads as its own.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

fn head(result: &Chatted) -> String {
    let urls = escape(&result.urls.join(", "));
    let cut = match (result.cut_every_s, result.offline_s) {
        (Some(every), Some(offline)) => {
            format!(
                " Every connection was cut about every {every}&nbsp;s, and the client stayed away for {offline}&nbsp;s."
            )
        }
        _ => String::new(),
    };
    let verdict = if result.is_exact() {
        "<div class=\"verdict\"><b>Exact.</b> Every message was acknowledged, and delivered once and in order to every \
         client of its room.</div>"
            .to_owned()
    } else {
        let account = result.rows().pop().map(|(_, text)| text).unwrap_or_default();
        format!(
            "<div class=\"verdict bad\"><b>Not exact.</b> {}.</div>",
            escape(&account)
        )
    };
    format!(
        "<h1>Load test</h1>\n<p>{} clients in {} rooms, {} messages a second in each for {} s, by {} processes to {urls}.{cut}</p>\n{verdict}\n",
        number(result.connections as f64),
        number(result.rooms as f64),
        result.rate,
        result.seconds,
        result.workers,
    )
}

fn cards(result: &Chatted) -> String {
    let mut html = String::from("<div class=\"cards\">\n");
    let mut card = |name: &str, value: String, more: String| {
        let _ = writeln!(
            html,
            "<div><small>{name}</small><strong>{value}</strong> <em>{more}</em></div>"
        );
    };
    let count = |value: u64| number(value as f64);
    let counts = &result.counts;
    card(
        "messages",
        count(counts.sent),
        format!("{} acknowledged", count(counts.acked)),
    );
    card(
        "deliveries",
        count(counts.delivered),
        format!("{:.3} % of what was due", result.delivered_share() * 100.0),
    );
    card(
        "send to ack, p99",
        ms(result.ack.p99_ms),
        format!("p50 {}", ms(result.ack.p50_ms)),
    );
    card(
        "send to deliver, p99",
        ms(result.deliver.p99_ms),
        format!("p50 {}", ms(result.deliver.p50_ms)),
    );
    if counts.cut + counts.ended > 0 {
        card(
            "cut by the test",
            count(counts.cut),
            format!("{} ended by others", count(counts.ended)),
        );
        card(
            "connect to replayed, p99",
            ms(result.replay.p99_ms),
            format!("p50 {}", ms(result.replay.p50_ms)),
        );
    }
    if counts.moved > 0 {
        card(
            "moved before the end",
            count(counts.moved),
            format!("{} too late", count(counts.ended_migrating)),
        );
    }
    html.push_str("</div>\n");
    html
}

fn ms(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2} ms"),
        value if value < 1000.0 => format!("{value:.0} ms"),
        value => format!("{:.2} s", value / 1000.0),
    }
}

const TIME: Axis<'static> = Axis {
    unit: "seconds",
    is_log: false,
    max: None,
};

fn plots(result: &Chatted) -> String {
    let series = |name, pick: fn(&Row) -> f64| Line {
        name,
        points: result
            .series
            .iter()
            .zip(1_u32..)
            .map(|(row, at)| (f64::from(at), pick(row)))
            .collect(),
    };
    let over_time = |title, unit, is_log, lines| {
        plot::render(&Plot {
            title,
            x: TIME,
            y: Axis {
                unit,
                is_log,
                max: None,
            },
            lines,
        })
    };
    let mut html = String::from("<h2>Over time</h2>\n<div class=\"plots\">\n");
    html += &over_time(
        "Latency",
        "ms",
        true,
        vec![
            series("ack p50", |row| row.ack.p50_ms),
            series("ack p99", |row| row.ack.p99_ms),
            series("deliver p50", |row| row.deliver.p50_ms),
            series("deliver p99", |row| row.deliver.p99_ms),
        ],
    );
    html += &over_time(
        "Deliveries",
        "a second",
        false,
        vec![series("delivered", |row| row.counts.delivered as f64)],
    );
    html += &over_time(
        "Messages",
        "a second",
        false,
        vec![
            series("said", |row| row.counts.sent as f64),
            series("acknowledged", |row| row.counts.acked as f64),
        ],
    );
    html += &over_time(
        "Clients that miss nothing",
        "",
        false,
        vec![series("live", |row| row.live as f64)],
    );
    if result.counts.cut + result.counts.ended + result.counts.moved > 0 {
        html += &over_time(
            "Connections",
            "a second",
            false,
            vec![
                series("cut by the test", |row| row.counts.cut as f64),
                series("ended by others", |row| row.counts.ended as f64),
                series("back", |row| row.counts.resumed as f64),
                series("moved", |row| row.counts.moved as f64),
            ],
        );
    }
    html += &spread(result);
    html.push_str("</div>\n");
    html
}

/// How many took no longer.
fn spread(result: &Chatted) -> String {
    let names = ["send to ack", "send to deliver", "connect to replayed"];
    let lines = names
        .into_iter()
        .zip(&result.spread)
        .filter(|(_, shares)| !shares.is_empty());
    let lines = lines.map(|(name, shares)| Line {
        name,
        points: shares.iter().map(|(ms, share)| (*ms, share * 100.0)).collect(),
    });
    plot::render(&Plot {
        title: "How many took no longer",
        x: Axis {
            unit: "ms",
            is_log: true,
            max: None,
        },
        y: Axis {
            unit: "%",
            is_log: false,
            max: Some(100.0),
        },
        lines: lines.collect(),
    })
}

fn latencies(result: &Chatted) -> String {
    let mut html = String::from(
        "<h2>Latency</h2>\n<div class=\"table\"><table><tr><th></th><th>count</th><th>p50</th><th>p90</th><th>p99</th><th>longest</th></tr>\n",
    );
    let mut row = |name: &str, summary: &Summary| {
        if summary.count > 0 {
            let _ = writeln!(
                html,
                "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                number(summary.count as f64),
                ms(summary.p50_ms),
                ms(summary.p90_ms),
                ms(summary.p99_ms),
                ms(summary.max_ms)
            );
        }
    };
    row("send to acknowledgement, retries included", &result.ack);
    row(
        "send to delivery, at clients who missed nothing just then",
        &result.deliver,
    );
    row(
        "from connecting again to having everything that was missed",
        &result.replay,
    );
    row(
        "from an end that the test did not make to having everything",
        &result.reconnect,
    );
    html.push_str("</table></div>\n");
    html
}

fn seconds(series: &[Row]) -> String {
    let mut html = String::from(
        "<details><summary>Second by second</summary><div class=\"table\"><table>\n<tr><th>second</th><th>live</th><th>said</th>\
         <th>acknowledged</th><th>delivered</th><th>ack p99</th><th>deliver p99</th><th>cut</th><th>ended</th><th>back</th>\
         <th>moved</th><th>failed attempts</th></tr>\n",
    );
    for (row, at) in series.iter().zip(1..) {
        let counts = &row.counts;
        let _ = writeln!(
            html,
            "<tr><td>{at}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td></tr>",
            row.live,
            counts.sent,
            counts.acked,
            counts.delivered,
            ms(row.ack.p99_ms),
            ms(row.deliver.p99_ms),
            counts.cut,
            counts.ended,
            counts.resumed,
            counts.moved,
            counts.refused
        );
    }
    html.push_str("</table></div></details>\n");
    html
}
