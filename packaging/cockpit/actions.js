// What an operator asks for: the question before it, the call, and the answer of hbd and of polkit.

import { h } from "./dom.js";

/** How many outcomes are shown. */
const SHOWN = 2;

/**
 * The things that can be asked for, by the `data-verb` of their buttons. `ask` gives title, text and button of the
 * question; `call` the method of org.hbd1.Manager with its arguments; `right` is what polkit must allow.
 */
const VERBS = {
    move: {
        ask: ({ group, node }) => [`Move ${group} to ${node}?`,
            `Its resources are stopped where they run and started on ${node}. Clients wait for so long.`, "Move"],
        call: ({ group, node }) => ["Move", [group, node]],
        right: "switch",
    },
    standby: {
        ask: ({ node, other }) => [`Give everything to ${other}?`,
            `All groups that ${node} owns are stopped here and started on ${other}, and stay there.`, "Give"],
        call: () => ["Standby", ["all"]],
        right: "switch",
    },
    takeover: {
        ask: ({ node, other }) => [`Take everything from ${other}?`,
            `All groups that ${other} owns are stopped there and started on ${node}.`, "Take over"],
        call: () => ["Takeover", ["all"]],
        right: "switch",
    },
    maintenance: {
        ask: ({ node }) => [`Begin maintenance of ${node}?`,
            "hbd then starts, moves and takes over nothing on this node, whatever fails, until you end it.", "Begin"],
        call: () => ["SetMaintenance", [true]],
        right: "maintenance",
    },
    "end-maintenance": {
        ask: ({ node }) => [`End maintenance of ${node}?`,
            "Units that belong here are started where they do not run.", "End"],
        call: () => ["SetMaintenance", [false]],
        right: "maintenance",
    },
    "group-maintenance": {
        ask: ({ group }) => [`Begin maintenance of ${group}?`,
            "hbd leaves this group, and what moves along with it, alone on this node until you end it.", "Begin"],
        call: ({ group }) => ["SetGroupMaintenance", [group, true]],
        right: "maintenance",
    },
    "end-group-maintenance": {
        ask: ({ group }) => [`End maintenance of ${group}?`,
            "Units that belong here are started where they do not run.", "End"],
        call: ({ group }) => ["SetGroupMaintenance", [group, false]],
        right: "maintenance",
    },
    cleanup: {
        ask: ({ group }) => [group ? `Forget the failures of ${group}?` : "Forget all failures on this node?",
            "hbd then tries again what it had given up. Mend the cause first.", "Clean up"],
        call: ({ group }) => ["Cleanup", [group ?? ""]],
        right: "cleanup",
    },
    "clear-hold": {
        ask: ({ group, reason }) => [`Take over ${group} in spite of that?`,
            `It is held back, because ${reason}. If the other node still serves it, both will. Find out first.`,
            "Take over"],
        call: ({ group }) => ["ClearHold", [group]],
        right: "clear-hold",
        danger: true,
    },
    "failback-now": {
        ask: ({ group, node }) => [`Return ${group} to ${node} now?`, "It does not wait any longer.", "Return"],
        call: ({ group }) => ["FailbackNow", [group]],
        right: "switch",
    },
    "failback-cancel": {
        ask: ({ group }) => [`Keep ${group} here?`,
            "It does not return by itself until the other node goes away and comes back once more.", "Keep"],
        call: ({ group }) => ["FailbackCancel", [group]],
        right: "switch",
    },
};

/** Methods that give a job, which JobRemoved ends. */
const JOBS = ["Move", "Standby", "Takeover", "FailbackNow"];

export class Actions {
    constructor(cluster) {
        this.cluster = cluster;
        this.jobs = new Set();
        this.dialog = document.getElementById("dialog");
        this.outcomes = document.getElementById("outcomes");
        document.getElementById("page").addEventListener("click", event => {
            const button = event.target.closest("button[data-verb]");
            // A copy: the page, and with it the button's data, may change in place while the question is open.
            if (button && VERBS[button.dataset.verb])
                this.ask(VERBS[button.dataset.verb], { ...button.dataset });
        });
    }

    ask(verb, subject) {
        const [title, text, confirm] = verb.ask(subject);
        document.getElementById("dialog-title").textContent = title;
        document.getElementById("dialog-text").textContent = text;
        const button = document.getElementById("dialog-confirm");
        button.textContent = confirm;
        button.className = verb.danger ? "danger" : "primary";
        // Enter alone does no harm.
        document.getElementById("dialog-cancel").autofocus = Boolean(verb.danger);
        // Escape leaves the last value.
        this.dialog.returnValue = "cancel";
        this.dialog.onclose = () => {
            if (this.dialog.returnValue === "confirm")
                this.carryOut(verb, subject);
        };
        this.dialog.showModal();
    }

    async carryOut(verb, subject) {
        const [method, args] = verb.call(subject);
        try {
            const [answer] = await this.cluster.call(method, args);
            if (JOBS.includes(method)) {
                this.jobs.add(answer);
                this.tell("info", "Asked for: the answer comes when it is moved.");
            } else {
                this.tell("success", answer);
            }
        } catch (error) {
            this.tell("danger", explain(error, verb.right));
        }
    }

    /** A move is over; moves of others are told as well, because the page shows what they change. */
    jobEnded(job, result, message) {
        this.outcomes.querySelectorAll(".info").forEach(asked => asked.remove());
        const kind = result === "done" || result === "skipped" ? "success" : "danger";
        this.tell(kind, this.jobs.delete(job) ? message : `Asked for elsewhere: ${message}`);
    }

    tell(kind, text) {
        const close = h("button", { type: "button", class: "plain", "aria-label": "Close this message" }, "×");
        const outcome = h("div", { class: `alert ${kind}` }, h("span", {}, text), close);
        close.addEventListener("click", () => outcome.remove());
        this.outcomes.prepend(outcome);
        while (this.outcomes.children.length > SHOWN)
            this.outcomes.lastChild.remove();
    }
}

/** What the bus and polkit say to a user without the right. */
const DENIED = [
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
];

function explain(error, right) {
    if (DENIED.includes(error.name)) {
        // hbd.rules lets members of haclient do all but what can make two owners.
        const group = right === "clear-hold" ? "" : ", become a member of the group haclient";
        return `${error.message}. Turn on administrative access in Cockpit${group}, or have a polkit rule allow ` +
            `org.hbd1.${right} to you.`;
    }
    return error.message ?? error.problem ?? String(error);
}
