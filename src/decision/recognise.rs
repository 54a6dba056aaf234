//! A command line to its tool: its default type, what is known of it, its port put into its arguments.
//!
//! Pure. The tools are told in `profiles/`, commands inside commands are found by `launcher`, and the
//! scripts of a `package.json` are handed in. Containers are `container`'s business.

pub use super::launcher::PackageScripts;

use super::launcher::{self, Fit, Inner};
use super::template::mentions_port;
use crate::config::{DEFAULT_TYPE, Place, PortFrom, Tool, TypeName, tools};
use crate::ports::Port;

/// So many commands inside commands are looked into; a script that names itself ends here.
const LAYERS_MAX: usize = 8;

/// A command whose tool is known.
#[derive(Debug, Clone)]
pub struct Recognised {
    /// The tool.
    pub tool: &'static Tool,
    /// The tool's own command line, and those around it, outermost first.
    layers: Vec<Layer>,
    /// So many words of the innermost command line are the tool's name and subcommand.
    named_by: usize,
}

/// One command line, and how the next one lies in it.
#[derive(Debug, Clone)]
struct Layer {
    words: Vec<String>,
    /// `None` for the innermost.
    inner: Option<Fit>,
}

/// The tool that a command starts, if a profile knows it.
pub fn recognise(command: &[String], package_scripts: PackageScripts<'_>) -> Option<Recognised> {
    let mut layers = layers(command, package_scripts);
    // The innermost that is known: `node server.js` is node, `node node_modules/.bin/vite` is vite.
    while let Some(innermost) = layers.last_mut() {
        if let Some((tool, named_by)) = known_tool(&innermost.words) {
            innermost.inner = None;
            return Some(Recognised { tool, layers, named_by });
        }
        layers.pop();
    }
    None
}

/// The type of a command for which nobody gave one.
pub fn default_type(recognised: Option<&Recognised>) -> TypeName {
    let name = recognised.map_or(DEFAULT_TYPE, |recognised| recognised.tool.service_type);
    name.parse().expect("the names of profiles are checked when styxy is built")
}

/// What a command's program is called: its tool's name, else the program's, which for a script is that
/// of its interpreter.
pub fn tool_name(command: &[String], package_scripts: PackageScripts<'_>) -> String {
    if let Some(recognised) = recognise(command, package_scripts) {
        return recognised.tool.name.to_owned();
    }
    let layers = layers(command, package_scripts);
    let runs_script = |layer: &&Layer| {
        matches!(layer.inner, Some(Fit::Tail { .. })) && launcher::is_interpreter(&layer.words)
    };
    let told = layers.iter().find(runs_script).or(layers.last());
    let program = told.and_then(|layer| layer.words.first());
    program.map_or("", |word| launcher::base_name(word)).to_owned()
}

impl Recognised {
    /// The whole command with the port in it: unchanged where the user already said where it goes, where
    /// the tool finds it in its environment, and where it can't be added with certainty.
    pub fn inject(&self, port: Port) -> Vec<String> {
        let command = &self.layers[0].words;
        if command.iter().any(|word| mentions_port(word)) {
            return command.clone();
        }
        self.with_port(port).unwrap_or_else(|| command.clone())
    }

    fn with_port(&self, port: Port) -> Option<Vec<String>> {
        let (innermost, around) = self.layers.split_last()?;
        let arguments = &innermost.words[self.named_by..];
        let (words, place) = match self.tool.port {
            PortFrom::Environment | PortFrom::OwnFile => return None,
            PortFrom::Flag { given, .. } if gives_flag(arguments, given) => return None,
            PortFrom::Position { .. } if self.gives_position(arguments) => return None,
            PortFrom::Flag { words, place, .. } | PortFrom::Position { words, place } => {
                (words, place)
            }
        };
        let at = self.named_by
            + match place {
                Place::First => 0,
                Place::Last => own_arguments(arguments).len(),
            };
        let added = words.iter().map(|word| word.replace("{port}", &port.to_string()));
        let mut new = innermost.words.clone();
        new.splice(at..at, added);

        let mut old = &innermost.words;
        for outer in around.iter().rev() {
            new = launcher::put_back(&outer.words, outer.inner?, old, &new)?;
            old = &outer.words;
        }
        Some(new)
    }

