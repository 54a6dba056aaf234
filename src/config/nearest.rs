//! The valid word that someone who wrote another one most likely meant.
//!
//! Pure. Also the one place that says when two spellings of a schema's name are the same.

/// Words less alike than this are not worth suggesting.
const LIKENESS_MIN: f64 = 0.5;

/// What `preferred-ports`, `preferred_ports` and `preferredPorts` have in common.
pub(super) fn squashed(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The candidate most like `given`, if any is like it at all.
pub(super) fn nearest<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = squashed(given);
    candidates
        .into_iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(&given, &squashed(word)), word))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, word)| word)
}

/// The hint for a word that is none of the candidates.
pub fn suggestion(given: &str, candidates: &[&str]) -> String {
    match nearest(given, candidates.iter().copied()) {
        Some(word) => format!("did you mean '{word}'?"),
        None => format!("known here: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_or_all_are_listed() {
        let words = ["range", "preferred_ports", "restart"];
        for (given, expected) in [
            ("prefered_ports", "did you mean 'preferred_ports'?"),
            ("preferedPorts", "did you mean 'preferred_ports'?"),
            ("rang", "did you mean 'range'?"),
            ("zzz", "known here: range, preferred_ports, restart"),
            ("", "known here: range, preferred_ports, restart"),
        ] {
            assert_eq!(suggestion(given, &words), expected, "{given:?}");
        }
    }

    #[test]
    fn dashes_underscores_and_capitals_do_not_tell_names_apart() {
        for text in ["min_port", "min-port", "minPort", "MIN_PORT"] {
            assert_eq!(squashed(text), "minport");
        }
    }
}
