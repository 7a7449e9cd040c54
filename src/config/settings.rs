//! Settings with a single value: one figment provider for each word, merged in layers, extracted as one typed struct.
//!
//! Owns the layers (defaults < ha.cf < hbd.toml < hbd.toml.d < environment) and where every value came from. Each
//! value is checked before it becomes a layer, because figment stops at the first error and does not know columns. An
//! error of figment is therefore a fault of hbd, never of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::Deserialize;

use super::diagnostic::{FileWord, Findings};
use super::directives::{DIRECTIVES, Directive, Treatment};
use super::types::{Algorithm, AutoFailback, Compression, GenerationMethod, MessageFormat, Timing, UuidFrom};
use super::value::path_help;

/// One value of one directive, and the word that gave it.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    key: &'static str,
    word: FileWord,
    value: Value,
}

impl Setting {
    /// The name of this provider for figment: unique, and readable in figment's errors.
    fn source(&self) -> String {
        let location = &self.word.location;
        format!("{}:{}:{}:{}", location.file.display(), location.line, location.column, self.key)
    }
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.key).source(Source::Custom(self.source()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = Dict::from([(self.key.to_owned(), self.value.clone())]);
        Ok(Profile::Default.collect(dict))
    }
}

/// Collects settings in the order in which they override each other.
#[derive(Debug, Default)]
pub(super) struct SettingCollector {
    settings: Vec<Setting>,
    /// Directives with a refused value. Cross-checks leave them out, because they would judge the default.
    refused: BTreeSet<&'static str>,
    /// Directives without effect, and where the first line of each is.
    without_effect: Vec<(&'static Directive, FileWord)>,
}

impl SettingCollector {
    /// Checks one value and keeps it if it is legal.
    pub(super) fn add(&mut self, directive: &'static Directive, word: &FileWord, findings: &mut Findings) {
        let Some(kind) = directive.kind() else { return };
        match kind.parse(&word.text) {
            Ok(accepted) => {
                if let Some(notice) = accepted.notice {
                    findings.notice(word, format!("`{} {}`: {notice}", directive.name, word.text), directive.usage());
                }
                // Only ha.cf is read by a Heartbeat, too.
                let shared = word.location.file.file_name().is_some_and(|name| name == "ha.cf");
                if accepted.doubt.is_some() && !shared {
                    let why = format!("`{}` is not an absolute path", word.text);
                    let help = path_help(&word.text);
                    findings.error(word, directive.complaint(&word.text, &why), help);
                    self.mark_refused(directive.name);
                    return;
                }
                if let Some(doubt) = accepted.doubt {
                    let message = format!("`{} {}`: {}", directive.name, word.text, doubt.why);
                    findings.warning(word, message, doubt.help);
                }
                self.settings.push(Setting { key: directive.name, word: word.clone(), value: accepted.value });
            }
            Err(refused) => {
                findings.error(word, directive.complaint(&word.text, &refused.why), refused.help);
                self.mark_refused(directive.name);
            }
        }
    }

    /// Keeps a directive out of the cross-checks, because its value is refused.
    pub(super) fn mark_refused(&mut self, key: &'static str) {
        self.refused.insert(key);
    }

    /// Puts the settings of another collector over these.
    pub(super) fn append(&mut self, over: SettingCollector) {
        self.settings.extend(over.settings);
        self.refused.extend(over.refused);
        for (directive, at) in over.without_effect {
            self.note_treatment(directive, &at);
        }
    }

    /// Names and texts of the values, in their order.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &FileWord)> {
        self.settings.iter().map(|setting| (setting.key, &setting.word))
    }

    /// The latest value of a directive so far.
    pub(super) fn last(&self, key: &str) -> Option<(&FileWord, &Value)> {
        self.settings.iter().rev().find(|s| s.key == key).map(|s| (&s.word, &s.value))
    }

    /// Notes a directive that is accepted without effect.
    pub(super) fn note_treatment(&mut self, directive: &'static Directive, at: &FileWord) {
        let known = self.without_effect.iter().any(|(known, _)| known.name == directive.name);
        if matches!(directive.treatment, Treatment::NoEffect(_)) && !known {
            self.without_effect.push((directive, at.clone()));
        }
    }

    /// Reports the directives without effect, all in one finding at the first of them.
    pub(super) fn report_without_effect(&mut self, findings: &mut Findings) {
        let Some((_, first)) = self.without_effect.first() else { return };
        let names: Vec<_> =
            self.without_effect.iter().map(|(directive, _)| format!("`{}`", directive.name)).collect();
        let mut reasons: Vec<&str> = Vec::new();
        for (directive, _) in &self.without_effect {
            if let Treatment::NoEffect(why) = directive.treatment
                && !reasons.contains(&why)
            {
                reasons.push(why);
            }
        }
        let verb = if names.len() == 1 { "has" } else { "have" };
        let message = format!("{} {verb} no effect in hbd: {}", names.join(", "), reasons.join("; "));
        findings.warning(first, message, "accepted, so that the file stays as Heartbeat has it");
    }