    /// Whether an argument stands there that is neither a flag nor a flag's value.
    fn gives_position(&self, arguments: &[String]) -> bool {
        positions(own_arguments(arguments), self.tool).next().is_some()
    }
}

/// The command, the command in it, and so on.
fn layers(command: &[String], package_scripts: PackageScripts<'_>) -> Vec<Layer> {
    let mut layers = vec![Layer { words: command.to_vec(), inner: None }];
    while layers.len() < LAYERS_MAX
        && let Some(outer) = layers.last_mut()
        && let Some(Inner { words, fit }) = launcher::peel(&outer.words, package_scripts)
    {
        outer.inner = Some(fit);
        layers.push(Layer { words, inner: None });
    }
    layers
}

/// The tool that is known by such a command line, and how many words of it are its name.
fn known_tool(words: &[String]) -> Option<(&'static Tool, usize)> {
    let (first, arguments) = words.split_first()?;
    let names = [launcher::base_name(first), launcher::program(first)];
    tools().find_map(|tool| {
        let said = |command: &&[&str]| {
            let (named, subcommands) = command.split_first()?;
            let words = names.contains(named).then_some(arguments)?;
            Some(1 + words_for(subcommands, words, tool)?)
        };
        let named_by = tool.commands.iter().filter_map(said).max()?;
        let arguments = own_arguments(&words[named_by..]);
        let verb = positions(arguments, tool).next();
        let starts_server = !verb.is_some_and(|verb| tool.except.contains(&verb));
        starts_server.then_some((tool, named_by))
    })
}

/// How many words it takes to say the subcommands, flags between them included.
fn words_for(subcommands: &[&str], words: &[String], tool: &Tool) -> Option<usize> {
    let mut at = 0;
    for subcommand in subcommands {
        while words.get(at)? != subcommand {
            if !words[at].starts_with('-') {
                return None;
            }
            at += if tool.value_flags.contains(&words[at].as_str()) { 2 } else { 1 };
        }
        at += 1;
    }
    Some(at)
}

/// What stands before a `--`; the rest is for a program of the tool.
fn own_arguments(arguments: &[String]) -> &[String] {
    arguments.split(|word| word == "--").next().unwrap_or(arguments)
}

/// The arguments that are neither flags nor values of flags known to have one.
fn positions<'a>(arguments: &'a [String], tool: &'a Tool) -> impl Iterator<Item = &'a str> {
    let mut is_value = false;
    arguments.iter().map(String::as_str).filter(move |word| {
        let position = !is_value && !word.starts_with('-');
        is_value = !is_value && tool.value_flags.contains(word);
        position
    })
}

