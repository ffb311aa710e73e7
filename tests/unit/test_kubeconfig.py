"""A kubeconfig is untrusted: what is refused, what is ignored, that neither runs, reads nor tells anything, and TLS made from the rest."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import tempfile
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from clustersync.kube.addresses import is_forbidden_address
from clustersync.kube.endpoint import Endpoint
from clustersync.kube.kubeconfig import MAX_BYTES, RefusedKubeconfig, parse_kubeconfig
from clustersync.kube.tls import ssl_context
from tests.controlplane.pki import Authority, KeyPair

CANARY = "c4n4ry"  # stands in every name and value below, and in no message of ours
AUTHORITY = Authority("member")
CLIENT = AUTHORITY.client(f"{CANARY}-user")
SERVER = f"https://{CANARY}.example:6443"
TOKEN = f"{CANARY}-token"


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")


CLUSTER = {"server": SERVER, "certificate-authority-data": encoded(AUTHORITY.pem)}
USER = {"token": TOKEN}
CLIENT_CERTIFICATE = {"client-certificate-data": encoded(CLIENT.public_pem), "client-key-data": encoded(CLIENT.private_pem)}
ENDPOINT = Endpoint(server=SERVER, certificate_authority=AUTHORITY.pem, token=TOKEN)


def document(
    cluster: Mapping[str, Any] | None = None, user: Mapping[str, Any] | None = None, top: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a valid kubeconfig with the given fields added or replaced; every name in it holds the canary."""
    name = f"{CANARY}-name"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": CANARY}}],
        "clusters": [{"name": name, "cluster": {**CLUSTER, **(cluster or {})}}],
        "users": [{"name": name, "user": {**USER, **(user or {})}}],
        **(top or {}),
    }


def kubeconfig(
    cluster: Mapping[str, Any] | None = None, user: Mapping[str, Any] | None = None, top: Mapping[str, Any] | None = None
) -> bytes:
    return yaml.safe_dump(document(cluster, user, top)).encode()


def context(**fields: Any) -> dict[str, Any]:
    """Return a list of contexts whose one context has exactly `fields`."""
    return {"contexts": [{"name": f"{CANARY}-name", "context": fields}]}


def encrypted(key: bytes) -> bytes:
    private = load_pem_private_key(key, None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))


def assert_tells_nothing(error: RefusedKubeconfig) -> None:
    """No text of the input is in the error, on any way by which somebody could print it."""
    assert error.__cause__ is None
    assert error.__context__ is None
    said = "\n".join([str(error), repr(error), repr(vars(error)), repr(error.args), *traceback.format_exception(error)]).lower()
    assert [secret for secret in (CANARY, encoded(CLIENT.private_pem).lower()) if secret in said] == []


def refused(raw: bytes, **options: bool) -> RefusedKubeconfig:
    with pytest.raises(RefusedKubeconfig) as caught:
        parse_kubeconfig(raw, **options)
    return caught.value


WHOLE = "kubeconfig"
CLUSTER_PATH = "clusters[0].cluster"
USER_PATH = "users[0].user"
VALID = kubeconfig()
NAME = f"{CANARY}-name"

