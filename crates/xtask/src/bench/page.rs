//! docs/benchmarks.md: the figures between two marks; what people write around them stays.

use anyhow::{Context, Result, bail};

use super::Section;
use crate::{say, shell};

const FILE: &str = "docs/benchmarks.md";

/// Writes the figures into the page.
pub(super) fn write(section: Section, figures: &str) -> Result<()> {
    let path = shell::root().join(FILE);
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    let Some(new) = replace(&old, section, figures) else {
        let (begin, end) = marks(section);
        bail!(
            "{FILE} has lost its marks: put the lines `{}` and `{}` where the figures belong",
            begin.trim(),
            end.trim()
        );
    };
    std::fs::write(&path, new).with_context(|| format!("cannot write {FILE}"))?;
    say::line(format_args!("wrote {FILE}"));
    Ok(())
}

fn marks(section: Section) -> (String, String) {
    let name = section.name();
    (
        format!("<!-- begin {name}: written by cargo xtask bench --write -->\n"),
        format!("<!-- end {name} -->\n"),
    )
}

fn replace(page: &str, section: Section, figures: &str) -> Option<String> {
    let (begin, end) = marks(section);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{figures}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_of_a_section_changes() {
        let part = |section, text: &str| {
            let (begin, end) = marks(section);
            format!("{begin}\n{text}\n{end}")
        };
        let page = |node: &str, cluster: &str| {
            let (node, cluster) = (part(Section::Node, node), part(Section::Cluster, cluster));
            format!("above\n{node}between\n{cluster}below\n")
        };
        let new = replace(&page("a", "b"), Section::Cluster, "new").expect("it has its marks");
        assert_eq!(new, page("a", "new"));
        assert_eq!(replace(&new, Section::Cluster, "new").as_ref(), Some(&new));
        assert_eq!(replace(&new, Section::Node, "newer"), Some(page("newer", "new")));
        assert_eq!(replace("no marks", Section::Node, "new"), None);
    }

    #[test]
    fn the_page_has_a_place_for_every_section() {
        let page = std::fs::read_to_string(shell::root().join(FILE)).expect("the page");
        for section in Section::ALL {
            assert!(replace(&page, section, "").is_some(), "{section:?}");
        }
    }
}