/// Whether one of these flags is there: `--port 1`, `--port=1`, `-p 1`, `-p1`.
fn gives_flag(arguments: &[String], flags: &[&str]) -> bool {
    own_arguments(arguments).iter().any(|word| {
        flags.iter().any(|flag| {
            word.strip_prefix(flag).is_some_and(|rest| {
                let dashed = flag.starts_with('-');
                // A port or an address ends in a digit; `-path` is another flag.
                let ends_in_digit = rest.ends_with(|last: char| last.is_ascii_digit());
                let attached = dashed && flag.len() == 2 && ends_in_digit;
                rest.starts_with('=') || attached || (dashed && rest.is_empty())
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EXAMPLES;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// A project whose `package.json` has a few scripts.
    fn scripts(name: &str) -> Option<String> {
        let text = match name {
            "dev" => "NODE_ENV=development vite --host",
            "start" => "npm run dev",
            "fixed" => "vite --port 5173",
            "site" => "next dev",
            "app" => "streamlit run app.py -- small",
            "loop" => "npm run loop",
            "both" => "vite & node server.js",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn injected(command: &[String]) -> Vec<String> {
        let recognised = recognise(command, &scripts);
        recognised.map_or_else(|| command.to_vec(), |known| known.inject(Port::known(4321)))
    }

    #[track_caller]
    fn check(command: &str, expected: &str) {
        assert_eq!(injected(&split(command)).join(" "), expected, "{command}");
    }

    #[track_caller]
    fn check_tool(command: &str, expected: Option<&str>) {
        let tool = recognise(&split(command), &scripts).map(|recognised| recognised.tool.name);
        assert_eq!(tool, expected, "{command}");
    }

    #[test]
    fn every_tool_is_recognised_by_its_own_example_and_gets_its_port() {
        for example in EXAMPLES {
            check_tool(example.command, Some(example.tool));
            let expected = split(&example.injected.replace("{port}", "4321"));
            assert_eq!(injected(&split(example.command)), expected, "{}", example.tool);
        }
    }

    #[test]
    fn every_tool_is_recognised_by_each_of_its_commands() {
        for tool in tools() {
            for command in tool.commands {
                check_tool(&command.join(" "), Some(tool.name));
                if !command[0].starts_with('@') {
                    check_tool(&format!("/opt/bin/{}", command.join(" ")), Some(tool.name));
                }
            }
        }
    }

    #[test]
    fn the_port_is_added_once() {
        for tool in tools() {
            for command in tool.commands {
                let once = injected(&command.iter().map(ToString::to_string).collect::<Vec<_>>());
                assert_eq!(injected(&once), once, "{}", tool.name);
            }
        }
    }

    #[test]
    fn a_tool_is_found_through_what_starts_it() {
        for command in [
            "vite",
            "./node_modules/.bin/vite",
            "npx vite@7",
            "npm run dev",
            "npm start",
            "pnpm dev",
            "yarn vite",
            "bunx vite",
            "env A=1 nice -n 5 npx vite",
            "node node_modules/vite/bin/vite.js",
            "npm exec vite",
            "sh -c vite",
            "vite preview",
            "vite web",
        ] {
            check_tool(command, Some("vite"));
        }
        for command in [
            "gunicorn shop:app",
            "venv/bin/gunicorn shop:app",
            "python venv/bin/gunicorn shop:app",
            "uv run gunicorn shop:app",
            "poetry run gunicorn shop:app",
            "python3.12 -m gunicorn shop:app",
        ] {
            check_tool(command, Some("gunicorn"));
        }
        check_tool("php8.3 -d display_errors=1 -S localhost:8000", Some("php"));
        check_tool("npm run site", Some("next"));
        check_tool("node server.js", Some("node"));
    }

    #[test]
    fn what_starts_no_server_is_not_recognised() {
        for command in [
            "",
            "vite build",
            "next build",
            "ng build",
            "hugo",
            "flask shell",
            "flask --app run shell",
            "python app.py",
            "python manage.py migrate",
            "rails console",
            "npm test",
            "npm run both",
            "npm run nothing",
            "npm run loop",
            "cargo run",
            "make",
            "php artisan migrate",
            "my-vite",
            "vault server",
            "sh -c ./start",
            "yarn add vite",
        ] {
            check_tool(command, None);
        }
    }

    #[test]
    fn the_default_type_is_that_of_the_tool_s_profile() {
        for (command, expected) in [
            ("vite", "dev"),
            ("ollama serve", "ai"),
            ("postgres -D data", "database"),
            ("npx storybook dev", "storybook"),
            ("python app.py", "dev"),
        ] {
            let recognised = recognise(&split(command), &scripts);
            assert_eq!(default_type(recognised.as_ref()).as_str(), expected, "{command}");
        }
    }

    #[test]
    fn the_port_goes_through_launchers() {
        for (command, expected) in [
            ("npm run dev", "npm run dev -- --port 4321"),
            ("npm run dev -- --open", "npm run dev -- --open --port 4321"),
            ("npm start", "npm start -- -- --port 4321"),
            ("pnpm dev", "pnpm dev --port 4321"),
            ("yarn dev", "yarn dev --port 4321"),
            ("bun run dev", "bun run dev --port 4321"),
            ("npm exec vite", "npm exec vite -- --port 4321"),
            ("npm run site", "npm run site"),
            ("env A=1 flask run", "env A=1 flask run --port 4321"),
            ("python -m flask run", "python -m flask run --port 4321"),
        ] {
            check(command, expected);
        }
    }

    #[test]
    fn a_shell_text_stays_one_word() {
        let shell = |text: &str| injected(&["sh", "-c", text].map(str::to_owned))[2].clone();
        assert_eq!(shell("vite"), "vite --port 4321");
        assert_eq!(shell("exec npm run dev"), "exec npm run dev -- --port 4321");
        for text in ["vite && true", "vite --port $PORT", "vite --port={port}", "vite 'my app'"] {
            assert_eq!(shell(text), text);
        }
    }

    #[test]
    fn nothing_is_added_where_the_user_gave_the_port() {
        for command in [
            "vite --port 5173",
            "vite --port=5173",
            "vite --port {port}",
            "vite --base {url}/",
            "vite --hmr {port:hmr}",
            "flask run -p 5000",
            "flask run -p5000",
            "gunicorn -b :80 shop:app",
            "gunicorn -blocalhost:80 shop:app",
            "postgres -D data -c port=5433",
            "python -m http.server 80",
            "python manage.py runserver 8001",
            "php -S localhost:8000 -t public",
            "npm run fixed",
            "npx -y flask run --port 1",
            "uvicorn shop:app --fd 3",
            "etcd --config-file etcd.yml",
            "prometheus --web.listen-address=:9",
            "env A={port} vite",
        ] {
            check(command, command);
        }
    }

    #[test]
    fn a_flag_that_only_looks_like_the_port_s_does_not_count() {
        check("flask run -prod", "flask run -prod --port 4321");
        check("postgres -D port", "postgres -D port -p 4321");
        check("jupyter lab --port-retries=5", "jupyter lab --port-retries=5 --port=4321");
        check("vite --base {{port}}", "vite --base {{port}} --port 4321");
        check(
            "streamlit run a.py -- --server.port 1",
            "streamlit run a.py --server.port 4321 -- --server.port 1",
        );
    }

    #[test]
    fn a_command_that_can_t_take_the_port_where_it_belongs_is_left_alone() {
        check("npm run app", "npm run app");
    }

    #[test]
    fn a_command_s_program_is_called_after_the_tool_or_the_program() {
        for (command, expected) in [
            ("ollama serve", "ollama"),
            ("/opt/bin/redis-server", "redis"),
            ("python rag.py", "python"),
            ("/usr/bin/python3.11 -u rag.py", "python3.11"),
            ("uv run python -m rag", "python"),
            ("node rag.js", "node"),
            ("deno run rag.ts", "deno"),
            ("bun run rag.ts", "bun"),
            ("npx rag@1.2", "rag"),
            ("env A=1 ./bin/rag --fast", "rag"),
            ("npm run nothing", "npm"),
            ("npm run loop", "npm"),
            ("", ""),
        ] {
            assert_eq!(tool_name(&split(command), &scripts), expected, "{command}");
        }
    }

    fn word() -> impl Strategy<Value = String> {
        "npm|run|dev|loop|env|A=1|--|-c|sh|vite|flask|php|-S|python|-m|http.server|-p|\\{port\\}|\\PC{0,4}"
    }

    proptest! {
        #[test]
        fn injecting_only_ever_adds_words(words in prop::collection::vec(word(), 0..8)) {
            let joined = injected(&words).join(" ");
            let mut left = joined.split_whitespace();
            for word in words.join(" ").split_whitespace() {
                prop_assert!(left.any(|other| other == word), "{:?} lost {}", joined, word);
            }
        }

        #[test]
        fn a_command_with_the_port_in_it_is_left_alone(
            words in prop::collection::vec(word(), 0..8), at in 0usize..8,
        ) {
            let mut words = words;
            words.insert(at.min(words.len()), "{port}".to_owned());
            prop_assert_eq!(injected(&words), words);
        }
    }
}
