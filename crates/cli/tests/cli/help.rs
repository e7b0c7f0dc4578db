//! Help texts.

use lxkns_cli::Tool;

use crate::tool::run;

#[test]
fn each_tool_explains_itself() {
    let commands = lxkns_cli::command(Tool::Lxkns);
    let commands = commands.get_subcommands().map(|it| it.get_name().to_owned());
    let names = Tool::ALL.map(Tool::name).map(str::to_owned);
    // A link has the help of the subcommand.
    let commands = commands.filter(|name| !names.contains(name));
    let commands: Vec<String> = commands.map(|name| format!("lxkns {name}")).collect();
    for tool in names.iter().chain(&commands) {
        for (flag, length) in [("-h", "short"), ("--help", "long")] {
            let outcome = run(&format!("{tool} {flag}"));
            assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{tool}");
            assert!(outcome.stdout.starts_with("Example: "), "{tool}");
            let widest = outcome.stdout.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{tool}");
            let name = format!("help-{}-{length}", tool.replace(' ', "-"));
            insta::assert_snapshot!(name, outcome.stdout);
        }
    }
}

#[test]
fn each_tool_knows_its_version() {
    let version = env!("CARGO_PKG_VERSION");
    for tool in ["lxkns", "lsallns", "lsuns", "lspidns", "pidtree", "nscaps", "dumpns"] {
        let outcome = run(&format!("{tool} --version"));
        assert_eq!(outcome.stdout, format!("{tool} {version}\n"));
    }
}
