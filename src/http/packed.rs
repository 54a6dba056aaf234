//! The page's files as they lie in the program: compressed by `build/page.rs`, and inflated for who does
//! not take that.
//!
//! Pure. Nothing that was inflated is kept: browsers take gzip, so hardly anybody asks.

use hyper::http::{HeaderMap, header};
use miniz_oxide::inflate::decompress_slice_iter_to_slice;

/// What stands before the content in a file of gzip that has no name and no time …
const HEAD_BYTES: usize = 10;
/// … and behind it: a checksum, and the length as it was.
const TAIL_BYTES: usize = 8;

/// A file as it was before it was compressed.
pub(super) fn inflated(file: &[u8]) -> Vec<u8> {
    let (head, rest) = file.split_at(HEAD_BYTES);
    let (content, tail) = rest.split_at(rest.len() - TAIL_BYTES);
    assert_eq!(head[3], 0, "the build gives it neither a name nor anything else");
    let length = u32::from_le_bytes([tail[4], tail[5], tail[6], tail[7]]);
    let mut plain = vec![0; usize::try_from(length).expect("it lies in this program")];
    let inflated = decompress_slice_iter_to_slice(&mut plain, [content].into_iter(), false, true);
    assert_eq!(inflated, Ok(plain.len()), "the build has compressed it");
    plain
}

/// Whether a client says that it takes gzip, and not that it would rather have none.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let (mut gzip, mut any, mut plain) = (None, None, None);
    for (name, weight) in codings.map(weighed) {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "identity" => plain = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= plain.unwrap_or(0.0)
}

/// A coding and its weight, from 0 for "never" to 1. One that makes no sense is none: plain text is never
/// wrong.
fn weighed(coding: &str) -> (&str, f32) {
    let Some((name, weight)) = coding.split_once(';') else { return (coding.trim(), 1.0) };
    let weight = weight.trim();
    let weight = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
    let weight = weight.and_then(|weight| weight.parse().ok());
    (name.trim(), weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::http::HeaderValue;

    #[test]
    fn who_takes_gzip_gets_it_and_nobody_else() {
        let cases: &[(&[&str], bool)] = &[
            (&[], false),
            (&[""], false),
            (&["gzip"], true),
            (&["GZip"], true),
            (&["x-gzip"], true),
            (&["gzip, deflate, br, zstd"], true),
            (&["deflate,br , gzip"], true),
            (&["br", "gzip"], true),
            (&["deflate, br"], false),
            (&["identity"], false),
            (&["gzipped"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["gzip;q=0"], false),
            (&["gzip;q=0.000"], false),
            (&["gzip; q=0.001"], true),
            (&["gzip ; Q=1.0"], true),
            (&["gzip;q=0, *"], false),
            (&["*;q=0, gzip"], true),
            (&["gzip;q=0.5, identity"], false),
            (&["gzip, identity;q=0.5"], true),
            (&["gzip;q=0.5, identity;q=0.5"], true),
            (&["identity;q=0"], false),
            (&["gzip;q=0, identity;q=0"], false),
            (&["gzip;"], false),
            (&["gzip;q=x"], false),
            (&["gzip;q=-1"], false),
            (&["gzip;q=NaN"], false),
            (&["gzip;q=2"], false),
            (&[";;,,=", "gzip"], true),
        ];
        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(takes_gzip(&headers), *expected, "{lines:?}");
        }
        let mut headers = HeaderMap::new();
        let no_text = HeaderValue::from_bytes(b"gzip\xff").unwrap();
        headers.append(header::ACCEPT_ENCODING, no_text);
        assert!(!takes_gzip(&headers));
    }
}
