//! What a trial must not reach: listeners of the user's on the loopback, and daemons' sockets. They answer, so that reaching
//! them is worth something, and keep what they heard.

use std::{
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    os::unix::{
        fs::PermissionsExt,
        net::{SocketAddr, UnixListener},
    },
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

/// One message, with the way by which it came.
type Message = (&'static str, Vec<u8>);

/// What was heard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Message>>>);

impl Heard {
    /// Takes all that was heard since the last time.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn add(&self, way: &'static str, bytes: &[u8]) {
        self.0.lock().unwrap().push((way, bytes.to_vec()));
    }
}

/// Where the listeners are.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) tcp: u16,
    pub(crate) tcp6: u16,
    pub(crate) udp: u16,
    /// A port that nobody listens on: a place for two runs to meet.
    pub(crate) meeting: u16,
    pub(crate) heard: Heard,
}

const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nlabels\n";

fn answer<S: Read + Write>(mut stream: S, way: &'static str, heard: &Heard) {
    let mut bytes = vec![0; 16384];
    let n = stream.read(&mut bytes).unwrap_or(0);
    heard.add(way, &bytes[..n]);
    let _ = stream.write_all(ANSWER);
}

fn tcp(address: &str, heard: &Heard) -> u16 {
    let Ok(listener) = TcpListener::bind(address) else { return 9 };
    let port = listener.local_addr().unwrap().port();
    let heard = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            let heard = heard.clone();
            std::thread::spawn(move || answer(stream, "TCP", &heard));
        }
    });
    port
}

fn unix(listener: UnixListener, way: &'static str, heard: &Heard) {
    let heard = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            answer(stream, way, &heard);
        }
    });
}

impl Listeners {
    /// Starts all of them: `path` is the socket of an agent of the user's, `open` that of a daemon which everybody may call, and
    /// `name` an abstract one.
    pub(crate) fn start(path: &Path, open: &Path, name: &str) -> Self {
        let heard = Heard::default();
        let (v4, v6) = (tcp("127.0.0.1:0", &heard), tcp("[::1]:0", &heard));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let udp = socket.local_addr().unwrap().port();
        let ears = heard.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 16384];
            while let Ok((n, from)) = socket.recv_from(&mut bytes) {
                ears.add("UDP", &bytes[..n]);
                let _ = socket.send_to(b"answer", from);
            }
        });
        unix(UnixListener::bind(path).unwrap(), "unix", &heard);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        unix(UnixListener::bind(open).unwrap(), "open unix", &heard);
        std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o777)).unwrap();
        use std::os::linux::net::SocketAddrExt;
        unix(UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap(), "abstract", &heard);
        let meeting = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { tcp: v4, tcp6: v6, udp, meeting, heard }
    }
}
