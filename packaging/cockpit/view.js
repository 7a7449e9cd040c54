// The page, made from what the cluster shows.

import { plain } from "./cluster.js";
import { duration, h, moment } from "./dom.js";

/** What a node runs, as people call it. */
const KINDS = { hbd: "hbd", heartbeat: "Heartbeat" };

function badge(kind, text) {
    return h("span", { class: `badge ${kind}` }, text);
}

function button(verb, text, subject, kind = "secondary") {
    const data = Object.fromEntries(Object.entries(subject).map(([name, value]) => [`data-${name}`, value]));
    return h("button", { type: "button", class: kind, "data-verb": verb, ...data }, text);
}

/** An id that no other object has. */
function idOf(path) {
    return path.slice(1).replaceAll("/", "-");
}

function row(term, ...value) {
    return h("div", {}, h("dt", {}, term), h("dd", {}, ...value));
}

/** This node and the other one. */
function pair(cluster) {
    const nodes = cluster.all("Node");
    return { own: nodes.find(node => node.Local), other: nodes.find(node => node.Type === "normal" && !node.Local) };
}

export function render(cluster) {
    if (!cluster.known)
        return stopped(cluster);
    return h("main", {},
             heading(cluster),
             verdict(cluster),
             section("groups", "Resource groups", groups(cluster)),
             section("nodes", "Nodes", nodes(cluster)),
             section("links", "Links", links(cluster)),
             section("timeline", "What was decided", timeline(cluster)),
             section("reports", "Check and doctor", reports()));
}

function section(id, title, ...content) {
    return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), ...content);
}

function stopped({ problem }) {
    const text = problem === "stopped" ? "hbd is not running on this machine." : problem || "Asking hbd …";
    return h("main", {},
             h("h1", { id: "title" }, "Cluster"),
             h("div", { id: "verdict", class: "alert danger" }, text),
             h("p", {}, "Its unit is hbd.service: ", h("a", { href: "#", id: "to-unit" }, "Services")));
}

function heading({ manager }) {
    const label = manager.ClusterName ? `Cluster ${manager.ClusterName}` : "Cluster";
    return h("header", { id: "heading" }, h("h1", { id: "title" }, label),
             h("p", {}, `Seen by ${manager.NodeName}, hbd ${manager.Version}`));
}

/** What is wrong, and what is under way. It is read aloud when it changes. */
function verdict(cluster) {
    const { troubles, manager } = cluster;
    const jobs = cluster.all("Job").map(job => h("p", { class: "alert info" },
        `${job.Type} of ${job.Groups.join(", ")} to ${job.Node}: ` +
        (job.State === "waiting" && manager.Awaited ? `waits for ${manager.Awaited}` : job.State)));
    const state = troubles === null
        ? h("p", { class: "alert info" }, "Asking hbd …")
        : troubles.length === 0
            ? h("p", { class: "alert success" }, "Every group has one owner, and all of it runs there.")
            : h("ul", { class: "alert danger" }, troubles.map(trouble => h("li", {}, trouble)));
    return h("div", { id: "verdict", role: "status", "aria-live": "polite" }, jobs, state);
}

const STATE_KINDS = {
    active: "good", stopped: "quiet", starting: "busy", stopping: "busy", degraded: "bad", failed: "bad",
};

/** Whether a group has one owner, and all of it runs there, as far as this node knows. */
function health(group) {
    if (group.HeldBack)
        return badge("bad", "held back");
    if (!group.Owner)
        return badge("bad", "no owner");
    if (group.Contested)
        return badge("bad", "held by both nodes");
    if (group.DegradedThere)
        return badge("bad", "does not run whole there");
    if (group.State === "active" || group.State === "stopped")
        return badge("good", "well");
    return badge(STATE_KINDS[group.State] ?? "quiet", group.State);
}

function groups(cluster) {
    const { own, other } = pair(cluster);
    const cards = cluster.all("Group").sort((a, b) => a.Name.localeCompare(b.Name));
    return h("div", { class: "cards" }, cards.map(group => card(group, own, other)));
}

