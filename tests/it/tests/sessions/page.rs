//! The sessions of a page: its `console` blocks, by section.
//!
//! In a block, a line that starts with `$ ` is a command, which goes on in the next line after a
//! `\`; the lines up to the next command are what it prints. If there are none, it does not matter
//! what it prints.

/// The blocks below one heading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) text: String,
    pub(crate) output: Vec<String>,
}

impl Section {
    pub(crate) fn needs_root(&self) -> bool {
        let needs_it = |command: &Command| command.text.contains("sudo ");
        self.commands.iter().any(needs_it)
    }
}

impl Command {
    /// Whether it is about the repository itself, which cargo and git know, and who runs this test.
    fn is_chore(&self) -> bool {
        let word = self.text.trim_start_matches("sudo ").split(' ').next();
        word.is_some_and(|word| ["cargo", "git", "cd"].contains(&word))
    }

    /// Whether the page shows how it fails.
    pub(crate) fn fails(&self) -> bool {
        let first = self.output.first();
        first.is_some_and(|line| line.starts_with("error: "))
    }
}

/// The sections that have commands to run, in order.
pub(crate) fn sections(page: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut heading = String::new();
    let mut block: Option<&str> = None;
    let mut continued = false;
    for line in page.lines() {
        match block {
            None => {
                if let Some(text) = line.strip_prefix("## ") {
                    text.clone_into(&mut heading);
                }
                block = line.strip_prefix("```");
            }
            Some(_) if line == "```" => block = None,
            Some("console") => {
                if sections.last().is_none_or(|last| last.heading != heading) {
                    sections.push(Section { heading: heading.clone(), commands: Vec::new() });
                }
                let Some(Section { commands, .. }) = sections.last_mut() else {
                    continue;
                };
                if let Some(command) = line.strip_prefix("$ ") {
                    commands.push(Command { text: command.to_owned(), output: Vec::new() });
                } else if let Some(command) = commands.last_mut() {
                    if continued {
                        command.text = format!("{}\n{line}", command.text);
                    } else {
                        command.output.push(line.to_owned());
                    }
                } else {
                    panic!("under {heading:?}: {line:?} is printed by no command");
                }
                continued = line.ends_with('\\') && (continued || line.starts_with("$ "));
            }
            Some(_) => {}
        }
    }
    for section in &mut sections {
        section.commands.retain(|command| !command.is_chore());
    }
    sections.retain(|section| !section.commands.is_empty());
    sections
}

#[test]
fn a_page_is_read() {
    let page = "\
```console
$ cargo run
noise
```
## One
```console
$ a
1
$ b \\
  c
```
text
```text
$ not a command
```
```console
$ sudo d
error: no
```
";
    let command = |text: &str, output: &[&str]| Command {
        text: text.to_owned(),
        output: output.iter().map(|line| (*line).to_owned()).collect(),
    };
    let expected = Section {
        heading: "One".to_owned(),
        commands: vec![
            command("a", &["1"]),
            command("b \\\n  c", &[]),
            command("sudo d", &["error: no"]),
        ],
    };
    assert!(expected.needs_root() && expected.commands[2].fails());
    assert_eq!(sections(page), [expected]);
}
