//! Which addresses are public. The registries of special-purpose addresses (RFC 6890 and its updates) decide; of IPv6
//! only what is handed out as global unicast counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why an address is not public: the name of its class. `None` if it is.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => V4.iter().find(|(net, _)| net.contains(&v4)).map(|(_, class)| *class),
        IpAddr::V6(v6) => {
            let class = V6.iter().find(|(net, _)| net.contains(&v6)).map(|(_, class)| *class);
            class.or_else(|| (!GLOBAL_UNICAST.contains(&v6)).then_some("reserved"))
        }
    }
}

/// Public by the registries, but clouds route some of them to services of their own, which answer any machine inside:
/// Azure's wire server, which hands out certificates and settings, and IBM's service endpoints.
const V4: [(Ipv4Net, &str); 18] = [
    (v4([0, 0, 0, 0], 8), "unspecified"),
    (v4([10, 0, 0, 0], 8), "private"),
    (v4([100, 64, 0, 0], 10), "carrier-grade NAT"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([161, 26, 0, 0], 16), "cloud platform"),
    (v4([166, 8, 0, 0], 14), "cloud platform"),
    (v4([168, 63, 129, 16], 32), "cloud platform"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([172, 16, 0, 0], 12), "private"),
    (v4([192, 0, 0, 0], 24), "protocol assignments"),
    (v4([192, 0, 2, 0], 24), "documentation"),
    (v4([192, 88, 99, 0], 24), "6to4 relay"),
    (v4([192, 168, 0, 0], 16), "private"),
    (v4([198, 18, 0, 0], 15), "benchmarking"),
    (v4([198, 51, 100, 0], 24), "documentation"),
    (v4([203, 0, 113, 0], 24), "documentation"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([240, 0, 0, 0], 4), "reserved"),
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0], 3);

/// Those outside of global unicast are here only for the name of their class.
const V6: [(Ipv6Net, &str); 12] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), "IPv4-mapped"),
    (v6([0x64, 0xff9b], 32), "NAT64"),
    (v6([0x2001, 0], 23), "protocol assignments"),
    (v6([0x2001, 0xdb8], 32), "documentation"),
    (v6([0x2002, 0], 16), "6to4"),
    (v6([0x3fff, 0], 20), "documentation"),
    (v6([0xfc00, 0], 7), "private"),
    (v6([0xfe80, 0], 10), "link-local"),
    (v6([0xfec0, 0], 10), "site-local"),
    (v6([0xff00, 0], 8), "multicast"),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn the_borders_of_every_range_are_exact() {
        // The neighbours of the ranges are public, unless they belong to the next range.
        for (public, class) in [
            ("1.0.0.0", None),
            ("9.255.255.255", None),
            ("10.0.0.0", Some("private")),
            ("10.255.255.255", Some("private")),
            ("11.0.0.0", None),
            ("100.63.255.255", None),
            ("100.64.0.0", Some("carrier-grade NAT")),
            ("100.128.0.0", None),
            ("169.254.169.254", Some("link-local")),
            ("161.25.255.255", None),
            ("161.26.0.10", Some("cloud platform")),
            ("161.27.0.0", None),
            ("166.7.255.255", None),
            ("166.8.0.0", Some("cloud platform")),
            ("166.11.255.255", Some("cloud platform")),
            ("166.12.0.0", None),
            ("168.63.129.15", None),
            ("168.63.129.16", Some("cloud platform")),
            ("168.63.129.17", None),
            ("100.100.100.200", Some("carrier-grade NAT")),
            ("192.0.0.192", Some("protocol assignments")),
            ("172.15.255.255", None),
            ("172.31.255.255", Some("private")),
            ("172.32.0.0", None),
            ("192.0.1.0", None),
            ("198.17.255.255", None),
            ("198.19.255.255", Some("benchmarking")),
            ("198.20.0.0", None),
            ("223.255.255.255", None),
            ("255.255.255.255", Some("reserved")),
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("IPv4-mapped")),
            ("::127.0.0.1", Some("reserved")),
            ("64:ff9b::7f00:1", Some("NAT64")),
            ("64:ff9b:1::7f00:1", Some("NAT64")),
            ("1fff::", Some("reserved")),
            ("2001:1ff::", Some("protocol assignments")),
            ("2001:200::", None),
            ("2606:4700:4700::1111", None),
            ("2002:7f00:1::", Some("6to4")),
            ("3fff:fff::", Some("documentation")),
            ("3fff:1000::", None),
            ("4000::", Some("reserved")),
            ("::ffff:168.63.129.16", Some("IPv4-mapped")),
            ("64:ff9b::a83f:8110", Some("NAT64")),
            ("2002:a83f:8110::", Some("6to4")),
            ("fd00:ec2::254", Some("private")),
            ("fd00:42::42", Some("private")),
            ("fd00:c1::a9fe:a9fe", Some("private")),
            ("fd20:ce::254", Some("private")),
            ("fe80::a9fe:a9fe", Some("link-local")),
        ] {
            assert_eq!(special(public.parse().unwrap()), class, "{public}");
        }
    }

    proptest! {
        #[test]
        fn what_the_standard_library_calls_special_is_never_public(bits in any::<u32>()) {
            let ip = Ipv4Addr::from(bits);
            let known = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast()
                || ip.is_documentation() || ip.is_multicast() || ip.is_unspecified();
            prop_assert!(!known || special(ip.into()).is_some(), "{}", ip);
        }

        #[test]
        fn an_ipv4_address_in_ipv6_clothes_is_never_public(bits in any::<u32>()) {
            let ip = Ipv4Addr::from(bits);
            let [a, b, c, d] = ip.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for dressed in [
                ip.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 0),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, high, low),
            ] {
                prop_assert!(special(dressed.into()).is_some(), "{}", dressed);
            }
        }

        #[test]
        fn public_ipv6_is_global_unicast(bits in any::<u128>()) {
            let ip = Ipv6Addr::from(bits);
            if special(ip.into()).is_none() {
                prop_assert_eq!(ip.segments()[0] >> 13, 1);
            }
        }
    }
}