function card(group, own, other) {
    const id = idOf(group.path);
    const alone = own?.LeftAlone?.includes(group.Name) || own?.LeftAlone?.includes(group.Key);
    return h("article", { id, class: "card", "aria-labelledby": `${id}-name` },
             h("h3", { id: `${id}-name` }, group.Name, " ", health(group)),
             h("dl", {},
               row("Owner", group.Owner ? h("strong", { class: "owner" }, group.Owner) : "none",
                   group.Owner ? [" since ", moment(group.OwnerSinceTimestamp, "the start of this hbd")] : ""),
               row("Prefers", group.PreferredNode, returns(group)),
               row("State here", badge(STATE_KINDS[group.State] ?? "quiet", group.State),
                   alone ? [" ", badge("busy", "maintenance")] : ""),
               group.HeldBack ? row("Held back", `because ${group.HeldBack}`) : null,
               group.Strangers?.length ? row("Strangers", group.Strangers.join("; ")) : null,
               row("Resources", resources(group)),
               group.Checks?.length ? row("Checks", checks(group)) : null),
             h("div", { class: "buttons", role: "group", "aria-label": `Actions for ${group.Name}` },
               actions(group, own, other, alone)));
}

function returns(group) {
    const when = {
        "when-well": " (returns when that node is well)",
        window: ` (returns between ${group.ReturnsWindow})`,
        soon: " (returns soon)",
    }[group.Returns];
    if (group.Returns === "at")
        return [" (returns at ", moment(group.ReturnsAtTimestamp), ")"];
    return when ?? "";
}

function resources(group) {
    const items = group.Resources.map(plain).map(({ Word, State, Failures, Reason }) => {
        const bad = !["active", "stopped", "starting", "stopping"].includes(State);
        return h("li", {}, Word, " ", badge(bad ? "bad" : STATE_KINDS[State] ?? "quiet", State),
                 Failures ? ` failed ${Failures} times` : "", Reason ? `: ${Reason}` : "");
    });
    return h("ul", {}, items);
}

function checks(group) {
    const kind = { passing: "good", failing: "bad" };
    return h("ul", {}, group.Checks.map(plain).map(({ Name, Purpose, State, Reason }) =>
        h("li", {}, `${Name} (${Purpose}) `, badge(kind[State] ?? "quiet", State), Reason ? `: ${Reason}` : "")));
}

function actions(group, own, other, alone) {
    const buttons = [];
    const subject = { group: group.Name };
    const target = group.Owner === own?.Name ? other : own;
    const reachable = other && other.Status !== "dead";
    if (target && group.Owner && reachable)
        buttons.push(button("move", `Move to ${target.Name}`, { ...subject, node: target.Name }, "primary"));
    if (group.HeldBack)
        buttons.push(button("clear-hold", "Take over anyway", { ...subject, reason: group.HeldBack }, "danger"));
    if (group.Returns) {
        if (reachable)
            buttons.push(button("failback-now", "Return now", { ...subject, node: group.PreferredNode }));
        buttons.push(button("failback-cancel", "Keep here", subject));
    }
    if (group.Resources.some(resource => plain(resource).Failures > 0) || group.State === "failed" || group.State === "degraded")
        buttons.push(button("cleanup", "Clean up", subject));
    buttons.push(alone
        ? button("end-group-maintenance", "End maintenance", subject)
        : button("group-maintenance", "Maintenance", subject));
    return buttons;
}

function nodes(cluster) {
    const { own, other } = pair(cluster);
    const names = cluster.manager.Nodes ?? [];
    const order = node => names.indexOf(node.Name);
    const cards = cluster.all("Node").sort((a, b) => order(a) - order(b));
    return h("div", { class: "cards" }, cards.map(node => nodeCard(node, own, other, cluster.manager)));
}

