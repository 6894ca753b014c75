//! Reads the output of `cargo test`, line by line, and keeps the score.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// Counts of tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Tests that ran and passed.
    pub passed: usize,
    /// Tests that ran and failed, and test programs that ended without saying so.
    pub failed: usize,
    /// Tests marked `#[ignore]`.
    pub skipped: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What one crate's tests came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Score {
    /// The crate.
    pub name: String,
    /// Its tests.
    pub tally: Tally,
    /// From its first line to its last.
    pub wall: Duration,
}

/// The score so far.
#[derive(Debug, Default)]
pub struct Scores {
    /// Per crate, in the order in which they ran.
    pub crates: Vec<Score>,
    /// The failed tests, each with its crate and target.
    pub failures: Vec<String>,
}

impl Scores {
    /// Adds to the score of a crate.
    pub fn add(&mut self, name: &str, tally: Tally, wall: Duration) {
        match self.crates.iter_mut().find(|score| score.name == name) {
            Some(score) => {
                score.tally += tally;
                score.wall += wall;
            }
            None => self.crates.push(Score {
                name: name.to_owned(),
                tally,
                wall,
            }),
        }
    }

    /// All crates together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for score in &self.crates {
            total += score.tally;
        }
        total
    }
}

/// The reader of one `cargo test`.
///
/// Cargo names the program that it starts and libtest does not name itself, so a line's meaning depends on the
/// heading above it. Time is passed in with every line.
pub struct Reader<'a> {
    /// File name of a test program -> its crate.
    owners: &'a HashMap<String, String>,
    scores: Scores,
    open: Option<Target>,
}

/// The test program that is running.
struct Target {
    owner: String,
    /// The crate and the file, as a failure is reported.
    label: String,
    since: Instant,
    tally: Tally,
    /// The names in libtest's list of failures, which comes before the result.
    failing: Vec<String>,
    listing: bool,
}

impl<'a> Reader<'a> {
    /// A reader that knows which crate owns which test program.
    pub fn new(owners: &'a HashMap<String, String>) -> Self {
        Self {
            owners,
            scores: Scores::default(),
            open: None,
        }
    }

    /// Takes the next line.
    pub fn line(&mut self, line: &str, now: Instant) {
        if let Some((owner, label)) = self.heading(line) {
            self.close(now);
            let (tally, failing) = Default::default();
            self.open = Some(Target {
                owner,
                label,
                since: now,
                tally,
                failing,
                listing: false,
            });
        } else if let Some(open) = &mut self.open {
            open.line(line, &mut self.scores.failures);
        }
    }

    /// Ends the reading; `success` is cargo's own word, which is never overruled.
    pub fn finish(mut self, success: bool, now: Instant) -> Scores {
        self.close(now);
        if !success && self.scores.total().failed == 0 {
            self.scores
                .failures
                .push("cargo test failed, and named no test: see above".to_owned());
            self.scores.add(
                "cargo test",
                Tally {
                    failed: 1,
                    ..Tally::default()
                },
                Duration::ZERO,
            );
        }
        self.scores
    }

    fn close(&mut self, now: Instant) {
        if let Some(open) = self.open.take() {
            self.scores
                .add(&open.owner, open.tally, now.saturating_duration_since(open.since));
        }
    }

    /// `Running tests/x.rs (target/debug/deps/x-0123)` or `Doc-tests x`, as (crate, label).
    fn heading(&self, line: &str) -> Option<(String, String)> {
        let line = line.trim_start();
        if let Some(library) = line.strip_prefix("Doc-tests ") {
            let owner = library.replace('_', "-");
            let label = format!("{owner} documentation");
            return Some((owner, label));
        }
        let (source, program) = line
            .strip_prefix("Running ")?
            .strip_suffix(')')?
            .rsplit_once(" (")?;
        let program = program.rsplit('/').next()?;
        let owner = self.owners.get(program)?.clone();
        let label = format!("{owner} {}", source.trim_start_matches("unittests "));
        Some((owner, label))
    }
}

