//! What a source may give for a key: each kind of value, how it is read, and how it is shown.
//!
//! Pure. A file's values are strict TOML; a variable's or flag's text may stand for a number, a list or a table.

use super::{
    layer::Origin,
    name::{InstanceId, NameError, TypeName},
    quantity::{Size, parse_duration, show_duration},
};
use crate::ports::{Port, Range};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    str::FromStr,
    time::Duration,
};
use toml::{Value as Shown, de::DeValue};

/// Why a value is not one of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    message: String,
    hint: Option<String>,
}

impl ValueError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to write instead, where the message does not say it.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// What one source gave for one key.
pub(super) struct Given<'a> {
    /// As TOML.
    pub(super) value: &'a DeValue<'a>,
    /// The text of a variable or flag, in which numbers and lists have no marks.
    pub(super) written: Option<&'a str>,
    /// Where it stands.
    pub(super) origin: &'a Origin,
}

/// A kind of value.
pub(super) trait Value: Sized {
    /// Reads what was given.
    fn read(given: &Given<'_>) -> Result<Self, ValueError>;
    /// The value as TOML that would be read the same.
    fn show(&self) -> Shown;
}

/// A place in the configuration that holds a value, whatever its kind.
pub(super) trait Slot {
    /// Puts in what was given.
    fn set(&mut self, given: &Given<'_>) -> Result<(), ValueError>;
    /// What it holds, if anything.
    fn shown(&self) -> Option<Shown>;
}

impl<T: Value> Slot for T {
    fn set(&mut self, given: &Given<'_>) -> Result<(), ValueError> {
        *self = T::read(given)?;
        Ok(())
    }

    fn shown(&self) -> Option<Shown> {
        Some(self.show())
    }
}

impl<T: Value> Slot for Option<T> {
    fn set(&mut self, given: &Given<'_>) -> Result<(), ValueError> {
        *self = Some(T::read(given)?);
        Ok(())
    }

    fn shown(&self) -> Option<Shown> {
        self.as_ref().map(T::show)
    }
}

impl Given<'_> {
    /// The error for a value of another kind.
    pub(super) fn not(&self, wanted: &str) -> ValueError {
        let found = match (self.written, self.value) {
            (Some(text), _) => format!("`{}`", text.escape_debug()),
            (None, DeValue::String(text)) => format!("the text \"{}\"", text.escape_debug()),
            (None, DeValue::Integer(number)) => format!("the number {number}"),
            (None, DeValue::Float(number)) => format!("the number {number}"),
            (None, DeValue::Boolean(fact)) => fact.to_string(),
            (None, DeValue::Datetime(_)) => "a date".to_owned(),
            (None, DeValue::Array(_)) => "a list".to_owned(),
            (None, DeValue::Table(_)) => "a table".to_owned(),
        };
        ValueError::new(format!("wants {wanted}, not {found}"))
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        self.written.or_else(|| self.value.as_str())
    }

    /// The digits, if it is a number without a fraction, and their base.
    fn number(&self) -> Option<i64> {
        match (self.written, self.value.as_integer()) {
            (Some(text), _) => text.trim().parse().ok(),
            (None, Some(number)) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            (None, None) => None,
        }
    }

    /// A whole number that `T` can hold.
    fn whole<T: TryFrom<i64>>(&self, wanted: &str) -> Result<T, ValueError> {
        self.number().and_then(|number| T::try_from(number).ok()).ok_or_else(|| self.not(wanted))
    }

    /// What stands in a list; a text stands for one with commas where it came from a variable or flag.
    fn list<T: Value>(&self, wanted: &str) -> Result<Vec<T>, ValueError> {
        if let DeValue::Array(items) = self.value {
            let one = |value| T::read(&Given { value, written: None, origin: self.origin });
            return items.iter().map(|item| one(item.get_ref())).collect();
        }
        let text = self.written.ok_or_else(|| self.not(wanted))?;
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let one =
            |word| T::read(&Given { value: self.value, written: Some(word), origin: self.origin });
        words.map(one).collect()
    }

