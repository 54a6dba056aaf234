//! Where a program may be: the file that was named, or that name in each directory of PATH.
//!
//! Pure. Which of them is there, exec itself finds out.

use std::{
    ffi::{CStr, CString},
    iter,
};

/// Where programs are looked for without a PATH; execvp(3) does the same.
const PATH_DEFAULT: &[u8] = b"/bin:/usr/bin";

/// The files to try, in order. A name with a slash in it is a file's path and not searched for.
pub(super) fn candidates(program: &CStr, environment: &[CString]) -> Vec<CString> {
    let name = program.to_bytes();
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = environment.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
    path.unwrap_or(PATH_DEFAULT)
        .split(|&byte| byte == b':')
        .filter_map(|directory| inside(directory, name))
        .collect()
}

/// The file of that name in a directory; an empty one is the working directory, as in a shell.
fn inside(directory: &[u8], name: &[u8]) -> Option<CString> {
    let directory = if directory.is_empty() { b"." } else { directory };
    let path = directory.iter().copied().chain(iter::once(b'/')).chain(name.iter().copied());
    CString::new(path.collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_along_the_childs_own_path() {
        for (program, variable, expected) in [
            (c"vite", c"PATH=/a:/b/c", vec![c"/a/vite", c"/b/c/vite"]),
            (c"vite", c"PATH=:/a:", vec![c"./vite", c"/a/vite", c"./vite"]),
            (c"vite", c"XPATH=/a", vec![c"/bin/vite", c"/usr/bin/vite"]),
            (c"./vite", c"PATH=/a", vec![c"./vite"]),
            (c"/opt/vite", c"PATH=/a", vec![c"/opt/vite"]),
            (c"", c"PATH=/a", vec![]),
        ] {
            let found = candidates(program, &[c"HOME=/".into(), variable.into()]);
            assert_eq!(found.iter().map(|path| &**path).collect::<Vec<_>>(), expected);
        }
    }
}
