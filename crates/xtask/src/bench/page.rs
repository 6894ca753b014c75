//! docs/benchmarks.md: the figures between two marks; what people write around them stays.

use anyhow::{Context, Result, bail};

use crate::{say, shell};

const FILE: &str = "docs/benchmarks.md";
const BEGIN: &str = "<!-- begin: written by cargo xtask bench --write -->\n";
const END: &str = "<!-- end -->\n";

/// Where there is no page yet.
const FRESH: &str =
    "# Benchmarks\n\nHow to read these figures: [loadtest/README.md](../loadtest/README.md).\n\n";

/// Writes the figures into the page.
pub(super) fn write(figures: &str) -> Result<()> {
    let path = shell::root().join(FILE);
    let old = match std::fs::read_to_string(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("{FRESH}{BEGIN}{END}"),
        Err(error) => return Err(error).context(FILE),
    };
    let Some(new) = replace(&old, figures) else {
        bail!(
            "{FILE} has lost its marks: put the lines `{}` and `{}` where the figures belong",
            BEGIN.trim(),
            END.trim()
        );
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, new).with_context(|| format!("cannot write {FILE}"))?;
    say::line(format_args!("wrote {FILE}"));
    Ok(())
}

fn replace(page: &str, figures: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{figures}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("above\n{BEGIN}\nold\n{END}below\n");
        let new = replace(&page, "new").expect("it has its marks");
        assert_eq!(new, format!("above\n{BEGIN}\nnew\n{END}below\n"));
        assert_eq!(replace(&new, "new").as_ref(), Some(&new));
        assert_eq!(replace("no marks", "new"), None);
    }
}
