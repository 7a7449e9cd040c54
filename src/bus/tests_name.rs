//! Who has the bus name, as a client on a private bus sees it.

use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::Connection;
use zbus::fdo::DBusProxy;

use super::private_bus::PrivateBus;
use super::tests::{Daemon, GROUP, LONG, read, text};
use super::{NAME, ROOT};

async fn until_owned(client: &Connection, wanted: bool) {
    let dbus = DBusProxy::new(client).await.unwrap();
    let mut changes = dbus.receive_name_owner_changed_with_args(&[(0, NAME)]).await.unwrap();
    timeout(LONG, async {
        while dbus.name_has_owner(NAME.try_into().unwrap()).await.unwrap() != wanted {
            changes.next().await.unwrap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_restarted_bus_gets_everything_again() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let (mut daemon, _client) = Daemon::start(&bus).await;
    bus.kill();
    daemon.change(|snapshot| snapshot.groups[0].owner = "nodeb".to_owned());
    bus.revive();
    let client = bus.builder().build().await.unwrap();
    until_owned(&client, true).await;
    assert_eq!(text(read(&client, GROUP, "org.hbd1.Group", "Owner").await), "nodeb");
}

#[tokio::test]
async fn a_taken_name_is_left_to_its_owner_and_had_as_soon_as_it_is_free() {
    let Some(bus) = PrivateBus::start() else { return };
    let client = bus.builder().build().await.unwrap();
    let dbus = DBusProxy::new(&client).await.unwrap();
    // zbus lets itself be replaced unless told otherwise: this one would be.
    let other = bus.builder().name(NAME).build().await.unwrap();
    let owner = other.unique_name().unwrap().clone();
    let mut changes = dbus.receive_name_owner_changed().await.unwrap();
    let (_daemon, _client) = Daemon::start(&bus).await;
    timeout(LONG, async {
        // The first connection that goes: the daemon's, which found the name taken.
        while changes.next().await.unwrap().args().unwrap().new_owner.is_some() {}
    })
    .await
    .unwrap();
    assert_eq!(dbus.get_name_owner(NAME.try_into().unwrap()).await.unwrap().as_str(), owner.as_str());
    other.close().await.unwrap();
    timeout(LONG, async {
        let mut changes = dbus.receive_name_owner_changed_with_args(&[(0, NAME)]).await.unwrap();
        while dbus.get_name_owner(NAME.try_into().unwrap()).await.is_err() {
            changes.next().await.unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(text(read(&client, ROOT, "org.hbd1.Manager", "NodeName").await), "nodea");
}

#[tokio::test]
async fn nobody_takes_the_name_away() {
    let Some(bus) = PrivateBus::start() else { return };
    let (_daemon, client) = Daemon::start(&bus).await;
    // With all the flags by which zbus would replace one that lets itself be replaced.
    assert!(matches!(client.request_name(NAME).await, Err(zbus::Error::NameTaken)));
}

#[tokio::test]
async fn without_snapshots_the_name_is_given_back() {
    let Some(bus) = PrivateBus::start() else { return };
    let (daemon, client) = Daemon::start(&bus).await;
    drop(daemon);
    until_owned(&client, false).await;
}
