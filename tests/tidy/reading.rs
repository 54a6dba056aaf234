//! Reads Rust just well enough to see what a file names: paths, types, words.
//!
//! Pure. What of that is a fault is `tidy`'s to say.

/// Is the byte part of a name?
fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The number of the line in which the byte stands.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// The lines in which the words stand as words of their own.
pub(crate) fn lines_with(code: &str, words: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    code.match_indices(words)
        .filter(|(at, _)| *at == 0 || !in_name(bytes[at - 1]))
        .filter(|(at, _)| !bytes.get(at + words.len()).copied().is_some_and(in_name))
        .map(|(at, _)| line_of(code, at))
        .collect()
}

/// The names of the types that the code defines.
pub(crate) fn type_names(code: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    for (number, line) in code.lines().enumerate() {
        // An indented one is the associated type of a trait, which named it.
        if line.starts_with(' ') && line.trim_start().starts_with("type ") {
            continue;
        }
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        while let Some(word) = words.next() {
            if matches!(word, "struct" | "enum" | "trait" | "type" | "union") {
                names.extend(words.next().map(|name| (number + 1, name)));
            }
        }
    }
    names
}

/// Every path that begins at a crate (`crate`, `styxy`, `std`, `nix`, `rustix`) or climbs out of its
/// module by `super`, cut after three names and with its braces taken apart.
pub(crate) fn paths(code: &str, module: &[&str]) -> Vec<(usize, Vec<String>)> {
    const ROOTS: &[&str] = &["crate", "styxy", "std", "core", "nix", "rustix", "super"];
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for root in ROOTS {
        for (at, _) in code.match_indices(&format!("{root}::")) {
            if at > 0 && (in_name(bytes[at - 1]) || bytes[at - 1] == b':') {
                continue;
            }
            let mut branches = Vec::new();
            expand(&code[at..], &mut Vec::new(), &mut branches);
            found.extend(
                branches.into_iter().map(|path| (line_of(code, at), from_the_crate(path, module))),
            );
        }
    }
    found
}

/// Takes one `a::b::{c, d::e}` apart; returns how many bytes it was.
fn expand(text: &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let name_length = text.bytes().take_while(|byte| in_name(*byte) || *byte == b'*').count();
    prefix.push(text[..name_length].to_owned());
    let rest = &text[name_length..];
    let read = match rest.strip_prefix("::") {
        Some(group) if group.starts_with('{') => 2 + expand_group(group, prefix, found),
        Some(further)
            if further.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*') =>
        {
            2 + expand(further, prefix, found)
        }
        Some(_) | None => {
            found.push(prefix.clone());
            0
        }
    };
    prefix.pop();
    name_length + read
}

/// Takes one `{c, d::e}` apart; returns how many bytes it was.
fn expand_group(group: &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let bytes = group.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'}' {
        if in_name(bytes[at]) || bytes[at] == b'*' {
            at += expand(&group[at..], prefix, found);
            // `a as b`: the second name is no path.
            if let Some(renamed) = group[at..].strip_prefix(" as ") {
                at += 4 + renamed.bytes().take_while(|byte| in_name(*byte)).count();
            }
        } else {
            at += 1;
        }
    }
    at + 1
}

/// `super::super::x` in `cli::run` is `crate::x`.
fn from_the_crate(path: Vec<String>, module: &[&str]) -> Vec<String> {
    let climbs = path.iter().take_while(|name| *name == "super").count();
    if climbs == 0 {
        return path;
    }
    let stays = module.len().saturating_sub(climbs);
    std::iter::once("crate")
        .chain(module[..stays].iter().copied())
        .map(str::to_owned)
        .chain(path[climbs..].iter().cloned())
        .collect()
}

/// The text with comments, strings and character literals blanked, and every line where it was.
pub(crate) fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest, code.as_bytes().last().copied());
        let (skipped, further) = rest.split_at(length.max(first.len_utf8()));
        if length == 0 {
            code.push_str(skipped);
        } else {
            code.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = further;
    }
    code
}

/// How much of the text is a comment or a literal that begins right here; 0: it is code.
fn blank_length(rest: &str, before: Option<u8>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    if rest.starts_with('r') && !before.is_some_and(in_name) {
        let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            return rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len());
        }
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    // A lifetime (`'a`) has no closing quote after its first character; a literal has.
    let mut chars = rest.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), _) => quoted_length(rest, '\''),
        (Some('\''), Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => 0,
    }
}

/// The length of a literal with its quotes; a backslash takes the next character along.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The files of tests alone (`#[cfg(test)] mod scenes;`) that the module in this file declares.
pub(crate) fn modules_of_tests(path: &str, text: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|name| stem.strip_suffix(name));
    let folder = folder.unwrap_or(stem);
    let declared = text.split("#[cfg(test)]\nmod ").skip(1);
    let names = declared.filter_map(|rest| rest.lines().next()?.strip_suffix(';'));
    names.flat_map(|name| ["", "/mod"].map(|end| format!("{folder}/{name}{end}.rs"))).collect()
}

/// The code before the tests at its end.
pub(crate) fn without_tests(code: &str) -> &str {
    let begins = |(at, mark): &(usize, &str)| {
        code[at + mark.len()..].lines().next().is_some_and(|line| line.ends_with('{'))
    };
    let end = code.match_indices("\n#[cfg(test)]\nmod ").find(begins);
    end.map_or(code, |(at, _)| &code[..at])
}
