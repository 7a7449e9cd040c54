//! The page of hbd in Cockpit, in a real browser: a failover and a move are seen without reload, a user without
//! rights sees and cannot, and the page is usable by keyboard, on a phone, in light and dark.
//!
//! Cockpit and the page are on nodeb; the browser is where the client is. `HBD_LAB_SCREENSHOTS` names a directory for
//! pictures: docs/handbook/src/howto/cockpit has those of the handbook.

mod browser;

use std::time::Duration;

use browser::{Browser, PAGE};
use hbd_lab::example::{DEADTIME, INITDEAD};
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::process::{now, wait_or_explain};
use hbd_lab::suite::{Stage, Suite, Test};
use hbd_lab::{Error, Result};
use serde_json::json;

/// The preferred node, and the one with Cockpit.
const A: usize = 0;
const B: usize = 1;
/// Upper bound for anything that follows from a start.
const START: Duration = Duration::from_secs(INITDEAD as u64 + 40);
/// Upper bound for a takeover.
const TAKEOVER: Duration = Duration::from_secs(DEADTIME as u64 + 30);
/// One has all rights with the password, the other none.
const ADMINISTRATOR: &str = "alice";
const USER: &str = "bob";
const PASSWORD: &str = "a-word-for-the-lab";
/// The page within Cockpit's window.
const FRAME: &str = "iframe[name='cockpit1:localhost/hbd']";
/// Where the only group says who owns it.
const OWNER: &str = "#groups .owner";
/// The button that moves it.
const MOVE: &str = "#groups button[data-verb=move]";
/// The first answer.
const OUTCOME: &str = "#outcomes .alert";
/// Escape and Enter, as WebDriver writes them.
const ESCAPE: &str = "\u{e00c}";
const ENTER: &str = "\u{e007}";

/// Two nodes with hbd, of which the second has Cockpit.
struct Console {
    lab: Lab,
}

impl Stage for Console {
    fn report(&self) -> String {
        let said = self.lab.nodes[B].attempt(&["journalctl", "-n", "40", "-o", "cat", "-u", "cockpit*"]);
        format!("{}\n--- cockpit\n{}", self.lab.report(), said.map(|output| output.stdout).unwrap_or_default())
    }
}

impl Console {
    fn boot() -> Result<Console> {
        let mut lab = Lab::boot_with_cockpit()?;
        let node = &lab.nodes[B];
        // The lab's browser trusts no certificate that the node makes for itself.
        node.write("/etc/cockpit/cockpit.conf", "[WebService]\nAllowUnencrypted = true\n")?;
        for user in [ADMINISTRATOR, USER] {
            node.run(&["useradd", "--create-home", "--shell", "/bin/bash", user])?;
            node.run(&["sh", "-c", &format!("echo {user}:{PASSWORD} | chpasswd")])?;
        }
        node.run(&["usermod", "--append", "--groups", "sudo", ADMINISTRATOR])?;
        node.systemctl("start", "cockpit.socket")?;
        let since = now();
        for index in [A, B] {
            lab.start(index)?;
        }
        for index in [A, B] {
            lab.wait_stable(index, since, START)?;
        }
        lab.wait_owner(A, START)?;
        Ok(Console { lab })
    }

    /// A browser in which a user has logged in and looks at the page, with administrative access or without.
    fn browser(&self, user: &str, access: &str) -> Result<Browser> {
        let browser = Browser::start(&self.lab)?;
        let place = format!("http://{}:9090/hbd", NODES[B].public);
        browser.open(&place)?;
        browser.find("#login-user-input")?;
        // Cockpit keeps there what its switch for administrative access was set to.
        browser.script(&format!("localStorage.setItem('superuser:{user}', '{access}')"))?;
        browser.type_into("#login-user-input", user)?;
        browser.type_into("#login-password-input", PASSWORD)?;
        browser.click("#login-button")?;
        browser.enter(FRAME)?;
        browser.wait_text("#groups", "Owner")?;
        Ok(browser)
    }
}

fn unexpected<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Unexpected(what.into()))
}

/// A mark in the page that a reload would remove.
fn mark(browser: &Browser) -> Result<()> {
    browser.script("window.neverReloaded = true").map(drop)
}

fn expect_mark(browser: &Browser) -> Result<()> {
    let kept = browser.script("return window.neverReloaded === true")?;
    if kept == true { Ok(()) } else { unexpected("the page was loaded again") }
}

