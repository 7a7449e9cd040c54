//! Certificates, users and passwords.

use std::path::Path;

use hbd::cluster::WitnessOrder::{Ask, Renew};
use hbd::witness::protocol::{ClientCertificate, Configure, Secret, Tls, User};
use tempfile::tempdir;

use crate::helper::{Helper, configure};
use crate::server::{Reached, Server, certificates, text};

fn tls(directory: &Path, authority: &str, client: Option<&str>) -> Option<Tls> {
    let client = client.map(|name| ClientCertificate {
        certificate: text(directory, &format!("{name}.pem")),
        key: Secret(text(directory, &format!("{name}.key"))),
    });
    Some(Tls { ca: text(directory, &format!("{authority}.pem")), client })
}

#[test]
fn certificates_are_shown_and_asked_for() {
    let directory = tempdir().unwrap();
    certificates(directory.path());
    let etcd = Server::alone(directory.path(), Reached::WithCertificates);
    let helper = Helper::start(directory.path(), "socket");
    let with = |tls| Configure { tls, ..configure("nodea", &[&etcd.url]) };

    let mut nodea = helper.configured(with(tls(directory.path(), "ca", Some("client"))));
    nodea.gets(Ask);
    nodea.gets(Renew);
    let reason = helper.configured(with(tls(directory.path(), "ca", None))).fails(Ask);
    assert!(reason.starts_with(&etcd.url), "{reason}");
    let reason = helper.configured(with(tls(directory.path(), "stranger", Some("client")))).fails(Ask);
    assert!(reason.contains("certificate"), "{reason}");
    let reason = helper.configured(with(Some(Tls { ca: "nonsense".to_owned(), client: None }))).fails(Ask);
    assert!(reason.starts_with(&etcd.url), "{reason}");
}

#[test]
fn a_user_needs_his_password() {
    let directory = tempdir().unwrap();
    let mut etcd = Server::alone(directory.path(), Reached::Plainly);
    etcd.etcdctl(&["user", "add", "root:boss"]);
    etcd.etcdctl(&["role", "add", "root"]);
    etcd.etcdctl(&["user", "grant-role", "root", "root"]);
    etcd.etcdctl(&["user", "add", "hbd:hush"]);
    etcd.etcdctl(&["role", "add", "hbd"]);
    etcd.etcdctl(&["role", "grant-permission", "hbd", "--prefix=true", "readwrite", "/hbd/"]);
    etcd.etcdctl(&["user", "grant-role", "hbd", "hbd"]);
    etcd.etcdctl(&["auth", "enable"]);
    let helper = Helper::start(directory.path(), "socket");
    let with = |name: &str, password: &str| {
        let user = User { name: name.to_owned(), password: Secret(password.to_owned()) };
        Configure { user: Some(user), ..configure("nodea", &[&etcd.url]) }
    };

    let mut nodea = helper.configured(with("hbd", "hush"));
    nodea.gets(Ask);
    nodea.gets(Renew);
    let reason = helper.configured(with("hbd", "wrong")).fails(Ask);
    assert!(reason.contains("authentication failed") && !reason.contains("wrong"), "{reason}");
    let reason = helper.configured(configure("nodea", &[&etcd.url])).fails(Ask);
    assert!(reason.contains("user name is empty"), "{reason}");
    let elsewhere = Configure { key: "/other/owner".to_owned(), ..with("hbd", "hush") };
    let reason = helper.configured(elsewhere).fails(Ask);
    assert!(reason.contains("permission denied"), "{reason}");

    // It has forgotten who had shown a password.
    etcd.kill();
    etcd.start_again();
    nodea.gets(Renew);
}
