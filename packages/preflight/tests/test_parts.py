# ruff: noqa: E501 - a case a line
"""The parts that rules are made of."""

from decimal import Decimal

import pytest

from packages.preflight import Manifest, Rendering
from packages.preflight.demand import amount
from packages.preflight.edges import Address, addresses
from packages.preflight.network import Outside, is_open
from packages.preflight.objects import matches
from packages.preflight.pods import Workload


@pytest.mark.parametrize(
    ("written", "number"),
    [("250m", Decimal("0.25")), ("2", 2), (2, 2), ("1.5", Decimal("1.5")), ("128Mi", 128 * 1024**2), ("1k", 1000), ("2e3", 2000), ("1Gi", 1024**3),
     *((written, None) for written in ("256MB", "", "ten", None, True, "1 Gi", "--1"))],
)  # fmt: skip
def test_quantity(written: object, number: Decimal | int | None):
    assert amount({"a": written}, "a") == number


def test_addresses_that_settings_name():
    variables = {
        "A_URL": "http://user-service:3001/x", "B_URL": "redis+sentinel://:p@one:1,two:2/mymaster/0", "C_HOST": "redis", "C_PORT": "6379",
        "D_HOST": "redis", "E": "s3://bucket", "F": None, "G_HOST": "not a host", "H": "https://example.com",
        "I_URL": "rediss+cluster://three,four:4",
    }  # fmt: skip
    assert list(addresses(variables)) == [
        Address("A_URL", "user-service", 3001), Address("B_URL", "one", 1), Address("B_URL", "two", 2), Address("C_HOST", "redis", 6379),
        Address("D_HOST", "redis", 0), Address("H", "example.com", 443),
        Address("I_URL", "three", 6379), Address("I_URL", "four", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "is_match"),
    [
        ({"operator": "In", "values": ["a"]}, True),
        ({"operator": "NotIn", "values": ["a"]}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "DoesNotExist"}, False),
        ({"operator": "Nonsense"}, False),
    ],
)
def test_label_expression(expression: dict[str, object], is_match: bool):
    assert matches({"matchExpressions": [{"key": "x", **expression}]}, {"x": "a"}) is is_match


@pytest.mark.parametrize(
    ("kind", "spec", "keys"),
    [
        ("Secret", {}, {"k", "s"}),
        ("SealedSecret", {"encryptedData": {"k": "…"}}, {"k"}),
        ("Certificate", {"secretName": "it"}, {"tls.crt", "tls.key", "ca.crt"}),
        ("VaultStaticSecret", {"destination": {"name": "it"}}, {"*"}),
        ("ExternalSecret", {"dataFrom": [{"extract": {"key": "x"}}]}, {"*"}),
        ("ExternalSecret", {"target": {"template": {"data": {"k": "…"}}}}, {"k"}),
    ],
)
def test_keys_of_a_secret_by_its_maker(kind: str, spec: dict[str, object], keys: set[str]):
    made = Manifest(
        {"kind": kind, "metadata": {"name": "it"}, "spec": spec, "data": {"k": ""}, "stringData": {"s": ""}}
    )
    assert Rendering([made]).keys("Secret", "it", "default") == keys
    assert Rendering([made]).keys("Secret", "another", "default") is None


def _pod(name: str) -> Workload:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 80}]}]},
    }
    data = {"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}
    return Workload(Manifest(data), template)


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        ({}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "c"}}}]}, False),
        ({"from": [{"namespaceSelector": {}}]}, True),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}, False),
        ({"ports": [{"port": "web"}]}, True),
        ({"ports": [{"port": 80, "protocol": "UDP"}]}, False),
        ({"ports": [{"port": 70, "endPort": 90}]}, True),
        ({"ports": [{"protocol": "TCP"}]}, True),
    ],
)
def test_network_policy_rule(rule: dict[str, object], is_allowed: bool):
    spec = {"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [rule]}
    policy = Manifest({"kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec})
    assert is_open(Rendering([policy]), _pod("a"), "Ingress", _pod("b"), 80) is is_allowed
    assert is_open(Rendering([policy]), _pod("b"), "Ingress", _pod("a"), 80), "no policy selects it"


@pytest.mark.parametrize(
    ("to", "peer", "is_allowed"),
    [
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, Outside(None), True),
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, Outside("monitoring"), False),
        ({"podSelector": {}}, Outside("monitoring"), False),
        ({"namespaceSelector": {}}, Outside("monitoring"), True),
    ],
)
def test_network_policy_rule_for_peers_of_other_namespaces(to: dict[str, object], peer: Outside, is_allowed: bool):
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [to]}]}
    policy = Manifest({"kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec})
    assert is_open(Rendering([policy]), _pod("a"), "Egress", peer, 443) is is_allowed
