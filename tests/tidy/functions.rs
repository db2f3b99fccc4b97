//! How long functions are.

use super::scan::{code, tokens};

/// Lines a function may have.
pub(crate) const LINES_MAX: usize = 70;

/// Functions that are longer for a stated reason: (file, function, reason).
pub(crate) const LONGER: &[(&str, &str, &str)] = &[];

/// Every function with a body, as (name, first line, number of lines).
pub(crate) fn lengths(text: &str) -> Vec<(String, usize, usize)> {
    let code = code(text);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    for (i, pair) in tokens.windows(2).enumerate() {
        let named = pair[1]
            .1
            .starts_with(|c: char| c.is_alphabetic() || c == '_');
        if pair[0].1 != "fn" || !named {
            continue;
        }
        if let Some(last) = body_end(&tokens[i..]) {
            found.push((pair[1].1.to_owned(), pair[0].0, last - pair[0].0 + 1));
        }
    }
    found
}

/// The line of the brace that ends the body; none for a signature alone.
fn body_end(tokens: &[(usize, &str)]) -> Option<usize> {
    let (mut braces, mut others) = (0_usize, 0_usize);
    for (line, token) in tokens {
        match *token {
            "(" | "[" => others += 1,
            ")" | "]" => others = others.saturating_sub(1),
            ";" if braces == 0 && others == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(*line);
                }
            }
            _ => {}
        }
    }
    None
}