    /// What its text says, by the spelling that flags use too.
    pub(super) fn parsed<T>(&self, wanted: &str) -> Result<T, ValueError>
    where
        T: FromStr,
        T::Err: Into<ValueError>,
    {
        self.text().ok_or_else(|| self.not(wanted))?.parse().map_err(T::Err::into)
    }
}

macro_rules! wrong_value {
    ($($error:ty),*) => {$(
        impl From<$error> for ValueError {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        }
    )*};
}
wrong_value!(crate::ports::PortError, crate::ports::RangeError);

impl From<NameError> for ValueError {
    fn from(error: NameError) -> Self {
        Self::new(error.to_string()).hint(NameError::RULE)
    }
}

impl Value for bool {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        match (given.written, given.value) {
            (None, DeValue::Boolean(fact)) => Ok(*fact),
            (Some("true" | "yes" | "on" | "1"), _) => Ok(true),
            (Some("false" | "no" | "off" | "0"), _) => Ok(false),
            (None | Some(_), _) => Err(given.not("true or false")),
        }
    }

    fn show(&self) -> Shown {
        Shown::Boolean(*self)
    }
}

macro_rules! number {
    ($($kind:ty, $via:ty, $wanted:literal;)*) => {$(
        impl Value for $kind {
            fn read(given: &Given<'_>) -> Result<Self, ValueError> {
                given
                    .whole::<$via>($wanted)
                    .and_then(|number| <$kind>::try_from(number).map_err(|_| given.not($wanted)))
            }

            fn show(&self) -> Shown {
                Shown::Integer(i64::from(<$via>::from(*self)))
            }
        }
    )*};
}
number! {
    u16, u16, "a whole number from 0 to 65535";
    u32, u32, "a whole number, 0 or more";
    NonZeroU16, u16, "a whole number from 1 to 65535";
    NonZeroU32, u32, "a whole number, 1 or more";
}

impl Value for Port {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        let wanted = "a port from 1 to 65535";
        let number: u32 = given.whole(wanted)?;
        Self::try_from(number).map_err(|_| given.not(wanted))
    }

    fn show(&self) -> Shown {
        Shown::Integer(i64::from(self.number()))
    }
}

impl Value for String {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        let text = given.text().ok_or_else(|| given.not("text in quotes"))?;
        if text.contains('\0') {
            // The kernel ends a path, an argument and a variable there.
            return Err(ValueError::new("holds the character NUL"));
        }
        Ok(text.to_owned())
    }

    fn show(&self) -> Shown {
        Shown::String(self.clone())
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        given.list("a list in brackets")
    }

    fn show(&self) -> Shown {
        Shown::Array(self.iter().map(T::show).collect())
    }
}

impl Value for Duration {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        match (given.written, given.value) {
            (None, DeValue::Integer(number)) if number.radix() == 10 => {
                parse_duration(number.as_str())
            }
            (None, DeValue::Float(number)) => parse_duration(number.as_str()),
            (Some(_) | None, _) => {
                parse_duration(given.text().ok_or_else(|| given.not("a duration like \"10s\""))?)
            }
        }
    }

    fn show(&self) -> Shown {
        Shown::String(show_duration(*self))
    }
}

impl Value for Size {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        match given.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse(),
            _ => given.parsed("a size like \"10MiB\""),
        }
    }

    fn show(&self) -> Shown {
        Shown::String(self.to_string())
    }
}

impl Value for Range {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        let wanted = "two ports, [first, last]";
        if !matches!(given.value, DeValue::Array(_)) {
            return Ok(given.text().ok_or_else(|| given.not(wanted))?.parse()?);
        }
        match given.list::<Port>(wanted)?.as_slice() {
            [first, last] => Ok(Self::new(*first, *last)?),
            [] => Err(ValueError::new("the range is empty: write [first, last]")),
            [_] | [_, _, _, ..] => Err(ValueError::new("a range is two ports: [first, last]")),
        }
    }

    fn show(&self) -> Shown {
        Shown::Array(vec![self.first().show(), self.last().show()])
    }
}

impl Value for SocketAddr {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        let text = given.text().ok_or_else(|| given.not("an address like \"127.0.0.1:9876\""))?;
        text.parse().map_err(|_| given.not("an address like \"127.0.0.1:9876\""))
    }

    fn show(&self) -> Shown {
        Shown::String(self.to_string())
    }
}

/// Gives kinds that flags spell too (`FromStr` and `Display`) their place among the values.
macro_rules! spelled {
    ($($kind:ty, $wanted:literal;)*) => {$(
        impl $crate::config::value::Value for $kind {
            fn read(given: &$crate::config::value::Given<'_>) -> Result<Self, ValueError> {
                given.parsed($wanted)
            }

            fn show(&self) -> toml::Value {
                toml::Value::String(self.to_string())
            }
        }
    )*};
}
pub(super) use spelled;

spelled! {
    TypeName, "the name of a service type";
    InstanceId, "the id of an instance";
}

