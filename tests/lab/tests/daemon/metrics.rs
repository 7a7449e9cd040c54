//! A Prometheus outside of the nodes scrapes both of them, with the alert rules of the examples.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::process::{now, run, wait_or_explain, wait_until};
use hbd_lab::{Error, Result, project_root};
use serde_json::Value;

use crate::pair::{A, B, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};

/// Where the examples are, as the package installs them.
const EXAMPLES: &str = "packaging/examples/prometheus";
/// The socket unit.
const SOCKET: &str = "hbd-metrics.socket";
/// Where the Prometheus listens, in the network of the client.
const SERVER: &str = "http://127.0.0.1:9090";
/// How long an alert may take: some scrapes, on a busy machine.
const ALERT: Duration = Duration::from_secs(60);

/// A Prometheus where the client is; it ends when dropped.
struct Prometheus {
    child: Child,
    namespace: String,
}

impl Prometheus {
    fn start(pair: &Pair) -> Result<Prometheus> {
        let directory = pair.lab.scratch().join("prometheus");
        let in_file = |error| Error::File { what: directory.display().to_string(), source: error };
        fs::create_dir_all(&directory).map_err(in_file)?;
        let example = |name: &str| fs::read_to_string(project_root().join(EXAMPLES).join(name)).map_err(in_file);
        // As shipped, but for the names of the nodes and for the waiting.
        // A scrape may take as long as there is between two of them: a second is too short on a busy machine.
        let mut config = example("prometheus.yml")?.replace("15s", "5s");
        for (name, place) in [("nodea", NODES[A]), ("nodeb", NODES[B])] {
            config = config.replace(&format!("{name}:9694"), &format!("{}:9694", place.public));
        }
        let rules = example("hbd.rules.yml")?;
        let waits = ["for: 1m", "for: 10s", "for: 15s", "for: 30s"];
        let rules = waits.iter().fold(rules, |text, wait| text.replace(wait, "for: 1s"));
        let config = format!("global: {{evaluation_interval: 1s}}\n{config}");
        for (name, text) in [("prometheus.yml", config), ("hbd.rules.yml", rules)] {
            fs::write(directory.join(name), text).map_err(in_file)?;
        }
        let log = fs::File::create(directory.join("log")).map_err(in_file)?;
        let config = format!("--config.file={}", directory.join("prometheus.yml").display());
        let data = format!("--storage.tsdb.path={}", directory.join("data").display());
        let words = ["prometheus", &config, &data, "--web.listen-address=127.0.0.1:9090"];
        let mut command = pair.lab.client_command(&words);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0).spawn();
        let child = child.map_err(Error::file("prometheus"))?;
        let prometheus = Prometheus { child, namespace: pair.lab.namespace("client") };
        wait_or_explain("the Prometheus to answer", START, || prometheus.query("up").map_err(|e| e.to_string()))?;
        Ok(prometheus)
    }

    /// The series that a query gives.
    fn query(&self, query: &str) -> Result<Vec<Value>> {
        let words =
            ["ip", "netns", "exec", &self.namespace, "promtool", "query", "instant", "--format=json", SERVER, query];
        let text = run(&words)?;
        let broken = |error| Error::Unexpected(format!("promtool printed {text}: {error}"));
        serde_json::from_str(&text).map_err(broken)
    }

    /// The names of the alerts that fire, each with the node that it is about.
    fn firing(&self) -> Result<Vec<String>> {
        let alert = |series: Value| {
            let label = |name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", label("alertname"), label("node"))
        };
        Ok(self.query("ALERTS{alertstate=\"firing\"}")?.into_iter().map(alert).collect())
    }

    fn wait_firing(&self, wanted: &str) -> Result<()> {
        wait_or_explain(&format!("the alert {wanted}"), ALERT, || {
            let firing = self.firing().map_err(|error| error.to_string())?;
            if firing.iter().any(|alert| alert.trim() == wanted) { Ok(()) } else { Err(format!("{firing:?}")) }
        })
    }

    fn wait_quiet(&self) -> Result<()> {
        wait_or_explain("no alert to fire", ALERT, || {
            let firing = self.firing().map_err(|error| error.to_string())?;
            if firing.is_empty() { Ok(()) } else { Err(format!("{firing:?}")) }
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It has no state that anybody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The socket answers a Prometheus of Debian. Nothing is wrong; then a node is cut off, and the alerts of the
/// examples say so. Every query of the dashboard has an answer.
pub fn a_prometheus_says_that_a_node_was_cut(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    for index in [A, B] {
        pair.node(index).systemctl("start", SOCKET)?;
    }
    let outcome = watched_by_a_prometheus(pair);
    for index in [A, B] {
        pair.lab.switch.heal(NODES[index].name, hbd_lab::switch::Lan::Public)?;
        pair.lab.switch.heal(NODES[index].name, hbd_lab::switch::Lan::Heartbeat)?;
        pair.node(index).systemctl("stop", SOCKET)?;
    }
    outcome
}

fn watched_by_a_prometheus(pair: &mut Pair) -> Result<String> {
    let begun = now();
    expect_words("what the socket answers", &ask(pair, "/metrics")?, &["200 OK", "hbd_up 1\n"])?;
    let took = now() - begun;
    let prometheus = Prometheus::start(pair)?;
    wait_or_explain("both nodes to be scraped", ALERT, || {
        let up = prometheus.query("hbd_up == 1").map_err(|error| error.to_string())?;
        let targets = format!("{SERVER}/api/v1/targets");
        let targets = ["ip", "netns", "exec", &prometheus.namespace, "curl", "--silent", &targets];
        let said = || run(&targets).unwrap_or_else(|error| error.to_string());
        if up.len() == 2 { Ok(()) } else { Err(format!("{up:?}; {}", said())) }
    })?;
    prometheus.wait_quiet()?;
    let panels = expect_answers(&prometheus)?;
    expect_units_gone(pair)?;

    pair.lab.switch.cut_all(NODES[B].name)?;
    prometheus.wait_firing("HbdNodeDead nodeb")?;
    prometheus.wait_firing("HbdNotScraped")?;
    let firing = prometheus.firing()?;
    if let Some(wrong) = firing.iter().find(|alert| alert.contains("Group")) {
        return unexpected(format!("{wrong} fires although nodea serves"));
    }
    for lan in [hbd_lab::switch::Lan::Heartbeat, hbd_lab::switch::Lan::Public] {
        pair.lab.switch.heal(NODES[B].name, lan)?;
    }
    pair.lab.wait_owner(A, TAKEOVER)?;
    prometheus.wait_quiet()?;

    pair.node(B).systemctl("stop", "hbd.service")?;
    prometheus.wait_firing("HbdDown")?;
    pair.node(B).systemctl("start", "hbd.service")?;
    Ok(format!("{panels} queries of the dashboard, an answer in {took:.1} s"))
}

/// Asks what the dashboard asks.
fn expect_answers(prometheus: &Prometheus) -> Result<usize> {
    let path = project_root().join(EXAMPLES).join("hbd-dashboard.json");
    let text = fs::read_to_string(&path).map_err(Error::file(path.display().to_string()))?;
    let dashboard: Value = serde_json::from_str(&text).map_err(|error| Error::Unexpected(error.to_string()))?;
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let queries: Vec<&str> = panels
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .filter_map(|target| target["expr"].as_str())
        .collect();
    for query in &queries {
        let query = query.replace("$cluster", "web").replace("$__rate_interval", "1m");
        wait_until(&format!("an answer to {query}"), SOON, || {
            let answer = prometheus.query(&query).ok()?;
            (!answer.is_empty()).then_some(())
        })?;
    }
    Ok(queries.len())
}

/// Asks nodea's socket for a path, on nodea itself.
fn ask(pair: &Pair, path: &str) -> Result<String> {
    let line =
        format!("exec 3<>/dev/tcp/127.0.0.1/9694; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; timeout 30 cat <&3");
    pair.node(A).run(&["bash", "-c", &line])
}

/// A request leaves nothing behind, and what is asked for wrongly is refused.
fn expect_units_gone(pair: &Pair) -> Result<()> {
    expect_words("the answer for another path", &ask(pair, "/")?, &["404", "/metrics"])?;
    let failed = pair.node(A).run(&["systemctl", "list-units", "--failed", "--no-legend", "hbd-metrics*"])?;
    expect("failed units", &failed.trim(), &"")
}
