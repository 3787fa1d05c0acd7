//! Documents that are made from the program: the checked-in files are current, and what the others say of the
//! program is so. `UPDATE_GENERATED=1` writes the generated ones anew.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use tierctl::permissions::{self, Task};
use tierctl::spec::reference::reference_markdown;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

#[track_caller]
fn assert_current(path: &str, text: &str) {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(root().join(path).parent().unwrap()).unwrap();
        std::fs::write(root().join(path), text).unwrap();
    }
    assert!(read(path) == text, "{path} is out of date: run `make docs`");
}

#[test]
fn the_spec_reference_is_current() {
    assert_current("docs/spec-reference.md", &reference_markdown());
}

#[test]
fn the_command_reference_is_current() {
    assert_current("docs/commands.md", &commands_markdown());
}

#[test]
fn the_permissions_are_current() {
    assert_current("docs/permissions.md", &permissions_markdown());
}

#[test]
fn every_command_and_flag_is_described() {
    let mut command = tierctl::cli::command();
    command.build();
    for sub in command.get_subcommands() {
        assert!(sub.get_about().is_some(), "{} is not described", sub.get_name());
        for argument in sub.get_arguments() {
            assert!(argument.get_help().is_some(), "{} of {} is not described", argument.get_id(), sub.get_name());
        }
    }
}

/// `tierctl man` and `tierctl completions` know every command.
#[test]
fn man_pages_and_completions_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("man");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tierctl")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["man", man.to_str().unwrap()]);
    let scripts: Vec<String> = ["bash", "elvish", "fish", "powershell", "zsh"].iter().map(|shell| run(&["completions", shell])).collect();
    for name in commands() {
        let page = std::fs::read_to_string(man.join(format!("tierctl-{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{page}");
        assert!(scripts.iter().all(|script| script.contains(&name)), "{name} is missing in a completion script");
    }
}

/// A reader of the README can rely on it: the files that it leads to are there, and it names every command.
#[test]
fn links_lead_somewhere() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/commands.md", "docs/spec-reference.md"] {
        let text = read(document);
        let folder: PathBuf = root().join(document).parent().unwrap().into();
        let anchors: BTreeSet<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
        // What stands in backquotes is no link.
        let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            match link.strip_prefix('#') {
                Some(part) => assert!(anchors.contains(part), "{document} leads to its part {part}, which is not there"),
                None if link.contains("://") => {}
                None => assert!(folder.join(link.split('#').next().unwrap()).exists(), "{document} leads to {link}, which is not there"),
            }
        }
    }
}

#[test]
fn the_readme_names_every_command_and_dependency() {
    let readme = read("README.md");
    for name in commands() {
        assert!(readme.contains(&format!("`{name}")) || readme.contains(&format!("tierctl {name}")), "{name} is missing");
    }
    let manifest = read("Cargo.toml");
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for name in dependencies.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
        assert!(readme.contains(&format!("`{name}`")), "the README does not say why {name} was chosen");
    }
}

/// Every action that the program can ask AWS for, as an IAM policy writes it: read off the calls of its clients.
fn actions() -> BTreeSet<String> {
    const CLIENTS: &[(&str, &str)] = &[
        (".scaling().", "application-autoscaling"),
        (".ec2().", "ec2"),
        (".ecs().", "ecs"),
        (".elb().", "elasticloadbalancing"),
        (".iam().", "iam"),
        (".logs().", "logs"),
        (".tagging().", "tag"),
    ];
    let mut found = BTreeSet::from(["sts:GetCallerIdentity".to_string()]);
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let code: String = std::fs::read_to_string(entry).unwrap().split_whitespace().collect();
            for (client, service) in CLIENTS {
                let calls = code.split(client).skip(1).filter_map(|rest| rest.split_once("()").map(|(name, _)| name));
                let calls = calls.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
                found.extend(calls.map(|name| format!("{service}:{}", camel_case(name))));
            }
        }
    }
    found
}

