//! The smallest story of a violation: what the devices and the nodes wrote about that room and that seq.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    checks::{Evidence, Violation},
    client::history::{Entry, History, What},
};

/// Lines of one device, and of one node, at most.
const MOST_LINES: usize = 24;
/// Other devices that are quoted at most.
const MOST_DEVICES: usize = 4;

/// Tells it.
pub(crate) fn tell(violation: &Violation, evidence: &Evidence, logs: &[PathBuf]) -> String {
    let mut story = format!("{}: {}\n", violation.check, violation.what);
    let Some(room) = violation.room else { return story };
    let name = evidence.rooms.get(usize::from(room)).map_or("?", String::as_str);
    story.push_str(&format!(
        "  in {name}, seq {}\n",
        violation.seq.unwrap_or_default()
    ));
    if let Some(logged) = violation.seq.and_then(|seq| evidence.truth.get(room, seq)) {
        story.push_str(&format!(
            "  the log: {} {} by {} {} ({:08x})\n",
            logged.seq,
            logged.kind,
            logged.sender,
            logged.client_id,
            logged.id >> 96
        ));
    }
    let moment = first_seen(violation, evidence);
    let is_of_it = |history: &&History| violation.device.as_ref() == Some(&history.device);
    for history in evidence.histories.iter().filter(is_of_it) {
        story.push_str(&of_device(history, violation, moment, true));
    }
    let others = evidence.histories.iter().filter(|history| !is_of_it(history));
    let told = others.map(|history| of_device(history, violation, moment, false));
    for lines in told.filter(|lines| !lines.is_empty()).take(MOST_DEVICES) {
        story.push_str(&lines);
    }
    for log in logs {
        let lines: Vec<String> = lines_about(log, violation, name);
        if !lines.is_empty() {
            story.push_str(&format!("  {}:\n    {}\n", log.display(), lines.join("\n    ")));
        }
    }
    story
}

/// When somebody saw the seq first, or the end of the run.
fn first_seen(violation: &Violation, evidence: &Evidence) -> Duration {
    let entries = evidence.histories.iter().flat_map(|history| &history.entries);
    let names = |entry: &&Entry| {
        matches!(&entry.what, What::Event { seen, .. }
            if Some(seen.room) == violation.room && Some(seen.seq) == violation.seq)
    };
    entries
        .filter(names)
        .map(|entry| entry.at)
        .min()
        .unwrap_or(Duration::MAX)
}

/// Writes every device's whole history into a folder: for whoever the story does not tell enough.
pub(crate) fn keep(evidence: &Evidence, folder: &Path) -> io::Result<()> {
    for history in &evidence.histories {
        let mut file = BufWriter::new(File::create(folder.join(format!("{}.history", history.device)))?);
        for Entry { at, what } in &history.entries {
            let room = what.room().and_then(|room| evidence.rooms.get(usize::from(room)));
            let room = room.map_or("-", String::as_str);
            writeln!(file, "{:>10.3} {room} {what}", at.as_secs_f64())?;
        }
        file.flush()?;
    }
    Ok(())
}

/// What a device wrote about it; of the device itself also what is near, and when it was connected.
fn of_device(history: &History, violation: &Violation, moment: Duration, itself: bool) -> String {
    let seq = violation.seq.unwrap_or_default();
    let near = |other: u64| {
        if itself {
            other.abs_diff(seq) <= 2
        } else {
            other == seq
        }
    };
    let about = |entry: &&Entry| match &entry.what {
        What::Connected { .. } | What::Lost { .. } => itself,
        what if what.room() != violation.room => false,
        What::Sent { client_id, .. } | What::Refused { client_id, .. } => {
            violation.client_id.as_ref() == Some(client_id)
        }
        What::Acked { seq, .. } | What::Done { seq, .. } => near(*seq),
        What::Event { seen, .. } => near(seen.seq),
        What::Gap { from, to, .. } => (*from..=*to).contains(&seq),
        What::Asked { .. } | What::Follows { .. } | What::NotFollowing { .. } | What::Left { .. } => itself,
        What::MarkAsked { .. } | What::Marked { .. } => itself && violation.check == "unread",
    };
    let lines: Vec<&Entry> = history.entries.iter().filter(about).collect();
    if lines.is_empty() {
        return String::new();
    }
    // Around the moment when somebody first saw it.
    let middle = lines
        .iter()
        .position(|entry| entry.at >= moment)
        .unwrap_or(lines.len() - 1);
    let from = middle.saturating_sub(MOST_LINES / 2);
    let mut told = format!("  {}:\n", history.device);
    for entry in lines.iter().skip(from).take(MOST_LINES) {
        told.push_str(&format!("    {:>9.3} s {}\n", entry.at.as_secs_f64(), entry.what));
    }
    told
}

/// The lines of a node's log that name the room or the message.
fn lines_about(log: &PathBuf, violation: &Violation, room: &str) -> Vec<String> {
    let Ok(file) = File::open(log) else {
        return Vec::new();
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let about = |line: &String| {
        line.contains(room) || violation.client_id.as_ref().is_some_and(|id| line.contains(id))
    };
    lines.filter(about).take(MOST_LINES).collect()
}
