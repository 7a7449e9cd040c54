//! Which program may have removed an address, and what to tell the administrator: networkd and NetworkManager
//! remove what they did not configure. Only reads their state files below /run; runs nothing.

use std::fs;
use std::path::Path;

/// What to write so that it does not happen again; `None` if neither of the two manages the interface.
pub(crate) fn hint(index: u32, device: &str) -> Option<String> {
    hint_below(Path::new("/run"), index, device)
}

fn hint_below(run: &Path, index: u32, device: &str) -> Option<String> {
    let read = |path: String| fs::read_to_string(run.join(path)).unwrap_or_default();
    let networkd = read(format!("systemd/netif/links/{index}"));
    let value = |key: &str| networkd.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    // `unmanaged` and `linger` are the others. Just when it removes addresses it is `initialized` again, and its
    // file is not told.
    let states = ["pending", "initialized", "configuring", "configured", "failed", "degraded"];
    if value("ADMIN_STATE").is_some_and(|state| states.contains(&state)) {
        let file = value("NETWORK_FILE").map_or_else(
            || format!("the .network file of {device}, which `networkctl status {device}` names"),
            |file| format!("/etc/systemd/network/{}.d/hbd.conf", file.rsplit('/').next().unwrap_or(file)),
        );
        // Not `static`: with a lease an address is a dynamic one to networkd.
        return Some(format!(
            "systemd-networkd manages {device} and removes addresses that it did not configure: write [Network] \
             KeepConfiguration=yes into {file}"
        ));
    }
    let manager = read(format!("NetworkManager/devices/{index}"));
    let managed = manager.lines().any(|line| line == "managed=true") || manager.contains("connection-uuid=");
    managed.then(|| {
        format!(
            "NetworkManager manages {device} and removes addresses that it did not configure: write [keyfile] \
             unmanaged-devices=interface-name:{device} into /etc/NetworkManager/conf.d/hbd.conf, or add the address to \
             no connection and do not run `nmcli connection up` on this one"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(path: &str, text: &str) -> Option<String> {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        hint_below(run.path(), 3, "eth0")
    }

    #[test]
    fn networkd_is_named_with_the_drop_in_of_its_file() {
        let text = "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-lan.network\n";
        let hint = with("systemd/netif/links/3", text).unwrap();
        assert!(hint.contains("KeepConfiguration=yes into /etc/systemd/network/10-lan.network.d/hbd.conf"), "{hint}");
    }

    #[test]
    fn networkd_is_named_while_it_configures_the_interface_anew() {
        let hint = with("systemd/netif/links/3", "ADMIN_STATE=initialized\nOPER_STATE=routable\n").unwrap();
        assert!(hint.contains("KeepConfiguration=yes into the .network file of eth0"), "{hint}");
    }

    #[test]
    fn who_does_not_manage_the_interface_is_not_blamed() {
        assert_eq!(with("systemd/netif/links/3", "ADMIN_STATE=unmanaged\n"), None);
        assert_eq!(with("systemd/netif/links/4", "ADMIN_STATE=configured\n"), None);
        assert_eq!(with("NetworkManager/devices/3", "[device]\nmanaged=false\n"), None);
    }

    #[test]
    fn network_manager_is_named() {
        let hint = with("NetworkManager/devices/3", "[device]\nmanaged=true\n").unwrap();
        assert!(hint.contains("unmanaged-devices=interface-name:eth0"), "{hint}");
    }
}
