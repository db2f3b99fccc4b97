//! Goal: the pages tell the truth: hio's names are all there, and every name of a test or of an item exists.
//! Method: tables of the pages are read and compared with hio's list, with the tests and with the source.

#[path = "tidy/scan.rs"]
mod scan;

use std::collections::BTreeSet;

use scan::{read, rows, spans, tests_by_name, words_of_source};

/// The names in backticks in the first cells of all tables.
fn named(page: &str) -> BTreeSet<String> {
    rows(page)
        .iter()
        .flat_map(|row| spans(row[0]))
        .map(str::to_owned)
        .collect()
}

/// Names of hio that have no row, and rows whose name hio does not have.
fn compare(api: &str, page: &str) -> (Vec<String>, Vec<String>) {
    // The module is told by the heading of the table.
    let api: BTreeSet<String> = api
        .lines()
        .filter_map(|line| line.split_once('.'))
        .map(|(_, n)| n.to_owned())
        .collect();
    let page = named(page);
    let missing = api.difference(&page).cloned().collect();
    let unknown = page.difference(&api).cloned().collect();
    (missing, unknown)
}

#[test]
fn every_name_of_hio_has_a_row() {
    let (api, page) = (read("tests/data/hio_api.txt"), read("docs/from-hio.md"));
    assert!(api.lines().count() > 200, "hio's list is cut");
    let (missing, unknown) = compare(&api, &page);
    assert!(
        missing.is_empty(),
        "docs/from-hio.md has no row for {missing:#?}"
    );
    assert!(unknown.is_empty(), "hio 0.7.20 does not have {unknown:#?}");
}

#[test]
fn a_planted_gap_in_the_rows_is_seen() {
    let page = "| hio | here |\n|---|---|\n| `Doist.do`, `Doist.ado` | `run` |\n";
    let (missing, unknown) = compare("doing.Doist.do\ndoing.Doist.exit\n", page);
    assert_eq!(
        (missing, unknown),
        (vec!["Doist.exit".to_owned()], vec!["Doist.ado".to_owned()])
    );
}

