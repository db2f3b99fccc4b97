//! Which file logs at which level, as docs/seeing.md lists it.

use std::collections::BTreeSet;

use super::scan::{code, tokens};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// (target, level) of every call of a macro of the crate log in a file below `src`.
pub(crate) fn calls(path: &str, text: &str) -> BTreeSet<(String, String)> {
    let code = code(text);
    let tokens = tokens(&code);
    let words: Vec<&str> = tokens.iter().map(|(_, word)| *word).collect();
    let mut found = BTreeSet::new();
    for window in words.windows(5) {
        // The colons of a path are one token or two.
        let (log, rest) = (window[0], &window[1..]);
        let level = rest.iter().find(|word| !word.starts_with(':'));
        let at = rest.iter().position(|word| Some(word) == level);
        let bang = at.and_then(|at| rest.get(at + 1)).copied();
        if let ("log", Some(level), Some("!")) = (log, level, bang) {
            if at > Some(0) && LEVELS.contains(level) {
                found.insert((target(path), (*level).to_owned()));
            }
        }
    }
    found
}

/// The module of a file, which is the target of what it logs.
fn target(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod").replace('/', "::");
    format!("hio::{path}")
}

/// (target, level) of every row of the page's table.
pub(crate) fn listed(page: &str) -> BTreeSet<(String, String)> {
    let rows = page.lines().filter(|line| line.starts_with("| `hio::"));
    rows.flat_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let target = cells
            .next()
            .unwrap_or_default()
            .trim_matches('`')
            .to_owned();
        let levels = cells.next().unwrap_or_default();
        let levels = levels
            .split(',')
            .map(|level| level.trim().trim_matches('`').to_owned());
        levels
            .map(move |level| (target.clone(), level))
            .collect::<Vec<_>>()
    })
    .collect()
}
