//! Holds the man pages to the CLI's definition, and README to its commands.
//!
//! `STYXY_UPDATE_DOCUMENTS=1 cargo test --test documents` writes the pages anew.

use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};
use styxy::cli::{self, exit_code};

/// Set, the pages are written instead of compared.
const UPDATE: &str = "STYXY_UPDATE_DOCUMENTS";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// Every page by its file's name, as the definition has it.
fn pages() -> BTreeMap<String, String> {
    let mut root = cli::definition().disable_help_subcommand(true);
    root.build();
    let mut pages = BTreeMap::new();
    add(&root, &mut pages);
    pages
}

fn add(command: &clap::Command, pages: &mut BTreeMap<String, String>) {
    let man = Man::new(command.clone()).source("styxy").manual("Styxy");
    let mut page = Vec::new();
    write_page(command, &man, &mut page).expect("memory can be written");
    // Blanks at the ends of lines mean nothing to roff, and trouble to who edits.
    let text = String::from_utf8(page).expect("pages are text");
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    pages.insert(man.get_filename(), text);
    command.get_subcommands().for_each(|below| add(below, pages));
}

fn write_page(command: &clap::Command, man: &Man, page: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    if command.get_name() == "styxy" {
        exit_status().to_writer(page)?;
        see_also().to_writer(page)?;
    }
    Ok(())
}

/// The table of exit codes.
fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in exit_code::TABLE {
        section.control("TP", []);
        section.text([bold(*code)]);
        section.text([roman(*meaning)]);
    }
    section
}

/// The pages that are of no command.
fn see_also() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]);
    section.control("BR", ["styxy.toml", "(5),"]);
    section.control("BR", ["styxy-state", "(7)"]);
    section
}

#[test]
fn every_command_has_its_man_page_as_the_definition_has_it() {
    let pages = pages();
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, page) in &pages {
            fs::write(folder().join(name), page).unwrap();
        }
    }
    for (name, page) in &pages {
        let found = fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(found == *page, "man/{name} is not what the definition says: run with {UPDATE}=1");
    }
}

#[test]
fn no_man_page_is_left_of_a_command_that_is_gone() {
    let pages = pages();
    for entry in fs::read_dir(folder()).expect("there are man pages") {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".1") || pages.contains_key(&name), "man/{name} has no command");
    }
}

#[test]
fn every_exit_code_is_in_the_man_page() {
    let page = &pages()["styxy.1"];
    for (code, meaning) in exit_code::TABLE {
        let entry = format!(".TP\n\\fB{code}\\fR\n{meaning}\n");
        assert!(page.contains(&entry), "styxy.1 does not say that {code} is: {meaning}");
    }
}

#[test]
fn readme_mentions_every_command() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let Ok(text) = fs::read_to_string(readme) else { return };
    for command in cli::definition().get_subcommands() {
        let name = command.get_name();
        let mentions = [format!("`styxy {name}"), format!("`{name}`")];
        assert!(mentions.iter().any(|mention| text.contains(mention)), "README has no {name}");
    }
}

/// What stands behind `styxy` in each line of the blocks of shell of a text.
fn command_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut block = None;
    for line in text.lines() {
        let typed = match (line.strip_prefix("```"), block) {
            (Some(language), None) => {
                block = Some(language);
                None
            }
            (Some(_), Some(_)) => {
                block = None;
                None
            }
            (None, Some("sh")) => Some(line),
            (None, Some("console")) => line.strip_prefix("$ "),
            (None, Some(_) | None) => None,
        };
        let typed = typed.filter(|line| !line.starts_with('#')).unwrap_or_default();
        let begins = |at: usize| at == 0 || typed[..at].ends_with([' ', '(']);
        let found = typed.match_indices("styxy ").find(|(at, _)| begins(*at));
        lines.extend(found.map(|(at, name)| typed[at + name.len()..].to_owned()));
    }
    lines
}

#[test]
fn every_command_line_in_the_documents_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for name in ["README.md", "examples/agents.md"] {
        for line in command_lines(&fs::read_to_string(root.join(name)).unwrap()) {
            // Where the shell's word ends, styxy's do.
            let own = line.split([')', '>', '|', '#']).next().unwrap_or_default();
            let words = shlex::split(&format!("styxy {own}")).expect("quotes are closed");
            if let Err(error) = cli::definition().try_get_matches_from(words) {
                panic!("{name}: `styxy {line}`: {error}");
            }
            count += 1;
        }
    }
    assert!(count > 20, "only {count} command lines were found");
}
