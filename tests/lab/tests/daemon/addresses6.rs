//! IPv6 addresses as `ip` and a neighbour see them.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, Pair, SOON, START, expect_words, unexpected};

const HARESOURCES: &str = "nodea 192.168.17.200/24/eth0 IPv6addr::2001:db8:17:0:0:0:0:c8/64/eth0 httpd\n";
const ADDRESS: &str = "2001:db8:17::c8";

/// The address can be used at once and has a lease. When hbd stops it is removed, and the peer has it.
pub fn an_ipv6_address_moves_like_any_other(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(Some(HARESOURCES))?;
    pair.wait_settled(since)?;
    let there = wait_until("nodea to have the address", SOON, || shown(pair, A))?;
    expect_words("ip address", &there, &["scope global", "valid_lft "])?;
    if there.contains("tentative") || there.contains("valid_lft forever") {
        return unexpected(there);
    }
    let moved = now();
    pair.lab.stop(A)?;
    wait_until("nodeb to have the address", START, || shown(pair, B))?;
    if shown(pair, A).is_some() {
        return unexpected(format!("{} still has {ADDRESS}", NODES[A].name));
    }
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    Ok(format!("moved within {:.3} s", now() - moved))
}

/// What `ip` shows of the address on a node; `None` if it is not there.
fn shown(pair: &Pair, index: usize) -> Option<String> {
    let text = pair.node(index).run(&["ip", "-6", "address", "show", "to", ADDRESS]).ok()?;
    text.contains(ADDRESS).then_some(text)
}
