//! What an instance is called when nobody says: its id, its scope, and how its project is shown.
//!
//! Pure. The project's root and the working directory are found by the caller; whether an instance of
//! that name may start is `second_run`'s business.

use crate::config::{Behavior, InstanceId, NAME_LENGTH_MAX};
use crate::registry::Scope;
use std::path::Path;

/// So many hash characters tell two long ids apart.
const ID_HASH_LENGTH: usize = 6;
/// So many hash characters tell two projects of one name apart.
const PROJECT_HASH_LENGTH: usize = 4;

/// Where an instance belongs: one of a `single` type to the machine, any other to its project.
pub fn default_scope(behavior: Behavior, project_root: &Path) -> Scope {
    match behavior {
        Behavior::Single => Scope::Machine,
        Behavior::Multi => Scope::Project(project_root.to_string_lossy().into()),
    }
}

/// The id of an instance of a `single` type: that of the running one, else the tool's name.
pub fn single_id(running: Option<&InstanceId>, tool_name: &str) -> InstanceId {
    running.cloned().unwrap_or_else(|| id_from(tool_name))
}

/// The id of an instance of a `multi` type: the path below the project's root, or the project's name.
pub fn multi_id(project_root: &Path, directory: &Path) -> InstanceId {
    match directory.strip_prefix(project_root) {
        Ok(below) if below.components().next().is_some() => id_from(&below.to_string_lossy()),
        Ok(_) | Err(_) => id_from(&folder_name(project_root)),
    }
}

/// The id that is nearest to a text; two long texts get two ids.
pub fn id_from(text: &str) -> InstanceId {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let cleaned: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let cleaned = cleaned.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let id = match cleaned.len() {
        0 => format!("id-{}", hash(text, ID_HASH_LENGTH)),
        1..=NAME_LENGTH_MAX => cleaned.to_owned(),
        // All characters are ASCII by now, so any cut is at a character.
        _ => {
            let kept = &cleaned[..NAME_LENGTH_MAX - ID_HASH_LENGTH - 1];
            format!("{kept}-{}", hash(text, ID_HASH_LENGTH))
        }
    };
    id.parse().expect("a cleaned id follows the rule of names")
}

/// The id of one more instance beside the one with this id: `web-2`.
pub fn numbered(id: &InstanceId, number: u32) -> InstanceId {
    let ending = format!("-{number}");
    let kept = id.as_str().len().min(NAME_LENGTH_MAX - ending.len());
    let id = format!("{}{ending}", &id.as_str()[..kept]);
    id.parse().expect("a shortened id and a number follow the rule of names")
}

/// How a project is shown: its folder's name, and a few hash characters where another root has the same.
pub fn display_name<'a>(root: &str, other_roots: impl IntoIterator<Item = &'a str>) -> String {
    let name = folder_name(Path::new(root));
    let shared =
        other_roots.into_iter().any(|other| other != root && folder_name(Path::new(other)) == name);
    // A folder's name may hold a line break or an escape; what is shown may not.
    let shown: String = name.chars().map(|c| if c.is_control() { '-' } else { c }).collect();
    if shared { format!("{shown}~{}", hash(root, PROJECT_HASH_LENGTH)) } else { shown }
}

/// A project's folder and hash, the same whatever other projects there are: for the names of files.
pub fn distinct_name(root: &str) -> String {
    let name = id_from(&folder_name(Path::new(root)));
    format!("{name}~{}", hash(root, PROJECT_HASH_LENGTH))
}

/// The last part of a path; the root of the file system has none.
fn folder_name(path: &Path) -> String {
    path.file_name().map_or("root".into(), |name| name.to_string_lossy()).into_owned()
}

