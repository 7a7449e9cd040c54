//! The environment of the programs that hbd starts: `env` of ha.cf, and its directives as `HA_NAME` (04 §1.12).
//!
//! Owns these names. The variables that only resource scripts get are in `haresources/script`.

use super::directives::DIRECTIVES;
use super::settings::LayeredSettings;

/// Directives with one value that Heartbeat does not keep as parameters (04 §1.11).
const NO_PARAMETERS: [&str; 1] = ["use_apphbd"];

/// The directives' values as they were written, then `env` in its order. Of a name that occurs twice the last value
/// counts, so `env` overrides a directive.
pub(super) fn for_programs(
    node: &str,
    layers: &LayeredSettings,
    env: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let shown = |name: &str, value: &str| !NO_PARAMETERS.contains(&name) && (name, value) != ("debug", "0");
    let parameters = DIRECTIVES.iter().filter(|directive| directive.kind().is_some()).filter_map(|directive| {
        let value = layers.text(directive).filter(|value| shown(directive.name, value))?;
        Some((format!("HA_{}", directive.name), value.to_owned()))
    });
    let fixed = [("HA_CURHOST", node), ("HA_DIR", "/etc/ha.d/"), ("HA_FUNCS", "/etc/ha.d/shellfuncs")];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = env.into_iter().map(|(name, value)| (format!("HA_{name}"), value));
    unique(fixed.into_iter().chain(parameters).chain(env))
}

/// Every name once, with its last value. systemd refuses an environment in which a name occurs twice.
pub(super) fn unique(variables: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in variables {
        match kept.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => kept.push((name, value)),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn the_last_value_of_a_name_counts_and_no_name_occurs_twice() {
        let variables = [("HA_A", "1"), ("HA_B", "2"), ("HA_A", "3")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let kept = [("HA_A".to_owned(), "3".to_owned()), ("HA_B".to_owned(), "2".to_owned())];
        assert_eq!(unique(variables), kept);
    }
}
