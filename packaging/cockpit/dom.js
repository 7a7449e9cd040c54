// Trees of elements, and how one becomes another without losing what has the focus or is read aloud.
// Text is only ever text: nothing that comes from hbd is parsed as HTML.

/** An element: `h("button", { class: "danger", "data-verb": "move" }, "Move")`. Absent attributes are left out. */
export function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (value !== undefined && value !== null && value !== false)
            element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
    return element;
}

function alike(old, wanted) {
    return old.nodeType === wanted.nodeType && old.nodeName === wanted.nodeName && old.id === wanted.id;
}

/** Makes the children of `old` those of `wanted`, and keeps each element that stands for the same thing. */
export function morph(old, wanted) {
    let place = old.firstChild;
    for (const child of [...wanted.childNodes]) {
        // Things with an id may have moved, or what was before them may be gone.
        let match = place;
        while (match && !alike(match, child))
            match = match.nextSibling;
        if (!match || (match !== place && !child.id)) {
            old.insertBefore(child, place);
            continue;
        }
        while (place !== match) {
            const gone = place;
            place = place.nextSibling;
            gone.remove();
        }
        place = place.nextSibling;
        if (child.nodeType === Node.TEXT_NODE) {
            if (match.data !== child.data)
                match.data = child.data;
            continue;
        }
        for (const { name } of [...match.attributes]) {
            if (!child.hasAttribute(name) && !(name === "open" && match.localName === "details"))
                match.removeAttribute(name);
        }
        for (const { name, value } of child.attributes) {
            if (match.getAttribute(name) !== value)
                match.setAttribute(name, value);
        }
        morph(match, child);
    }
    while (place) {
        const gone = place;
        place = place.nextSibling;
        gone.remove();
    }
}

/** A moment, short if it is today's; `fallback` for 0. */
export function moment(usec, fallback = "never") {
    if (!usec)
        return fallback;
    const date = new Date(usec / 1000);
    const today = date.toDateString() === new Date().toDateString();
    const text = today ? date.toLocaleTimeString() : date.toLocaleString();
    return h("time", { datetime: date.toISOString(), title: date.toLocaleString() }, text);
}

/** A number of microseconds in words. */
export function duration(usec) {
    return `${(usec / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
}