REFUSED: dict[str, tuple[bytes, str, str]] = {
    # the document
    "more than 64 KiB is refused": (VALID + b"#" * MAX_BYTES, WHOLE, "larger than 64 KiB"),
    "an empty file is refused": (b"", WHOLE, "must be a mapping"),
    "a file of comments is refused": (b"# c4n4ry\n", WHOLE, "must be a mapping"),
    "a list is refused": (b"- c4n4ry\n", WHOLE, "must be a mapping"),
    "a bare text is refused": (b"c4n4ry", WHOLE, "must be a mapping"),
    "bytes that are no UTF-8 are refused": (b"c4n4ry: \xff", WHOLE, "must be YAML in UTF-8"),
    "broken YAML is refused": (b"c4n4ry: [c4n4ry", WHOLE, "must be YAML in UTF-8"),
    "a control character is refused": (b"c4n4ry: c4n4ry\x00", WHOLE, "must be YAML in UTF-8"),
    "two documents are refused": (VALID + b"---\n" + VALID, WHOLE, "one YAML document"),
    "an anchor is refused": (b"a: &c4n4ry c4n4ry\n", WHOLE, "line 1 has an anchor"),
    "an anchored mapping is refused": (b"\na: &c4n4ry {}\n", WHOLE, "line 2 has an anchor"),
    "an alias is refused": (b"a: *c4n4ry\n", WHOLE, "line 1 has an anchor or alias"),
    "an alias as a key is refused": (b"*c4n4ry : a\n", WHOLE, "line 1 has an anchor or alias"),
    "a tag that names a Python object is refused": (b"a: !!python/object/apply:os.system [c4n4ry]\n", WHOLE, "line 1 has a tag"),
    "a tagged scalar is refused": (b"a: !!int 'c4n4ry'\n", WHOLE, "line 1 has a tag"),
    "nesting too deep is refused": (b"[" * 60_000, WHOLE, "nested deeper than 32"),
    "lists nested too deep in block style are refused": (b"- " * 30_000, WHOLE, "nested deeper than 32"),
    "a repeated key is refused": (b"c4n4ry: 1\nb: 2\nc4n4ry: 3\n", WHOLE, "line 3 repeats a key"),
    "a repeated key in a part that is not judged is refused": (b"extensions: [{c4n4ry: 1, c4n4ry: 2}]\n", WHOLE, "repeats a key"),
    "a key that is a list is refused": (b"[c4n4ry]: 1\n", WHOLE, "key that is not text"),
    "a null key is refused": (b"~: c4n4ry\n", WHOLE, "key that is not text"),
    # the way to the current context
    "an unknown field at the top is refused": (kubeconfig(top={"plugins": CANARY}), "plugins", "unknown field"),
    "a merge key is an unknown field": (kubeconfig(top={"<<": {CANARY: CANARY}}), WHOLE, "unknown field"),
    "a missing current context is refused": (kubeconfig(top={"current-context": ""}), "current-context", "is missing"),
    "a current context that is no text is refused": (kubeconfig(top={"current-context": [CANARY]}), "current-context", "must be text"),
    "a current context that is not there is refused": (kubeconfig(top={"current-context": CANARY}), "contexts", "exactly one context"),
    "contexts that are no list are refused": (kubeconfig(top={"contexts": CANARY}), "contexts", "exactly one context"),
    "two contexts of one name are refused": (
        kubeconfig(top={"contexts": [{"name": NAME}, {"name": NAME}]}),
        "contexts",
        "exactly one context",
    ),
    "a context without a cluster is refused": (kubeconfig(top=context(user=NAME)), "contexts[0].context.cluster", "is missing"),
    "a context without a user is refused": (kubeconfig(top=context(cluster=NAME)), "contexts[0].context.user", "is missing"),
    "an unknown field of the context is refused": (kubeconfig(top=context(flavour=CANARY)), "contexts[0].context.flavour", "unknown"),
    "a context that is no mapping is refused": (
        kubeconfig(top={"contexts": [{"name": NAME, "context": CANARY}]}),
        "contexts[0].context",
        "must be a mapping",
    ),
    "an unknown field beside the context is refused": (
        kubeconfig(top={"contexts": [{"name": NAME, "flavour": CANARY}]}),
        "contexts[0].flavour",
        "unknown field",
    ),
    "a cluster that is not there is refused": (kubeconfig(top={"clusters": []}), "clusters", "exactly one cluster"),
    "a user that is not there is refused": (kubeconfig(top={"users": None}), "users", "exactly one user"),
    "the judged entry is named by its place": (
        kubeconfig(top={"users": [CANARY, {"name": CANARY}, {"name": NAME, "user": {"exec": CANARY}}]}),
        "users[2].user.exec",
        "run a program",
    ),
    # the cluster
    "an unknown field of the cluster is refused": (kubeconfig({"tlsServer": CANARY}), f"{CLUSTER_PATH}.tlsServer", "unknown field"),
    "a certificate authority by path is refused": (
        kubeconfig({"certificate-authority": f"/{CANARY}"}),
        f"{CLUSTER_PATH}.certificate-authority",
        "names a file",
    ),
    "skipping verification is refused": (
        kubeconfig({"insecure-skip-tls-verify": True}),
        f"{CLUSTER_PATH}.insecure-skip-tls-verify",
        "could read the credentials",
    ),
    "a proxy is refused": (kubeconfig({"proxy-url": f"http://{CANARY}"}), f"{CLUSTER_PATH}.proxy-url", "remove it"),
    "a missing server is refused": (kubeconfig({"server": None}), f"{CLUSTER_PATH}.server", "is missing"),
    "a server that is no text is refused": (kubeconfig({"server": [SERVER]}), f"{CLUSTER_PATH}.server", "must be text"),
    "http is refused": (kubeconfig({"server": f"http://{CANARY}.example"}), f"{CLUSTER_PATH}.server", "https://"),
    "a server without a scheme is refused": (kubeconfig({"server": f"{CANARY}.example:6443"}), f"{CLUSTER_PATH}.server", "https://"),
    "a user in the server is refused": (kubeconfig({"server": f"https://{CANARY}@a.example"}), f"{CLUSTER_PATH}.server", "a user"),
    "a query in the server is refused": (kubeconfig({"server": f"https://a.example?{CANARY}"}), f"{CLUSTER_PATH}.server", "a query"),
    "a fragment in the server is refused": (kubeconfig({"server": f"https://a.example/#{CANARY}"}), f"{CLUSTER_PATH}.server", "a fragment"),
    "a CA that is no base64 is refused": (
        kubeconfig({"certificate-authority-data": f"{CANARY}!"}),
        f"{CLUSTER_PATH}.certificate-authority-data",
        "must be base64",
    ),
    "a CA that is no PEM is refused": (
        kubeconfig({"certificate-authority-data": encoded(CANARY.encode())}),
        f"{CLUSTER_PATH}.certificate-authority-data",
        "certificates in PEM",
    ),
    "a CA that is not ASCII is refused": (
        kubeconfig({"certificate-authority-data": encoded(b"\xff" + AUTHORITY.pem)}),
        f"{CLUSTER_PATH}.certificate-authority-data",
        "certificates in PEM",
    ),
    "a CA whose PEM holds no certificate is refused": (
        kubeconfig({"certificate-authority-data": encoded(CLIENT.private_pem)}),
        f"{CLUSTER_PATH}.certificate-authority-data",
        "certificates in PEM",
    ),
    "a TLS server name that is no name is refused": (
        kubeconfig({"tls-server-name": f"{CANARY} x"}),
        f"{CLUSTER_PATH}.tls-server-name",
        "must be a host name",
    ),
    "a TLS server name with a label over 63 is refused": (
        kubeconfig({"tls-server-name": CANARY + "a" * 64}),
        f"{CLUSTER_PATH}.tls-server-name",
        "must be a host name",
    ),
    # the user
    "an unknown field of the user is refused": (kubeconfig(user={"tokn": CANARY}), f"{USER_PATH}.tokn", "unknown field"),
    "an unknown field that may itself be a secret is not repeated": (kubeconfig(user={f"{CANARY}X9": None}), USER_PATH, "unknown field"),
    "exec is refused": (kubeconfig(user={"exec": {"command": CANARY}}), f"{USER_PATH}.exec", "run a program"),
    "an auth provider is refused": (kubeconfig(user={"auth-provider": {"name": CANARY}}), f"{USER_PATH}.auth-provider", "run a program"),
    "a token file is refused": (kubeconfig(user={"tokenFile": f"/{CANARY}"}), f"{USER_PATH}.tokenFile", "names a file"),
    "a client certificate by path is refused": (
        kubeconfig(user={"client-certificate": f"/{CANARY}"}),
        f"{USER_PATH}.client-certificate",
        "client-certificate-data",
    ),
    "a client key by path is refused": (kubeconfig(user={"client-key": f"/{CANARY}"}), f"{USER_PATH}.client-key", "client-key-data"),
    "impersonating a user is refused": (kubeconfig(user={"as": CANARY}), f"{USER_PATH}.as", "impersonation"),
    "impersonating a uid is refused": (kubeconfig(user={"as-uid": CANARY}), f"{USER_PATH}.as-uid", "impersonation"),
    "impersonating groups is refused": (kubeconfig(user={"as-groups": [CANARY]}), f"{USER_PATH}.as-groups", "impersonation"),
    "impersonating extras is refused": (kubeconfig(user={"as-user-extra": {"a": [CANARY]}}), f"{USER_PATH}.as-user-extra", "impersonation"),
    "a user name is refused": (kubeconfig(user={"username": CANARY}), f"{USER_PATH}.username", "basic authentication"),
    "a password is refused": (kubeconfig(user={"password": CANARY}), f"{USER_PATH}.password", "basic authentication"),
    "a token with a space is refused": (kubeconfig(user={"token": f"{CANARY} b"}), f"{USER_PATH}.token", "one line"),
    "a token with a line break is refused": (kubeconfig(user={"token": f"{CANARY}\r\nHost: b"}), f"{USER_PATH}.token", "one line"),
    "a token with a line break at its end is refused": (kubeconfig(user={"token": f"{CANARY}\n"}), f"{USER_PATH}.token", "one line"),
    "a token that is not ASCII is refused": (kubeconfig(user={"token": f"{CANARY}é"}), f"{USER_PATH}.token", "printable ASCII"),
    "a token that is no text is refused": (kubeconfig(user={"token": {CANARY: CANARY}}), f"{USER_PATH}.token", "must be text"),
    "a client certificate without a key is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-key-data": ""}),
        f"{USER_PATH}.client-key-data",
        "is missing",
    ),
    "a client key without a certificate is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-certificate-data": ""}),
        f"{USER_PATH}.client-certificate-data",
        "is missing",
    ),
    "a client certificate that is no base64 is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-certificate-data": f"{CANARY}!"}),
        f"{USER_PATH}.client-certificate-data",
        "must be base64",
    ),
    "a client key that is no base64 is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-key-data": f"{CANARY}!"}),
        f"{USER_PATH}.client-key-data",
        "must be base64",
    ),
    "a client certificate that is no PEM is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-certificate-data": encoded(CANARY.encode())}),
        f"{USER_PATH}.client-certificate-data",
        "certificate in PEM",
    ),
    "the key of another certificate is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-key-data": encoded(AUTHORITY.client("other").private_pem)}),
        f"{USER_PATH}.client-certificate-data",
        "its key",
    ),
    "a key under a passphrase is refused": (
        kubeconfig(user={**CLIENT_CERTIFICATE, "client-key-data": encoded(encrypted(CLIENT.private_pem))}),
        f"{USER_PATH}.client-certificate-data",
        "without a passphrase",
    ),
    "no credentials at all are refused": (kubeconfig(user={"token": ""}), USER_PATH, "holds no credentials"),
}


