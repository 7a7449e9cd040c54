//! The network: one namespace that is the switch, with a bridge for each LAN, and a cable to every port.
//!
//! Captures are taken on the bridges, because a capture on a node's own interface ends when its cable is cut. MAC
//! addresses are made from IP addresses, so that a machine has the same one after each boot.

use std::net::Ipv4Addr;
use std::rc::Rc;

use crate::Result;
use crate::process::{attempt, run, run_with_input};
use crate::site::{self, Site};

/// One of the two LANs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lan {
    /// 192.168.17.0/24: the clients' side, `eth0` of a node.
    Public,
    /// 192.168.1.0/24: the heartbeat link, `eth1` of a node.
    Heartbeat,
}

impl Lan {
    /// The bridge in the switch.
    pub fn bridge(self) -> &'static str {
        match self {
            Lan::Public => "public",
            Lan::Heartbeat => "heartbeat",
        }
    }

    /// The interface inside a machine that is plugged into this LAN.
    pub fn interface(self) -> &'static str {
        match self {
            Lan::Public => "eth0",
            Lan::Heartbeat => "eth1",
        }
    }

    /// The port of a machine at the switch.
    pub(crate) fn port(self, machine: &str) -> String {
        format!("{machine}-{}", self as u8)
    }
}

/// One end of a cable: what a machine's interface is called and which address it has (/24).
#[derive(Debug, Clone, Copy)]
pub struct Port {
    /// Where the cable goes.
    pub lan: Lan,
    /// The machine's address there.
    pub address: Ipv4Addr,
}

/// The switch and the cables.
#[derive(Debug)]
pub struct Switch {
    site: Rc<Site>,
}

impl Switch {
    /// The name of the switch's namespace, without the prefix.
    const NAME: &str = "switch";

    /// Makes the switch with both bridges.
    pub fn create(site: &Rc<Site>) -> Result<Switch> {
        let namespace = site.namespace(Self::NAME);
        run(&["ip", "netns", "add", &namespace])?;
        for lan in [Lan::Public, Lan::Heartbeat] {
            // No spanning tree, no snooping: frames pass as soon as the cable is connected.
            run(&["ip", "-n", &namespace, "link", "add", "name", lan.bridge(), "type", "bridge"])?;
            run(&["ip", "-n", &namespace, "link", "set", lan.bridge(), "up"])?;
        }
        Ok(Switch { site: site.clone() })
    }

    /// The switch's namespace.
    pub fn namespace(&self) -> String {
        self.site.namespace(Self::NAME)
    }

    /// Makes a machine's namespace and connects it.
    pub fn plug(&self, machine: &str, ports: &[Port]) -> Result<()> {
        let namespace = self.site.namespace(machine);
        run(&["ip", "netns", "add", &namespace])?;
        run(&["ip", "-n", &namespace, "link", "set", "lo", "up"])?;
        for Port { lan, address } in ports {
            let [a, b, c, d] = address.octets();
            let (port, interface, bridge) = (lan.port(machine), lan.interface(), lan.bridge());
            let at_switch = format!(
                "link add {port} type veth peer name {interface} address 02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x} \
                 netns {namespace}\nlink set {port} master {bridge} up\n"
            );
            run_with_input(&["ip", "-n", &self.namespace(), "-batch", "-"], &at_switch)?;
            let inside = format!("addr add {address}/24 brd + dev {interface}\nlink set {interface} up\n");
            run_with_input(&["ip", "-n", &namespace, "-batch", "-"], &inside)?;
        }
        Ok(())
    }

    /// Removes a machine's cables and its namespace with everything in it: addresses, routes, ARP entries, settings.
    pub fn unplug(&self, machine: &str) -> Result<()> {
        for lan in [Lan::Public, Lan::Heartbeat] {
            // The other end is removed by name, too: the namespace exists for a moment longer than its name.
            attempt(&["ip", "-n", &self.namespace(), "link", "delete", &lan.port(machine)])?;
        }
        site::empty(&self.site.namespace(machine))?;
        run(&["ip", "netns", "delete", &self.site.namespace(machine)])?;
        Ok(())
    }

