//! Goal: the guide in docs/guide is whole, and every program in it is compiled and run.
//! Method: its summary is compared with its files and with src/pages.rs, whose pages are doctests; no
//! program may be marked as one that is only shown.

#[path = "tidy/scan.rs"]
mod scan;

use std::collections::BTreeSet;

use scan::{files, read};

const FOLDER: &str = "docs/guide/src";

/// The chapters that the summary names, by their files.
fn chapters(summary: &str) -> BTreeSet<String> {
    summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect()
}

/// The marks of all blocks of code: what stands behind the opening fence.
fn marks(page: &str) -> Vec<&str> {
    let fences = page.lines().filter_map(|line| line.strip_prefix("```"));
    fences.step_by(2).collect()
}

#[test]
fn the_summary_names_every_chapter_and_no_other() {
    let named = chapters(&read(&format!("{FOLDER}/SUMMARY.md")));
    let there: BTreeSet<String> = files(FOLDER, &[".md"])
        .iter()
        .filter_map(|file| file.path.strip_prefix(&format!("{FOLDER}/")))
        .filter(|name| *name != "SUMMARY.md")
        .map(str::to_owned)
        .collect();
    assert_eq!(named, there);
    assert!(named.len() >= 12);
}

#[test]
fn every_chapter_with_a_program_is_a_page_of_the_doctests() {
    let pages = read("src/pages.rs");
    for chapter in files(FOLDER, &[".md"]) {
        let line = format!("#[doc = include_str!(\"../{}\")]", chapter.path);
        let has_one = marks(&chapter.text).contains(&"rust");
        assert!(
            !has_one || pages.contains(&line),
            "src/pages.rs lacks {}",
            chapter.path
        );
    }
}

#[test]
fn every_program_is_run() {
    let mut programs = 0;
    for chapter in files(FOLDER, &[".md"]) {
        for mark in marks(&chapter.text) {
            let shown_only = ["text", "python", "sh", "toml", "c"].contains(&mark);
            assert!(
                mark == "rust" || shown_only,
                "{}: a block marked {mark:?} is not run",
                chapter.path
            );
            programs += usize::from(mark == "rust");
        }
    }
    assert!(programs >= 20, "only {programs} programs");
}

#[test]
fn a_program_that_is_only_shown_is_seen() {
    let page = "```rust,ignore\nfn main() {}\n```\ntext\n```rust\n```\n";
    assert_eq!(marks(page), ["rust,ignore", "rust"]);
}