impl Target {
    fn line(&mut self, line: &str, failures: &mut Vec<String>) {
        if line == "failures:" {
            self.failing.clear();
            self.listing = true;
        } else if let Some(tally) = result(line) {
            self.tally += tally;
            self.listing = false;
            failures.extend(
                self.failing
                    .drain(..)
                    .map(|test| format!("{}: {test}", self.label)),
            );
        } else if let Some(rerun) = ended_badly(line) {
            if self.tally.failed == 0 {
                self.tally.failed = 1;
                failures.push(format!(
                    "{}: ended without a result (cargo test {rerun})",
                    self.label
                ));
            }
        } else if let (true, Some(test)) = (self.listing, line.strip_prefix("    ")) {
            self.failing.push(test.to_owned());
        } else if !line.is_empty() {
            self.listing = false;
        }
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn result(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?;
    let counts = counts
        .strip_prefix("ok. ")
        .or_else(|| counts.strip_prefix("FAILED. "))?;
    let count = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word));
        part?.trim_end().parse().ok()
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
        skipped: count("ignored")?,
    })
}

/// ``error: test failed, to rerun pass `-p xtask --lib` ``, which cargo writes after each failed program.
fn ended_badly(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("error: test failed, to rerun pass `");
    let rest = rest.or_else(|| line.strip_prefix("error: doctest failed, to rerun pass `"))?;
    rest.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a transcript in which every line takes a second.
    fn read(transcript: &str, success: bool) -> Scores {
        let owners = HashMap::from([
            ("starling_core-0a".to_owned(), "starling-core".to_owned()),
            ("resume-0b".to_owned(), "starling-server".to_owned()),
        ]);
        let mut reader = Reader::new(&owners);
        let mut now = Instant::now();
        for line in transcript.lines() {
            reader.line(line, now);
            now += Duration::from_secs(1);
        }
        reader.finish(success, now)
    }

    #[test]
    fn programs_and_documentation_of_a_crate_are_added_up() {
        let scores = read(
            "    Finished `test` profile [unoptimized] target(s) in 0.1s
     Running unittests src/lib.rs (target/debug/deps/starling_core-0a)

running 3 tests
test ids::a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s

   Doc-tests starling_core
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            true,
        );
        assert_eq!(scores.failures, Vec::<String>::new());
        let tally = Tally {
            passed: 8,
            failed: 0,
            skipped: 1,
        };
        let name = "starling-core".to_owned();
        assert_eq!(
            scores.crates,
            [Score {
                name,
                tally,
                wall: Duration::from_secs(9)
            }]
        );
        assert_eq!(scores.total(), tally);
    }

    #[test]
    fn failed_tests_are_named_once_and_their_output_is_not_taken_for_names() {
        let scores = read(
            "     Running tests/resume.rs (target/debug/deps/resume-0b)
test a ... FAILED
failures:

---- a stdout ----
    a line that a test wrote
thread 'a' panicked

failures:
    a
    b::c

test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s

error: test failed, to rerun pass `-p starling-server --test resume`",
            false,
        );
        assert_eq!(
            scores.total(),
            Tally {
                passed: 4,
                failed: 2,
                skipped: 0
            }
        );
        let file = "starling-server tests/resume.rs";
        assert_eq!(scores.failures, [format!("{file}: a"), format!("{file}: b::c")]);
    }

    #[test]
    fn a_program_that_aborts_is_a_failure() {
        let scores = read(
            "     Running tests/resume.rs (/elsewhere/deps/resume-0b)
running 2 tests
error: test failed, to rerun pass `-p starling-server --test resume`

Caused by:
  process didn't exit successfully: `resume-0b` (signal: 6, SIGABRT: process abort signal)
     Running unittests src/lib.rs (target/debug/deps/starling_core-0a)
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            false,
        );
        assert_eq!(
            scores.total(),
            Tally {
                passed: 2,
                failed: 1,
                skipped: 0
            }
        );
        let text = "starling-server tests/resume.rs: ended without a result";
        assert!(scores.failures[0].starts_with(text), "{:?}", scores.failures);
    }

    #[test]
    fn a_failing_cargo_never_passes() {
        let scores = read("error: could not compile `starling-core`", false);
        assert_eq!(scores.total().failed, 1);
    }

    #[test]
    fn what_a_test_prints_is_not_a_result() {
        for line in [
            "test result: fine",
            "test result: ok. many passed; 0 failed; 0 ignored",
            "Running away (",
        ] {
            assert_eq!(result(line), None);
        }
        assert_eq!(
            read("   Running tests/x.rs (target/unknown-0c)\nnothing", true).crates,
            []
        );
    }
}
