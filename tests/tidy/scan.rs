//! Reading the project's own files: what is there, and its code without comments and strings.
#![allow(dead_code, reason = "two test programs share it, each uses its part")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project: its path from the root with `/`, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All files below a folder whose name ends with one of `ends`, in order of their paths.
pub(crate) fn files(folder: &str, ends: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&root().join(folder), ends, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, ends: &[&str], found: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            let skipped = name.starts_with("target") || name == ".git" || name == "__pycache__";
            if !skipped {
                walk(&path, ends, found);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            let below = path
                .strip_prefix(root())
                .expect("it was found below the root");
            found.push(File {
                path: below.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(&path).unwrap_or_default(),
            });
        }
    }
}

/// The text with comments, strings and character literals blanked; every line keeps its number.
pub(crate) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !after_word(bytes, at) => raw_string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("whole literals and comments were blanked")
}

fn after_word(bytes: &[u8], at: usize) -> bool {
    at > 0
        && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
        && bytes[at - 1] != b'b'
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(bytes.len(), |n| at + n)
}

fn comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            (depth, i) = (depth + 1, i + 2);
        } else if bytes[i..].starts_with(b"*/") {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut i = at + 1;
    while i < bytes.len() && bytes[i] != b'"' {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    (i + 1).min(bytes.len())
}

fn raw_string_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return at;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let start = at + 2 + hashes;
    bytes[start..]
        .windows(close.len())
        .position(|w| w == close)
        .map_or(bytes.len(), |n| start + n + close.len())
}

/// A lifetime (`'a`) is no literal; `'x'`, `'\n'` and `'é'` are.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        return bytes[at + 3..]
            .iter()
            .position(|&b| b == b'\'')
            .map_or(at, |n| at + 4 + n);
    }
    let width = match bytes.get(at + 1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') {
        at + 2 + width
    } else {
        at
    }
}

/// Words and single punctuation marks, each with the number of its line.
pub(crate) fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let width = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .map_or(rest.len(), |n| n.max(first.len_utf8()));
            if !first.is_whitespace() {
                out.push((number + 1, &rest[..width]));
            }
            rest = &rest[width..];
        }
    }
    out
}

/// All words of the code in files below `src`, comments and strings left out.
pub(crate) fn words_of_source() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for file in files("src", &[".rs"]) {
        words.extend(
            tokens(&code(&file.text))
                .into_iter()
                .map(|(_, word)| word.to_owned()),
        );
    }
    words
}

/// The names of all test functions in `src` and `tests`, those inside `proptest!` too.
pub(crate) fn tests_by_name() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files("src", &[".rs"])
        .into_iter()
        .chain(files("tests", &[".rs"]))
    {
        let code = code(&file.text);
        let tokens = tokens(&code);
        for (i, pair) in tokens.windows(2).enumerate() {
            if pair[0].1 == "fn" && is_test(&tokens[..i]) {
                names.insert(pair[1].1.to_owned());
            }
        }
    }
    names
}

/// Whether the attributes that end here have `test` among them.
fn is_test(before: &[(usize, &str)]) -> bool {
    let mut end = before.len();
    while end > 0 && before[end - 1].1 == "]" {
        let Some(start) = before[..end].iter().rposition(|t| t.1 == "#") else {
            return false;
        };
        if before[start..end].iter().any(|t| t.1 == "test") {
            return true;
        }
        end = start;
    }
    false
}

/// What stands between backticks.
pub(crate) fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The cells of every row of every table in a Markdown text, without heads and rules.
pub(crate) fn rows(markdown: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = markdown.lines().collect();
    let is_rule = |line: &str| line.starts_with("|--") || line.starts_with("|:-");
    lines
        .iter()
        .enumerate()
        .filter(|(i, line)| {
            let head = lines.get(i + 1).is_some_and(|next| is_rule(next));
            line.starts_with('|') && !is_rule(line) && !head
        })
        .map(|(_, line)| cells(line))
        .collect()
}

/// A `|` between backticks or after a backslash is no border.
fn cells(line: &str) -> Vec<&str> {
    let (mut out, mut start, mut quoted, mut escaped) = (Vec::new(), 1, false, false);
    for (i, c) in line.char_indices().skip(1) {
        match c {
            '`' => quoted = !quoted,
            '|' if !quoted && !escaped => {
                out.push(line[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
        escaped = c == '\\';
    }
    out
}