    /// Merges the settings over the defaults of the directive table; `service_port` replaces the default of udpport.
    ///
    /// # Errors
    /// Only through a fault of hbd: every value has been checked.
    pub(super) fn into_layers(self, service_port: Option<u16>) -> Result<LayeredSettings, Box<figment::Error>> {
        let mut figment = Figment::from(DirectiveDefaults { service_port });
        let mut places = BTreeMap::new();
        let mut written = BTreeMap::new();
        for setting in self.settings {
            places.insert(setting.source(), setting.word.clone());
            written.insert(setting.key, setting.word.text.clone());
            figment = figment.merge(setting);
        }
        let settings = figment.extract::<ScalarValues>().map_err(Box::new)?;
        Ok(LayeredSettings { settings, figment, places, refused: self.refused, written })
    }
}

/// The defaults of the directive table as the lowest layer.
struct DirectiveDefaults {
    service_port: Option<u16>,
}

impl Provider for DirectiveDefaults {
    fn metadata(&self) -> Metadata {
        Metadata::named("built-in default")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut dict = Dict::new();
        for directive in DIRECTIVES {
            let Some((kind, text)) = directive.kind().zip(directive.default) else { continue };
            let accepted = kind.parse(text).map_err(|refused| figment::Error::from(refused.why))?;
            dict.insert(directive.name.to_owned(), accepted.value);
        }
        if let Some(port) = self.service_port {
            dict.insert("udpport".to_owned(), port.into());
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// The values in force; times in milliseconds. The names are those of ha.cf.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ScalarValues {
    pub keepalive: u64,
    pub deadtime: u64,
    pub warntime: Option<u64>,
    pub initdead: Option<u64>,
    pub deadping: Option<u64>,
    pub max_rexmit_delay: u64,
    pub udpport: u16,
    #[serde(deserialize_with = "number_in_words")]
    pub baud: u32,
    pub auto_failback: AutoFailback,
    pub hopfudge: u8,
    pub msgfmt: MessageFormat,
    pub compression: Algorithm,
    pub compression_threshold: usize,
    pub traditional_compression: bool,
    pub log_badpack: bool,
    pub cluster: String,
    pub hbgenmethod: GenerationMethod,
    pub uuidfrom: UuidFrom,
    pub logfile: Option<PathBuf>,
    pub debugfile: Option<PathBuf>,
    pub logfacility: Option<String>,
    pub syslogmsgfmt: bool,
    pub debug: u8,
    pub watchdog: Option<PathBuf>,
    pub realtime: bool,
    pub rtprio: u8,
}

impl ScalarValues {
    /// The three directives about compression together; the threshold is written in KiB.
    pub(super) fn compression(&self) -> Compression {
        let threshold = self.traditional_compression.then(|| self.compression_threshold.saturating_mul(1024));
        Compression { algorithm: self.compression, threshold }
    }
}

/// Reads a number that is one of a choice: figment has it as text.
fn number_in_words<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// Dead time while starting when no directive gives one (04 §1.7), in milliseconds.
fn default_initdead(deadtime: u64) -> u64 {
    match deadtime {
        10_001.. => deadtime,
        0..6_000 => 12_000,
        _ => 2 * deadtime,
    }
}

/// The values in force and where each came from.
#[derive(Debug)]
pub(super) struct LayeredSettings {
    pub settings: ScalarValues,
    figment: Figment,
    places: BTreeMap<String, FileWord>,
    refused: BTreeSet<&'static str>,
    /// The text of every directive that the files set.
    written: BTreeMap<&'static str, String>,
}

impl LayeredSettings {
    /// The intervals in force, with the defaults that depend on others (04 §1.7).
    pub(super) fn timing(&self) -> Timing {
        let settings = &self.settings;
        let deadtime = settings.deadtime;
        Timing {
            keepalive: Duration::from_millis(settings.keepalive),
            deadtime: Duration::from_millis(deadtime),
            warntime: Duration::from_millis(settings.warntime.unwrap_or(deadtime / 2)),
            initdead: Duration::from_millis(settings.initdead.unwrap_or(default_initdead(deadtime))),
            deadping: Duration::from_millis(settings.deadping.unwrap_or(deadtime)),
            max_rexmit_delay: Duration::from_millis(settings.max_rexmit_delay),
        }
    }

    /// A directive's value as it was written, or its default; `None` if it has neither.
    pub(super) fn text(&self, directive: &'static Directive) -> Option<&str> {
        self.written.get(directive.name).map(String::as_str).or(directive.default)
    }

    /// The word that set a directive; `None` if the default is in force.
    pub(super) fn word_of(&self, key: &str) -> Option<&FileWord> {
        let source = self.figment.find_metadata(key)?.source.as_ref()?.custom()?.to_owned();
        self.places.get(&source)
    }

    /// Whether none of these directives has a refused value. Only then may their values be compared.
    pub(super) fn all_accepted(&self, keys: &[&str]) -> bool {
        !keys.iter().any(|key| self.refused.contains(key))
    }
}