@pytest.mark.parametrize(("raw", "field", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(raw: bytes, field: str, reason: str) -> None:
    error = refused(raw)
    assert error.field == field
    assert reason in error.reason
    assert str(error) == f"{field}: {error.reason}"
    assert "\n" not in str(error)
    assert_tells_nothing(error)


IGNORED: dict[str, bytes] = {
    "preferences are ignored": kubeconfig(top={"preferences": {"colors": True}}),
    "extensions at the top are ignored": kubeconfig(top={"extensions": [{"name": "a", "extension": {"b": 1}}]}),
    "extensions of the cluster are ignored": kubeconfig({"extensions": [{"name": "a", "extension": {"b": 1}}]}),
    "extensions of the user are ignored": kubeconfig(user={"extensions": [{"name": "a"}]}),
    "extensions and namespace of the context are ignored": kubeconfig(
        top=context(cluster=NAME, user=NAME, namespace="a", extensions=[{"name": "b"}])
    ),
    "disable-compression is ignored": kubeconfig({"disable-compression": True}),
    "insecure-skip-tls-verify: false is ignored": kubeconfig({"insecure-skip-tls-verify": False}),
    "an empty proxy is ignored": kubeconfig({"proxy-url": ""}),
    "an empty path is ignored": kubeconfig({"certificate-authority": ""}),
    "exec: null is ignored": kubeconfig(user={"exec": None}),
    "an empty exec is ignored": kubeconfig(user={"exec": {}}),
    "an empty auth provider is ignored": kubeconfig(user={"auth-provider": None}),
    "an empty token file is ignored": kubeconfig(user={"tokenFile": ""}),
    "empty client paths are ignored": kubeconfig(user={"client-certificate": "", "client-key": None}),
    "empty impersonation is ignored": kubeconfig(user={"as": "", "as-uid": "", "as-groups": [], "as-user-extra": {}}),
    "empty basic authentication is ignored": kubeconfig(user={"username": "", "password": ""}),
    "empty client data is ignored": kubeconfig(user={"client-certificate-data": "", "client-key-data": ""}),
    "an empty TLS server name is ignored": kubeconfig({"tls-server-name": ""}),
    "another user that runs a program is ignored": kubeconfig(
        top={"users": [{"name": "a", "user": {"exec": {"command": "true"}}}, *document()["users"]]}
    ),
    "another cluster at an http server is ignored": kubeconfig(
        top={"clusters": [*document()["clusters"], {"name": "a", "cluster": {"server": "http://a", "wrong": 1}}]}
    ),
    "another context that names nothing is ignored": kubeconfig(top={"contexts": [*document()["contexts"], {"name": "a"}, "b"]}),
    "a byte order mark is ignored": b"\xef\xbb\xbf" + VALID,
    "JSON is YAML": yaml.safe_dump(document(), default_flow_style=True, default_style='"').encode(),
    "line breaks in base64 are ignored": kubeconfig(
        {"certificate-authority-data": "\n".join([encoded(AUTHORITY.pem)[:76], encoded(AUTHORITY.pem)[76:]])}
    ),
}


@pytest.mark.parametrize("raw", IGNORED.values(), ids=IGNORED.keys())
def test_ignored(raw: bytes) -> None:
    assert parse_kubeconfig(raw) == ENDPOINT


def test_every_allowed_field_arrives_decoded() -> None:
    raw = kubeconfig({"tls-server-name": "API.member.example"}, CLIENT_CERTIFICATE)
    assert parse_kubeconfig(raw) == Endpoint(
        server=SERVER,
        tls_server_name="api.member.example",
        certificate_authority=AUTHORITY.pem,
        token=TOKEN,
        client_certificate=CLIENT.public_pem,
        client_key=CLIENT.private_pem,
    )


def test_a_client_certificate_alone_is_enough_and_the_authority_may_be_left_to_the_system() -> None:
    endpoint = parse_kubeconfig(kubeconfig({"certificate-authority-data": None}, {"token": None, **CLIENT_CERTIFICATE}))
    assert (endpoint.token, endpoint.certificate_authority) == (None, None)
    assert endpoint.client_certificate == CLIENT.public_pem


@pytest.mark.parametrize(("written", "token"), [(b"0x1_0", "0x1_0"), (b"'null'", "null"), (b"'~'", "~"), (b"2026-01-01", "2026-01-01")])
def test_a_token_stays_what_was_written(written: bytes, token: str) -> None:
    assert parse_kubeconfig(kubeconfig().replace(TOKEN.encode(), written)).token == token


def test_an_endpoint_hides_its_secrets_when_printed() -> None:
    endpoint = parse_kubeconfig(kubeconfig(user=CLIENT_CERTIFICATE))
    assert repr(endpoint) == f"Endpoint(server='{SERVER}', tls_server_name=None)"


SERVERS = {
    "a host and port": ("https://api.example:6443", "https://api.example:6443"),
    "a host in capitals": ("HTTPS://API.Example:6443/", "https://api.example:6443"),
    "the port of https": ("https://api.example:0443", "https://api.example"),
    "a path behind a gateway": ("https://rancher.example/k8s/clusters/c-m-1//", "https://rancher.example/k8s/clusters/c-m-1"),
    "a private address": ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
    "a private address as a number": ("https://167772161:6443", "https://10.0.0.1:6443"),
    "an IPv6 address": ("https://[2001:DB8:0::1]:6443", "https://[2001:db8::1]:6443"),
    "a name that only looks like localhost": ("https://localhost.example", "https://localhost.example"),
}


@pytest.mark.parametrize(("server", "normalised"), SERVERS.values(), ids=SERVERS.keys())
def test_a_server_gets_one_spelling(server: str, normalised: str) -> None:
    assert parse_kubeconfig(kubeconfig({"server": server})).server == normalised


@pytest.mark.parametrize(
    "server",
    [
        "https://",
        "https:///path",
        "https://:6443",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:port",
        "https://a.example:1:2",
        "https://a..example",
        "https://a.example.",
        "https://-a.example",
        "https://a_b-.example",
        "https://1.2.3.4.5",
        "https://999.1.1.1",
        "https://[::1",
        "https://[1.2.3.4]",
        "https://[fe80::1%25eth0]",
        "https://bücher.example",
        "https://\uff11\uff12\uff17.0.0.1",
        "https://a.example\\b",
        "https://a.example/b c",
        "https://a.example/\r\nHost: b",
        "https://a.example\n",
        " https://a.example",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 130 + "example",
    ],
)
def test_a_server_that_is_no_url_of_an_api_server_is_refused(server: str) -> None:
    assert refused(kubeconfig({"server": server})).field == "clusters[0].cluster.server"


LOOPBACK = {
    "127.0.0.1": "127.0.0.1",
    "127.1": "127.0.0.1",
    "127.8.8.8": "127.8.8.8",
    "0x7f.1": "127.0.0.1",
    "0X7F000001": "127.0.0.1",
    "0177.0.0.1": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "0": "0.0.0.0",
    "0.0.0.0": "0.0.0.0",
    "169.254.169.254": "169.254.169.254",
    "0xa9fea9fe": "169.254.169.254",
    "224.0.0.1": "224.0.0.1",
    "[::1]": "[::1]",
    "[0:0:0:0:0:0:0:1]": "[::1]",
    "[::]": "[::]",
    "[::ffff:127.0.0.1]": "[::ffff:7f00:1]",
    "[::127.0.0.1]": "[::7f00:1]",
    "[64:ff9b::127.0.0.1]": "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]": "[2002:7f00:1::]",
    "[fe80::1]": "[fe80::1]",
    "localhost": "localhost",
    "LOCALHOST": "localhost",
    "kube.localhost": "kube.localhost",
}


@pytest.mark.parametrize(("host", "normalised"), LOOPBACK.items())
def test_a_server_on_this_machine_or_its_link_is_refused_unless_allowed(host: str, normalised: str) -> None:
    raw = kubeconfig({"server": f"https://{host}:6443"})
    error = refused(raw)
    assert error.field == "clusters[0].cluster.server"
    assert "--allow-loopback-clusters" in error.reason
    assert parse_kubeconfig(raw, allow_loopback=True).server == f"https://{normalised}:6443"


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "239.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "kubernetes",
        "",
    ],
)
def test_an_address_is_forbidden(ip: str) -> None:
    assert is_forbidden_address(ip)


