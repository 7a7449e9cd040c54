//! What an order does to the key, at one member of etcd.
//!
//! The key's value names the node and its daemon, and the key lives as long as the lease that it was written with. The
//! order reads the key (a linearizable read), decides, and writes only if the key is as it was read, which etcd
//! compares by the revision of its last change. So an order that was given up and arrives late changes nothing once
//! another one has.
//!
//! A renewal writes the key with a new lease, and never sends a keep-alive for the old one: an etcd up to 3.4.28 and
//! 3.5.10 may answer keep-alives at a leader that is none any more, and may revoke by that leader's clock
//! (docs/DECISIONS.md "A lease of etcd is renewed by another").

use std::sync::Mutex;
use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, KeyValue, PutOptions, ResponseHeader, Txn, TxnOp};
use hbd::cluster::{WitnessNews, WitnessOrder, WitnessStamp};
use hbd::witness::protocol::bounded;

use crate::error::KeyError;

/// The key changed so often under our hands: there are two nodes, so somebody else writes it.
const TRIES: u32 = 5;
/// So many leases of orders that were given up are remembered: each ends by itself soon.
const LOOSE_MAX: usize = 8;

/// The cluster's key, and who we are.
pub struct Key {
    name: String,
    node: String,
    value: String,
    ttl: Duration,
    /// Leases that were granted, of which is not known yet whether the key has them.
    loose: Mutex<Vec<i64>>,
}

/// An order, and how far etcd had come when hbd saw it last.
#[derive(Debug, Clone, Copy)]
pub struct Errand {
    /// What is to be done.
    pub order: WitnessOrder,
    /// An etcd that is another one, or has gone back behind that, is not changed: each change would bring it nearer to
    /// where nobody could tell any more.
    pub since: Option<WitnessStamp>,
}

/// The key as it was read.
struct Seen {
    stamp: WitnessStamp,
    holder: Option<Holder>,
}

struct Holder {
    node: String,
    /// Node and daemon.
    value: String,
    lease: i64,
    /// Of the key's last change.
    revision: i64,
}

impl Key {
    /// `daemon` differs from daemon to daemon of the node.
    pub fn new(name: String, node: String, daemon: u64, ttl: Duration) -> Key {
        let value = format!("{node} {daemon:016x}");
        Key { name, node, value, ttl, loose: Mutex::default() }
    }

    /// Carries the order out, and says whose the key is then.
    pub async fn carry_out(&self, errand: Errand, client: &mut Client) -> Result<WitnessNews, KeyError> {
        for _ in 0..TRIES {
            let seen = self.read(client).await?;
            if errand.since.is_some_and(|since| !seen.stamp.follows(since)) {
                return Ok(self.news(seen));
            }
            let ours = seen.holder.as_ref().is_some_and(|holder| holder.node == self.node);
            let by_us = seen.holder.as_ref().is_some_and(|holder| holder.value == self.value);
            let changed = match errand.order {
                WitnessOrder::Ask if ours || seen.holder.is_none() => self.write(&seen, client).await?,
                WitnessOrder::Renew if by_us => self.write(&seen, client).await?,
                WitnessOrder::Give if ours => self.delete(&seen, client).await?,
                // Another daemon of our name has it: ours was lost meanwhile, and a renewal must not say that it is ours.
                WitnessOrder::Renew if ours => return Ok(seen.theirs(" (another daemon)")),
                _ => return Ok(self.news(seen)),
            };
            if let Some(news) = changed {
                return Ok(news);
            }
        }
        Err(KeyError::Contended(TRIES))
    }

    /// Revokes the leases of orders that were given up: what they might still write, or have written, goes with them.
    pub fn revoke_loose(&self, client: &Client) {
        let loose = std::mem::take(&mut *self.loose());
        loose.into_iter().for_each(|lease| revoke(lease, client));
    }

    async fn read(&self, client: &mut Client) -> Result<Seen, KeyError> {
        let answer = client.get(self.name.as_str(), None).await?;
        Ok(Seen { stamp: stamp(answer.header())?, holder: answer.kvs().first().map(Holder::of) })
    }

