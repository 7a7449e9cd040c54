//! Test support: a cable of our own. Two fresh network namespaces joined by a veth pair, `eth0` in the one where the
//! test runs and `eth0` in its peer's. Both vanish with their threads; nothing of the machine's network is touched.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkAttribute;
use rtnetlink::{Handle, LinkUnspec, LinkVeth};

use crate::test_needs::missing;

type Job = Box<dyn FnOnce() + Send>;

/// The far end of the cable: a thread in a namespace of its own.
pub(crate) struct Peer {
    jobs: mpsc::Sender<Job>,
    namespace: File,
}

impl Peer {
    /// Runs something in the peer's namespace and waits for its result. Sockets opened there may be used anywhere.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        self.jobs.send(Box::new(move || drop(done.send(job())))).unwrap();
        result.recv().unwrap()
    }
}

/// Runs a test in a fresh namespace with a cable to its peer; both ends are up and have no IPv4 address. Needs
/// root.
pub(crate) fn with_cable(test: impl FnOnce(Peer) + Send + 'static) {
    let body = move || {
        if let Err(error) = own_namespace() {
            missing("root", &format!("it plays in a network namespace of its own ({error}): run the tests as root"));
            return;
        }
        let peer = start_peer();
        connect("eth0", &peer);
        test(peer);
    };
    if let Err(panic) = thread::Builder::new().name("testnet".into()).spawn(body).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Creates a veth pair, `device` here and the same name in the peer's namespace, and takes both ends up.
pub(crate) fn connect(device: &'static str, peer: &Peer) {
    let namespace = peer.namespace.as_raw_fd();
    rtnetlink_run(|handle| async move {
        handle.link().add(LinkVeth::new(device, "hbdnet-far").build()).execute().await.unwrap();
        let far = index_of(&handle, "hbdnet-far").await.unwrap();
        let moved = LinkUnspec::new_with_index(far).name(device).setns_by_fd(namespace).build();
        handle.link().set(moved).execute().await.unwrap();
        up(&handle, device).await;
    });
    peer.run(move || rtnetlink_run(|handle| async move { up(&handle, device).await }));
    await_carrier(device);
}

/// Adds an address to an interface of the calling thread's namespace, as an administrator would.
pub(crate) fn add_address(device: &'static str, address: impl Into<IpAddr>, prefix: u8) {
    let address = address.into();
    rtnetlink_run(|handle| async move {
        let index = index_of(&handle, device).await.unwrap();
        handle.address().add(index, address, prefix).execute().await.unwrap();
    });
}

/// As [`add_address`], with the network's last address as its broadcast address.
pub(crate) fn add_broadcast_address(device: &'static str, address: Ipv4Addr, prefix: u8) {
    use netlink_packet_route::address::AddressAttribute;
    rtnetlink_run(|handle| async move {
        let index = index_of(&handle, device).await.unwrap();
        let broadcast = Ipv4Addr::from(u32::from(address) | (u32::MAX >> prefix));
        let mut request = handle.address().add(index, address.into(), prefix);
        request.message_mut().attributes.retain(|one| !matches!(one, AddressAttribute::Broadcast(_)));
        request.message_mut().attributes.push(AddressAttribute::Broadcast(broadcast));
        request.execute().await.unwrap();
    });
}

/// Removes an address, as an administrator would.
pub(crate) fn del_address(device: &'static str, address: impl Into<IpAddr>) {
    let address = address.into();
    use netlink_packet_route::address::AddressAttribute;
    rtnetlink_run(|handle| async move {
        let index = index_of(&handle, device).await.unwrap();
        let wanted = match address {
            IpAddr::V4(_) => AddressAttribute::Local(address),
            IpAddr::V6(_) => AddressAttribute::Address(address),
        };
        let present: Vec<AddressMessage> = handle.address().get().execute().try_collect().await.unwrap();
        for message in present {
            if message.header.index == index && message.attributes.contains(&wanted) {
                handle.address().del(message).execute().await.unwrap();
            }
        }
    });
}

/// Takes an interface up or down.
pub(crate) fn set_up(device: &'static str, is_up: bool) {
    rtnetlink_run(|handle| async move {
        let link = LinkUnspec::new_with_name(device);
        let link = if is_up { link.up() } else { link.down() };
        handle.link().set(link.build()).execute().await.unwrap();
    });
}

/// Gives an interface another MAC address.
pub(crate) fn set_mac(device: &'static str, mac: [u8; 6]) {
    rtnetlink_run(|handle| async move {
        let link = LinkUnspec::new_with_name(device).address(mac.to_vec()).build();
        handle.link().set(link).execute().await.unwrap();
    });
}

/// Removes an interface, and its other end with it.
pub(crate) fn del_link(device: &'static str) {
    rtnetlink_run(|handle| async move {
        let index = index_of(&handle, device).await.unwrap();
        handle.link().del(index).execute().await.unwrap();
    });
}

/// The administrator's work while the test's own runtime is busy: in a thread of the same namespace.
pub(crate) fn outside(work: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(work).join().unwrap());
}

/// Asks until the answer is yes; fails the test after ten seconds.
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < patience, "did not happen in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs one rtnetlink conversation in the calling thread's namespace.
pub(crate) fn rtnetlink_run<T, F: Future<Output = T>>(conversation: impl FnOnce(Handle) -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        let reader = tokio::spawn(connection);
        let result = conversation(handle).await;
        reader.abort();
        result
    })
}

async fn index_of(handle: &Handle, device: &str) -> Option<u32> {
    let links: Vec<_> = handle.link().get().execute().try_collect().await.unwrap();
    let name = LinkAttribute::IfName(device.to_string());
    links.iter().find(|link| link.attributes.contains(&name)).map(|link| link.header.index)
}

async fn up(handle: &Handle, device: &str) {
    for name in ["lo", device] {
        handle.link().set(LinkUnspec::new_with_name(name).up().build()).execute().await.unwrap();
    }
}

/// An interface reports its carrier a moment after what it stands on: a veth end after the other end is up.
pub(crate) fn await_carrier(device: &'static str) {
    eventually("carrier", || {
        rtnetlink_run(|handle| async move {
            let index = index_of(&handle, device).await.unwrap();
            let links: Vec<_> = handle.link().get().match_index(index).execute().try_collect().await.unwrap();
            links[0].header.flags.contains(netlink_packet_route::link::LinkFlags::Running)
        })
    });
}

fn start_peer() -> Peer {
    let (jobs, inbox) = mpsc::channel::<Job>();
    let (opened, namespace) = mpsc::channel();
    let body = move || {
        own_namespace().unwrap();
        opened.send(File::open("/proc/thread-self/ns/net").unwrap()).unwrap();
        inbox.into_iter().for_each(|job| job());
    };
    thread::Builder::new().name("testnet-peer".into()).spawn(body).unwrap();
    Peer { jobs, namespace: namespace.recv().unwrap() }
}

/// Moves the calling thread, and threads that it starts from now on, into a new network namespace.
#[expect(unsafe_code, reason = "no safe wrapper among our dependencies")]
fn own_namespace() -> std::io::Result<()> {
    // SAFETY: unshare(2) takes no pointers; CLONE_NEWNET changes the calling thread only.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
