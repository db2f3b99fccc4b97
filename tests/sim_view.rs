//! Goal: a trace becomes one page that needs nothing else, is well formed, bounded, and shows text
//! as text. Method: made-up traces, good and failing, of 3 and of 50 nodes; the page's tags are
//! matched, its data read back. `HIO_VIEW_DIR=DIR` writes the pages there to be looked at.

#[path = "support/traces.rs"]
mod traces;

use hio::link::{Client, Limits, Remoter, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner, Record, RecordedRun};
use hio::sim::view::{EVENTS_MAX, html};
use traces::cluster;

fn pages() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (nodes, secs) in [(3, 5), (50, 5)] {
        for (bad, word) in [(false, "good"), (true, "bad")] {
            let title = format!("sim_cluster --seed 7 --nodes {nodes}");
            let page = html(&title, &cluster(nodes, secs, bad, 7));
            all.push((format!("{word}{nodes}.html"), page));
        }
    }
    all
}

/// The content of the element that begins with `open`.
fn between<'p>(page: &'p str, open: &str, close: &str) -> &'p str {
    let start = page.find(open).expect(open) + open.len();
    &page[start..start + page[start..].find(close).expect(close)]
}

fn data(page: &str) -> &str {
    let element = between(page, "id=\"trace\"", "</script>");
    &element[element.find('>').expect("the end of the tag") + 1..]
}

/// Every tag is closed in order, attributes are quoted.
fn well_formed(page: &str) -> Result<(), String> {
    const VOID: &[&str] = &["meta", "input"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').ok_or("a tag without an end")?;
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().unwrap_or_default();
            if last != name {
                return Err(format!("</{name}> closes <{last}>"));
            }
            continue;
        }
        let name = tag.split_whitespace().next().unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("<{tag}> is no tag"));
        }
        if tag.matches('"').count() % 2 != 0 {
            return Err(format!("<{tag}> has an open quote"));
        }
        if VOID.contains(&name) {
            continue;
        }
        // What is in these is no markup.
        if name == "script" || name == "style" {
            let close = format!("</{name}>");
            let end = rest.find(&close).ok_or(close.clone())?;
            rest = &rest[end + close.len()..];
            continue;
        }
        open.push(name.to_owned());
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(format!("{open:?} are open")),
    }
}

#[test]
fn pages_are_well_formed_and_refer_to_nothing_outside() {
    let dir = std::env::var_os("HIO_VIEW_DIR");
    for (name, page) in pages() {
        if let Some(dir) = &dir {
            std::fs::write(std::path::Path::new(dir).join(&name), &page).unwrap();
        }
        assert_eq!(well_formed(&page), Ok(()), "{name}");
        for outside in [
            "http:",
            "https:",
            "//www",
            " src=",
            " href=",
            "url(",
            "@import",
            "fetch(",
            "import(",
            "XMLHttpRequest",
            "WebSocket",
            "sendBeacon",
            "innerHTML",
            "insertAdjacentHTML",
            "{{",
        ] {
            assert!(!page.contains(outside), "{name}: {outside}");
        }
        assert!(page.contains("default-src 'none'"), "{name}");
    }
}

