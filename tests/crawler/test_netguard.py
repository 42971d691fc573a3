"""The guard as a pure function: no packet leaves this test."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.sources import CrawlSource
from tasks.crawler.netguard import AddressBlocked, NetworkGuard, is_public, parse_allowed

NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::2",
    "fe80::1",
    "febf::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "2001:0:1::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2002:a00:1::1",
    "2400:3200::5efe:7f00:1",
    "2400:3200::200:5efe:a00:1",
    "fe80::5efe:808:808",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "114.114.114.114",
    "223.5.5.5",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "11.0.0.1",
    "192.167.1.1",
    "2400:3200::1",
    "2606:4700::1111",
    "240e::1",
    "64:ff9b::808:808",
    "2002:808:808::",
    "2400:3200::5efe:808:808",
]


def test_the_table_is_long_enough():
    assert len(set(NOT_PUBLIC)) + len(set(PUBLIC)) >= 40


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_and_its_ipv6_disguises_are_judged_alike(inner):
    for disguise in (f"::ffff:{inner}", f"64:ff9b::{inner}"):
        allowed = is_public(ipaddress.ip_address(disguise))
        if disguise.startswith("64"):
            assert allowed == is_public(inner)
        else:
            assert not allowed or is_public(inner)


def test_public_addresses_are_open_on_the_web_ports_only():
    guard = NetworkGuard(ports={8080})
    assert guard.permits("8.8.8.8", 80)
    assert guard.permits("8.8.8.8", 443)
    assert guard.permits("8.8.8.8", 8080)
    assert not guard.permits("8.8.8.8", 22)


def test_an_allowed_address_is_allowed_on_its_port_only():
    guard = NetworkGuard(allow=("127.0.0.1/32:8801", "[::1/128]:8801", "10.1.0.0/16:80"))
    assert guard.permits("127.0.0.1", 8801)
    assert guard.permits("::1", 8801)
    assert guard.permits("10.1.2.3", 80)
    assert not guard.permits("127.0.0.1", 8802)
    assert not guard.permits("127.0.0.2", 8801)
    assert not guard.permits("::ffff:127.0.0.1", 8801)
    assert not guard.permits("10.2.0.1", 80)


def test_a_name_is_never_connected_to():
    assert not NetworkGuard().permits("localhost", 80)


def test_a_refusal_is_counted_and_raised_before_the_connection():
    class Reactor:
        def __init__(self):
            self.connected = []

        def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):
            self.connected.append((host, port, timeout))

    reactor, guard = Reactor(), NetworkGuard(allow=("127.0.0.1/32:8801",))
    guard.install(reactor)
    reactor.connectTCP("127.0.0.1", 8801, None, timeout=5)
    with pytest.raises(AddressBlocked, match=r"169\.254\.169\.254 port 80"):
        reactor.connectTCP("169.254.169.254", 80, None)
    assert reactor.connected == [("127.0.0.1", 8801, 5)]
    assert guard.blocked == {"169.254.169.254:80": 1}


@pytest.mark.parametrize(
    "entry", ["127.0.0.1", "127.0.0.1/32", "127.0.0.1/32:0", "127.0.0.1/32:x", "localhost:80", "/:1"]
)
def test_a_wrong_entry_is_refused_by_the_config_and_by_the_guard(entry):
    with pytest.raises(ValueError, match=r"CIDR:port|does not appear"):
        parse_allowed(entry)
    with pytest.raises(ValueError, match=r"CIDR:port|does not appear"):
        CrawlSource(name="a", licence="x", seeds=("http://a.cn/",), allow_addresses=(entry,))


@pytest.mark.parametrize("seed", ["ftp://a.cn/", "a.cn", "http://", "http://me:pw@a.cn/", "file:///etc/passwd"])
def test_a_seed_must_be_a_web_address(seed):
    with pytest.raises(ValueError, match=r"http\(s\)://host"):
        CrawlSource(name="a", licence="x", seeds=(seed,))
