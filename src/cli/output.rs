//! Text or JSON, colour or not, tables, and nothing unescaped: how all commands print.
//!
//! Answers go to stdout, sentences to stderr. Colours are left out by anstream where nobody sees them.

use super::arguments::Session;
use crate::operations::{Error, view::Answer};
use anstyle::Style;
use comfy_table::{Table, TableStyle};
use serde::Serialize;
use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// How the head of a table looks.
const HEAD: Style = Style::new().bold();
/// What was tried when an answer cannot be printed.
const PRINT: &str = "write to standard output";
/// How wide a line may be where nobody says anything.
const WIDTH_DEFAULT: usize = 80;
/// How many lines where nobody says anything.
const HEIGHT_DEFAULT: usize = 24;
/// Blanks between two columns.
const COLUMN_GAP: u16 = 2;

/// Prints an answer.
pub(super) fn print(text: &str) -> Result<(), Error> {
    written(anstream::stdout().lock().write_all(text.as_bytes()))
}

/// Prints an answer as it is: what an instance wrote.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// Prints an answer as JSON: one line, or for a reader at a terminal several.
pub(super) fn json<T: Serialize>(answer: &T) -> Result<(), Error> {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(answer)
    } else {
        serde_json::to_string(answer)
    };
    print_bytes(format!("{}\n", text.expect("answers are made of plain values")).as_bytes())
}

/// Prints where an instance is: its port alone, or all as JSON.
pub(super) fn answer(answer: &Answer, as_json: bool) -> Result<(), Error> {
    if as_json { json(answer) } else { print(&format!("{}\n", answer.port)) }
}

/// Tells what was done to an instance: a sentence on stderr, or an object.
pub(super) fn done(answer: &Answer, session: &Session) -> Result<(), Error> {
    if session.json {
        return json(answer);
    }
    session.say(&answer.message);
    Ok(())
}

/// Prints an object on stderr, in one line: stdout is a command's.
pub(super) fn json_line<T: Serialize>(object: &T) {
    let text = serde_json::to_string(object).expect("answers are made of plain values");
    // There is no other place to say that stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says a sentence on stderr.
pub(super) fn say(sentence: &str) {
    // There is no other place to say that stderr is gone.
    let _ = writeln!(anstream::stderr().lock(), "{}", visible(sentence));
}

/// Says a sentence on stderr, behind what is ours to colour.
pub(super) fn say_behind(prefix: &str, sentence: &str) {
    // There is no other place to say that stderr is gone.
    let _ = writeln!(anstream::stderr().lock(), "{prefix}{}", visible(sentence));
}

/// Whether colours are shown there: on a terminal, unless somebody wants none.
pub(super) fn is_coloured(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Asks something on stderr; the answer stands on the same line.
pub(super) fn ask(question: &str) {
    // There is no other place to say that stderr is gone.
    let _ = write!(anstream::stderr().lock(), "{}", visible(question));
}

/// From now on, what is traced is shown on stderr.
pub(super) fn trace() {
    let traces = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(io::stderr)
        .try_init();
    traces.expect("only main asks for traces, and once");
}

/// Whether a failure is no more than a reader that has seen enough, as in `styxy list | head -1`.
pub(super) fn is_reader_gone(error: &Error) -> bool {
    matches!(error, Error::System { deed: PRINT, source } if source.kind() == io::ErrorKind::BrokenPipe)
}

fn written(result: io::Result<()>) -> Result<(), Error> {
    result.map_err(|source| Error::System { deed: PRINT, source })
}

/// The text with everything escaped that a terminal would obey, or that would show it other than it is.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_treacherous(letter) {
            shown.extend(letter.escape_debug());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that turn the direction of the text around.
fn is_treacherous(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A table without lines; every cell made visible.
pub(super) fn table<'a>(
    columns: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(columns.into_iter().collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| visible(&cell).into_owned()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, COLUMN_GAP));
    }
    let text = table.trim_fmt();
    let (names, rows) = text.split_once('\n').unwrap_or((&text, ""));
    let end = if rows.is_empty() { "" } else { "\n" };
    format!("{}{rows}{end}", head(names))
}

/// The names of columns, as a line.
pub(super) fn head(names: &str) -> String {
    format!("{HEAD}{}{HEAD:#}\n", names.trim_end())
}

/// How many columns a line may have: as `COLUMNS` says, else as the terminal has.
pub(super) fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    let seen = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into());
    told.or_else(seen).filter(|width| *width > 0).unwrap_or(WIDTH_DEFAULT)
}

/// How many lines are seen at once: as `LINES` says, else as the terminal has.
pub(super) fn height() -> usize {
    let told = std::env::var("LINES").ok().and_then(|text| text.trim().parse().ok());
    let seen = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_row.into());
    told.or_else(seen).filter(|height| *height > 0).unwrap_or(HEIGHT_DEFAULT)
}

/// Whether more than ASCII can be shown: the locale says so, as setlocale(3) would find it.
pub(super) fn is_unicode() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = variables.filter_map(std::env::var_os).find(|locale| !locale.is_empty());
    let name = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.contains("utf-8") || name.contains("utf8")
}

/// What stands where a text is cut.
pub(super) fn ellipsis() -> &'static str {
    if is_unicode() { "…" } else { "..." }
}

/// The text, cut where it is longer than a line may be; `more` shows that it is.
pub(super) fn cut<'a>(text: &'a str, width: usize, more: &str) -> Cow<'a, str> {
    let text = text.trim_end();
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    let kept = width.saturating_sub(more.chars().count());
    let end = text.char_indices().nth(kept).map_or(text.len(), |(end, _)| end);
    Cow::Owned(format!("{}{more}", text[..end].trim_end()))
}

/// A value, or that there is none.
pub(super) fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// An age, as short as one glance: `45s`, `12m`, `5h`, `3d`.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(size, _)| seconds >= *size);
    let (size, name) = unit.unwrap_or((1, "s"));
    format!("{}{name}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_would_obey_is_shown() {
        for (text, expected) in [
            ("plain, ünïcode 東京", "plain, ünïcode 東京"),
            ("it's \"quoted\" \\ so", "it's \"quoted\" \\ so"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{7f}\u{9b}2J", "\\u{7f}\\u{9b}2J"),
            ("abc\u{202e}cba", "abc\\u{202e}cba"),
            ("\0", "\\0"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn a_table_is_columns_and_nothing_else() {
        let rows = [["ai/rag".to_owned(), "11400".to_owned()], ["x\ny".to_owned(), "-".to_owned()]];
        let text = table(["NAME", "PORT"], rows);
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(text, "NAME    PORT\nai/rag  11400\nx\\ny    -\n");
    }

    #[test]
    fn a_table_without_rows_is_its_head() {
        let text = table(["NAME", "PORT"], Vec::<Vec<String>>::new());
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), "NAME  PORT\n");
    }

    #[test]
    fn a_text_is_cut_where_the_line_ends() {
        assert_eq!(cut("exactly", 7, "…"), "exactly");
        assert_eq!(cut("trailing   ", 8, "…"), "trailing");
        assert_eq!(cut("two words", 5, "…"), "two…");
        let text = "somewhat longer, ünïcode";
        for width in 3..text.chars().count() {
            let shown = cut(text, width, "...");
            assert!(shown.chars().count() <= width && shown.ends_with("..."), "{shown}");
        }
    }

    #[test]
    fn ages_are_rounded_down_to_one_unit() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7300, "2h"), (200_000, "2d")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }
}