#[test]
fn a_page_that_is_not_well_formed_is_seen() {
    let fine = "<!DOCTYPE html><p><b>x</b></p>";
    assert_eq!(well_formed(fine), Ok(()));
    for bad in ["<p>", "<p></b>", "<p class=\"x></p>", "<p?></p?>", "</p>"] {
        assert!(
            well_formed(&format!("<!DOCTYPE html>{bad}")).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn the_whole_trace_is_in_the_page() {
    let trace = cluster(3, 2, true, 1);
    let page = html("title", &trace);
    let shown: Vec<&str> = data(&page).lines().filter(|l| !l.is_empty()).collect();
    assert_eq!(shown, trace.lines().collect::<Vec<_>>());
}

#[test]
fn a_failing_run_says_what_failed_and_a_good_one_that_nothing_did() {
    let page = html("t", &cluster(3, 5, true, 7));
    let summary = between(&page, "<div id=\"summary\">", "<noscript>");
    for wanted in [
        "The check <q>one leader holds the lease</q> did not hold on node <q>a</q>",
        "It was the first of 2.",
        "partition a | b c",
        "became leader of term 2",
        "data-jump=\"3001000000\"",
    ] {
        assert!(summary.contains(wanted), "{wanted}\n{summary}");
    }
    let page = html("t", &cluster(3, 5, false, 7));
    assert!(page.contains("No check was violated and no node failed."));
}

#[test]
fn a_long_trace_is_cut_and_says_so() {
    let trace = cluster(50, 70, false, 3);
    let all = trace.lines().count();
    assert!(all > 4 * EVENTS_MAX, "{all}");
    let page = html("long", &trace);
    let shown = data(&page).lines().filter(|l| !l.is_empty()).count();
    assert!(
        shown <= EVENTS_MAX && shown > EVENTS_MAX * 9 / 10,
        "{shown}"
    );
    let said = format!("This page shows {shown} of {all} events");
    assert!(page.contains(&said), "{said}");
    assert!(data(&page).contains("\"crash\""), "the story is whole");
}

#[test]
fn whatever_a_trace_says_is_text() {
    let evil = [
        r#"{"tyme":1,"seq":0,"node":"</script><script>alert(1)</script>","event":"boot"}"#,
        r#"{"tyme":2,"seq":1,"node":"a","event":"note","text":"<!--<script>{{trace}}{{style}}"}"#,
        r#"{"tyme":3,"seq":2,"node":"<img src=x onerror=alert(1)>","event":"always","name":"</div>&\"'"}"#,
        r#"</script><script>alert(2)</script>"#,
        r#"{"tyme":4,"seq":3,"event":"x</script>"}"#,
    ];
    let page = html(
        "</title><script>alert(3)</script>{{trace}}",
        &evil.join("\n"),
    );
    assert_eq!(well_formed(&page), Ok(()));
    assert_eq!(
        page.matches("<script").count(),
        2,
        "the trace and the program"
    );
    assert!(!page.contains("<img") && !page.contains("alert(2)"));
    assert!(page.contains("1 lines of the trace could not be read"));
    let lines: Vec<serde_json::Value> = data(&page)
        .lines()
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["node"], "</script><script>alert(1)</script>");
    assert_eq!(lines[1]["text"], "<!--<script>{{trace}}{{style}}");
}

#[test]
fn no_trace_no_lines_and_lines_of_other_kinds_make_a_page() {
    for trace in [
        "",
        "\n\n",
        "hello\nworld",
        r#"{"tyme":5,"event":"recur","path":"x"}"#,
    ] {
        assert_eq!(well_formed(&html("", trace)), Ok(()), "{trace:?}");
    }
    assert!(html("", "").contains("The trace is empty."));
}

/// What a real echo over loopback told its program, as lines.
fn recorded_lines() -> String {
    let path = std::env::temp_dir().join(format!("hio-{}-view.rec", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    let mut net = Record::new(MioNet::new().unwrap(), file, "an echo");
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default());
    server.open(&mut net, Owner::NONE).unwrap();
    let mut client = Client::new(server.eha(), ConnectOptions::default(), Limits::default());
    client.open(net.now(), &mut net, Owner::NONE).unwrap();
    client.tx(&[7; 3000]).unwrap();
    for _ in 0..1000 {
        let soon = net.now() + std::time::Duration::from_millis(5);
        net.poll(soon).unwrap();
        let tyme = net.now();
        client.service(tyme, &mut net);
        let echo = |remoter: &mut Remoter| {
            let _ = remoter.echo();
        };
        server.service_each(tyme, &mut net, echo).unwrap();
        if client.rx().len() == 3000 {
            break;
        }
    }
    assert_eq!(client.rx().len(), 3000);
    drop(net);
    let mut recording = RecordedRun::open(std::fs::File::open(&path).unwrap()).unwrap();
    let mut lines = String::new();
    while let Some(line) = recording.next_line().unwrap() {
        lines += &line;
        lines += "\n";
    }
    std::fs::remove_file(&path).unwrap();
    lines
}

#[test]
fn a_recording_makes_a_page_with_a_lane_for_every_socket() {
    let lines = recorded_lines();
    let page = html("recorded", &lines);
    if let Some(dir) = std::env::var_os("HIO_VIEW_DIR") {
        std::fs::write(std::path::Path::new(&dir).join("recorded.html"), &page).unwrap();
    }
    let shown = data(&page).lines().filter(|l| !l.is_empty()).count();
    assert_eq!(shown, lines.lines().count(), "every line is read");
    assert_eq!(well_formed(&page), Ok(()));
    let sockets: std::collections::BTreeSet<String> = data(&page)
        .lines()
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok())
        .filter_map(|event| event["node"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(sockets.len(), 4, "the run, and three sockets: {sockets:?}");
}
