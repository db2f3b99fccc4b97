//! Goal: programs in C use the library as its users do, and neither they nor it touch memory that
//! is not theirs, or leak any. Method: each is compiled with the address and the undefined-behaviour
//! sanitizer against the static library, and run; leaks count. Without a C compiler the tests say
//! `skipped: …`. A program with a planted mistake shows that the sanitizer is at work.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const STRICT: [&str; 6] = ["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-g"];
/// What the standard library of Rust needs on Linux: `cargo rustc --lib -- --print native-static-libs`.
const SYSTEM: [&str; 5] = ["-lpthread", "-ldl", "-lm", "-lc", "-lgcc_s"];

fn here(file: &str) -> String {
    format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn scratch() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c");
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// A compiler whose sanitizers can be linked here.
fn compiler() -> Option<&'static str> {
    static FOUND: OnceLock<Option<&'static str>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            println!("skipped: the programs in C are built on Linux only");
            return None;
        }
        let empty = scratch().join("empty.c");
        std::fs::write(&empty, "int main(void) { return 0; }\n").expect("a file");
        for compiler in ["gcc", "clang", "cc"] {
            let built = Command::new(compiler)
                .args(SANITIZERS)
                .arg(&empty)
                .arg("-o")
                .arg(scratch().join("empty"))
                .output();
            if built.is_ok_and(|built| built.status.success()) {
                return Some(compiler);
            }
        }
        println!("skipped: no C compiler with sanitizers is here");
        None
    })
}

/// The static library of this very build: it is made along with the rlib that this test names.
fn library() -> PathBuf {
    // The library's own items must be used, or cargo might not have built it.
    assert_eq!(hio_ffi::hio_abi(), hio_ffi::abi::HIO_ABI);
    let mut dir = std::env::current_exe().expect("the test's own path");
    dir.pop();
    // Cargo leaves it beside the test, and sometimes links it into the directory above.
    let beside = dir.join("libhio_ffi.a");
    if beside.exists() {
        return beside;
    }
    panic!("libhio_ffi.a was not built: {}", dir.display());
}

/// Builds a program; none where there is no compiler.
fn build(name: &str) -> Option<PathBuf> {
    let compiler = compiler()?;
    // Each test has a program of its own: one that runs cannot be written.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test").replace("::", "-");
    let program = scratch().join(format!("{name}-for-{test}"));
    let built = Command::new(compiler)
        .args(STRICT)
        .args(SANITIZERS)
        .args(["-I", &here("include"), &here(&format!("tests/c/{name}.c"))])
        .arg(library())
        .args(SYSTEM)
        .arg("-o")
        .arg(&program)
        .output()
        .expect("the compiler runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{name}.c:\n{said}");
    Some(program)
}

/// Runs a program, for at most two minutes, with leaks counted.
fn run(program: &Path, args: &[&str]) -> Output {
    Command::new("timeout")
        .arg("120")
        .arg(program)
        .args(args)
        .env(
            "ASAN_OPTIONS",
            "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
        )
        .env("UBSAN_OPTIONS", "print_stacktrace=1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the program runs")
}

fn passes(name: &str, args: &[&str]) {
    let Some(program) = build(name) else {
        return;
    };
    let done = run(&program, args);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{name} {args:?}: {}\n{said}",
        done.status
    );
    assert_eq!(said, "", "{name} {args:?}");
    print!("{name} {args:?}: {}", String::from_utf8_lossy(&done.stdout));
}

/// A Unix address. Its path is short: a system holds about 100 bytes.
fn socket(name: &str) -> String {
    let file = format!("hio-ffi-{name}-{}.sock", std::process::id());
    format!("unix:{}", std::env::temp_dir().join(file).display())
}

/// Certificates in files: of a server and a client, both of one authority, and another authority's.
struct Papers {
    files: [String; 6],
}

fn papers(at: &str) -> Papers {
    let dir = scratch().join(format!("papers-{at}"));
    std::fs::create_dir_all(&dir).expect("a directory");
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
    };
    let (ours, other) = (authority("ours"), authority("theirs"));
    let file = |name: &str, pem: String| {
        let path = dir.join(name);
        std::fs::write(&path, pem).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let of = |name: &str, names: &[&str]| {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &*ours).expect("a certificate");
        [
            file(&format!("{name}.pem"), certificate.pem()),
            file(&format!("{name}.key"), key.serialize_pem()),
        ]
    };
    let [cert, key] = of("server", &["localhost", "127.0.0.1"]);
    let [own, own_key] = of("client", &["a client"]);
    let ca = file("ca.pem", ours.pem());
    let other = file("other.pem", other.pem());
    Papers {
        files: [cert, key, ca, own, own_key, other],
    }
}

#[test]
fn echo_plain() {
    passes("echo", &["127.0.0.1:0", "100", "20000", "0"]);
}

#[test]
fn echo_ipv6_or_large() {
    passes("echo", &["localhost:0", "2", "3000000", "0"]);
}

#[test]
fn echo_within_a_small_budget() {
    passes("echo", &["127.0.0.1:0", "100", "5000", "3"]);
}

#[test]
fn echo_unix() {
    let at = socket("plain");
    passes("echo", &[&at, "100", "20000", "0"]);
    assert!(!Path::new(&at["unix:".len()..]).exists(), "the file stays");
}

#[test]
#[cfg(feature = "tls")]
fn echo_tls() {
    let papers = papers("echo");
    let [cert, key, ca, ..] = &papers.files;
    passes("echo", &["127.0.0.1:0", "100", "40000", "0", cert, key, ca]);
}

#[test]
#[cfg(feature = "tls")]
fn echo_tls_unix_within_a_budget() {
    let papers = papers("unix");
    let [cert, key, ca, ..] = &papers.files;
    let at = socket("tls");
    passes("echo", &[&at, "20", "40000", "5", cert, key, ca]);
}

#[test]
#[cfg(feature = "tls")]
fn tls() {
    let papers = papers("tls");
    let files: Vec<&str> = papers.files.iter().map(String::as_str).collect();
    passes("tls", &files);
}

#[test]
#[cfg(feature = "tls")]
fn misuse() {
    passes("misuse", &[]);
}

#[test]
fn life() {
    passes("life", &[]);
}

/// The check of the check: reading what was lent for longer than it is, and a loop's texts after
/// it is gone, is seen; and so is memory that is lost.
#[test]
fn planted_mistakes_are_seen() {
    let Some(program) = build("planted") else {
        return;
    };
    for (mistake, words) in [
        ("rx", "heap-use-after-free"),
        ("text", "heap-use-after-free"),
        ("overflow", "stack-buffer-overflow"),
        ("leak", "detected memory leaks"),
    ] {
        let done = run(&program, &[mistake]);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success(), "{mistake} was not seen");
        assert!(said.contains(words), "{mistake}:\n{said}");
    }
    assert!(run(&program, &["none"]).status.success());
}