/// Words in backticks that are in no source file: a page that names them is out of date.
fn strangers(cells: &[&str], known: &BTreeSet<String>) -> Vec<String> {
    const OF_THE_LANGUAGE: &[&str] = &["async", "impl", "YourType", "App", "move"];
    let is_word = |w: &&str| w.len() > 2 && w.starts_with(|c: char| c.is_alphabetic());
    cells
        .iter()
        .flat_map(|cell| spans(cell))
        .filter(|span| !span.contains(['/', '"', '-']))
        .flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(is_word)
        .filter(|word| !known.contains(*word) && !OF_THE_LANGUAGE.contains(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_from_hio_says_to_write_exists() {
    let (page, known) = (read("docs/from-hio.md"), words_of_source());
    let rows = rows(&page);
    let cells: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    let found = strangers(&cells, &known);
    assert!(
        found.is_empty(),
        "docs/from-hio.md names what is not in the source: {found:?}"
    );
    assert_eq!(
        strangers(&["`Doist::no_such_thing`"], &known),
        ["no_such_thing"]
    );
}

/// hio's defects that can concern this crate now.
fn defects() -> Vec<String> {
    let base = (1..=23).filter(|n| *n != 4).map(|n| format!("D{n}"));
    let tymer = (1..=2).map(|n| format!("T{n}"));
    let tcp = (1..=25).map(|n| format!("S{n}"));
    let http = (1..=18).map(|n| format!("H{n}"));
    let http_client = (1..=15).map(|n| format!("C{n}"));
    base.chain(tymer)
        .chain(tcp)
        .chain(http)
        .chain(http_client)
        .collect()
}

/// Rows whose last cell names neither an existing test nor an existing item, or names a missing one.
fn unproven(page: &str, tests: &BTreeSet<String>, known: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows(page) {
        let (what, proof) = (row[0], row[row.len() - 1]);
        let names = spans(proof);
        if names.is_empty() && !proof.starts_with("not here:") {
            found.push(format!("{what}: no test and no type is named"));
        }
        for name in names {
            // Tests are in snake case; `Type` and `Type::item` are items of the source.
            let is_test = name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            let exists = if is_test {
                tests.contains(name)
            } else {
                strangers(&[&format!("`{name}`")], known).is_empty()
            };
            if !exists {
                found.push(format!("{what}: `{name}` does not exist"));
            }
        }
    }
    found
}

#[test]
fn every_defect_of_hio_is_excluded_by_a_test_or_a_type() {
    let page = read("docs/DEFECTS.md");
    let listed: Vec<String> = rows(&page).iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(listed, defects(), "one row for each defect, in order");
    let found = unproven(&page, &tests_by_name(), &words_of_source());
    assert!(found.is_empty(), "docs/DEFECTS.md:\n{}", found.join("\n"));
}

#[test]
fn every_promise_has_its_test() {
    let page = read("SECURITY.md");
    let promises = page.split("\n## ").nth(1).unwrap_or_default();
    assert!(rows(promises).len() >= 10, "the promises of the page");
    let found = unproven(promises, &tests_by_name(), &words_of_source());
    assert!(found.is_empty(), "SECURITY.md:\n{}", found.join("\n"));
}

#[test]
fn every_row_of_the_streams_seed_is_shown() {
    let page = read("docs/streams.md");
    let seed = page
        .split("\n## What the seed has")
        .nth(1)
        .unwrap_or_default();
    let seed = seed.split("\n## ").next().unwrap_or_default();
    assert_eq!(rows(seed).len(), 20, "one row for each of the seed's");
    let found = unproven(seed, &tests_by_name(), &words_of_source());
    assert!(found.is_empty(), "docs/streams.md:\n{}", found.join("\n"));
}

#[test]
fn every_element_of_the_channel_has_its_test() {
    let page = read("docs/channel.md");
    let checklist = page.split("\n## The checklist").nth(1).unwrap_or_default();
    let checklist = checklist.split("\n## ").next().unwrap_or_default();
    assert!(rows(checklist).len() >= 18, "the elements of the page");
    let (tests, known) = (tests_by_name(), words_of_source());
    let found = unproven(checklist, &tests, &known);
    assert!(found.is_empty(), "docs/channel.md:\n{}", found.join("\n"));
    let rows = rows(checklist);
    let here: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(
        strangers(&here, &known),
        Vec::<String>::new(),
        "docs/channel.md"
    );
}

#[test]
fn a_planted_proof_that_does_not_exist_is_seen() {
    let known: BTreeSet<String> = ["Tymer", "start"].map(str::to_owned).into();
    let tests: BTreeSet<String> = ["t3_tymer"].map(str::to_owned).into();
    let table = |proof: &str| format!("| a | b |\n|---|---|\n| X1 | {proof} |\n");
    for fine in [
        "`t3_tymer`",
        "`Tymer::start`",
        "`t3_tymer`, `Tymer`",
        "not here: later",
    ] {
        assert_eq!(
            unproven(&table(fine), &tests, &known),
            Vec::<String>::new(),
            "{fine}"
        );
    }
    for bad in [
        "`t3_gone`",
        "`Tymer::gone`",
        "words alone",
        "`t3_tymer` and `t4_gone`",
    ] {
        assert_eq!(unproven(&table(bad), &tests, &known).len(), 1, "{bad}");
    }
}

#[test]
fn tests_are_found_by_name() {
    let tests = tests_by_name();
    assert!(tests.contains("tests_are_found_by_name"));
    assert!(!tests.contains("tests_by_name"), "a helper is no test");
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in scan::files("docs", &[".md"]).into_iter().chain(
        ["README.md", "SECURITY.md", "CHANGELOG.md"].map(|path| scan::File {
            path: path.to_owned(),
            text: read(path),
        }),
    ) {
        let folder = scan::root().join(&page.path);
        for target in page
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            let is_local = !file.is_empty() && !file.contains("://");
            let path = folder.parent().expect("a page lies in a folder").join(file);
            assert!(
                !is_local || path.exists(),
                "{}: {target} leads nowhere",
                page.path
            );
        }
    }
}
