//! Which member of etcd is asked, and for how long.
//!
//! The one that answered last is asked first. The next one is asked as well when it says that it cannot, or says
//! nothing for a moment; the first answer counts, because every member answers for all of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use hbd::cluster::WitnessNews;
use hbd::witness::protocol::Configure;
use tokio::time::{sleep, timeout};

use crate::error::{MemberError, OrderError};
use crate::key::{Errand, Key};
use crate::member::Member;

/// A member that has not answered after so long is asked on, and another one with it.
const HEAD_START: Duration = Duration::from_millis(150);

/// An etcd, and the key in it.
pub struct Etcd {
    members: Vec<Member>,
    key: Key,
    limit: Duration,
    /// The member that answered last.
    first: AtomicUsize,
}

impl Etcd {
    /// What `configure` says. Connects to nothing.
    pub fn new(configure: Configure) -> Etcd {
        let members = configure.endpoints.iter().map(|url| Member::new(url, &configure)).collect();
        let (limit, ttl) = (configure.limit(), Duration::from_secs(configure.ttl));
        let key = Key::new(configure.key, configure.node, configure.daemon, ttl);
        Etcd { members, key, limit, first: AtomicUsize::new(0) }
    }

    /// Connects to all members, so that the first order need not.
    pub async fn connect(&self) {
        let connecting: FuturesUnordered<_> = self.members.iter().map(Member::connect).collect();
        let _ = timeout(self.limit, connecting.count()).await;
    }

    /// Carries the order out, and says whose the key is then; or why that is not known, within the limit.
    pub async fn carry_out(&self, errand: Errand) -> Result<WitnessNews, OrderError> {
        let members = || self.members.iter().map(|member| member.url.clone()).collect();
        match timeout(self.limit, self.ask_in_turn(errand)).await {
            Ok(answered) => answered,
            Err(_) => Err(OrderError::Slow { limit: self.limit, members: members() }),
        }
    }

    async fn ask_in_turn(&self, errand: Errand) -> Result<WitnessNews, OrderError> {
        let first = self.first.load(Ordering::Relaxed);
        let mut left = (0..self.members.len()).map(|place| (first + place) % self.members.len());
        let head_start = HEAD_START.min(self.limit / 4);
        let mut errors = Vec::new();
        let mut asked = FuturesUnordered::new();
        asked.extend(left.next().map(|member| self.ask(member, errand)));
        loop {
            let next = match left.len() {
                0 => Either::Left(std::future::pending()),
                _ => Either::Right(sleep(head_start)),
            };
            tokio::select! {
                answered = asked.next() => match answered {
                    Some(Ok((member, news))) => {
                        self.first.store(member, Ordering::Relaxed);
                        return Ok(news);
                    }
                    Some(Err(error)) => {
                        errors.push(error);
                        asked.extend(left.next().map(|member| self.ask(member, errand)));
                    }
                    None => return Err(OrderError::Everywhere(errors)),
                },
                () = next => asked.extend(left.next().map(|member| self.ask(member, errand))),
            }
        }
    }

    async fn ask(&self, member: usize, errand: Errand) -> Result<(usize, WitnessNews), MemberError> {
        let Member { url, .. } = &self.members[member];
        let news = self.members[member].carry_out(errand, &self.key).await;
        news.map(|news| (member, news)).map_err(|source| MemberError { member: url.clone(), source })
    }
}