@pytest.mark.parametrize(
    "ip",
    [
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "8.8.8.8",
        "fd00::1",
        "2001:db8::1",
        "2606:4700::1",
        "::ffff:10.0.0.1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_an_address_is_allowed(ip: str) -> None:
    assert not is_forbidden_address(ip)


@pytest.mark.parametrize(
    "user",
    [
        {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["{}"]}},
        {"auth-provider": {"name": "gcp", "config": {"cmd-path": "touch", "cmd-args": "{}"}}},
    ],
    ids=["by exec", "by an auth provider"],
)
def test_no_program_is_run(user: dict[str, Any], tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    raw = kubeconfig(user=user).replace(b"{}", str(touched).encode())
    assert str(touched).encode() in raw
    refused(raw)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({}, {"tokenFile": "{}"}),
        ({"certificate-authority": "{}", "certificate-authority-data": None}, {}),
        ({}, {"client-certificate": "{}", "client-key": "{}"}),
    ],
    ids=["as a token", "as an authority", "as a client certificate"],
)
def test_no_file_is_read(cluster: dict[str, Any], user: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # what a reader takes out of it is gone
    try:
        os.write(pipe, b"content")
        refused(kubeconfig(cluster, user).replace(b"'{}'", str(path).encode()))
        assert os.read(pipe, 100) == b"content"
    finally:
        os.close(pipe)


class OldAuthority:
    """An authority as clusters made them years ago: no key identifiers, no key usage, and a common name instead of alternatives."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._certify("old authority", self._key, x509.BasicConstraints(ca=True, path_length=None))

    def server(self, name: str, *extensions: x509.ExtensionType) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return KeyPair(self._certify(name, key, *extensions), private)

    def _certify(self, name: str, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
        issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("old authority", name))
        now, hour = datetime.now(UTC), timedelta(hours=1)
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), now - hour, now + hour)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)


@asynccontextmanager
async def tls_server(folder: Path, pair: KeyPair, clients: bytes | None = None) -> AsyncIterator[int]:
    """Serve TLS on a port of loopback; each connection is told the common name of its client certificate."""
    (folder / "server.pem").write_bytes(pair.public_pem + pair.private_pem)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(folder / "server.pem")
    server_side.set_alpn_protocols(["h2", "http/1.1"])
    if clients is not None:
        server_side.load_verify_locations(cadata=clients.decode())
        server_side.verify_mode = ssl.CERT_REQUIRED

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert") or {"subject": ((("commonName", "nobody"),),)}
        writer.write(certificate["subject"][-1][0][1].encode())
        writer.close()

    server = await asyncio.start_server(tell, "127.0.0.1", 0, ssl=server_side)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, endpoint: Endpoint) -> tuple[str, str | None]:
    """Return what the server says, and the application protocol agreed upon."""
    name = endpoint.tls_server_name or "127.0.0.1"
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl_context(endpoint), server_hostname=name)
        said = await reader.read()
        protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        await writer.wait_closed()
    return said.decode(), protocol


def loopback(**fields: Any) -> Endpoint:
    return Endpoint(server="https://127.0.0.1", **{"certificate_authority": AUTHORITY.pem, **fields})


async def test_a_client_certificate_reaches_the_server_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    parsed = parse_kubeconfig(kubeconfig(user=CLIENT_CERTIFICATE))
    endpoint = loopback(client_certificate=parsed.client_certificate, client_key=parsed.client_key)
    before = os.listdir("/proc/self/fd")
    ssl_context(endpoint)
    assert os.listdir("/proc/self/fd") == before
    async with tls_server(tmp_path, AUTHORITY.server(), clients=AUTHORITY.pem) as port:
        assert await ask(port, endpoint) == (f"{CANARY}-user", "http/1.1")
    assert list(temporary.iterdir()) == []


async def test_a_client_without_a_certificate_is_nobody(tmp_path: Path) -> None:
    async with tls_server(tmp_path, AUTHORITY.server()) as port:
        assert await ask(port, loopback()) == ("nobody", "http/1.1")


async def test_the_tls_server_name_is_what_the_certificate_must_hold(tmp_path: Path) -> None:
    async with tls_server(tmp_path, AUTHORITY.server()) as port:
        assert (await ask(port, loopback(tls_server_name="kubernetes.default.svc")))[0] == "nobody"
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await ask(port, loopback(tls_server_name="api.member.example"))


async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    async with tls_server(tmp_path, Authority("other").server()) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(port, loopback())


async def test_the_system_s_authorities_count_only_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "system.pem").write_bytes(AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    async with tls_server(tmp_path, AUTHORITY.server()) as port:
        assert (await ask(port, loopback(certificate_authority=None)))[0] == "nobody"
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(port, loopback(certificate_authority=Authority("other").pem))


async def test_the_certificate_of_the_server_itself_may_be_the_anchor(tmp_path: Path) -> None:
    pair = AUTHORITY.server()
    async with tls_server(tmp_path, pair) as port:
        assert (await ask(port, loopback(certificate_authority=pair.public_pem)))[0] == "nobody"


async def test_an_old_authority_without_key_identifiers_is_accepted(tmp_path: Path) -> None:
    old = OldAuthority()
    pair = old.server("server", x509.SubjectAlternativeName([x509.DNSName("old.example")]))
    async with tls_server(tmp_path, pair) as port:
        assert (await ask(port, loopback(certificate_authority=old.pem, tls_server_name="old.example")))[0] == "nobody"


async def test_a_common_name_is_no_host_name(tmp_path: Path) -> None:
    old = OldAuthority()
    async with tls_server(tmp_path, old.server("old.example")) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await ask(port, loopback(certificate_authority=old.pem, tls_server_name="old.example"))


async def test_session_keys_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    async with tls_server(tmp_path, AUTHORITY.server()) as port:
        await ask(port, loopback())
    assert not keys.exists()
