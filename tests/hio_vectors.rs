#[path = "support/laws/mod.rs"]
pub mod laws;

use laws::{model, vectors};

#[test]
fn the_model_meets_every_vector() {
    let file = std::env::var("HIO_VECTORS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hio_vectors.jsonl").to_owned());
    let text = std::fs::read_to_string(file).unwrap();
    let mut n = 0;
    let mut bad = 0;
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        n += 1;
        if value["kind"] == "tymer" { continue; }
        let case = vectors::case(&value);
        let seen = model::expected(&case.scenario).unwrap();
        if let Some(d) = vectors::first_difference(&case.expect, &seen) {
            bad += 1;
            println!("{}: {d}", case.scenario.name);
        }
    }
    println!("compared {n} cases");
    assert_eq!(bad, 0);
}
