//! What the completions of shells get beyond clap's: the names of groups and nodes, which the running hbd knows.
//!
//! Owns the additions to the generated files; which argument is a name is [`super::names`]'s to say. The shells ask
//! the hidden command `hbctl names`, which prints nothing where hbd does not answer.

use clap::{Arg, Command};
use clap_complete::Shell;

use super::names::{NameKind, kind_of};

/// A place on the command line where a name stands.
#[derive(Debug, PartialEq, Eq)]
struct NamePlace {
    /// The command.
    verb: String,
    /// Its argument, counted from 0; `None` for that and all later ones.
    place: Option<usize>,
    kind: NameKind,
}

/// All places, in the order of the table.
fn places(command: &Command) -> Vec<NamePlace> {
    let mut found = Vec::new();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name();
        found.extend(verb.get_positionals().enumerate().filter_map(|(place, arg)| name_place(name, place, arg)));
        for deeper in verb.get_subcommands() {
            let positionals = deeper.get_positionals().enumerate();
            found.extend(positionals.filter_map(|(place, arg)| name_place(name, place + 1, arg)));
        }
    }
    found
}

fn name_place(verb: &str, place: usize, arg: &Arg) -> Option<NamePlace> {
    let several = arg.get_num_args().is_some_and(|count| count.max_values() > 1);
    let kind = kind_of(arg)?;
    Some(NamePlace { verb: verb.to_owned(), place: if several { None } else { Some(place) }, kind })
}

/// The completion of hbctl for that shell, made by clap, with the names added.
pub(super) fn with_names(shell: Shell, script: &str, command: &Command) -> String {
    match shell {
        Shell::Bash => format!("{script}\n{}", bash(&places(command))),
        Shell::Zsh => zsh(script),
        Shell::Fish => format!("{script}{}", fish(&places(command))),
        _ => script.to_owned(),
    }
}

fn word(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Group => "groups",
        NameKind::Node => "nodes",
    }
}

/// A function around clap's, which adds the names that fit.
fn bash(places: &[NamePlace]) -> String {
    let cases: String = places
        .iter()
        .map(|NamePlace { verb, place, kind }| {
            let place = place.map_or("*".to_owned(), |place| place.to_string());
            format!("        {verb}:{place}) kind={} ;;\n", word(*kind))
        })
        .collect();
    format!(
        r#"# Names of groups and nodes, which the running hbd knows.
_hbctl_names() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb= kind= word skip= place=0
    _hbctl hbctl "$cur" "$before"
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
        --timeout|--color|--group|--node|--since|--until|--event|--link) skip=1 ;;
        -*) ;;
        *)
            if [ -n "$skip" ]; then skip=
            elif [ -z "$verb" ]; then verb=$word
            else place=$((place + 1))
            fi ;;
        esac
    done
    case $verb:$place in
{cases}    esac
    case $before in
        --group) kind=groups ;;
        --node) kind=nodes ;;
    esac
    case $cur in
        -*) kind= ;;
    esac
    [ -n "$kind" ] || return 0
    local reply=()
    for word in "${{COMPREPLY[@]}}"; do
        case $word in
        '<'*|'['*) ;;
        *) reply+=("$word") ;;
        esac
    done
    while read -r word; do
        case $word in
        "$cur"*) reply+=("$word") ;;
        esac
    done < <(hbctl names "$kind" 2>/dev/null)
    COMPREPLY=("${{reply[@]}}")
}}
complete -F _hbctl_names -o bashdefault -o default hbctl
"#
    )
}

