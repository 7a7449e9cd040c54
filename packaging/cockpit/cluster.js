// What hbd shows on D-Bus, kept up to date by its signals: nothing is asked for again and again.
//
// Owns the connection and a copy of the properties. Some properties change without a signal (when a link was heard,
// the decisions); they are read again when a signal says that something has happened.

const NAME = "org.hbd1";
const ROOT = "/org/hbd1";
const BUS = "org.freedesktop.DBus";
const PROPERTIES = "org.freedesktop.DBus.Properties";
const OBJECTS = "org.freedesktop.DBus.ObjectManager";

/** How long hbd may be away while a new program replaces it (`systemctl reload hbd`), in milliseconds. */
const ABSENCE = 3000;
/** How long news is gathered before what has no signal is read again, in milliseconds. */
const GATHER = 150;

export function plain(properties) {
    return Object.fromEntries(Object.entries(properties).map(([name, variant]) => [name, variant.v]));
}

export class Cluster {
    /** `changed()` is called after each change, `jobEnded(job, result, message)` when a move is over. */
    constructor({ changed, jobEnded }) {
        this.changed = changed;
        this.jobEnded = jobEnded;
        this.client = null;
        this.timer = null;
        this.absence = null;
        this.asked = 0;
        this.clear("");
        this.watchName();
    }

    clear(problem) {
        this.known = false;
        this.problem = problem;
        this.manager = {};
        this.objects = new Map();
        // Not known yet.
        this.troubles = null;
    }

    /** Everything of one interface, such as "Group", each with its path. */
    all(kind) {
        const found = [];
        for (const [path, interfaces] of this.objects) {
            if (interfaces[`${NAME}.${kind}`])
                found.push({ path, ...interfaces[`${NAME}.${kind}`] });
        }
        return found;
    }

    /** hbd may be stopped and started while the page is open. */
    watchName() {
        const bus = cockpit.dbus(BUS, { bus: "system" });
        bus.subscribe({ interface: BUS, member: "NameOwnerChanged", arg0: NAME },
                      (_path, _interface, _signal, [, , owner]) => owner ? this.connect() : this.vanish());
        bus.call("/org/freedesktop/DBus", BUS, "NameHasOwner", [NAME])
                .then(([running]) => running ? this.connect() : this.disconnect("stopped"))
                .catch(error => this.disconnect(error.message ?? String(error)));
        bus.addEventListener("close", (_event, { message, problem } = {}) =>
            this.disconnect(message ?? problem ?? "there is no system bus"));
    }

    vanish() {
        this.hangUp();
        window.clearTimeout(this.absence);
        this.absence = window.setTimeout(() => this.disconnect("stopped"), ABSENCE);
    }

    hangUp() {
        const client = this.client;
        this.client = null;
        client?.close();
    }

    disconnect(problem) {
        this.hangUp();
        this.clear(problem);
        this.changed();
    }

    connect() {
        this.hangUp();
        window.clearTimeout(this.absence);
        const client = cockpit.dbus(NAME, { bus: "system", superuser: "try" });
        this.client = client;
        client.subscribe({ path_namespace: ROOT }, (path, iface, signal, args) => {
            if (this.client === client)
                this.hear(path, iface, signal, args);
        });
        client.addEventListener("close", (_event, { message, problem } = {}) => {
            if (this.client === client)
                this.disconnect(message ?? problem ?? "the connection was closed");
        });
        this.load();
    }

    /** A call of org.hbd1.Manager, or of another interface of its object. */
    call(method, args, iface = `${NAME}.Manager`, path = ROOT) {
        if (!this.client)
            return Promise.reject(new Error("hbd is not running on this machine."));
        return this.client.call(path, iface, method, args);
    }

    hear(path, iface, signal, args) {
        if (iface === PROPERTIES && signal === "PropertiesChanged") {
            const [changedInterface, properties] = args;
            const target = path === ROOT ? this.manager : this.objects.get(path)?.[changedInterface];
            if (target)
                Object.assign(target, plain(properties));
        } else if (signal === "JobRemoved") {
            const [, job, , result, message] = args;
            this.jobEnded(job, result, message);
        } else if (iface === OBJECTS && signal === "InterfacesAdded") {
            this.add(args[0], args[1]);
        } else if (iface === OBJECTS && signal === "InterfacesRemoved") {
            this.objects.delete(args[0]);
        }
        this.changed();
        this.timer ??= window.setTimeout(() => {
            this.timer = null;
            this.load();
        }, GATHER);
    }

    add(path, interfaces) {
        this.objects.set(path, Object.fromEntries(
            Object.entries(interfaces).map(([name, properties]) => [name, plain(properties)])));
    }

    async load() {
        const client = this.client;
        try {
            const [manager] = await this.call("GetAll", [`${NAME}.Manager`], PROPERTIES);
            const [objects] = await this.call("GetManagedObjects", [], OBJECTS);
            if (this.client !== client)
                return;
            this.manager = plain(manager);
            this.objects = new Map();
            for (const [path, interfaces] of Object.entries(objects))
                this.add(path, interfaces);
            this.known = true;
            this.problem = "";
            this.changed();
            this.askTroubles(client);
        } catch (error) {
            if (this.client === client && client)
                this.disconnect(error.message ?? String(error));
        }
    }

    /** What is wrong, in the sentences of `hbctl status`: they are composed in one place only. */
    askTroubles(client) {
        let text = "";
        const number = ++this.asked;
        const done = () => {
            // A later question may be answered first.
            if (this.client !== client || this.asked !== number)
                return;
            try {
                const { troubles } = JSON.parse(text);
                // Where it fails it says why in place of them; what was known then stays.
                if (!Array.isArray(troubles))
                    throw new Error("no troubles in it");
                this.troubles = troubles;
                this.changed();
            } catch (error) {
                console.warn("hbctl status --json:", error, text);
            }
        };
        // It ends with status 3 if something is wrong.
        cockpit.spawn(["hbctl", "status", "--json"], { err: "ignore" })
                .stream(data => { text += data; })
                .then(done, done);
    }
}
