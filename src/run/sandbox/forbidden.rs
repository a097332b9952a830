//! What no sandbox may allow, tried from inside one: the answers decide whether a tier is promised.

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType},
    process::{Pid, test_kill_process},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

/// The acts, in the order in which they are tried and reported.
pub(super) const ACTS: [&str; 7] = ["read", "write", "mode", "signal", "environ", "tcp", "udp"];

/// A try of everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::run) struct Attempt {
    /// A file outside.
    pub(super) secret: PathBuf,
    /// A process outside.
    pub(super) pid: i32,
    /// A port at which somebody listens outside.
    pub(super) port: u16,
}

impl Attempt {
    /// Prints a line for each act: its name, and `allowed` or the refusal.
    pub(super) fn make(&self) -> i32 {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port);
        let process = Pid::from_raw(self.pid).ok_or(Errno::INVAL);
        let results: [io::Result<()>; 7] = [
            fs::File::open(&self.secret).and_then(|mut f| f.read(&mut [0; 8]).map(drop)),
            OpenOptions::new().append(true).open(&self.secret).and_then(|mut f| f.write_all(b"!")),
            fs::set_permissions(&self.secret, fs::Permissions::from_mode(0o604)),
            process.and_then(test_kill_process).map_err(io::Error::from),
            fs::read(format!("/proc/{}/environ", self.pid)).map(drop),
            connect(at),
            UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).and_then(|s| s.send_to(b"!", at)).map(drop),
        ];
        for (act, result) in ACTS.iter().zip(results) {
            let said = result.map_or_else(|error| error.to_string(), |()| "allowed".into());
            say(&format!("{act} {said}\n"));
        }
        // What it must allow: its own directory.
        let works = fs::write("made", "x").and_then(|()| fs::remove_file("made"));
        say(&format!("work {}\n", works.map_or_else(|error| error.to_string(), |()| "allowed".into())));
        0
    }
}

fn connect(at: SocketAddrV4) -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    Ok(rustix::net::connect(&socket, &at)?)
}

/// The answers are read by who started the try; no person sees them.
fn say(line: &str) {
    let _ = rustix::io::write(rustix::stdio::stdout(), line.as_bytes());
}
