//! Goal: the checked-in header is the one that the source gives, and C and C++ take it without a
//! warning. Method: it is written anew by cbindgen and compared; compilers read it as strictly as
//! they can. `HIO_WRITE_HEADER=1` writes it.

use std::path::Path;
use std::process::Command;

const HEADER: &str = "include/hio.h";

fn here(file: &str) -> String {
    format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).expect("cbindgen.toml");
    let bindings = cbindgen::Builder::new()
        .with_crate(here(""))
        .with_config(config)
        .generate()
        .expect("the source can be read");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("the header is text")
}

#[test]
fn the_header_is_what_the_source_says() {
    let fresh = generated();
    if std::env::var_os("HIO_WRITE_HEADER").is_some() {
        std::fs::write(here(HEADER), &fresh).expect("the header can be written");
    }
    let kept = std::fs::read_to_string(here(HEADER)).expect("the header is there");
    let differ = fresh.lines().zip(kept.lines()).find(|(a, b)| a != b);
    assert!(
        fresh == kept,
        "{HEADER} is not up to date, run HIO_WRITE_HEADER=1 cargo test --test header\n{differ:?}"
    );
}

/// Each exported function is in the header, and the header has no other.
#[test]
fn the_header_has_every_function() {
    let header = std::fs::read_to_string(here(HEADER)).expect("the header is there");
    let mut exported = 0;
    for file in ["looping", "server", "link", "tls"] {
        let source = std::fs::read_to_string(here(&format!("src/api/{file}.rs"))).expect(file);
        for line in source
            .lines()
            .filter(|line| line.contains("extern \"C\" fn "))
        {
            let name = line
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            let name = name.expect("a name");
            assert!(
                header.contains(&format!("{name}(")),
                "{name} is not in the header"
            );
            exported += 1;
        }
    }
    let declared = header
        .lines()
        .filter(|line| !line.starts_with("//") && line.contains(" hio_") || line.contains("*hio_"))
        .filter(|line| line.contains('('))
        .count();
    assert_eq!(declared, exported);
}

/// Whether a compiler takes a text that includes the header; none when there is no such compiler.
fn compiles(compiler: &str, flags: &[&str], name: &str, text: &str) -> Option<()> {
    Command::new(compiler).arg("--version").output().ok()?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header");
    std::fs::create_dir_all(&dir).expect("a directory");
    let file = dir.join(name);
    std::fs::write(&file, text).expect("a file");
    let run = Command::new(compiler)
        .args(flags)
        .args([
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Wconversion",
            "-Wundef",
            "-Werror",
        ])
        .args(["-fsyntax-only", "-I", &here("include")])
        .arg(&file)
        .output()
        .expect("the compiler runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{compiler} {flags:?}:\n{said}");
    Some(())
}

#[test]
fn c_and_cpp_take_it_without_a_warning() {
    let text = "#include \"hio.h\"\n#include \"hio.h\"\n\
        hio_status go(hio_loop l);\nhio_status go(hio_loop l) { return hio_tick(l, HIO_FOREVER, 0); }\n";
    for (compiler, flags, name) in [
        ("gcc", &["-std=c99", "-Wstrict-prototypes"][..], "c99.c"),
        ("gcc", &["-std=c17"], "c17.c"),
        ("g++", &["-std=c++11"], "cpp11.cpp"),
        ("g++", &["-std=c++20"], "cpp20.cpp"),
        ("clang", &["-std=c99", "-Wdocumentation"], "clang.c"),
    ] {
        if compiles(compiler, flags, name, text).is_none() {
            println!("skipped: {compiler} is not here");
        }
    }
}

/// The README's program is a program.
#[test]
fn the_program_of_the_readme_compiles() {
    let page = std::fs::read_to_string(here("README.md")).expect("the README");
    let program = page.split("```c\n").nth(1).expect("a program");
    let program = program.split("```").next().expect("its end");
    let posix = format!("#define _POSIX_C_SOURCE 200809L\n{program}");
    if compiles("gcc", &["-std=c11"], "readme.c", &posix).is_none() {
        println!("skipped: gcc is not here");
    }
}
