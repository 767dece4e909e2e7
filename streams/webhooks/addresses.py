"""Which addresses are public: what a request to an address given by others may reach.

The rule is that of IANA's registries for special purposes, as `ipaddress` has them, and what they do not say: which IPv4 address an
IPv6 address leads to.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # all that IANA has given out (RFC 4291)
NAT64: Final = IPv6Network("64:ff9b::/96")  # an IPv4 address in the last 32 bits (RFC 6052)
NOT_PUBLIC: Final = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments; earlier versions of `ipaddress` know a part of it
            "192.88.99.0/24",  # the relays of 6to4, given up (RFC 7526)
            "3fff::/20",  # documentation (RFC 9637), too new for `ipaddress`
            "168.63.129.16/32",  # of every virtual machine on Azure: its host
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an address, as `getaddrinfo` writes it, is anybody's on the internet: not of this machine, its network or its cloud.

    Raises:
        ValueError: it is no address.
    """
    return _is_public(ip_address(address))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return _is_public(inner)
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in NOT_PUBLIC)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to `address` end at: mapped (RFC 4291), 6to4 (RFC 3056), NAT64."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
