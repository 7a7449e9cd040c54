//! Man pages and completions, made from the tables of both programs.
//!
//! Owns the form of the pages. The sections that no table gives (files, exit status, signals) are in `man/*.8.tail`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Arg, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, italic, roman};

use super::{complete, table};
use crate::daemon;

/// A file of hbd's documentation that is made from the code.
pub(super) struct GeneratedFile {
    /// Path below the directory that is asked for.
    pub name: String,
    pub content: Vec<u8>,
}

/// All files: `man/hbd.8`, `man/hbctl.8`, `bash/hbctl`, `zsh/_hbctl`, `fish/hbctl.fish`, and the same for hbd.
pub(super) fn files() -> io::Result<Vec<GeneratedFile>> {
    let mut files = Vec::new();
    let programs = [
        (daemon::command(), include_str!("../../man/hbd.8.tail")),
        (table::command(), include_str!("../../man/hbctl.8.tail")),
    ];
    for (mut command, tail) in programs {
        command.build();
        let name = command.get_name().to_owned();
        files.push(GeneratedFile { name: format!("man/{name}.8"), content: page(&command, tail)? });
        let shells = [
            (Shell::Bash, format!("bash/{name}")),
            (Shell::Zsh, format!("zsh/_{name}")),
            (Shell::Fish, format!("fish/{name}.fish")),
        ];
        for (shell, file) in shells {
            let mut content = Vec::new();
            generate(shell, &mut command, name.clone(), &mut content);
            if name == "hbctl" {
                content = complete::with_names(shell, &String::from_utf8_lossy(&content), &command).into_bytes();
            }
            files.push(GeneratedFile { name: file, content });
        }
    }
    // The name ha.cf.5 belongs to Heartbeat's package.
    files.push(GeneratedFile {
        name: "man/hbd-ha.cf.5".to_owned(),
        content: crate::config::manual::page().into_bytes(),
    });
    Ok(files)
}

/// Writes [`files`] into `directory`.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    for file in files()? {
        let path = directory.join(&file.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &file.content)?;
    }
    Ok(())
}

/// One page of section 8: the options, the commands, and the sections in `tail`.
fn page(command: &Command, tail: &str) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(command.get_name().to_uppercase())
        .section("8")
        .date(crate::config::manual::DATE)
        .source(format!("hbd {}", env!("CARGO_PKG_VERSION")))
        .manual("hbd");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let commands: Vec<&Command> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help").collect();
    if !commands.is_empty() {
        let mut roff = Roff::new();
        roff.control("SH", ["COMMANDS"]);
        for sub in commands {
            explain(&mut roff, sub, "");
            let name = format!("{} ", sub.get_name());
            sub.get_subcommands().filter(|deeper| deeper.get_name() != "help").for_each(|deeper| {
                explain(&mut roff, deeper, &name);
            });
        }
        roff.to_writer(&mut page)?;
    }
    page.write_all(tail.as_bytes())?;
    // clap_mangen puts an empty line between line breaks, about which mandoc(1) warns.
    Ok(String::from_utf8_lossy(&page).replace(".br\n\n.br\n", ".br\n").into_bytes())
}

/// Adds a command, which is called behind the word `above`: its synopsis, what it does, its arguments.
fn explain(roff: &mut Roff, command: &Command, above: &str) {
    // What every command takes is explained once.
    let shown = |arg: &&Arg| {
        !arg.is_hide_set() && !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version")
    };
    let mut synopsis = vec![bold(format!("{above}{}", command.get_name()))];
    for arg in command.get_arguments().filter(shown) {
        synopsis.push(roman(" "));
        synopsis.push(roman(if arg.is_required_set() { "" } else { "[" }));
        synopsis.extend(usage(arg));
        synopsis.push(roman(if arg.is_required_set() { "" } else { "]" }));
    }
    roff.control("TP", []);
    roff.text(synopsis);
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    for (number, paragraph) in about.split("\n\n").enumerate() {
        if number > 0 {
            roff.control("IP", []);
        }
        let end = if paragraph.ends_with(['.', ':']) { "" } else { "." };
        roff.text([roman(format!("{}{end}", paragraph.replace('\n', " ")))]);
    }
    for arg in command.get_arguments().filter(shown) {
        let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let mut line = usage(arg);
        line.push(roman(format!(": {}.", help.trim_end_matches('.').replace('\n', " "))));
        let default = arg
            .get_default_values()
            .first()
            .filter(|_| arg.get_action().takes_values())
            .map(|value| value.to_string_lossy().into_owned());
        if let Some(default) = default.filter(|default| !default.is_empty() && !arg.is_hide_default_value_set()) {
            line.push(roman(format!(" Default: {default}.")));
        }
        roff.control("IP", []);
        roff.text(line);
    }
}

/// `--output FILE`, `-i IFACE`, `SCOPE`.
fn usage(arg: &Arg) -> Vec<Inline> {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let flag = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => return vec![italic(value)],
    };
    let mut words = vec![bold(flag)];
    if arg.get_action().takes_values() {
        words.push(roman(" "));
        words.push(italic(value));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> String {
        let files = files().unwrap();
        let file = files.into_iter().find(|file| file.name == name).unwrap_or_else(|| panic!("no {name}"));
        String::from_utf8(file.content).unwrap()
    }

    #[test]
    fn every_visible_command_is_in_the_page_and_in_each_completion() {
        // A page's minus is written with a backslash.
        let generated =
            ["man/hbctl.8", "bash/hbctl", "zsh/_hbctl", "fish/hbctl.fish"].map(|name| file(name).replace("\\-", "-"));
        let mut seen = 0;
        for command in table::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            seen += 1;
            for text in &generated {
                assert!(text.contains(command.get_name()), "{} is missing", command.get_name());
            }
            let explained = format!(".TP\n\\fB{}\\fR", command.get_name());
            assert!(generated[0].contains(&explained), "{} is not explained", command.get_name());
        }
        assert!(seen >= 3);
    }

    #[test]
    fn every_visible_flag_of_the_daemon_is_in_its_page() {
        let page = file("man/hbd.8");
        for arg in daemon::command().get_arguments().filter(|arg| !arg.is_hide_set()) {
            let long = arg.get_long().unwrap().replace('-', "\\-");
            assert!(page.contains(&format!("\\-\\-{long}")), "--{long} is missing");
        }
    }

    #[test]
    fn the_pages_are_sound_roff() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        for page in ["hbd.8", "hbctl.8"] {
            let path = directory.path().join("man").join(page);
            let Ok(said) =
                std::process::Command::new("groff").args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(&path).output()
            else {
                eprintln!("skipped: no groff");
                return;
            };
            assert!(said.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&said.stderr));
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(text.contains("EXIT STATUS") && text.contains("SEE ALSO"), "{text}");
        }
    }
}