    fn news(&self, seen: Seen) -> WitnessNews {
        match &seen.holder {
            Some(holder) if holder.node == self.node => WitnessNews::Ours { stamp: seen.stamp },
            Some(_) => seen.theirs(""),
            None => WitnessNews::Nobodys { stamp: seen.stamp },
        }
    }

    /// Writes the key with a new lease; `None` if the key is not as it was seen any more.
    async fn write(&self, seen: &Seen, client: &mut Client) -> Result<Option<WitnessNews>, KeyError> {
        let asked = self.ttl.as_secs();
        let granted = client.lease_grant(asked.cast_signed(), None).await?;
        let lease = granted.id();
        if granted.ttl() < asked.cast_signed() {
            revoke(lease, client);
            return Err(KeyError::ShortLease { given: granted.ttl(), asked });
        }
        self.note_loose(lease);
        let put = TxnOp::put(self.name.as_str(), self.value.as_str(), Some(PutOptions::new().with_lease(lease)));
        let answer = client.txn(self.unless_changed(seen, put)).await?;
        self.loose().retain(|other| *other != lease);
        // What has the key no more ends by itself; sooner, if it can be told.
        let idle = if answer.succeeded() { seen.our_lease(&self.node) } else { Some(lease) };
        idle.into_iter().for_each(|lease| revoke(lease, client));
        let stamp = stamp(answer.header())?;
        Ok(answer.succeeded().then_some(WitnessNews::Ours { stamp }))
    }

    /// Deletes the key; `None` if it is not as it was seen any more.
    async fn delete(&self, seen: &Seen, client: &mut Client) -> Result<Option<WitnessNews>, KeyError> {
        let answer = client.txn(self.unless_changed(seen, TxnOp::delete(self.name.as_str(), None))).await?;
        let stamp = stamp(answer.header())?;
        if !answer.succeeded() {
            return Ok(None);
        }
        seen.our_lease(&self.node).into_iter().for_each(|lease| revoke(lease, client));
        Ok(Some(WitnessNews::Nobodys { stamp }))
    }

    fn unless_changed(&self, seen: &Seen, then: TxnOp) -> Txn {
        // A key that is not there has revision 0.
        let revision = seen.holder.as_ref().map_or(0, |holder| holder.revision);
        let unchanged = Compare::mod_revision(self.name.as_str(), CompareOp::Equal, revision);
        Txn::new().when([unchanged]).and_then([then])
    }

    fn note_loose(&self, lease: i64) {
        let mut loose = self.loose();
        if loose.len() == LOOSE_MAX {
            loose.remove(0);
        }
        loose.push(lease);
    }

    fn loose(&self) -> std::sync::MutexGuard<'_, Vec<i64>> {
        self.loose.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Seen {
    fn theirs(&self, more: &str) -> WitnessNews {
        let holder = self.holder.as_ref().map_or("", |holder| &holder.node);
        WitnessNews::Theirs { stamp: self.stamp, holder: bounded(&format!("{holder}{more}")) }
    }

    fn our_lease(&self, node: &str) -> Option<i64> {
        let holder = self.holder.as_ref().filter(|holder| holder.node == node)?;
        // 0: written by hand, without a lease.
        (holder.lease != 0).then_some(holder.lease)
    }
}

impl Holder {
    fn of(key: &KeyValue) -> Holder {
        let value = String::from_utf8_lossy(key.value()).into_owned();
        let node = value.split(' ').next().unwrap_or_default().to_owned();
        Holder { node, value, lease: key.lease(), revision: key.mod_revision() }
    }
}

/// Revokes a lease, and nobody waits for it: it ends by itself, too.
fn revoke(lease: i64, client: &Client) {
    let mut client = client.clone();
    tokio::spawn(async move { client.lease_revoke(lease).await });
}

fn stamp(header: Option<&ResponseHeader>) -> Result<WitnessStamp, KeyError> {
    let header = header.ok_or(KeyError::NoHeader)?;
    Ok(WitnessStamp { cluster: header.cluster_id(), revision: header.revision().cast_unsigned() })
}
