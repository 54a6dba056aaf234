//! Which version of the file this styxy writes, and what becomes of older and newer ones.
//!
//! Pure. The version stands at the top of the file and is looked at before anything else: a file from a
//! newer styxy is refused untouched, an older one is brought up to date.

/// The version that this styxy reads and writes.
pub const VERSION: u32 = 1;

/// Why a file's version cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// A newer styxy has written it.
    #[error("it was written by a newer styxy (version {found}, this one knows {VERSION})")]
    Newer {
        /// What the file says.
        found: u32,
    },
    /// There is no version where it has to stand.
    #[error("it does not begin with a version")]
    Missing,
}

/// The version that a file's text begins with, if this styxy can work with it.
pub fn version_of(text: &[u8]) -> Result<u32, VersionError> {
    let rest = skip(text, b"{").ok_or(VersionError::Missing)?;
    let rest = skip(rest, b"\"version\"").ok_or(VersionError::Missing)?;
    let rest = skip(rest, b":").ok_or(VersionError::Missing)?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let found = std::str::from_utf8(&rest[..digits])
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(VersionError::Missing)?;
    if found > VERSION {
        return Err(VersionError::Newer { found });
    }
    if found == 0 {
        return Err(VersionError::Missing);
    }
    Ok(found)
}

/// What follows the token, leading white space aside.
fn skip<'a>(text: &'a [u8], token: &[u8]) -> Option<&'a [u8]> {
    text.trim_ascii_start().strip_prefix(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_before_anything_else() {
        for (text, expected) in [
            ("{\"version\":1,\"check\":", Ok(1)),
            ("{ \"version\" : 1 }", Ok(1)),
            ("{\"version\":2,whatever a newer one writes", Err(VersionError::Newer { found: 2 })),
            ("{\"version\":99999999999}", Err(VersionError::Missing)),
            ("{\"version\":0}", Err(VersionError::Missing)),
            ("{\"seq\":1,\"version\":1}", Err(VersionError::Missing)),
            ("", Err(VersionError::Missing)),
            ("{", Err(VersionError::Missing)),
            ("\0\0\0", Err(VersionError::Missing)),
        ] {
            assert_eq!(version_of(text.as_bytes()), expected, "{text}");
        }
    }
}
