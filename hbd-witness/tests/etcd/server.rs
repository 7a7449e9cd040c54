//! Servers of etcd on loopback, each with a directory of its own; they end with their value.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Long enough on any machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One server.
pub struct Server {
    pub url: String,
    child: Child,
    command: Vec<String>,
}

/// How clients reach it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Plainly,
    /// Who has no certificate of the same authority is turned away.
    WithCertificates,
}

/// Ports that nobody uses now. All are held until all are known, so that they differ.
pub fn ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

impl Server {
    /// A cluster of one.
    pub fn alone(directory: &Path, reached: Reached) -> Server {
        Server::cluster(directory, 1, reached).remove(0)
    }

    /// A cluster of so many, which serves.
    pub fn cluster(directory: &Path, count: usize, reached: Reached) -> Vec<Server> {
        let ports = ports(2 * count);
        let (clients, peers) = ports.split_at(count);
        let peer = |index: usize| format!("m{index}=http://127.0.0.1:{}", peers[index]);
        let all = (0..count).map(peer).collect::<Vec<_>>().join(",");
        let scheme = if reached == Reached::Plainly { "http" } else { "https" };
        let command = |index: usize| {
            let url = format!("{scheme}://127.0.0.1:{}", clients[index]);
            let data = directory.join(format!("m{index}"));
            let own = format!("http://127.0.0.1:{}", peers[index]);
            let token = format!("{}", directory.display());
            let words = [
                ("--name", format!("m{index}")),
                ("--data-dir", data.display().to_string()),
                ("--listen-client-urls", url.clone()),
                ("--advertise-client-urls", url),
                ("--listen-peer-urls", own.clone()),
                ("--initial-advertise-peer-urls", own),
                ("--initial-cluster", all.clone()),
                ("--initial-cluster-token", token),
            ];
            let mut words: Vec<String> =
                words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
            // A loaded machine must not elect a new leader in the middle of a test.
            words.extend(["--heartbeat-interval=200".to_owned(), "--election-timeout=2000".to_owned()]);
            if reached == Reached::WithCertificates {
                let file = |name: &str| directory.join(name).display().to_string();
                words.extend([
                    "--cert-file".to_owned(),
                    file("server.pem"),
                    "--key-file".to_owned(),
                    file("server.key"),
                ]);
                words.extend(["--trusted-ca-file".to_owned(), file("ca.pem"), "--client-cert-auth".to_owned()]);
            }
            words
        };
        let starting: Vec<_> = (0..count).map(&command).map(|words| (spawn(&words), words)).collect();
        let serving = |((child, serves), command): ((Child, Serves), Vec<String>)| {
            serves();
            Server { url: command[5].clone(), child, command }
        };
        starting.into_iter().map(serving).collect()
    }

    /// Ends it, as a power failure does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again with what it has on disk.
    pub fn start_again(&mut self) {
        let (child, serves) = spawn(&self.command);
        self.child = child;
        serves();
    }

    /// It answers nothing, and its connections stay, until [`Server::thaw`].
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Ends [`Server::freeze`].
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// What etcdctl says to these words.
    pub fn etcdctl(&self, words: &[&str]) -> String {
        let command =
            Command::new("etcdctl").env("ETCDCTL_API", "3").args(["--endpoints", &self.url]).args(words).output();
        let output = command.expect("etcdctl (Debian: etcd-client)");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the server serves.
type Serves = Box<dyn FnOnce()>;

fn spawn(command: &[String]) -> (Child, Serves) {
    let mut child = Command::new("etcd")
        .args(command)
        .env("ETCD_UNSUPPORTED_ARCH", "arm64")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("etcd (Debian: etcd-server)");
    let errors = BufReader::new(child.stderr.take().unwrap());
    let (serving, served) = channel();
    thread::spawn(move || {
        let mut told = Vec::new();
        for line in errors.lines().map_while(Result::ok) {
            if line.contains("ready to serve client requests") {
                let _ = serving.send(Vec::new());
            }
            told.push(line);
        }
        let _ = serving.send(told);
    });
    let wait = move || {
        let told = served.recv_timeout(PATIENCE).expect("etcd serves in time");
        assert!(told.is_empty(), "etcd ended: {}", told.join("\n"));
    };
    (child, Box::new(wait))
}

/// An authority, a certificate of the server for 127.0.0.1, and one of a client, as files of these names with `.pem`
/// and `.key`: `ca`, `server`, `client`; and another authority, `stranger`.
pub fn certificates(directory: &Path) {
    for authority in ["ca", "stranger"] {
        let files = format!("-keyout {authority}.key -out {authority}.pem");
        openssl(directory, &format!("req -x509 {NEW_KEY} -days 9 -subj /CN={authority} {files}"));
    }
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    for name in ["server", "client"] {
        openssl(directory, &format!("req {NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let authority = "-CA ca.pem -CAkey ca.key -CAcreateserial";
        openssl(directory, &format!("x509 -req -in {name}.csr {authority} -days 9 -extfile names -out {name}.pem"));
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// Runs openssl with these words, which have no blanks.
fn openssl(directory: &Path, words: &str) {
    let output = Command::new("openssl").current_dir(directory).args(words.split(' ')).output().expect("openssl");
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The text of a file.
pub fn text(directory: &Path, name: &str) -> String {
    let path = directory.join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