/// clap's script with functions in the places of names.
fn zsh(script: &str) -> String {
    let functions = r#"
# Names of groups and nodes, which the running hbd knows.
_hbctl_groups() {
    local -a names
    names=(${(f)"$(_call_program groups hbctl names groups 2>/dev/null)"})
    (( ${words[(I)(standby|takeover)]} )) && names+=(all local foreign failback)
    compadd -a names
}
_hbctl_nodes() {
    local -a names
    names=(${(f)"$(_call_program nodes hbctl names nodes 2>/dev/null)"})
    compadd -a names
}
"#;
    let line = |line: &str| {
        let name = line.trim_start().trim_start_matches(['\'', ':', '*']);
        let kind = match name {
            name if name.starts_with("group -- ") || name.starts_with("groups -- ") => "_hbctl_groups",
            name if name.starts_with("node -- ") => "_hbctl_nodes",
            name if name.starts_with("--group=") => "_hbctl_groups",
            name if name.starts_with("--node=") => "_hbctl_nodes",
            _ => return format!("{line}\n"),
        };
        let (body, end) = line.rsplit_once('\'').unwrap_or((line, ""));
        let action = body.rfind(':').unwrap_or(body.len());
        format!("{}:{kind}'{end}\n", &body[..action])
    };
    let mut lines = script.lines();
    // The first line says to zsh what the file is for.
    let head = lines.next().unwrap_or_default();
    format!("{head}\n{functions}{}", lines.map(line).collect::<String>())
}

fn fish(places: &[NamePlace]) -> String {
    let line = |place: &NamePlace| {
        format!(
            "complete -c hbctl -n \"__fish_seen_subcommand_from {}\" -f -a \"(hbctl names {} 2>/dev/null)\"\n",
            place.verb,
            word(place.kind)
        )
    };
    let mut lines: Vec<String> = places.iter().map(line).collect();
    lines.dedup();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command as Program;

    use crate::cli::generate::files;

    fn file(name: &str) -> String {
        let file = files().unwrap().into_iter().find(|file| file.name == name).unwrap();
        String::from_utf8(file.content).unwrap()
    }

    /// What bash offers for the last of these words, with an hbd that has web, wiki and 10.0.0.9, nodea and nodeb.
    fn offered(words: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let fake = directory.path().join("hbctl");
        let script = "#!/bin/sh\ncase $2 in groups) printf 'web\\nwiki\\n10.0.0.9\\n' ;; nodes) printf 'nodea\\nnodeb\\n' ;; esac\n";
        fs::write(&fake, script).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(directory.path().join("completion"), file("bash/hbctl")).unwrap();
        let typed: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let program = format!(
            "PATH={0}:$PATH; . {0}/completion; COMP_WORDS=(hbctl {1}); COMP_CWORD={2}; _hbctl_names; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            directory.path().display(),
            typed.join(" "),
            words.len()
        );
        let ended = Program::new("bash").args(["-c", &program]).output().unwrap();
        assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_verbs_groups_and_nodes() {
        assert!(offered(&["mo"]).contains(&"move".to_owned()));
        assert_eq!(offered(&["move", "w"]), ["web", "wiki"]);
        assert_eq!(offered(&["move", "web", "n"]), ["nodea", "nodeb"]);
        assert_eq!(offered(&["why", "wi"]), ["wiki"]);
        assert_eq!(offered(&["why", "not", "we"]), ["web"]);
        assert_eq!(offered(&["why", "not", "web", "nodeb"]), ["nodeb"]);
        assert_eq!(offered(&["standby", "web", "1"]), ["10.0.0.9"]);
        assert_eq!(offered(&["standby", "f"]), ["foreign", "failback"]);
        assert_eq!(offered(&["-q", "failback", "--color", "never", "now", "we"]), ["web"]);
        assert_eq!(offered(&["events", "--node", "nodea"]), ["nodea"]);
        assert_eq!(offered(&["fence", "nodeb"]), ["nodeb"]);
    }

    #[test]
    fn zsh_and_fish_ask_for_names_where_bash_does() {
        let zsh = file("zsh/_hbctl");
        assert!(zsh.starts_with("#compdef hbctl\n"), "{}", &zsh[..40]);
        assert!(zsh.matches(":_hbctl_groups'").count() >= 8, "{zsh}");
        assert!(zsh.matches(":_hbctl_nodes'").count() >= 4, "{zsh}");
        let fish = file("fish/hbctl.fish");
        for verb in ["move", "standby", "takeover", "clear-hold", "cleanup", "why", "fence"] {
            assert!(fish.contains(&format!("__fish_seen_subcommand_from {verb}\" -f -a \"(hbctl names ")), "{verb}");
        }
    }
}
