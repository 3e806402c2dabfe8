"""Which addresses are of the public Internet: a server that fetches what it is told to must reach nothing else."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The only IPv6 addresses that are assigned to machines of the Internet (RFC 4291, 2.4)."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks without IPv4 write them (RFC 6052, 2.1)."""

_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "2001::/23",  # Teredo, ORCHID and other protocols (RFC 2928), of which some embed IPv4 addresses
        "2002::/16",  # 6to4, which embeds an IPv4 address (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""Networks that Python's tables take for public, in one version or another."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public Internet, and leads nowhere else."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address.version == network.version and address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def literal(host: str) -> Address | None:
    """Return the address that `host` writes, None where it is a name.

    Raises:
        ValueError: It is a number in a form that only some programs take for an address, such as 0x7f.1 or 2130706433.
    """
    if ":" in host:
        return ipaddress.IPv6Address(host)
    last = host.rpartition(".")[2]
    if last.isdigit() or last.lower().startswith("0x"):  # what browsers and C libraries take for an address
        return ipaddress.IPv4Address(host)
    return None