/// The power of nodea fails; the open page shows it, and nodea's return, without having been loaded again.
fn a_failover_is_seen_without_reload(console: &mut Console) -> Result<String> {
    let browser = console.browser(ADMINISTRATOR, "any")?;
    browser.wait_text(OWNER, NODES[A].name)?;
    browser.wait_text("#verdict", "Every group has one owner")?;
    mark(&browser)?;
    browser.leave()?;
    browser.picture("overview.png")?;
    browser.enter(FRAME)?;
    let failed = console.lab.nodes[A].power_failure()?;
    browser.wait_text_for(OWNER, NODES[B].name, TAKEOVER)?;
    let seen = now() - failed;
    browser.wait_text("#verdict", "Node nodea is dead")?;
    browser.wait_text("#links", "dead")?;
    browser.wait_text("#timeline", "is dead")?;
    wait_or_explain("the verdict to name nothing that starts", PAGE, || {
        let text = browser.script("return document.getElementById('verdict').innerText");
        let text = text.map_err(|error| error.to_string())?.to_string();
        if text.contains("starting") || text.contains("moving") { Err(text) } else { Ok(()) }
    })?;
    expect_mark(&browser)?;
    browser.leave()?;
    browser.picture("failover.png")?;
    browser.enter(FRAME)?;

    let since = now();
    console.lab.nodes[A].boot()?;
    console.lab.start(A)?;
    console.lab.wait_stable(A, since, START)?;
    browser.wait_text_for(OWNER, NODES[A].name, START)?;
    browser.wait_text("#verdict", "Every group has one owner")?;
    // hbd may be stopped and started while the page is open.
    console.lab.stop(B)?;
    browser.wait_text("#verdict", "hbd is not running")?;
    let since = now();
    console.lab.start(B)?;
    console.lab.wait_stable(B, since, START)?;
    browser.wait_text(OWNER, NODES[A].name)?;
    expect_mark(&browser)?;
    Ok(format!("seen after {seen:.1} s"))
}

/// An administrator moves the group by clicks, after a question, reads the answer, and does what else there is.
fn an_administrator_moves_by_clicks(console: &mut Console) -> Result<String> {
    let browser = console.browser(ADMINISTRATOR, "any")?;
    mark(&browser)?;
    browser.wait_text(MOVE, "Move to nodeb")?;
    browser.click(MOVE)?;
    browser.wait_text("#dialog", "Clients wait for so long")?;
    browser.click("#dialog button[value=cancel]")?;
    browser.click(MOVE)?;
    browser.click("#dialog-confirm")?;
    browser.wait_text(OUTCOME, "is now on nodeb")?;
    console.lab.wait_owner(B, PAGE)?;
    browser.wait_text(OWNER, NODES[B].name)?;
    browser.wait_text(MOVE, "Move to nodea")?;
    browser.click("#nodes button[data-verb=standby]")?;
    browser.click("#dialog-confirm")?;
    browser.wait_text(OWNER, NODES[A].name)?;

    for (verb, said) in [("maintenance", "this node is in maintenance"), ("end-maintenance", "has ended")] {
        browser.click(&format!("#nodes button[data-verb={verb}]"))?;
        browser.click("#dialog-confirm")?;
        browser.wait_text(OUTCOME, said)?;
    }
    for verb in ["group-maintenance", "end-group-maintenance"] {
        browser.click(&format!("#groups button[data-verb={verb}]"))?;
        browser.click("#dialog-confirm")?;
        browser.wait_text("#groups", if verb == "group-maintenance" { "End maintenance" } else { "Maintenance" })?;
    }
    browser.click("#nodes button[data-verb=cleanup]")?;
    browser.click("#dialog-confirm")?;
    browser.wait_text(OUTCOME, "fail")?;
    for (button, words) in [("#run-check", "haresources"), ("#run-doctor", "hbctl doctor")] {
        browser.click(button)?;
        browser.wait_text("#report", words)?;
        browser.wait_text("#report h3", ":")?;
    }
    expect_mark(&browser)?;
    Ok(String::new())
}

/// A user without administrative access sees everything, and is told what polkit says.
fn a_user_sees_and_cannot(console: &mut Console) -> Result<String> {
    let browser = console.browser(USER, "none")?;
    let owners = console.lab.owners()?.join(" ");
    browser.wait_text(OWNER, &owners)?;
    for verb in ["#groups button[data-verb=move]", "#nodes button[data-verb=maintenance]"] {
        browser.click(verb)?;
        browser.click("#dialog-confirm")?;
        browser.wait_text(OUTCOME, "access denied")?;
        browser.wait_text(OUTCOME, "administrative access")?;
        browser.click("#outcomes button")?;
    }
    browser.click("#run-check")?;
    browser.wait_text("#report h3", "hbctl check:")?;
    if console.lab.owners()?.join(" ") != owners {
        return unexpected("the group moved");
    }
    Ok(String::new())
}

