//! One member of etcd: its connection, which is made when it is needed first and made anew after any mistake.

use std::sync::{Mutex, MutexGuard, PoisonError};

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use hbd::cluster::{WitnessNews, WitnessOrder};
use hbd::witness::protocol::{Configure, Tls};

use crate::error::KeyError;
use crate::key::{Errand, Key};

/// A member, by its URL.
pub struct Member {
    pub url: String,
    options: ConnectOptions,
    client: Mutex<Option<Client>>,
}

impl Member {
    /// The member of that URL, to be asked as `configure` says. Connects to nothing.
    pub fn new(url: &str, configure: &Configure) -> Member {
        let limit = configure.limit();
        let mut options = ConnectOptions::new()
            .with_connect_timeout(limit)
            .with_timeout(limit)
            // A member that has lost the others says so at once, and another one is asked.
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(user) = &configure.user {
            options = options.with_user(&user.name, &user.password.0);
        }
        if let (Some(tls), true) = (&configure.tls, url.starts_with("https:")) {
            options = options.with_tls(tls_options(tls));
        }
        Member { url: url.to_owned(), options, client: Mutex::default() }
    }

    /// Connects, if there is no connection yet.
    pub async fn connect(&self) -> Result<Client, KeyError> {
        if let Some(client) = self.client().clone() {
            return Ok(client);
        }
        let client = Client::connect([&self.url], Some(self.options.clone())).await?;
        *self.client() = Some(client.clone());
        Ok(client)
    }

    /// Carries the order out. A connection that was there before may be dead without that anybody has noticed, so the
    /// order is tried once more with a new one. One that did not answer (this future is dropped then) is used no more:
    /// TCP might take a minute to find out that the way is free again.
    pub async fn carry_out(&self, errand: Errand, key: &Key) -> Result<WitnessNews, KeyError> {
        let old = self.client().is_some();
        let first = self.attempt(errand, key).await;
        if first.is_err() && old { self.attempt(errand, key).await } else { first }
    }

    async fn attempt(&self, errand: Errand, key: &Key) -> Result<WitnessNews, KeyError> {
        let mut unless_answered = Forget { member: self, armed: true };
        let mut client = self.connect().await?;
        let news = key.carry_out(errand, &mut client).await?;
        if errand.order == WitnessOrder::Give {
            key.revoke_loose(&client);
        }
        unless_answered.armed = false;
        Ok(news)
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the connection up when it is dropped.
struct Forget<'a> {
    member: &'a Member,
    armed: bool,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if self.armed {
            *self.member.client() = None;
        }
    }
}

fn tls_options(tls: &Tls) -> TlsOptions {
    let options = TlsOptions::new().ca_certificate(Certificate::from_pem(&tls.ca));
    match &tls.client {
        Some(client) => options.identity(Identity::from_pem(&client.certificate, &client.key.0)),
        None => options,
    }
}
