//! Goal: a browser draws the page of a trace, and what the trace says does nothing in it. Method:
//! headless Chromium loads pages from files and prints what they became. Without Chromium:
//! `skipped: …`.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;
#[path = "support/traces.rs"]
mod traces;

use std::path::Path;
use std::process::{Command, Stdio};

use foreign::{Program, has};
use hio::sim::view::html;
use programs::scratch;

/// The page as it is when its script has run.
fn drawn(dir: &Path, name: &str, page: &str) -> String {
    let file = dir.join(name);
    std::fs::write(&file, page).expect("it can be written");
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args([
            "--disable-sync",
            "--window-size=1600,900",
            "--log-level=3",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .stderr(Stdio::null());
    let (well, dom) = Program::start("chromium", &mut chromium).finish();
    assert!(well, "{name}: {dom}");
    dom
}

/// What the page says of itself, by name: `3 lanes 202 messages 9 story 800 marks`.
fn counts(dom: &str) -> Vec<(String, usize)> {
    let said = dom
        .split("data-drawn=\"")
        .nth(1)
        .expect("the script ran to its end");
    let said = said.split('"').next().unwrap_or_default();
    let words: Vec<&str> = said.split(' ').collect();
    words
        .chunks_exact(2)
        .map(|pair| (pair[1].to_owned(), pair[0].parse().expect("a number")))
        .collect()
}

#[test]
fn a_browser_draws_good_and_failing_runs_of_3_and_50_nodes() {
    if !has("chromium", "--version") {
        return;
    }
    let dir = scratch("view");
    std::fs::create_dir_all(&dir).expect("a directory");
    for (nodes, bad) in [(3, false), (3, true), (50, true)] {
        let trace = traces::cluster(nodes, 5, bad, 7);
        let dom = drawn(&dir, &format!("{nodes}-{bad}.html"), &html("a run", &trace));
        let counts = counts(&dom);
        let of = |name: &str| counts.iter().find(|(n, _)| n == name).map(|(_, n)| *n);
        assert_eq!(of("lanes"), Some(nodes));
        let sent = trace.matches("\"event\":\"send\"").count();
        assert_eq!(of("messages"), Some(sent));
        assert!(
            of("story") >= Some(5) && of("marks") >= Some(50),
            "{counts:?}"
        );
        assert_eq!(
            dom.contains("class=\"always\""),
            bad,
            "the story tells of it"
        );
    }

    let evil = [
        r#"{"tyme":1,"seq":0,"node":"<img id=evil>","event":"boot"}"#,
        r#"{"tyme":2,"seq":1,"node":"a","event":"note","text":"<b id=evil>x</b></script>"}"#,
        r#"{"tyme":3,"seq":2,"node":"a","event":"always","name":"<u id=evil>"}"#,
        r#"{"tyme":4,"seq":3,"node":"__proto__","event":"constructor","id":"toString"}"#,
    ];
    let dom = drawn(&dir, "evil.html", &html("<i id=evil>", &evil.join("\n")));
    assert!(counts(&dom).contains(&("lanes".to_owned(), 3)));
    for tag in ["<img", "<b id", "<u id", "<i id"] {
        let mut markup = dom.clone();
        // The data are in a script element, where they are no markup.
        let start = markup.find("id=\"trace\"").expect("the data");
        let end = start + markup[start..].find("</script>").expect("its end");
        markup.replace_range(start..end, "");
        assert!(!markup.contains(tag), "{tag}");
    }
    let _ = std::fs::remove_dir_all(&dir);
}