/// The last `length` hexadecimal digits of a checksum; for telling apart, not for safety.
fn hash(text: &str, length: usize) -> String {
    let digits = format!("{:08x}", crc32fast::hash(text.as_bytes()));
    digits[digits.len() - length..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> InstanceId {
        text.parse().unwrap()
    }

    #[test]
    fn a_multi_instance_is_called_after_its_place_in_the_project() {
        for (root, directory, expected) in [
            ("/home/ann/shop", "/home/ann/shop", "shop"),
            ("/home/ann/shop", "/home/ann/shop/web", "web"),
            ("/home/ann/shop", "/home/ann/shop/apps/web", "apps-web"),
            ("/home/ann/shop", "/home/ann/shop/apps/my app", "apps-my-app"),
            ("/home/ann/shop", "/home/ann/shop/.storybook", "storybook"),
            ("/home/ann/shop", "/home/ann/shopping", "shop"),
            ("/home/ann/my shop", "/home/ann/my shop", "my-shop"),
            ("/", "/srv/web", "srv-web"),
            ("/", "/", "root"),
        ] {
            let derived = multi_id(Path::new(root), Path::new(directory));
            assert_eq!(derived.as_str(), expected, "{directory} in {root}");
        }
    }

    #[test]
    fn a_single_instance_is_the_running_one_or_called_after_its_tool() {
        assert_eq!(single_id(Some(&id("rag")), "ollama"), id("rag"));
        assert_eq!(single_id(None, "ollama"), id("ollama"));
        assert_eq!(single_id(None, "python3.11"), id("python3.11"));
    }

    #[test]
    fn a_single_type_belongs_to_the_machine() {
        let root = Path::new("/home/ann/shop");
        assert_eq!(default_scope(Behavior::Single, root), Scope::Machine);
        assert_eq!(default_scope(Behavior::Multi, root), Scope::Project("/home/ann/shop".into()));
    }

    #[test]
    fn folders_without_any_allowed_character_still_differ() {
        let (one, other) = (id_from("日本"), id_from("中国"));
        assert_ne!(one, other);
        assert!(one.as_str().starts_with("id-"));
        assert_ne!(id_from(""), one);
    }

    #[test]
    fn a_long_path_is_cut_and_hashed() {
        let (one, other) = (id_from(&"packages/".repeat(9)), id_from(&"packages/".repeat(10)));
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), NAME_LENGTH_MAX);
        assert!(one.as_str().starts_with("packages-packages-"));
        assert_eq!(id_from(&"a".repeat(64)).as_str(), "a".repeat(64));
    }

    #[test]
    fn the_next_instance_has_the_next_number() {
        assert_eq!(numbered(&id("web"), 2).as_str(), "web-2");
        assert_eq!(numbered(&id("web-2"), 3).as_str(), "web-2-3");
        let long = numbered(&id(&"a".repeat(64)), 12);
        assert_eq!(long.as_str(), format!("{}-12", "a".repeat(61)));
    }

    #[test]
    fn a_project_is_shown_by_its_folder_and_told_apart_by_a_hash() {
        let root = "/home/ann/shop";
        assert_eq!(display_name(root, []), "shop");
        assert_eq!(display_name(root, [root, "/home/ann/bank"]), "shop");
        let (ann, bob) =
            (display_name(root, ["/home/bob/shop"]), display_name("/home/bob/shop", [root]));
        assert_ne!(ann, bob);
        assert!(ann.starts_with("shop~") && ann.len() == "shop~".len() + 4, "{ann}");
        assert_eq!(display_name("/home/ann/a\u{1b}[1m\nb", []), "a-[1m-b");
        assert_eq!(display_name("/", []), "root");
    }

    proptest! {
        #[test]
        fn any_text_has_an_id(text in "\\PC*|[/a-z. _-]{50,90}") {
            let id = id_from(&text);
            prop_assert_eq!(id_from(id.as_str()), id);
        }

        #[test]
        fn a_valid_id_is_kept(text in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}") {
            prop_assert_eq!(id_from(&text), id(&text));
        }

        #[test]
        fn long_paths_that_differ_in_one_place_have_two_ids(
            path in "[a-z/]{70,120}", at in 0usize..70, other in "[A-Z]",
        ) {
            let mut changed = path.clone();
            changed.replace_range(at..=at, &other);
            prop_assert_ne!(id_from(&path), id_from(&changed));
        }

        #[test]
        fn any_id_can_be_numbered(text in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", number: u32) {
            let (id, ending) = (numbered(&id(&text), number), format!("-{number}"));
            prop_assert!(id.as_str().ends_with(&ending));
        }
    }
}