/// The contrast of each text with what is behind it, the smallest of all (WCAG 2, 1.4.3), with the text.
const CONTRAST: &str = "
    const parse = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    let worst = [21, ''];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!own || !element.offsetParent) continue;
        const pair = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (ratio < worst[0]) worst = [ratio, element.textContent];
    }
    return worst;";

/// Every button has a name, a question is asked and left by keyboard, the smallest contrast is enough in light and
/// dark, and on a phone nothing is wider than the page.
fn it_is_usable_by_everybody(console: &mut Console) -> Result<String> {
    let browser = console.browser(ADMINISTRATOR, "any")?;
    browser.wait_text(MOVE, "Move to")?;
    let named = browser.label(MOVE)?;
    if !named.starts_with("Move to node") {
        return unexpected(format!("a screen reader calls the button {named:?}"));
    }
    let nameless = "return [...document.querySelectorAll('button')].filter(b => !b.innerText.trim() && \
                    !b.ariaLabel && b.offsetParent).length";
    if browser.script(nameless)? != 0 {
        return unexpected("a button has no name");
    }
    expect_question_by_keyboard(&browser)?;
    let contrasts = expect_contrasts(&browser)?;
    browser.leave()?;
    browser.script("window.dispatchEvent(new CustomEvent('cockpit-style', { detail: { style: 'dark' } }))")?;
    browser.picture("dark.png")?;

    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
    browser.chromium("Emulation.setDeviceMetricsOverride", phone)?;
    browser.enter(FRAME)?;
    let overflow = "const page = document.getElementById('content'); return page.scrollWidth - page.clientWidth";
    wait_or_explain("the page to fit on a phone", PAGE, || match browser.script(overflow) {
        Ok(wider) if wider == 0 => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    browser.leave()?;
    browser.picture("phone.png")?;
    Ok(contrasts)
}

/// With the keyboard alone a question appears, has the focus, goes away, and gives the focus back.
fn expect_question_by_keyboard(browser: &Browser) -> Result<()> {
    browser.script(&format!("document.querySelector('{MOVE}').focus()"))?;
    browser.press(ENTER)?;
    browser.wait_text("#dialog", "Clients wait")?;
    let inside = browser.script("return document.getElementById('dialog').contains(document.activeElement)")?;
    if inside != true {
        return unexpected("the question does not have the focus");
    }
    browser.press(ESCAPE)?;
    let open = "return document.getElementById('dialog').open";
    wait_or_explain("Escape to close the question", PAGE, || match browser.script(open) {
        Ok(open) if open == false => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let back = browser.script(&format!("return document.activeElement === document.querySelector('{MOVE}')"))?;
    if back != true {
        return unexpected("the focus does not return to the button");
    }
    Ok(())
}

/// The smallest contrast in light and in dark.
fn expect_contrasts(browser: &Browser) -> Result<String> {
    let mut contrasts = Vec::new();
    for style in ["light", "dark"] {
        let choose = format!(
            "localStorage.setItem('shell:style', '{style}'); window.dispatchEvent(new CustomEvent('cockpit-style', \
             {{ detail: {{ style: '{style}' }} }})); return document.documentElement.classList.contains('dark')"
        );
        if browser.script(&choose)? != (style == "dark") {
            return unexpected(format!("the page does not follow {style}"));
        }
        let worst = browser.script(CONTRAST)?;
        let ratio = worst[0].as_f64().unwrap_or_default();
        if ratio < 4.5 {
            return unexpected(format!("{style}: {} has a contrast of {ratio:.2}", worst[1]));
        }
        contrasts.push(format!("{style} {ratio:.1}"));
    }
    Ok(contrasts.join(", "))
}

type Play = fn(&mut Console) -> Result<String>;

const TESTS: [(&str, Play); 4] = [
    ("a_failover_is_seen_without_reload", a_failover_is_seen_without_reload),
    ("an_administrator_moves_by_clicks", an_administrator_moves_by_clicks),
    ("a_user_sees_and_cannot", a_user_sees_and_cannot),
    ("it_is_usable_by_everybody", it_is_usable_by_everybody),
];

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    let mut suite = Suite::begin();
    suite.play(true, Console::boot, TESTS.map(|test| Test::of("cockpit", test)).into());
    suite.end()
}
