"""Hosts and addresses that a member cluster may not have: this machine, its link, groups, in any spelling or embedding."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def is_forbidden_address(ip: str) -> bool:
    """Whether `ip` leads to this machine, its link or a group: loopback, link-local, unspecified, multicast, in any embedding.

    To be asked about the address actually connected to as well, since a name may resolve to anything. What is no address is forbidden.
    """
    try:
        address = _unwrapped(ip_address(ip))
    except ValueError:
        return True
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast


_IPV4_IN_LAST_BITS = (
    ip_network("::ffff:0:0/96"),  # IPv4-mapped, RFC 4291
    ip_network("::/96"),  # IPv4-compatible, RFC 4291 (deprecated)
    ip_network("64:ff9b::/96"),  # NAT64, RFC 6052
)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that `address` embeds, else itself."""
    if isinstance(address, IPv4Address) or address.is_loopback:
        return address
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _IPV4_IN_LAST_BITS):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# A last label of digits is a mistyped IPv4 address, never a name.
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?!(?:.*\.)?[0-9]+$){_LABEL}(?:\.{_LABEL})*")


def canonical_host(host: str) -> str | None:
    """Return `host` in the one spelling that is judged and connected to, None when it is neither an address nor a name."""
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    try:
        # As getaddrinfo would: 127.1, 0x7f.1, 017700000001 and 2130706433 are addresses to it.
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host.lower() if _HOST_NAME.fullmatch(host.lower()) else None


def is_forbidden_host(host: str) -> bool:
    """Whether a canonical host is such an address, or a name that always means one."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return is_forbidden_address(host.strip("[]"))
