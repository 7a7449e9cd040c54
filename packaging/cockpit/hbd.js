// The page of hbd in Cockpit. No server of its own: it speaks to org.hbd1 through Cockpit's bridge, with the rights of
// the user who has logged in.
//
//   cluster.js   what hbd shows, kept up to date by its signals
//   view.js      the page, made from that
//   actions.js   what an operator asks for, and the answer
//   reports.js   hbctl check and hbctl doctor
//   dom.js       elements, and how they change in place
//   theme.js     light and dark

import { Actions } from "./actions.js";
import { Cluster } from "./cluster.js";
import { morph } from "./dom.js";
import { offerReports } from "./reports.js";
import { followTheme } from "./theme.js";
import { render } from "./view.js";

followTheme();

const page = document.getElementById("page");
const report = document.getElementById("report");
let drawn = false;
let actions = null;

const cluster = new Cluster({
    changed() {
        // Several changes in one go are drawn once. A timer, because a page in the background gets no frames.
        if (drawn)
            return;
        drawn = true;
        window.setTimeout(() => {
            drawn = false;
            page.removeAttribute("aria-busy");
            morph(page, render(cluster));
        }, 0);
    },
    jobEnded: (job, result, message) => actions?.jobEnded(job, result, message),
});
actions = new Actions(cluster);
offerReports(page, report);

page.addEventListener("click", event => {
    const target = { "to-journal": "/system/logs/#/?service=hbd.service", "to-unit": "/system/services#/hbd.service" };
    const place = target[event.target.id];
    if (place) {
        event.preventDefault();
        cockpit.jump(place);
    }
});

// What may be called changes with the access; connections keep what they began with.
const access = cockpit.permission({ admin: true });
let before = null;
access.addEventListener("changed", () => {
    if (before !== null && access.allowed !== before)
        window.location.reload();
    before = access.allowed;
});
