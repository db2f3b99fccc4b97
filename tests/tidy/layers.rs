//! Which layer may name what of which other one: the arrows of the map in `src/lib.rs`.

use super::scan::{code, tokens};

/// What a layer may name of another one.
pub(crate) enum Allowed {
    All,
    Only(&'static [&'static str]),
}

/// The arrows. A layer that is not built yet costs nothing here and is checked when it comes.
pub(crate) fn allowed(from: &str, to: &str) -> Option<Allowed> {
    const NET: &[&str] = &[
        "Net",
        "Owner",
        "NetError",
        "Sid",
        "Group",
        "Interrupt",
        "Probe",
    ];
    match (from, to) {
        ("", _) => Some(Allowed::All),
        (_, _) if from == to => Some(Allowed::All),
        ("doing", "net") => Some(Allowed::Only(NET)),
        ("net" | "doing" | "link" | "proto" | "wire" | "sim" | "doers" | "crew", "tyme") => {
            Some(Allowed::All)
        }
        ("link" | "wire" | "sim" | "doers" | "crew", "net") => Some(Allowed::All),
        ("proto" | "wire" | "doers" | "crew", "link") => Some(Allowed::All),
        ("ends", "tyme" | "net" | "link" | "proto") => Some(Allowed::All),
        ("sim", "link") => Some(Allowed::Only(&["tls"])),
        ("sim" | "doers" | "crew", "doing") => Some(Allowed::All),
        ("crew", "sim") => Some(Allowed::All),
        ("doers", "proto" | "wire" | "sim") => Some(Allowed::All),
        // It looks at all that has figures or can be watched, and nobody needs it.
        ("seeing", "tyme" | "doing" | "net" | "link" | "wire") => Some(Allowed::All),
        _ => None,
    }
}

/// Names that break an arrow for a stated reason: (file, name, reason).
pub(crate) const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "src/doing/mod.rs",
    "net::NullNet",
    "the prelude hands it out: a scheduler without sockets needs no second import",
)];

pub(crate) const LAYERS: &[&str] = &[
    "tyme", "doing", "net", "doers", "link", "proto", "wire", "seeing", "sim", "crew",
];

/// Every name of another layer that a file may not use, as `line: path`.
pub(crate) fn violations(path: &str, text: &str) -> Vec<String> {
    let layer = layer_of(path);
    let mut found = Vec::new();
    for (line, name) in crate_paths(path, text) {
        let mut parts = name.split("::");
        let to = parts.next().unwrap_or_default();
        if !LAYERS.contains(&to) {
            continue;
        }
        let what = parts.next().unwrap_or("self");
        let fine = match allowed(layer, to) {
            Some(Allowed::All) => true,
            Some(Allowed::Only(names)) => names.contains(&what),
            None => false,
        };
        let excepted = EXCEPTIONS
            .iter()
            .any(|(file, e, _)| *file == path && *e == name);
        if !fine && !excepted {
            found.push(format!("{path}:{line}: `{layer}` must not name `{name}`"));
        }
    }
    found
}

/// `src/doing/doer.rs` and `src/doing.rs` are `doing`, `src/proto/http/ends/` is `ends`; `src/lib.rs` is the crate's own page.
fn layer_of(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    let mut parts = below.split('/');
    let first = parts.next().unwrap_or_default();
    // `proto/NAME/ends` carries a protocol's machine over links; the machine itself knows no net.
    let third = parts.nth(1).unwrap_or_default();
    if first == "proto" && third.strip_suffix(".rs").unwrap_or(third) == "ends" {
        return "ends";
    }
    let first = first.strip_suffix(".rs").unwrap_or(first);
    if first == "lib" { "" } else { first }
}

/// How many modules lie between a file and the crate's root.
fn depth_of(path: &str) -> usize {
    let parts: Vec<&str> = path.trim_start_matches("src/").split('/').collect();
    match parts.last() {
        Some(&"mod.rs" | &"lib.rs") => parts.len() - 1,
        _ => parts.len(),
    }
}

/// All paths in the code that begin at the crate's root, `use` trees taken apart.
pub(crate) fn crate_paths(path: &str, text: &str) -> Vec<(usize, String)> {
    let code = code(text);
    let tokens = tokens(&code);
    let depth = depth_of(path);
    let (mut found, mut i) = (Vec::new(), 0);
    // Braces of `mod name {` among all open ones: `super` leads out of those first.
    let mut open: Vec<bool> = Vec::new();
    while i < tokens.len() {
        match tokens[i].1 {
            "{" => open.push(i >= 2 && tokens[i - 2].1 == "mod"),
            "}" => {
                open.pop();
            }
            "crate" if follows_colons(&tokens, i) => {
                i = tree(&tokens, i + 3, "", &mut found);
                continue;
            }
            "super" => {
                let supers = run_of_supers(&tokens, i);
                let inner = open.iter().filter(|&&is_mod| is_mod).count();
                let after = i + 3 * supers;
                if supers >= depth + inner {
                    i = tree(&tokens, after, "", &mut found);
                } else {
                    i = after;
                }
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

fn follows_colons(tokens: &[(usize, &str)], i: usize) -> bool {
    matches!(tokens.get(i + 1..i + 3), Some([(_, ":"), (_, ":")]))
}

fn run_of_supers(tokens: &[(usize, &str)], start: usize) -> usize {
    let mut n = 0;
    while tokens.get(start + 3 * n).is_some_and(|t| t.1 == "super")
        && follows_colons(tokens, start + 3 * n)
    {
        n += 1;
    }
    n.max(1)
}

/// Reads a path or a `use` tree and adds every path in it; returns where it ends.
fn tree(
    tokens: &[(usize, &str)],
    start: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let mut i = start;
    let Some(&(line, word)) = tokens.get(i) else {
        return i;
    };
    if word == "{" {
        i += 1;
        while tokens.get(i).is_some_and(|t| t.1 != "}") {
            i = match tokens[i].1 {
                "," => i + 1,
                "as" => i + 2,
                _ => tree(tokens, i, prefix, found),
            };
        }
        return i + 1;
    }
    let name = if prefix.is_empty() {
        word.to_owned()
    } else {
        format!("{prefix}::{word}")
    };
    if follows_colons(tokens, i) {
        return tree(tokens, i + 3, &name, found);
    }
    found.push((line, name));
    i + 1
}
