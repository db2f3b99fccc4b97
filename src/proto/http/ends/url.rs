//! Targets of requests: references resolved, queries and forms encoded.

use http::Uri;

/// A reference as in `Location`, against the URI it was found at (RFC 3986 §5.2). Fragments are
/// dropped. `None` when it is no URI.
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default();
    if !reference.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let whole = if has_scheme(reference) {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else {
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let path = match path {
            "" => base.path().to_owned(),
            path if path.starts_with('/') => without_dots(path),
            path => {
                let folder = base.path().rfind('/').map_or("/", |at| &base.path()[..=at]);
                without_dots(&format!("{folder}{path}"))
            }
        };
        let kept = if reference.is_empty() {
            base.query()
        } else {
            None
        };
        let query = query.or(kept).map(|q| format!("?{q}")).unwrap_or_default();
        format!("{scheme}://{authority}{path}{query}")
    };
    let whole: Uri = whole.parse().ok()?;
    (whole.scheme().is_some() && whole.authority().is_some()).then_some(whole)
}

/// RFC 3986 §3.1: a letter, and what follows up to a colon.
fn has_scheme(text: &str) -> bool {
    let scheme = text.split([':', '/', '?']).next().unwrap_or_default();
    let colon = text.as_bytes().get(scheme.len()) == Some(&b':');
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    colon && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(inside)
}

/// RFC 3986 §5.2.4, for a path that begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (nth, segment) in segments.iter().enumerate() {
        let last = nth + 1 == segments.len();
        match *segment {
            "." if last => kept.push(""),
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            "." => {}
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Pairs as `application/x-www-form-urlencoded`, which queries are, too.
pub(super) fn encode(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (nth, (name, value)) in pairs.iter().enumerate() {
        if nth > 0 {
            out.push('&');
        }
        escape(name, &mut out);
        out.push('=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-._*".contains(&b) => out.push(char::from(b)),
            b => {
                out.push('%');
                out.push(char::from(HEX[usize::from(b >> 4)]));
                out.push(char::from(HEX[usize::from(b & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_rfc_3986() {
        let base: Uri = "http://a/b/c/d?q".parse().expect("a URI");
        for (reference, wanted) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("g?y#s", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d?q"),
            ("#s", "http://a/b/c/d?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("https://b:8/x", "https://b:8/x"),
        ] {
            let found = resolve(&base, reference).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), Some(wanted), "{reference}");
        }
        for bad in ["mailto:x", "a b", "http://", "\u{e9}"] {
            assert_eq!(resolve(&base, bad), None, "{bad}");
        }
    }

    #[test]
    fn pairs_are_escaped() {
        let text = encode(&[("a b", "c&d=e"), ("\u{e9}", "~*-._"), ("", "")]);
        assert_eq!(text, "a+b=c%26d%3De&%C3%A9=%7E*-._&=");
    }
}
