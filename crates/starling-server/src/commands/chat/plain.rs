//! Lines in, lines out: for pipes and scripts.

use std::io::{self, Write as _};

use jiff::tz::TimeZone;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

use super::{
    connection::Connection,
    model::{Chat, Input, Line},
    text::{escaped, time_of_day},
};

/// Talks until the input ends and all its lines are acknowledged.
pub(super) async fn run(mut connection: Connection, mut chat: Chat, zone: &TimeZone) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    let mut is_open = true;
    while is_open || !connection.session.is_settled() {
        // Nothing is taken that could not be kept: not before the room is there, not while too much waits.
        let takes = is_open && connection.session.has_begun() && !connection.session.is_full();
        tokio::select! {
            news = connection.next() => {
                for line in chat.hear(news?) {
                    show(&line, zone)?;
                }
            }
            line = lines.next_line(), if takes => match line? {
                None => is_open = false,
                Some(line) => match chat.typed(&line) {
                    Input::Order(order) => connection.order(order),
                    Input::Show(line) => show(&line, zone)?,
                    Input::Quit => is_open = false,
                    Input::Nothing => {}
                },
            },
        }
    }
    connection.close().await;
    Ok(())
}

fn show(line: &Line, zone: &TimeZone) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", words(line, zone))?;
    out.flush()
}

/// `12:00:00 alice: hi`, or `12:00:00 -- bob joined`.
pub(super) fn words(line: &Line, zone: &TimeZone) -> String {
    match line {
        Line::Message {
            at,
            place,
            from,
            text,
        } => {
            let place = place
                .as_ref()
                .map_or_else(String::new, |place| format!("[{}] ", escaped(place)));
            format!(
                "{} {place}{}: {}",
                time_of_day(*at, zone),
                escaped(from.as_str()),
                escaped(text)
            )
        }
        Line::Note { at: Some(at), text } => format!("{} -- {}", time_of_day(*at, zone), escaped(text)),
        Line::Note { at: None, text } => format!("-- {}", escaped(text)),
    }
}
