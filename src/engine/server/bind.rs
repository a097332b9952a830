//! The socket itself: a private directory, no second engine, and nothing left behind.

use crate::protocol::socket::{self, ANNOUNCEMENT, LONGEST_PATH};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// A socket that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The file system refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// A verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could reach, or has made, the directory of the socket.
    #[error("{path} is not private to this user ({detail}): remove it, or set XDG_RUNTIME_DIR or TMPDIR to a directory of your own")]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Another engine answers there.
    #[error("another engine answers on {path}")]
    Answered {
        /// The socket.
        path: PathBuf,
    },
    /// A file lies there that is no socket.
    #[error("{path} is in the way and is no socket: remove it")]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// The system takes no such long paths.
    #[error("the path of the socket is longer than {LONGEST_PATH} bytes: {path}")]
    TooLong {
        /// The socket.
        path: PathBuf,
    },
}

impl ServeError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

/// A socket that stands. Dropping it removes it, unless another one has taken its place.
#[derive(Debug)]
pub struct Bound {
    listener: UnixListener,
    path: PathBuf,
    announcement: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Bound {
    /// Makes the socket and announces it in the study's directory. The caller holds the journal's lock, so that two
    /// engines of one study never get here together.
    pub async fn new(study_dir: &Path, path: &Path) -> Result<Self, ServeError> {
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(ServeError::TooLong { path: path.to_owned() });
        }
        private_directory(path.parent().unwrap_or(Path::new("/")))?;
        remove_stale(path).await?;
        let listener = UnixListener::bind(path).map_err(ServeError::io("listen on", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(ServeError::io("protect", path))?;
        let meta = fs::symlink_metadata(path).map_err(ServeError::io("look at", path))?;
        let announcement = study_dir.join(ANNOUNCEMENT);
        let bound = Self { listener, path: path.to_owned(), announcement, identity: (meta.dev(), meta.ino()) };
        // A courtesy to clients with another environment: a full disk must not keep the engine from its clients.
        let _ = fs::write(&bound.announcement, socket::announcement(study_dir, path));
        Ok(bound)
    }

    /// The next client of this user's; none when the system refused. Strangers are turned away, and whatever belongs to a run:
    /// no model's code commands the study that runs it, whatever the tier.
    pub(super) async fn accept(&self) -> Option<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await.ok()?;
            let own = rustix::process::geteuid().as_raw();
            let of_a_run = |pid: Option<i32>| pid.and_then(|p| u32::try_from(p).ok()).is_none_or(crate::run::sandbox::of_a_run);
            if stream.peer_cred().is_ok_and(|peer| peer.uid() == own && !of_a_run(peer.pid())) {
                return Some(stream);
            }
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
            let _ = fs::remove_file(&self.announcement);
        }
    }
}

fn private_directory(dir: &Path) -> Result<(), ServeError> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(ServeError::io("make", dir)(e)),
    }
    let meta = fs::symlink_metadata(dir).map_err(ServeError::io("look at", dir))?;
    let refuse = |detail: String| Err(ServeError::NotPrivate { path: dir.to_owned(), detail });
    let own = rustix::process::geteuid().as_raw();
    if !meta.is_dir() {
        return refuse("it is no directory".into());
    }
    if meta.uid() != own {
        return refuse(format!("it belongs to user {}", meta.uid()));
    }
    if meta.mode() & 0o077 != 0 {
        return refuse(format!("its mode is {:o}, not 700", meta.mode() & 0o777));
    }
    Ok(())
}

/// Removes a socket that nobody answers on.
async fn remove_stale(socket: &Path) -> Result<(), ServeError> {
    let meta = match fs::symlink_metadata(socket) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(ServeError::io("look at", socket)(e)),
    };
    if !meta.file_type().is_socket() {
        return Err(ServeError::InTheWay { path: socket.to_owned() });
    }
    match UnixStream::connect(socket).await {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(socket).map_err(ServeError::io("remove", socket)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(ServeError::io("try", socket)(e)),
        Ok(_) => Err(ServeError::Answered { path: socket.to_owned() }),
    }
}
