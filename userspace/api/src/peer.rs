//! Who is at the other end of the socket, by the kernel's word (`SO_PEERCRED`, unix(7)).

use std::io;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::net::UnixStream;

use crate::wire::Role;

/// A client as the kernel and its hello describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// User that opened the connection.
    pub uid: u32,
    /// Its primary group then.
    pub gid: u32,
    /// Process, when the kernel says.
    pub pid: Option<i32>,
    /// What it may do.
    pub role: Role,
    /// Name and version it gave itself; empty before its hello.
    pub client: String,
}

impl Peer {
    /// The peer of a connection.
    ///
    /// # Errors
    /// The kernel does not tell the credentials.
    pub(crate) async fn of(stream: &UnixStream, operator_group: Option<u32>) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let own = Uid::effective().as_raw();
        let operator = is_owner(uid, own)
            || match operator_group {
                Some(group) if group == gid => true,
                // The user database may be remote: not on the runtime's own threads.
                Some(group) => tokio::task::spawn_blocking(move || is_member(uid, gid, group))
                    .await
                    .unwrap_or(false),
                None => false,
            };
        Ok(Self {
            uid,
            gid,
            pid: credentials.pid(),
            role: if operator {
                Role::Operator
            } else {
                Role::Reader
            },
            client: String::new(),
        })
    }
}

impl Peer {
    /// Its user's name, or number when the user database has none. The database may be remote: not
    /// on the runtime's own threads.
    #[must_use]
    pub fn user(&self) -> String {
        match User::from_uid(Uid::from_raw(self.uid)) {
            Ok(Some(user)) => user.name,
            Ok(None) | Err(_) => format!("uid {}", self.uid),
        }
    }
}

/// Root, and the user that the daemon runs as.
const fn is_owner(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

/// Whether the user database makes this user a member of the group. Unknown users are not.
fn is_member(uid: u32, gid: u32, group: u32) -> bool {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return false;
    };
    std::ffi::CString::new(user.name)
        .ok()
        .and_then(|name| getgrouplist(&name, Gid::from_raw(gid)).ok())
        .is_some_and(|groups| groups.contains(&Gid::from_raw(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_daemons_user_are_owners() {
        assert!(is_owner(0, 990));
        assert!(is_owner(990, 990));
        assert!(!is_owner(1000, 990));
    }

    #[test]
    fn an_unknown_user_is_member_of_nothing() {
        assert!(!is_member(3_999_999_999, 3_999_999_999, 0));
    }

    #[test]
    fn a_user_goes_by_name_or_number() {
        let peer = |uid| Peer {
            uid,
            gid: 0,
            pid: None,
            role: Role::Reader,
            client: String::new(),
        };
        assert_eq!(peer(0).user(), "root");
        assert_eq!(peer(3_999_999_999).user(), "uid 3999999999");
    }

    #[test]
    fn root_is_a_member_of_its_primary_group() {
        assert!(is_member(0, 0, 0));
        assert!(!is_member(0, 0, 3_999_999_998));
    }
}
