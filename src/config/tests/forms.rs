//! `addresses` of a group in hbd.toml, and `tickle` and `conntrack`.

use super::*;

const LINE: &str = "nodea 10.0.0.9/24/eth0:a IPv6addr::2001:db8:0:0:0:0:0:c8/64 nginx\nnodeb mail\n";

fn written(key: &str, list: &str) -> Node {
    Node::with("").haresources(LINE).toml(&format!("[groups.\"{key}\"]\naddresses = {list}\n"))
}

#[test]
fn each_address_has_the_form_that_is_written_of_it() {
    let config = written("10.0.0.9/24/eth0:a", "[\"VIP scope link\", \"2001:db8::c8 metric 5\"]").config();
    let forms = &config.address_options[0].forms;
    let form = |address: &str| forms[&address.parse::<std::net::IpAddr>().unwrap()].clone();
    assert_eq!(form("10.0.0.9"), AddressForm { scope: Some(IpScope::Link), ..AddressForm::default() });
    assert_eq!(form("2001:db8::c8"), AddressForm { metric: Some(5), ..AddressForm::default() });
    assert!(config.address_options[1].forms.is_empty());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let key = "10.0.0.9/24/eth0:a";
    for (key, list, column, message, help) in [
        (
            key,
            "[\"VIP scope lan\"]",
            14,
            "address `VIP scope lan`: `scope lan` is not understood",
            "write scope global",
        ),
        (key, "[\"VIP metric 1\", \"10.0.0.9 metric 2\"]", 30, "10.0.0.9 stands twice in `addresses`", "one entry"),
        (key, "[\"VIP label eth0:b\"]", 14, "the group's line gives 10.0.0.9 the label eth0:a", "or there"),
        ("mail", "[\"VIP metric 1\"]", 14, "`VIP` is no address of the group", "give the group an address"),
    ] {
        let error = written(key, list).error();
        assert_eq!((error.line, error.column), (2, column), "{list}: {error}");
        assert!(error.message.contains(message) && error.help.contains(help), "{list}: {error}");
    }
}

#[test]
fn a_reload_tells_another_form() {
    let of = |list: &str| written("10.0.0.9/24/eth0:a", list).config();
    let changes = ConfigDifference::between(&of("[\"VIP metric 1\"]"), &of("[\"VIP metric 2\"]")).changes;
    assert_eq!(changes, ["group 10.0.0.9/24/eth0:a: [addresses], [groups]: changed"]);
}

#[test]
fn what_becomes_of_connections_is_said_for_all_groups_and_for_one() {
    let seen = |toml: &str| -> Vec<(bool, ConntrackPolicy)> {
        let config = Node::with("").haresources("nodea 10.0.0.100 httpd\nnodeb 10.0.0.101\n").toml(toml).config();
        config.address_options.iter().map(|options| (options.tickle, options.conntrack)).collect()
    };
    assert_eq!(seen(""), [(false, ConntrackPolicy::Keep); 2]);
    let toml = "[addresses]\ntickle = true\nconntrack = \"flush\"\n[groups.\"10.0.0.101\"]\nconntrack = \"keep\"\n";
    assert_eq!(seen(toml), [(true, ConntrackPolicy::Flush), (true, ConntrackPolicy::Keep)]);
    let toml = "[groups.\"10.0.0.101\"]\ntickle = true\n";
    assert_eq!(seen(toml), [(false, ConntrackPolicy::Keep), (true, ConntrackPolicy::Keep)]);
}
