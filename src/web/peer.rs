//! The client of a connection, as far as limits need it.
//!
//! An address is one client; for IPv6 it is the network of 64 bits, in which a client can use any address. This machine
//! itself may be many clients, since a proxy on it sends the requests of all of them. Such a proxy names its client in
//! `X-Forwarded-For`: the last address there is the one it has seen. From anybody else that header is ignored.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

/// A client's address or network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// The client at an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            address => Self(address),
        }
    }

    /// Whether it may be many clients.
    pub fn is_shared(self) -> bool {
        self.0.is_loopback()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(address) if !address.is_loopback() => write!(f, "{address}/64"),
            address => address.fmt(f),
        }
    }
}

/// The client that a request comes from, as far as known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub Peer);

impl Client {
    /// The client at the other end, or the one named by a proxy on this machine.
    pub fn of(peer: Peer, headers: &HeaderMap) -> Self {
        let named = || {
            let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next()?.trim().parse().ok()
        };
        if peer.is_shared() { Self(named().map_or(peer, Peer::of)) } else { Self(peer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::of(text.parse().expect("an address"))
    }

    #[test]
    fn a_guest_has_one_address_or_one_network() {
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert!(peer("127.0.0.1").is_shared() && peer("::1").is_shared() && peer("::ffff:127.0.0.1").is_shared());
        assert!(!peer("192.0.2.1").is_shared() && !peer("2001:db8::1").is_shared());
        assert_eq!(peer("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn only_a_proxy_on_this_machine_speaks_for_others() {
        let mut headers = HeaderMap::new();
        let of = |from: &str, headers: &HeaderMap| Client::of(peer(from), headers).0;
        assert_eq!(of("127.0.0.1", &headers), peer("127.0.0.1"));
        headers.append("x-forwarded-for", "198.51.100.9, 192.0.2.1".parse().expect("a value"));
        assert_eq!(of("127.0.0.1", &headers), peer("192.0.2.1"));
        assert_eq!(of("203.0.113.5", &headers), peer("203.0.113.5"));
        headers.append("x-forwarded-for", "nonsense".parse().expect("a value"));
        assert_eq!(of("127.0.0.1", &headers), peer("127.0.0.1"));
    }
}
