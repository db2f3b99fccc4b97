//! Goal: the project keeps its own rules: layering arrows, words in their places, sizes, headers.
//! Method: its files are read as text; every checker is first shown a planted violation.

#[path = "tidy/functions.rs"]
mod functions;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/logs.rs"]
mod logs;
#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/words.rs"]
mod words;

use std::collections::BTreeSet;

use scan::{File, files, read, tests_by_name};

const SOURCE_LINES_MAX: usize = 800;

fn source() -> Vec<File> {
    let found = files("src", &[".rs"]);
    assert!(found.len() > 10, "the source was not found");
    found
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn layers_follow_the_arrows() {
    let found: Vec<String> = source()
        .iter()
        .flat_map(|f| layers::violations(&f.path, &f.text))
        .collect();
    none(&found);
}

#[test]
fn a_planted_import_against_the_arrows_is_caught() {
    for (path, text) in [
        ("src/tyme/clock.rs", "use crate::net::Net;"),
        ("src/tyme/clock.rs", "use super::super::doing::Doer;"),
        ("src/net/mod.rs", "use super::link::Server;"),
        (
            "src/net/mio.rs",
            "mod inner { use super::super::super::doing::Doer; }",
        ),
        ("src/net/mio.rs", "fn f(x: &crate::doing::DoerId) {}"),
        ("src/doing/doist.rs", "use crate::net::{Net, MioNet};"),
        (
            "src/doing/doist.rs",
            "use crate::{net::{Net, Sid, mio::Slot}, tyme::Tyme};",
        ),
        ("src/doing/doist.rs", "use crate::net;"),
        ("src/doing/doist.rs", "use crate::link::Server;"),
        ("src/link/server.rs", "use crate::{doing::Doer as D};"),
        ("src/link/server.rs", "fn f() { crate::sim::Sim::new(); }"),
        ("src/proto/http/state.rs", "use crate::net::Net;"),
        ("src/sim/sim.rs", "use crate::link::{tls, Server};"),
        ("src/proto/channel/ends.rs", "use crate::doing::Doer;"),
        ("src/sim/sim.rs", "use crate::seeing::TraceEvents;"),
        ("src/seeing/trace.rs", "use crate::sim::Sim;"),
    ] {
        assert_eq!(layers::violations(path, text).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/proto/channel/ends.rs", "use crate::net::Net;"),
        (
            "src/net/mio.rs",
            "use crate::tyme::Tyme; use super::{Net, Sid}; use super::super::tyme;",
        ),
        (
            "src/doing/doist.rs",
            "use crate::{net::{self_, Net}, tyme::*};\nuse super::deeds::Deeds;",
        ),
    ] {
        let text = text.replace("self_, ", "");
        assert_eq!(
            layers::violations(path, &text),
            Vec::<String>::new(),
            "{path}"
        );
    }
    let commented =
        "// use crate::link::Server;\nconst S: &str = \"crate::link\"; /* crate::sim */";
    assert!(layers::violations("src/net/mio.rs", commented).is_empty());
    assert_eq!(
        layers::violations("src/lib.rs", "pub use crate::sim::Sim;"),
        Vec::<String>::new()
    );
}

#[test]
fn every_exception_is_still_needed() {
    for (file, name, reason) in layers::EXCEPTIONS {
        assert!(!reason.is_empty());
        let used = std::path::Path::new(file).exists()
            && layers::crate_paths(file, &read(file))
                .iter()
                .any(|(_, path)| path == name);
        assert!(used, "{file} does not name {name} any more");
    }
    for (file, name, reason) in functions::LONGER {
        assert!(!reason.is_empty());
        let long = functions::lengths(&read(file))
            .iter()
            .any(|(f, _, lines)| f == name && *lines > functions::LINES_MAX);
        assert!(long, "{file}: {name} is not too long any more");
    }
}

#[test]
fn t2_d2_words_stay_in_their_places() {
    let found: Vec<String> = source()
        .iter()
        .flat_map(|f| words::violations(&f.path, &f.text))
        .collect();
    none(&found);
}

/// The interface for C has `unsafe` where pointers of C are, and a table of loops; else it keeps the
/// same rules.
#[test]
fn t2_d2_words_stay_in_their_places_in_the_interface_for_c() {
    let files = files("hio-ffi/src", &[".rs"]);
    assert!(files.len() > 10, "the source was not found");
    let unsafe_in = ["api/", "raw.rs", "registry.rs", "lib.rs"];
    let mut found = Vec::new();
    for file in files {
        let text = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        let all = words::violations(&file.path, text);
        let mine = |line: &&String| {
            let pointers = unsafe_in
                .iter()
                .any(|place| file.path.starts_with(&format!("hio-ffi/src/{place}")));
            let table = file.path == "hio-ffi/src/registry.rs";
            !(line.contains("`unsafe`") && pointers || line.contains("`static`") && table)
        };
        found.extend(all.iter().filter(mine).cloned());
        let lines = file.text.lines().count();
        if lines > SOURCE_LINES_MAX {
            found.push(format!("{}: {lines} lines", file.path));
        }
        for (name, line, lines) in functions::lengths(&file.text) {
            if lines > functions::LINES_MAX {
                found.push(format!("{}:{line}: `{name}` has {lines} lines", file.path));
            }
        }
    }
    none(&found);
}

#[test]
fn a_planted_word_is_caught() {
    for (path, text) in [
        ("src/link/link.rs", "let now = std::time::Instant::now();"),
        ("src/tyme/tymer.rs", "use std::time::SystemTime;"),
        ("src/doing/doist.rs", "std::thread::sleep(gap);"),
        ("src/link/server.rs", "use std::collections::HashMap;"),
        ("src/link/server.rs", "use std::net::TcpStream;"),
        (
            "src/doing/deeds.rs",
            "static COUNT: AtomicU64 = AtomicU64::new(0);",
        ),
        ("src/doing/deeds.rs", "println!(\"{x}\");"),
    ] {
        assert_eq!(words::violations(path, text).len(), 1, "{path}: {text}");
    }
    let fine =
        "fn f(x: &'static str) -> char { 'x' } // Instant, HashMap\nconst S: &str = \"todo\";";
    assert_eq!(
        words::violations("src/link/link.rs", fine),
        Vec::<String>::new()
    );
}

#[test]
fn files_and_functions_stay_small() {
    let mut found = Vec::new();
    for file in source() {
        let lines = file.text.lines().count();
        if lines > SOURCE_LINES_MAX {
            found.push(format!("{}: {lines} lines", file.path));
        }
        for (name, line, lines) in functions::lengths(&file.text) {
            let listed = functions::LONGER
                .iter()
                .any(|(f, n, _)| *f == file.path && *n == name);
            if lines > functions::LINES_MAX && !listed {
                found.push(format!("{}:{line}: `{name}` has {lines} lines", file.path));
            }
        }
    }
    none(&found);
}

#[test]
fn a_planted_long_function_is_caught() {
    let body = "    step(\"}\");\n".repeat(69);
    let text = format!("trait T {{ fn short(&self) -> [u8; 3]; }}\nfn long() {{\n{body}}}\n");
    assert_eq!(functions::lengths(&text), [("long".to_owned(), 2, 71)]);
}

#[test]
fn every_log_line_has_its_row_and_every_row_its_line() {
    let said: BTreeSet<_> = source()
        .iter()
        .flat_map(|f| logs::calls(&f.path, &f.text))
        .collect();
    assert!(said.len() > 20, "the calls were not found");
    let listed = logs::listed(&read("docs/seeing.md"));
    let missing: Vec<_> = said.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&said).collect();
    assert!(
        missing.is_empty(),
        "docs/seeing.md has no row for {missing:#?}"
    );
    assert!(
        stale.is_empty(),
        "docs/seeing.md has rows for nothing: {stale:#?}"
    );
}

#[test]
fn a_planted_log_line_is_seen() {
    let text = "fn f() {\n log::warn!(\"x\");\n ::log::debug!(\n\"y\"); // log::error!(\"no\")\n}";
    let found: Vec<_> = logs::calls("src/net/mio/mod.rs", text)
        .into_iter()
        .collect();
    let row = |level: &str| ("hio::net::mio".to_owned(), level.to_owned());
    assert_eq!(found, [row("debug"), row("warn")]);
    let page = "| `hio::net::mio` | `debug`, `warn` | what |\n";
    assert_eq!(logs::listed(page).into_iter().collect::<Vec<_>>(), found);
    assert!(logs::calls("src/net/mod.rs", "let info = log::max_level();").is_empty());
}

#[test]
fn the_project_stands_alone() {
    let ends = [
        ".rs", ".md", ".toml", ".py", ".sh", ".txt", "run", ".c", ".h",
    ];
    let found: Vec<String> = files("", &ends)
        .iter()
        .flat_map(|f| words::outside(&f.path, &f.text))
        .collect();
    none(&found);
    assert_eq!(
        words::outside("x", &format!("see {}/x", words::OUTSIDE[1])).len(),
        1
    );
}

#[test]
fn tests_open_with_their_goal_and_method() {
    let mut found = Vec::new();
    let ffi = files("hio-ffi/tests", &[".rs"]);
    for file in files("tests", &[".rs"]).into_iter().chain(ffi) {
        if file
            .path
            .trim_start_matches("hio-ffi/")
            .matches('/')
            .count()
            > 1
        {
            continue;
        }
        let head: String = file
            .text
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .collect();
        if !file.text.starts_with("//! Goal:") || !head.contains("Method:") {
            found.push(format!(
                "{}: must open with `//! Goal: … Method: …`",
                file.path
            ));
        }
    }
    none(&found);
}

#[test]
fn examples_open_with_what_they_show_and_how_to_run_them() {
    let mut found = Vec::new();
    for file in files("examples", &[".rs"]) {
        let head: Vec<&str> = file
            .text
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .collect();
        let name = file
            .path
            .trim_start_matches("examples/")
            .trim_end_matches(".rs");
        // A crate of its own is run by its manifest.
        let command = match name.strip_suffix("/src/main") {
            Some(krate) => format!("--manifest-path examples/{krate}/Cargo.toml"),
            None => format!("--example {name}"),
        };
        let whole = file.text.contains("fn main(");
        if whole && !head.iter().any(|line| line.contains(&command)) {
            found.push(format!("{}: its header must show `{command}`", file.path));
        }
    }
    none(&found);
}

#[test]
fn every_law_has_a_test_of_its_name() {
    let page = read("docs/LAWS.md").to_lowercase();
    let laws: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split("**").next())
        .collect();
    assert!(laws.len() >= 25, "the laws of the page");
    let names = tests_by_name();
    // A test may bear several names: t2_d2_words_stay_in_their_places.
    let of = |name: &str| {
        name.split('_')
            .take_while(|part| laws.contains(part))
            .count()
    };
    let bears = |law: &str| {
        let named = |name: &String| name.split('_').take(of(name)).any(|part| part == law);
        names.iter().any(named)
    };
    let missing: Vec<&&str> = laws.iter().filter(|law| !bears(law)).collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

#[test]
fn versions_and_features_agree() {
    let manifest = read("Cargo.toml");
    let value = |key: &str| -> String {
        let line = manifest.lines().find(|l| l.starts_with(key)).expect(key);
        line.split('"').nth(1).expect("a quoted value").to_owned()
    };
    let (readme, page) = (read("README.md"), read("src/lib.rs"));
    let msrv = value("rust-version");
    assert!(
        readme.contains(&format!("Rust {msrv}")),
        "README: the MSRV is {msrv}"
    );
    let version = value("version");
    let changes = read("CHANGELOG.md");
    assert!(
        changes.contains(&format!("## {version}")),
        "CHANGELOG: no part for {version}"
    );
    let features = manifest.split("[features]").nth(1).expect("features");
    let features = features.split("\n[").next().unwrap_or_default();
    for line in features
        .lines()
        .filter(|l| l.contains(" = ") && !l.starts_with("default"))
    {
        let name = line.split(" = ").next().unwrap_or_default().trim();
        let row = format!("| `{name}`");
        assert!(
            readme.contains(&row),
            "README: no row for the feature {name}"
        );
        assert!(
            page.contains(&row),
            "src/lib.rs: no row for the feature {name}"
        );
    }
}
