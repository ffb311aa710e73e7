"""Reads the kubeconfig of a member cluster, which is untrusted input: what would run, read or redirect anything is refused.

A refusal names the field and the way out, never a value. The controller's own kubeconfig is the operator's and is not read here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from clustersync.kube import strictyaml, tls
from clustersync.kube.addresses import canonical_host, is_forbidden_host
from clustersync.kube.endpoint import Endpoint
from clustersync.kube.strictyaml import RefusedYaml, Value

MAX_BYTES = 64 * 1024
"""Design, section 6. A real kubeconfig of one context takes 3 to 10 KiB, most of it certificates."""


class RefusedKubeconfig(ValueError):
    """A kubeconfig that is not used. `field` is a path such as `users[0].user.exec`, `reason` says what to do about it.

    Neither holds text of the input. It is raised outside of `except` blocks only, so that no library's error, which may
    quote the input, hangs on it as context.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def parse_kubeconfig(raw: bytes, *, allow_loopback: bool = False) -> Endpoint:
    """Return what the current context of `raw` names; other contexts, clusters and users are not judged.

    `allow_loopback` admits servers at the addresses of `addresses.is_forbidden_address`. Raises RefusedKubeconfig.
    """
    config = _Section("", _mapping(_document(raw), "kubeconfig"))
    config.judge(_CONFIG)
    context = _entry(config, "contexts", "context", config.required("current-context"))
    cluster = _entry(config, "clusters", "cluster", context.required("cluster"))
    user = _entry(config, "users", "user", context.required("user"))
    certificate, key = _client_identity(user)
    token = _token(user)
    if token is None and certificate is None:
        raise RefusedKubeconfig(user.path, "holds no credentials; give token, or client-certificate-data with client-key-data")
    return Endpoint(
        server=_server(cluster, allow_loopback),
        tls_server_name=_tls_server_name(cluster),
        certificate_authority=_certificate_authority(cluster),
        token=token,
        client_certificate=certificate,
        client_key=key,
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """Which fields a mapping may have, and why others of the kubeconfig format are refused when they are set."""

    known: frozenset[str]
    refused: Mapping[str, str] = field(default_factory=dict)


_PATH = "refused, it names a file of the controller; put the content into {}"
_RUNS = "refused, it would run a program or call a third party; use token, or client-certificate-data with client-key-data"
_ACTS_AS = "refused, impersonation is not supported; use the credentials of the account that is meant"
_BASIC = "refused, basic authentication is not supported; use token"

# The fields of client-go's clientcmd/api/v1. `preferences`, `extensions`, `namespace` and `disable-compression` stand in most
# real files and change nothing here.
_CONFIG = _Rules(frozenset({"apiVersion", "kind", "preferences", "clusters", "users", "contexts", "current-context", "extensions"}))
_RULES = {
    "context": _Rules(frozenset({"cluster", "user", "namespace", "extensions"})),
    "cluster": _Rules(
        frozenset({"server", "tls-server-name", "certificate-authority-data", "disable-compression", "extensions"}),
        {
            "certificate-authority": _PATH.format("certificate-authority-data"),
            "insecure-skip-tls-verify": "refused, anybody on the way could read the credentials; give certificate-authority-data",
            "proxy-url": "refused, the credentials would pass through a host of the file's choice; remove it",
        },
    ),
    "user": _Rules(
        frozenset({"token", "client-certificate-data", "client-key-data", "extensions"}),
        {
            "exec": _RUNS,
            "auth-provider": _RUNS,
            "tokenFile": _PATH.format("token"),
            "client-certificate": _PATH.format("client-certificate-data"),
            "client-key": _PATH.format("client-key-data"),
            "as": _ACTS_AS,
            "as-uid": _ACTS_AS,
            "as-groups": _ACTS_AS,
            "as-user-extra": _ACTS_AS,
            "username": _BASIC,
            "password": _BASIC,
        },
    ),
}

# A key is input too, and may be a secret that slipped into the wrong place: only what reads like a field's name is repeated.
_FIELD_NAME = re.compile(r"(?=.{1,32}$)[a-z]+(?:-[a-z]+|[A-Z][a-z]+)*")


@dataclass(frozen=True, slots=True)
class _Section:
    """A judged mapping and where it stands in the document."""

    path: str
    fields: Mapping[str, Value] = field(repr=False)

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def judge(self, rules: _Rules) -> None:
        """Raise RefusedKubeconfig for a field that is unknown, or refused and set."""
        for name, value in self.fields.items():
            if name in rules.refused and _is_set(value):
                raise RefusedKubeconfig(self.at(name), rules.refused[name])
            if name not in rules.known and name not in rules.refused:
                shown = self.at(name) if _FIELD_NAME.fullmatch(name) else self.path or "kubeconfig"
                raise RefusedKubeconfig(shown, f"unknown field; known are {', '.join(sorted(rules.known))}")

    def text(self, name: str) -> str | None:
        """Return the text of a field, None when it is absent or empty."""
        value = self.fields.get(name)
        if value is None or isinstance(value, str):
            return value or None
        raise RefusedKubeconfig(self.at(name), "must be text")

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise RefusedKubeconfig(self.at(name), "is missing; `kubectl config view --minify --flatten --raw` prints a complete file")
        return value

    def data(self, name: str) -> bytes | None:
        """Return the decoded base64 of a field, None when it is absent or empty. Line breaks in it are allowed, as in Go."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            pass
        raise RefusedKubeconfig(self.at(name), "must be base64")


def _is_set(value: Value) -> bool:
    return value.casefold() not in {"", "false"} if isinstance(value, str) else bool(value)


def _mapping(value: Value, path: str) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise RefusedKubeconfig(path, "must be a mapping")
    return value


def _entry(config: _Section, plural: str, singular: str, name: str) -> _Section:
    """Return the judged mapping that the list `plural` holds under `name`."""
    entries = config.fields.get(plural)
    listed = enumerate(entries if isinstance(entries, list) else [])
    named = [(index, entry) for index, entry in listed if isinstance(entry, dict) and entry.get("name") == name]
    if len(named) != 1:
        raise RefusedKubeconfig(plural, f"must hold exactly one {singular} of the name that the current context asks for")
    index, entry = named[0]
    outer = _Section(f"{plural}[{index}]", entry)
    outer.judge(_Rules(frozenset({"name", singular})))
    path = outer.at(singular)
    inner = _Section(path, _mapping(entry.get(singular), path))
    inner.judge(_RULES[singular])
    return inner


def _token(user: _Section) -> str | None:
    token = user.text("token")
    # Anything else could end the Authorization header and begin another one.
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise RefusedKubeconfig(user.at("token"), "must be one line of printable ASCII characters without spaces")
    return token


def _certificate_authority(cluster: _Section) -> bytes | None:
    pem = cluster.data("certificate-authority-data")
    if pem is not None and not tls.is_authority(pem):
        raise RefusedKubeconfig(cluster.at("certificate-authority-data"), "must be base64 of certificates in PEM")
    return pem


def _client_identity(user: _Section) -> tuple[bytes, bytes] | tuple[None, None]:
    certificate, key = user.data("client-certificate-data"), user.data("client-key-data")
    if certificate is None and key is None:
        return None, None
    if certificate is None:
        raise RefusedKubeconfig(user.at("client-certificate-data"), "is missing, client-key-data needs it")
    if key is None:
        raise RefusedKubeconfig(user.at("client-key-data"), "is missing, client-certificate-data needs it")
    if not tls.is_identity(certificate, key):
        reason = "must be base64 of a certificate in PEM, and client-key-data its key without a passphrase"
        raise RefusedKubeconfig(user.at("client-certificate-data"), reason)
    return certificate, key


_HTTPS = 443
_NO_PART_OF_A_SERVER = {"@": "a user or password", "?": "a query", "#": "a fragment"}
_SERVER = re.compile(
    r"https://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[a-z0-9._~!$&'()*+,;=:%-]*)*)",
    re.IGNORECASE | re.ASCII,
)


def _server(cluster: _Section, allow_loopback: bool) -> str:
    url, path = cluster.required("server"), cluster.at("server")
    if not url.lower().startswith("https://"):
        raise RefusedKubeconfig(path, "must begin with https://, else the credentials travel in clear")
    for mark, part in _NO_PART_OF_A_SERVER.items():
        if mark in url:
            raise RefusedKubeconfig(path, f"must not hold {part}; only https://host:port/path")
    match = _SERVER.fullmatch(url)
    host = canonical_host(match["host"]) if match else None
    if match is None or host is None or int(match["port"] or _HTTPS) not in range(1, 65536):
        raise RefusedKubeconfig(path, "must be https://host:port/path with a host name in ASCII or an IP address")
    if not allow_loopback and is_forbidden_host(host):
        reason = "refused, loopback, link-local, unspecified and multicast addresses are no member cluster; see --allow-loopback-clusters"
        raise RefusedKubeconfig(path, reason)
    port = int(match["port"] or _HTTPS)
    return f"https://{host}{'' if port == _HTTPS else f':{port}'}{match['path'].rstrip('/')}"


def _tls_server_name(cluster: _Section) -> str | None:
    name = cluster.text("tls-server-name")
    if name is None:
        return None
    host = canonical_host(f"[{name}]" if ":" in name else name)
    if host is None:
        raise RefusedKubeconfig(cluster.at("tls-server-name"), "must be a host name in ASCII or an IP address")
    return host.strip("[]")


def _document(raw: bytes) -> Value:
    if len(raw) > MAX_BYTES:
        raise RefusedKubeconfig("kubeconfig", f"is larger than {MAX_BYTES // 1024} KiB; keep the one context that is needed")
    try:
        return strictyaml.load(raw)
    except RefusedYaml as refusal:
        reason = str(refusal)
    raise RefusedKubeconfig("kubeconfig", reason)
