"""网络防护 network guard: which addresses this process may connect to.

The decision is made on the address that is about to be connected, after every name was resolved and every redirect
followed, so that it does not matter how the URL was written or what a name resolves to the second time. Public
addresses are allowed on the usual ports; anything else only by an explicit `CIDR:port` of the config.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PUBLIC_PORTS = frozenset({80, 443})

# Ranges that `is_global` of some Python releases counts as public although no public page lives there.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # RFC 1122: this network
        "100.64.0.0/10",  # RFC 6598: carrier-grade NAT, where clouds put metadata servers
        "192.0.0.0/24",  # RFC 6890
        "192.88.99.0/24",  # RFC 7526: 6to4 relays, gone
        "198.18.0.0/15",  # RFC 2544: benchmarks
        "240.0.0.0/4",  # RFC 1112: reserved
        "168.63.129.16/32",  # routable by table, the host itself on Azure
        "64:ff9b:1::/48",  # RFC 8215: NAT64 for local use
        "100::/64",  # RFC 6666: discard
        "2001::/32",  # RFC 4380: Teredo
        "fec0::/10",  # RFC 3879: site-local, deprecated
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")  # RFC 3056
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: bits 32 to 63 from the right


class AddressBlocked(OSError):
    """Raised instead of connecting. Permanent: trying again would do the same."""


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Every IPv4 address that an IPv6 address carries inside."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    number = int(address)
    low = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if address.ipv4_mapped is not None or address in _NAT64 or number >> 32 == 0:
        yield low
    if address in _SIX_TO_FOUR:
        yield ipaddress.IPv4Address((number >> 80) & 0xFFFFFFFF)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, all the way down to the addresses embedded in it."""
    inner = list(_embedded(address))
    if not all(is_public(one) for one in inner):
        return False
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    if inner and isinstance(address, ipaddress.IPv6Address) and (address in _NAT64 or address in _SIX_TO_FOUR):
        return True  # judged by what is embedded; tables differ between Python releases
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def parse_allowed(entry: str) -> tuple[Network, int]:
    """Read `127.0.0.1/32:8765` or `[::1/128]:8765`; ValueError says what is wrong."""
    place, _, port = entry.rpartition(":")
    place = place.removeprefix("[").removesuffix("]")
    if not place or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{entry!r}: write CIDR:port, for instance 127.0.0.1/32:8765 or [::1/128]:8765")
    return ipaddress.ip_network(place), int(port)


class NetworkGuard:
    """The policy of one crawl. `blocked` counts what it refused, by `address:port`."""

    def __init__(self, allow: Iterable[str] = (), ports: Iterable[int] = ()) -> None:
        """`allow`: entries for `parse_allowed`; `ports`: further ports of public addresses (those that seeds name)."""
        self._allowed = [parse_allowed(entry) for entry in allow]
        self._ports = PUBLIC_PORTS | frozenset(ports)
        self.blocked: Counter[str] = Counter()

    def permits(self, host: str, port: int) -> bool:
        """Whether a connection may be opened; `host` must be an address: a name is refused."""
        try:
            address = ipaddress.ip_address(host.split("%")[0])
        except ValueError:
            return False
        for network, allowed_port in self._allowed:
            if port == allowed_port and address.version == network.version and address in network:
                return True
        return port in self._ports and is_public(address)

    def check(self, host: str, port: int) -> None:
        """Raise AddressBlocked unless the connection is permitted."""
        if not self.permits(host, port):
            self.blocked[f"{host}:{port}"] += 1
            raise AddressBlocked(f"address {host} port {port} is outside the allowed network (allow_addresses)")

    def install(self, reactor: Any) -> None:
        """Put the guard before `reactor.connectTCP`, the one door through which Twisted opens client connections.

        It is given addresses only: names were resolved before. TLS runs inside such a connection.
        """
        connect: Callable[..., Any] = reactor.connectTCP

        def guarded(host: str, port: int, *rest: Any, **named: Any) -> Any:
            self.check(host, port)
            return connect(host, port, *rest, **named)

        reactor.connectTCP = guarded