function nodeCard(node, own, other, manager) {
    const id = idOf(node.path);
    const ping = node.Type === "ping";
    const good = node.Status === "active" || node.Status === "ping";
    return h("article", { id, class: "card", "aria-labelledby": `${id}-name` },
             h("h3", { id: `${id}-name` }, node.Name, " ",
               badge(good ? "good" : node.Status === "dead" ? "bad" : "busy", ping && good ? "answers" : node.Status),
               node.Maintenance ? [" ", badge("busy", "maintenance")] : ""),
             h("dl", {},
               row("Is", ping ? "a ping node" : `${KINDS[node.Implementation] ?? "unknown"}${node.Local ? ", this node" : ""}`),
               ping ? null : row("Holds", node.InTransition ? `${node.Holds}, moving` : node.Holds || "unknown"),
               node.Local ? null : row(good ? "Silence allowed" : "Last heard",
                                       good ? duration(node.DeadtimeUSec) : moment(node.LastStatusTimestamp)),
               node.Doubt ? row("Doubt", node.Doubt) : null,
               node.NotReady?.length ? row("Not ready for", node.NotReady.join(", ")) : null,
               node.ConfigurationDiffers?.length ? row("Differs in", node.ConfigurationDiffers.join(", ")) : null,
               node.Local && manager.Witness ? row("Witness", manager.Witness) : null),
             node.Local ? nodeActions(own, other, manager) : null);
}

function nodeActions(own, other, manager) {
    const subject = { node: own.Name, other: other?.Name };
    const reachable = other && other.Status !== "dead";
    return h("div", { class: "buttons", role: "group", "aria-label": `Actions for ${own.Name}` },
             reachable ? button("standby", `Give all to ${other.Name}`, subject) : null,
             reachable ? button("takeover", `Take all from ${other.Name}`, subject) : null,
             manager.Maintenance
                 ? button("end-maintenance", "End maintenance", subject)
                 : button("maintenance", "Maintenance", subject),
             button("cleanup", "Clean up", {}));
}

function links(cluster) {
    const rows = cluster.all("Link")
            .sort((a, b) => (a.Node + a.Name).localeCompare(b.Node + b.Name))
            .map(link => h("tr", { id: idOf(link.path) },
                           h("th", { scope: "row", "data-label": "Link" }, link.Name),
                           h("td", { "data-label": "To" }, link.Node),
                           h("td", { "data-label": "Medium" }, link.Medium),
                           h("td", { "data-label": "State" }, badge(link.Status === "up" ? "good" : "bad", link.Status)),
                           h("td", { "data-label": "Last heard" },
                             link.Status === "up" ? "now" : moment(link.LastHeardTimestamp))));
    return h("table", {},
             h("thead", {}, h("tr", {}, ["Link", "To", "Medium", "State", "Last heard"]
                     .map(title => h("th", { scope: "col" }, title)))),
             h("tbody", {}, rows));
}

/** Newest first. The level is a word as well as a colour. */
function timeline({ manager }) {
    const decisions = [...manager.Decisions ?? []].reverse();
    if (decisions.length === 0)
        return h("p", {}, "Nothing since hbd was started.");
    return [
        h("ol", { class: "timeline", tabindex: "0", "aria-label": "Decisions, newest first" },
          decisions.map(plain).map(({ Timestamp, Priority, Event, Text }) =>
              h("li", { class: Priority <= 3 ? "bad" : Priority === 4 ? "busy" : "quiet", title: Event },
                moment(Timestamp), " ", Priority <= 3 ? "Error: " : Priority === 4 ? "Warning: " : "", Text))),
        h("p", {}, "Older ones are in the journal: ", h("a", { href: "#", id: "to-journal" }, "Logs")),
    ];
}

function reports() {
    return [
        h("p", {}, "What differs from the files, and what is valid and risky. With administrative access they see more."),
        h("div", { class: "buttons" },
          h("button", { type: "button", class: "secondary", id: "run-check" }, "Check the files"),
          h("button", { type: "button", class: "secondary", id: "run-doctor" }, "Ask the doctor")),
    ];
}
