from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.webhooks.addresses import is_public


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1", "::ffff:1.1.1.1"]
)
def test_what_is_anybodys_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200"),
        *("192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "168.63.129.16"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1"),
        *("fe80::1", "fe80::1%eth0", "fec0::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "2001::1", "2001:db8::1", "3fff::1", "100::1"),
    ],
)
def test_what_is_of_a_machine_a_network_or_a_cloud_is_not_public(address):
    assert not is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv6_address_that_leads_to_an_ipv4_address_is_as_public_as_that(number):
    inner = is_public(str(IPv4Address(number)))
    for around in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80 | 1):
        assert is_public(str(IPv6Address(around))) == inner
