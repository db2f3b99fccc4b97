//! Packets as they might have been on a wire: IP headers with TCP or UDP in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a TCP segment says beside its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) sequence: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
}

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

/// Bytes of data in a packet at most: an IP packet counts its length in 16 bits.
pub(super) const DATA_MAX: usize = 65_000;

/// Puts a TCP segment (RFC 9293 §3.1) in an IP packet into `out`, in place of what was there.
pub(super) fn tcp(
    from: SocketAddr,
    to: SocketAddr,
    segment: Segment,
    data: &[u8],
    out: &mut Vec<u8>,
) {
    // A window that is never full, and a SYN says by how much it is scaled (RFC 7323 §2).
    const SCALE: [u8; 4] = [3, 3, 14, 0];
    let options: &[u8] = if segment.flags & SYN == 0 {
        &[]
    } else {
        &SCALE
    };
    let offset = if options.is_empty() { 5 << 4 } else { 6 << 4 };
    let mut head = Vec::with_capacity(24);
    head.extend(from.port().to_be_bytes());
    head.extend(to.port().to_be_bytes());
    head.extend(segment.sequence.to_be_bytes());
    head.extend(segment.acknowledged.to_be_bytes());
    head.extend([offset, segment.flags]);
    head.extend(u16::MAX.to_be_bytes()); // window
    head.extend([0; 4]); // checksum, urgent pointer
    head.extend(options);
    put(from.ip(), to.ip(), Carried::Tcp, &mut head, data, out);
}

/// Puts a UDP datagram (RFC 768) in an IP packet into `out`, in place of what was there.
pub(super) fn udp(from: SocketAddr, to: SocketAddr, data: &[u8], out: &mut Vec<u8>) {
    let mut head = Vec::with_capacity(8);
    head.extend(from.port().to_be_bytes());
    head.extend(to.port().to_be_bytes());
    head.extend(short(8 + data.len()).to_be_bytes());
    head.extend([0; 2]); // checksum
    put(from.ip(), to.ip(), Carried::Udp, &mut head, data, out);
}

/// The protocol in an IP packet, by its number.
#[derive(Clone, Copy)]
enum Carried {
    Tcp = 6,
    Udp = 17,
}

impl Carried {
    /// Where its checksum is.
    const fn checksum(self) -> usize {
        match self {
            Self::Tcp => 16,
            Self::Udp => 6,
        }
    }
}

fn put(
    from: IpAddr,
    to: IpAddr,
    carried: Carried,
    head: &mut [u8],
    data: &[u8],
    out: &mut Vec<u8>,
) {
    out.clear();
    let length = head.len() + data.len();
    let mut sum = Sum(u64::from(carried as u8) + length as u64);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            sum.add(&from.octets());
            sum.add(&to.octets());
            v4(from, to, carried, length, out);
        }
        (from, to) => {
            let (from, to) = (six(from), six(to));
            sum.add(&from.octets());
            sum.add(&to.octets());
            v6(from, to, carried, length, out);
        }
    }
    sum.add(head);
    sum.add(data); // every header has an even length
    let checksum = match (sum.value(), carried) {
        (0, Carried::Udp) => u16::MAX, // nought stands for none
        (sum, _) => sum,
    };
    head[carried.checksum()..][..2].copy_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(head);
    out.extend_from_slice(data);
}

/// An IPv4 header without options: RFC 791 §3.1.
fn v4(from: Ipv4Addr, to: Ipv4Addr, carried: Carried, length: usize, out: &mut Vec<u8>) {
    out.extend([0x45, 0]);
    out.extend(short(20 + length).to_be_bytes());
    out.extend([0, 0, 0x40, 0, HOPS, carried as u8, 0, 0]); // not to be fragmented
    out.extend(from.octets());
    out.extend(to.octets());
    let mut sum = Sum(0);
    sum.add(out);
    let checksum = sum.value().to_be_bytes();
    out[10..12].copy_from_slice(&checksum);
}

/// An IPv6 header: RFC 8200 §3.
fn v6(from: Ipv6Addr, to: Ipv6Addr, carried: Carried, length: usize, out: &mut Vec<u8>) {
    out.extend([0x60, 0, 0, 0]);
    out.extend(short(length).to_be_bytes());
    out.extend([carried as u8, HOPS]);
    out.extend(from.octets());
    out.extend(to.octets());
}

fn six(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Data is cut to `DATA_MAX` before, so that every length fits.
fn short(length: usize) -> u16 {
    debug_assert!(length <= usize::from(u16::MAX));
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// The Internet checksum: RFC 1071.
struct Sum(u64);

impl Sum {
    /// Adds bytes, which begin at an even place.
    fn add(&mut self, bytes: &[u8]) {
        let mut pairs = bytes.chunks_exact(2);
        for pair in &mut pairs {
            self.0 += u64::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        if let [last] = pairs.remainder() {
            self.0 += u64::from(*last) << 8;
        }
    }

    fn value(&self) -> u16 {
        let mut sum = self.0;
        while sum > u64::from(u16::MAX) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

const HOPS: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071: over a packet with its checksum the sum is nought.
    fn checks(parts: &[&[u8]], more: u64) -> bool {
        let mut sum = Sum(more);
        parts.iter().for_each(|part| sum.add(part));
        sum.value() == 0
    }

    #[test]
    fn lengths_and_checksums_are_right() {
        let mut out = Vec::new();
        let pairs = [
            ("10.0.0.1:1000", "10.0.0.2:80"),
            ("[::1]:1000", "[fe80::2]:80"),
            ("10.0.0.1:1000", "[::2]:80"),
        ];
        for (from, to) in pairs {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            for data in [&b""[..], b"odd", b"even", &[0xff; DATA_MAX]] {
                for flags in [SYN, ACK] {
                    let segment = Segment {
                        sequence: u32::MAX,
                        acknowledged: 7,
                        flags,
                    };
                    tcp(from, to, segment, data, &mut out);
                    checked(&out, 6, data);
                }
                udp(from, to, data, &mut out);
                checked(&out, 17, data);
            }
        }
    }

    fn checked(out: &[u8], protocol: u64, data: &[u8]) {
        assert!(out.ends_with(data));
        let (addresses, rest) = if out[0] == 0x45 {
            let length = usize::from(u16::from_be_bytes([out[2], out[3]]));
            assert_eq!(length, out.len());
            assert!(checks(&[&out[..20]], 0));
            (&out[12..20], &out[20..])
        } else {
            let length = usize::from(u16::from_be_bytes([out[4], out[5]]));
            assert_eq!(length, out.len() - 40);
            (&out[8..40], &out[40..])
        };
        assert!(checks(&[addresses, rest], protocol + rest.len() as u64));
    }
}