fn camel_case(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// What AWS asks for on the way, by no call of its own.
const ON_THE_WAY: &[&str] = &["iam:CreateServiceLinkedRole", "iam:PassRole", "route53:AssociateVPCWithHostedZone"];

/// An action that a client can call and no policy allows would be missed in production.
#[test]
fn policies_have_every_action_that_the_program_can_ask_for() {
    let known: BTreeSet<String> = permissions::actions().into_iter().map(String::from).collect();
    let mut asked = actions();
    asked.extend(ON_THE_WAY.iter().map(|action| action.to_string()));
    // It needs no permission. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    asked.remove("sts:GetCallerIdentity");
    assert_eq!(known, asked);
}

fn permissions_markdown() -> String {
    let tasks = [Task::Plan, Task::Apply, Task::Onboard, Task::Offboard, Task::Destroy];
    let mut text = String::from(
        "# Permissions\n\n\
         Generated from the policies that tierctl prints; do not edit.\n\n\
         `tierctl iam-policy --for COMMAND TIER` prints the policy document that a command needs, narrowed to one tier: to its names and \
         paths, to things that bear its tag `tierctl:tier`, and to things that are made with it; with `--cell NAME`, to what one account \
         of it needs. `status` needs what `plan` needs, and a \
         saved plan of tiers and tenants what `apply` and `onboard` need together. `validate`, `schema`, `iam-policy`, `completions` and \
         `man` need nothing. A cell with an `assume_role` needs `sts:AssumeRole` on that role, for the credentials that tierctl is started \
         with. For access logs the bucket's owner lets Elastic Load Balancing write, in the bucket's policy.\n\n\
         What IAM cannot narrow: most reads, since they know no resources; `ecs:DeregisterTaskDefinition`, which knows neither resources \
         nor tags; `elasticloadbalancing:SetRulePriorities`, which knows no tags. Which managed policies tasks get is up to the tier's spec: \
         who may apply it can give tasks any, unless a permissions boundary says otherwise.\n\n\
         AWS's managed policy `ReadOnlyAccess` has all that `plan` needs and far more, the content of buckets among it. Do not \
         give it to a role that pull requests can enter: `tierctl iam-policy --for plan` prints what is needed.\n\n\
         | action | plan | apply | onboard | offboard | destroy |\n|---|---|---|---|---|---|\n",
    );
    let needed: Vec<BTreeSet<&str>> = tasks.iter().map(|task| permissions::actions_of(*task)).collect();
    for action in permissions::actions() {
        let marks: Vec<&str> = needed.iter().map(|needed| if needed.contains(action) { "x" } else { "" }).collect();
        let _ = writeln!(text, "| `{action}` | {} |", marks.join(" | "));
    }
    text
}

fn commands() -> Vec<String> {
    tierctl::cli::command().get_subcommands().map(|command| command.get_name().to_string()).collect()
}

/// As GitHub makes them.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Every command with its arguments, flags and defaults.
fn commands_markdown() -> String {
    let mut command = tierctl::cli::command().term_width(100);
    command.build();
    let mut text = String::from("# Commands\n\nGenerated from the command line itself; do not edit.\n");
    let _ = write!(text, "\n{}\n", command.get_long_about().unwrap());
    text.push_str("\n| command | what it does |\n|---|---|\n");
    for sub in command.get_subcommands() {
        let _ = writeln!(text, "| [`{0}`](#tierctl-{0}) | {1} |", sub.get_name(), sub.get_about().unwrap());
    }
    let after = command.get_after_help().unwrap().to_string();
    let (examples, exit_codes) = after.split_once("\n\n").unwrap();
    for part in [examples, exit_codes] {
        let (title, lines) = part.split_once(":\n").unwrap();
        let lines: Vec<&str> = lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let _ = write!(text, "\n## {title}\n\n```text\n{}\n```\n", lines.join("\n"));
    }
    text.push_str("\n## Options of every command\n\n");
    table(&mut text, command.get_arguments().filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version")));
    for sub in command.get_subcommands_mut() {
        section(&mut text, "tierctl", sub);
    }
    text
}

fn section(text: &mut String, parent: &str, command: &mut Command) {
    let usage = command.render_usage().to_string().replace("Usage: ", "").replace(" [OPTIONS]", "");
    let about = command.get_about().unwrap().to_string();
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let rest = long.strip_prefix(&about).unwrap_or(&long).trim();
    let _ = write!(text, "\n## {parent} {}\n\n{about}.\n", command.get_name());
    let options: Vec<&Arg> = command.get_arguments().filter(|argument| is_own(argument)).collect();
    let has_flags = options.iter().any(|argument| !argument.is_positional());
    let usage = if has_flags { usage.replacen(command.get_name(), &format!("{} [OPTIONS]", command.get_name()), 1) } else { usage };
    let _ = write!(text, "\n```text\n{usage}\n```\n");
    if !rest.is_empty() {
        let _ = write!(text, "\n{rest}\n");
    }
    if !options.is_empty() {
        text.push('\n');
        table(text, options.into_iter());
    }
    let name = format!("{parent} {}", command.get_name());
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        section(text, &name, sub);
    }
}

/// Neither of every command nor `--help`.
fn is_own(argument: &Arg) -> bool {
    !argument.is_global_set() && !matches!(argument.get_id().as_str(), "help" | "version")
}

fn table<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    text.push_str("| | |\n|---|---|\n");
    for argument in arguments {
        let mut meaning = argument.get_help().unwrap().to_string();
        let values = argument.get_possible_values();
        if argument.get_action().takes_values() && !values.is_empty() {
            let each = values.iter().map(|value| match value.get_help() {
                Some(help) => format!("`{}` ({help})", value.get_name()),
                None => format!("`{}`", value.get_name()),
            });
            let _ = write!(meaning, ": {}", each.collect::<Vec<_>>().join(", "));
        }
        let defaults: Vec<String> = argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
        if argument.get_action().takes_values() && !defaults.is_empty() {
            let _ = write!(meaning, ". Default: {}", defaults.join(", "));
        }
        let _ = writeln!(text, "| {} | {} |", written(argument), meaning.replace('|', "\\|"));
    }
}

/// As `-y`, `--yes` or `--timeout DURATION`.
fn written(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if argument.is_positional() {
        return format!("`{names}`").replace('|', "\\|");
    }
    let value = if matches!(argument.get_action(), ArgAction::SetTrue) { String::new() } else { format!(" {names}") };
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    format!("{short}`--{}{value}`", argument.get_long().unwrap())
}
