//! A Chromium without a window where the client is, driven by chromedriver (W3C WebDriver).

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hbd_lab::lab::Lab;
use hbd_lab::process::{run_with_input, wait_or_explain};
use hbd_lab::{Error, Result};
use serde_json::{Value, json};

/// Where chromedriver listens, in the network of the client.
const DRIVER: &str = "http://127.0.0.1:9515";
/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long the page may take for anything that follows from a click.
pub const PAGE: Duration = Duration::from_secs(30);

/// A browser with one window. It ends when dropped.
pub struct Browser {
    driver: Child,
    namespace: String,
    session: String,
}

/// An element of the page.
pub struct Element(String);

impl Browser {
    /// Starts a browser that knows nothing of an earlier one.
    pub fn start(lab: &Lab) -> Result<Browser> {
        let directory = lab.scratch().join("browser");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(Error::file("the browser's directory"))?;
        let log = File::create(directory.join("log")).map_err(Error::file("chromedriver's log"))?;
        let mut command = lab.client_command(&["chromedriver", "--port=9515"]);
        let driver = command
            .env("HOME", &directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(Error::file("chromedriver"))?;
        let mut browser = Browser { driver, namespace: lab.namespace("client"), session: String::new() };
        wait_or_explain("chromedriver to answer", PAGE, || {
            browser.ask("GET", "/status", None).map(drop).map_err(|error| error.to_string())
        })?;
        let profile = format!("--user-data-dir={}", directory.join("profile").display());
        let switches = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--lang=en-GB",
            "--window-size=1280,1000",
            profile
        ]);
        let options = json!({ "args": switches, "prefs": { "credentials_enable_service": false } });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = browser.ask("POST", "/session", Some(wanted))?;
        browser.session = format!("/session/{}", answer["sessionId"].as_str().unwrap_or_default());
        Ok(browser)
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{DRIVER}{path}");
        let mut words =
            vec!["ip", "netns", "exec", &self.namespace, "curl", "--silent", "--show-error", "-X", method];
        if body.is_some() {
            words.extend(["-H", "Content-Type: application/json", "--data-binary", "@-"]);
        }
        words.push(&url);
        let text = run_with_input(&words, &body.map(|body| body.to_string()).unwrap_or_default())?;
        let broken = |error| Error::Unexpected(format!("chromedriver said {text}: {error}"));
        let mut answer: Value = serde_json::from_str(&text).map_err(broken)?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => {
                Err(Error::Unexpected(format!("{path}: {error}: {}", value["message"].as_str().unwrap_or_default())))
            }
            None => Ok(value),
        }
    }

    fn tell(&self, path: &str, body: Value) -> Result<Value> {
        self.ask("POST", &format!("{}{path}", self.session), Some(body))
    }

    /// Goes to a page.
    pub fn open(&self, url: &str) -> Result<()> {
        self.tell("/url", json!({ "url": url })).map(drop)
    }

    /// Waits for an element by a CSS selector.
    pub fn find(&self, selector: &str) -> Result<Element> {
        wait_or_explain(&format!("{selector} in the page"), PAGE, || {
            let found = self.tell("/element", json!({ "using": "css selector", "value": selector }));
            let found = found.map_err(|error| error.to_string())?;
            found[ELEMENT].as_str().map(|id| Element(id.to_owned())).ok_or_else(|| found.to_string())
        })
    }

    /// Clicks as a user does: at the middle of the element, which nothing may cover.
    pub fn click(&self, selector: &str) -> Result<()> {
        wait_or_explain(&format!("a click on {selector}"), PAGE, || {
            let element = self.find(selector).map_err(|error| error.to_string())?;
            let done = self.tell(&format!("/element/{}/click", element.0), json!({}));
            done.map(drop).map_err(|error| error.to_string())
        })
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.tell(&format!("/element/{}/value", element.0), json!({ "text": text })).map(drop)
    }

    /// Presses keys, wherever the focus is.
    pub fn press(&self, keys: &str) -> Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })))
            .collect();
        self.tell("/actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] })).map(drop)
    }

    /// What follows is about the page in this frame.
    pub fn enter(&self, selector: &str) -> Result<()> {
        let frame = self.find(selector)?;
        self.tell("/frame", json!({ "id": { ELEMENT: frame.0 } })).map(drop)
    }

    /// What follows is about the whole window.
    pub fn leave(&self) -> Result<()> {
        self.tell("/frame", json!({ "id": null })).map(drop)
    }

    /// The value of a script's `return`.
    pub fn script(&self, text: &str) -> Result<Value> {
        self.tell("/execute/sync", json!({ "script": text, "args": [] }))
    }

    /// Waits until the text of an element contains words.
    pub fn wait_text(&self, selector: &str, words: &str) -> Result<()> {
        self.wait_text_for(selector, words, PAGE)
    }

    /// The same for so long.
    pub fn wait_text_for(&self, selector: &str, words: &str, limit: Duration) -> Result<()> {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(selector));
        wait_or_explain(&format!("{selector} to say {words:?}"), limit, || {
            let text = self.script(&script).map_err(|error| error.to_string())?;
            let text = text.as_str().unwrap_or_default();
            if text.contains(words) { Ok(()) } else { Err(format!("it says {text:?}")) }
        })
    }

    /// What a screen reader calls an element.
    pub fn label(&self, selector: &str) -> Result<String> {
        let element = self.find(selector)?;
        let label = self.ask("GET", &format!("{}/element/{}/computedlabel", self.session, element.0), None)?;
        Ok(label.as_str().unwrap_or_default().to_owned())
    }

    /// A command of Chromium's own protocol.
    pub fn chromium(&self, command: &str, parameters: Value) -> Result<Value> {
        self.tell("/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// A picture of the window, if `HBD_LAB_SCREENSHOTS` names a directory.
    pub fn picture(&self, name: &str) -> Result<()> {
        let Some(directory) = std::env::var_os("HBD_LAB_SCREENSHOTS") else { return Ok(()) };
        let directory = Path::new(&directory);
        let text = self.ask("GET", &format!("{}/screenshot", self.session), None)?;
        let file = File::create(directory.join(name)).map_err(Error::file(name))?;
        let mut decoder = Command::new("base64")
            .arg("--decode")
            .stdin(Stdio::piped())
            .stdout(file)
            .spawn()
            .map_err(Error::file("base64"))?;
        if let Some(mut input) = decoder.stdin.take() {
            use std::io::Write;
            input.write_all(text.as_str().unwrap_or_default().as_bytes()).map_err(Error::file(name))?;
        }
        decoder.wait().map(drop).map_err(Error::file(name))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Both end by themselves with their network, if this does not reach them.
        let _ = self.ask("DELETE", &self.session, None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