    /// Cuts the cable between a machine and a LAN. The machine loses its carrier.
    pub fn cut(&self, machine: &str, lan: Lan) -> Result<()> {
        self.set(&[machine], &[lan], "down")
    }

    /// Puts the cable back.
    pub fn heal(&self, machine: &str, lan: Lan) -> Result<()> {
        self.set(&[machine], &[lan], "up")
    }

    /// Parts these machines, or joins them again: nothing passes between them on either LAN, and each of them still
    /// reaches everybody else. They keep their carriers.
    pub fn part(&self, machines: &[&str], parted: bool) -> Result<()> {
        let state = if parted { "on" } else { "off" };
        let mut batch = String::new();
        for machine in machines {
            for lan in [Lan::Public, Lan::Heartbeat] {
                batch.push_str(&format!("link set dev {} isolated {state}\n", lan.port(machine)));
            }
        }
        run_with_input(&["bridge", "-n", &self.namespace(), "-batch", "-"], &batch).map(drop)
    }

    /// Lets nothing pass to and from a machine, or everything again. The machine keeps its carriers.
    pub fn block(&self, machine: &str, blocked: bool) -> Result<()> {
        let state = if blocked { "disabled" } else { "forwarding" };
        let set = |lan: Lan| format!("link set dev {} state {state}\n", lan.port(machine));
        let batch = [Lan::Public, Lan::Heartbeat].map(set).concat();
        run_with_input(&["bridge", "-n", &self.namespace(), "-batch", "-"], &batch).map(drop)
    }

    /// Cuts all cables of a machine at once.
    pub fn cut_all(&self, machine: &str) -> Result<()> {
        self.set(&[machine], &[Lan::Public, Lan::Heartbeat], "down")
    }

    /// Lays one more cable between machines that are on, with a bridge of its own: its interfaces, named like it, and
    /// their addresses in the order of the machines.
    pub fn lay(&self, cable: &str, machines: [&str; 2], addresses: [&str; 2]) -> Result<()> {
        let switch = self.namespace();
        run_with_input(
            &["ip", "-n", &switch, "-batch", "-"],
            &format!("link add name {cable} type bridge\nlink set {cable} up\n"),
        )?;
        for (machine, address) in machines.iter().zip(addresses) {
            self.connect(cable, machine, address)?;
        }
        Ok(())
    }

    /// Adds the interface of a cable of [`Switch::lay`] at one machine, for the first time or again.
    pub fn connect(&self, cable: &str, machine: &str, address: &str) -> Result<()> {
        let (switch, namespace) = (self.namespace(), self.site.namespace(machine));
        let outside = format!(
            "link add {machine}-{cable} type veth peer name {cable} netns {namespace}\nlink set {machine}-{cable} master {cable} up\n"
        );
        run_with_input(&["ip", "-n", &switch, "-batch", "-"], &outside)?;
        // An IPv6 address cannot be used while duplicate address detection runs.
        let nodad = if address.contains(':') { "nodad" } else { "brd +" };
        let inside = format!("addr add {address} {nodad} dev {cable}\nlink set {cable} up\n");
        run_with_input(&["ip", "-n", &namespace, "-batch", "-"], &inside).map(drop)
    }

    /// Removes the interface of a cable at one machine, as a driver that is unloaded does.
    pub fn remove(&self, cable: &str, machine: &str) -> Result<()> {
        run(&["ip", "-n", &self.namespace(), "link", "delete", &format!("{machine}-{cable}")]).map(drop)
    }

    /// Cuts, or heals, one machine's end of a cable of [`Switch::lay`]. The machine loses its carrier.
    pub fn switch_cable(&self, cable: &str, machine: &str, on: bool) -> Result<()> {
        let state = if on { "up" } else { "down" };
        run(&["ip", "-n", &self.namespace(), "link", "set", &format!("{machine}-{cable}"), state]).map(drop)
    }

    fn set(&self, machines: &[&str], lans: &[Lan], state: &str) -> Result<()> {
        let mut batch = String::new();
        for machine in machines {
            for lan in lans {
                batch.push_str(&format!("link set {} {state}\n", lan.port(machine)));
            }
        }
        run_with_input(&["ip", "-n", &self.namespace(), "-batch", "-"], &batch)?;
        Ok(())
    }
}
