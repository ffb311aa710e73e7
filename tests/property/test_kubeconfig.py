"""Whatever bytes stand in a registration: either an endpoint or a refusal comes of them, and a refusal repeats none of them."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from clustersync.kube.addresses import is_forbidden_address
from clustersync.kube.endpoint import Endpoint
from clustersync.kube.kubeconfig import RefusedKubeconfig, parse_kubeconfig
from clustersync.kube.tls import ssl_context
from tests.unit.test_kubeconfig import CANARY, CLIENT_CERTIFICATE, assert_tells_nothing, document

# fmt: off
FIELDS = [
    "apiVersion", "kind", "preferences", "clusters", "users", "contexts", "current-context", "extensions", "name", "cluster", "user",
    "context", "namespace", "server", "tls-server-name", "certificate-authority", "certificate-authority-data",
    "insecure-skip-tls-verify", "proxy-url", "disable-compression", "token", "tokenFile", "client-certificate",
    "client-certificate-data", "client-key", "client-key-data", "exec", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra",
    "username", "password", "<<",
]
# fmt: on

marked = st.text(max_size=8).map(lambda text: f"{CANARY}{text}")
keys = st.sampled_from(FIELDS) | marked
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.binary(max_size=8) | marked
values = st.recursive(
    scalars | st.sampled_from(["", "false", f"{CANARY}-name", f"https://{CANARY}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def parse(raw: bytes) -> Endpoint | None:
    """Return the endpoint, or None for a refusal that kept silent. Any other exception fails the test."""
    try:
        return parse_kubeconfig(raw)
    except RefusedKubeconfig as error:
        refusal = error
    assert str(refusal) == f"{refusal.field}: {refusal.reason}"
    assert len(str(refusal).splitlines()) == 1
    assert_tells_nothing(refusal)
    return None


def places(node: Any) -> list[dict[str, Any] | list[Any]]:
    """Return every mapping and list of a document, from the outside in."""
    if not isinstance(node, dict | list):
        return []
    inner = node.values() if isinstance(node, dict) else node
    return [node, *(place for child in inner for place in places(child))]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A valid kubeconfig in which up to four fields were replaced, added or taken away."""
    config = document(user=CLIENT_CERTIFICATE if draw(st.booleans()) else {})
    for _ in range(draw(st.integers(min_value=0, max_value=4))):
        place = draw(st.sampled_from(places(config)))
        if isinstance(place, list):
            place.insert(draw(st.integers(min_value=0, max_value=len(place))), draw(values))
        elif place and draw(st.booleans()):
            del place[draw(st.sampled_from(sorted(place)))]
        else:
            place[draw(keys | st.sampled_from(sorted(place) or FIELDS))] = draw(values)
    return config


@given(st.binary(max_size=64), st.binary(max_size=64))
@example(b"%TAG ! ", b"\n--- !a b")
@example(b"{", b": ")
def test_arbitrary_bytes_are_refused_in_silence(before: bytes, after: bytes) -> None:
    assert parse(before + CANARY.encode() + after) is None


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@#~<=ab\n\t ", max_size=200), st.integers(min_value=0, max_value=200))
def test_arbitrary_marks_of_yaml_are_refused_in_silence(marks: str, at: int) -> None:
    assert parse(f"{marks[:at]}{CANARY}{marks[at:]}".encode()) is None


@given(values)
def test_arbitrary_structures_are_refused_in_silence(value: Any) -> None:
    assert parse(yaml.safe_dump(value).encode()) is None


@settings(deadline=None)  # loading the system's authorities takes 50 ms at best
@given(mutated())
def test_a_mutated_kubeconfig_gives_a_usable_endpoint_or_is_refused_in_silence(config: dict[str, Any]) -> None:
    endpoint = parse(yaml.safe_dump(config).encode())
    if endpoint is not None:
        assert endpoint.server.startswith("https://")
        assert endpoint.token is not None or endpoint.client_key is not None
        assert ssl_context(endpoint).check_hostname


@given(st.binary(max_size=6), st.data())
def test_a_kubeconfig_with_broken_bytes_is_parsed_or_refused_in_silence(patch: bytes, data: st.DataObject) -> None:
    raw = yaml.safe_dump(document(user=CLIENT_CERTIFICATE)).encode()
    start = data.draw(st.integers(min_value=0, max_value=len(raw)))
    end = data.draw(st.integers(min_value=start, max_value=min(len(raw), start + 6)))
    parse(raw[:start] + patch + raw[end:])


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_embedding(address: Any) -> None:
    bits = int(address)
    # ::/127 holds the two addresses of IPv6 itself that are no embeddings
    assume(bits > 1)
    embeddings = [f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}", f"2002:{bits >> 16:x}:{bits & 0xFFFF:x}::1"]
    assert {is_forbidden_address(text) for text in embeddings} == {is_forbidden_address(str(address))}
