//! What of the machine every run may read: programs, libraries and the few settings that they look up.

use std::path::{Path, PathBuf};

/// Directories of programs and libraries. Links among them (`/lib` is one today) lead into `/usr`.
pub(super) const PROGRAMS: [&str; 11] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store", "/snap"];

/// What programs look up below `/etc`. No keys, no passwords, no host's identity.
const SETTINGS: [&str; 21] = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "localtime",
    "timezone",
    "locale.alias",
    "passwd",
    "group",
    "nsswitch.conf",
    "os-release",
    "debian_version",
    "fonts",
    "ssl/openssl.cnf",
    "ssl/certs",
    "pki/tls/certs",
    "ca-certificates",
    "mime.types",
    "OpenCL",
    "python3",
    "terminfo",
];

/// What only those look up who may use the network.
const NETWORK: [&str; 7] = ["resolv.conf", "hosts", "host.conf", "gai.conf", "services", "protocols", "hostname"];

/// Devices without a machine behind them.
pub(super) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The settings that are there.
pub(super) fn settings(network: bool) -> Vec<PathBuf> {
    let names = SETTINGS.iter().chain(if network { &NETWORK[..] } else { &[] });
    names.map(|name| Path::new("/etc").join(name)).filter(|path| path.exists()).collect()
}
