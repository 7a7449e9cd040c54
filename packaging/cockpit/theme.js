// Light or dark, as it was chosen in Cockpit's menu. Cockpit leaves that to each page; its shell keeps the choice in
// localStorage and tells it by the event "cockpit-style" within a window, and by "storage" in the others.

const system = window.matchMedia("(prefers-color-scheme: dark)");

function apply(chosen) {
    const style = chosen ?? localStorage.getItem("shell:style") ?? "auto";
    const dark = style === "dark" || (style === "auto" && system.matches);
    document.documentElement.classList.toggle("dark", dark);
}

export function followTheme() {
    window.addEventListener("storage", event => event.key === "shell:style" && apply());
    window.addEventListener("cockpit-style", event => apply(event.detail?.style));
    system.addEventListener("change", () => apply());
    apply();
}
