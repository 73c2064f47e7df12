"""Where requests of the control plane may go."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.outbound.guard import LOOPBACK, AddressRefused, Guard, split_hosts

REFUSED = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:5601:5601",
    "fe80::5efe:127.0.0.1",
    "2001:db8::5efe:169.254.169.254",
]
OPEN = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "8.8.8.8", "fd12::1", "2606:4700::1111"]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_the_machines_own_or_the_clouds_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        Guard().check("api.example.org", address)


@pytest.mark.parametrize("address", OPEN)
def test_the_internet_and_private_networks_are_open(address: str) -> None:
    Guard().check("api.example.org", address)


def test_a_refusal_names_the_host_the_address_and_the_setting() -> None:
    with pytest.raises(AddressRefused) as refused:
        Guard().check("intra", "169.254.169.254")
    text = str(refused.value)
    assert "'intra' is at 169.254.169.254, which is a cloud's metadata service" in text
    assert "LEOFLOW_INLINE_ALLOWED_HOSTS=intra" in text


@pytest.mark.parametrize(
    ("allowed", "host", "address"),
    [
        ("localhost", "localhost", "127.0.0.1"),
        ("LocalHost.", "localhost", "::1"),
        ("127.0.0.0/8", "anything", "127.3.2.1"),
        ("127.0.0.0/8", "anything", "::ffff:127.0.0.1"),
        ("[::1]", "::1", "::1"),
        ("169.254.169.254", "metadata", "169.254.169.254"),
    ],
)
def test_the_operator_opens_names_addresses_and_networks(
    allowed: str, host: str, address: str
) -> None:
    Guard(split_hosts(allowed)).check(host, address)


@pytest.mark.parametrize(
    ("host", "address"),
    [("other", "127.0.0.1"), ("localhost", "169.254.169.254"), ("x", "::ffff:169.254.169.254")],
)
def test_what_is_opened_opens_nothing_else(host: str, address: str) -> None:
    with pytest.raises(AddressRefused):
        Guard(("api.local", "localhost.example", *LOOPBACK[1:])).check(host, address)


@pytest.mark.parametrize("entry", ["127.0.0.300", "10.0.0.0/40", "http://x", "a b", "-x", "x/y"])
def test_an_entry_that_makes_no_sense_is_named(entry: str) -> None:
    with pytest.raises(SettingInvalid, match="LEOFLOW_INLINE_ALLOWED_HOSTS has"):
        split_hosts(f"good.example, {entry}")


@given(st.ip_addresses(v=4, network="127.0.0.0/8"), st.sampled_from(["::ffff:", "64:ff9b::", "::"]))
def test_packing_an_address_hides_it_from_nobody(
    address: ipaddress.IPv4Address, prefix: str
) -> None:
    with pytest.raises(AddressRefused):
        Guard().check("h", f"{prefix}{address}")
