// `hbctl check` and `hbctl doctor`, in their own words.

import { h } from "./dom.js";

const COMMANDS = {
    "run-check": ["hbctl", "check", "--color", "never"],
    "run-doctor": ["hbctl", "doctor", "--color", "never"],
};

/** What their exit statuses mean (hbctl(8)). */
const MEANINGS = { 0: "nothing to mend", 3: "something should be mended", 6: "the files have an error" };

/** Shows their output in `place` when one of their buttons is pressed. */
export function offerReports(page, place) {
    page.addEventListener("click", event => {
        const command = COMMANDS[event.target.closest("button")?.id];
        if (command)
            run(command, place);
    });
}

async function run(command, place) {
    const name = command.slice(0, 2).join(" ");
    place.replaceChildren(h("p", {}, `${name} runs …`));
    place.setAttribute("aria-busy", "true");
    let text = "";
    let meaning;
    try {
        await cockpit.spawn(command, { superuser: "try", err: "out", environ: ["LC_ALL=C.UTF-8"] })
                .stream(data => { text += data; });
        meaning = MEANINGS[0];
    } catch (error) {
        meaning = MEANINGS[error.exit_status] ?? error.message;
    }
    place.removeAttribute("aria-busy");
    place.replaceChildren(
        h("h3", {}, `${name}: ${meaning}`),
        h("pre", { tabindex: "0", "aria-label": `Output of ${name}` }, text));
}