/// Variables for a child: anything that a variable's name can be.
pub(super) fn insert_variable(
    variables: &mut BTreeMap<String, String>,
    name: &str,
    given: &Given<'_>,
) -> Result<(), ValueError> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(ValueError::new(format!("`{}` cannot be a variable", name.escape_debug())));
    }
    variables.insert(name.to_owned(), String::read(given)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads TOML as a file's value.
    fn file<T: Value>(toml: &str) -> Result<T, String> {
        let value = DeValue::parse(toml).unwrap();
        let given = Given { value: value.get_ref(), written: None, origin: &Origin::Default };
        T::read(&given).map_err(|error| error.to_string())
    }

    /// Reads text as a variable's value.
    fn variable<T: Value>(text: &str) -> Result<T, String> {
        let value = DeValue::String(text.into());
        let given = Given { value: &value, written: Some(text), origin: &Origin::Default };
        T::read(&given).map_err(|error| error.to_string())
    }

    #[test]
    fn ports_are_numbers_from_1_to_65535() {
        for (toml, expected) in [
            ("1", Ok(1)),
            ("65_535", Ok(65535)),
            ("0x1F90", Ok(8080)),
            ("0", Err("wants a port from 1 to 65535, not the number 0")),
            ("65536", Err("wants a port from 1 to 65535, not the number 65536")),
            ("-1", Err("wants a port from 1 to 65535, not the number -1")),
            ("\"80\"", Err("wants a port from 1 to 65535, not the text \"80\"")),
            ("80.5", Err("wants a port from 1 to 65535, not the number 80.5")),
            ("[80]", Err("wants a port from 1 to 65535, not a list")),
        ] {
            let read = file::<Port>(toml).map(Port::number);
            assert_eq!(read, expected.map_err(str::to_owned), "{toml}");
        }
    }

    #[test]
    fn ranges_are_two_ports_in_order() {
        for (toml, expected) in [
            ("[80, 90]", Ok(Range::known(80, 90))),
            ("\"80-90\"", Ok(Range::known(80, 90))),
            ("[]", Err("the range is empty: write [first, last]")),
            ("[80]", Err("a range is two ports: [first, last]")),
            ("[1, 2, 3]", Err("a range is two ports: [first, last]")),
            ("[90, 80]", Err("range 90-80 is inverted: its first port is above its last")),
            ("[0, 80]", Err("wants a port from 1 to 65535, not the number 0")),
            ("80", Err("wants two ports, [first, last], not the number 80")),
        ] {
            assert_eq!(file::<Range>(toml), expected.map_err(str::to_owned), "{toml}");
        }
    }

    #[test]
    fn a_variables_text_stands_for_numbers_facts_and_lists() {
        assert_eq!(variable::<bool>("true"), Ok(true));
        assert_eq!(variable::<u16>("12"), Ok(12));
        assert_eq!(variable::<Vec<Port>>("80, 81"), Ok(vec![Port::known(80), Port::known(81)]));
        assert_eq!(variable::<Vec<String>>(""), Ok(Vec::new()));
        assert_eq!(variable::<Range>("80-90"), Ok(Range::known(80, 90)));
        assert_eq!(variable::<Duration>("90"), Ok(Duration::from_secs(90)));
        assert_eq!(variable::<String>("12"), Ok("12".to_owned()));
        assert_eq!(
            variable::<u16>("x").unwrap_err(),
            "wants a whole number from 0 to 65535, not `x`"
        );
    }

    #[test]
    fn a_files_text_stands_for_nothing_else() {
        assert!(file::<bool>("\"true\"").is_err());
        assert!(file::<u16>("\"12\"").is_err());
        assert!(file::<Vec<String>>("\"a,b\"").is_err());
        assert!(file::<String>("12").is_err());
        assert!(file::<String>("\"a\\u0000b\"").is_err());
        assert!(file::<Duration>("true").is_err());
        assert!(file::<NonZeroU16>("0").is_err());
    }

    #[test]
    fn what_is_shown_reads_the_same() {
        fn check<T: Value + PartialEq + std::fmt::Debug>(value: T) {
            assert_eq!(file::<T>(&value.show().to_string()), Ok(value));
        }
        check(true);
        check(65535u16);
        check(Port::known(80));
        check(Range::known(80, 90));
        check("a \"quoted\"\ntext".to_owned());
        check(vec!["a".to_owned(), "b,c".to_owned()]);
        check(Duration::from_millis(90_500));
        check(Size::mebibytes(10));
        check("127.0.0.1:9876".parse::<SocketAddr>().unwrap());
    }
}
