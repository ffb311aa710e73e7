"""The controller's own way to the hub: in-cluster identity, or the operator's kubeconfig, both read by the client library.

Members never come through here: their kubeconfigs are untrusted (`kubeconfig.py`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import yaml
from kubernetes_asyncio import config
from kubernetes_asyncio.client import Configuration

from clustersync.core.errors import Unreachable, clean
from clustersync.kube.endpoint import Endpoint
from clustersync.kube.tls import ssl_context
from clustersync.kube.transport import Connection

TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


RELOAD_SECONDS = 10.0
"""Between two attempts to get credentials that the server takes."""

UNREADABLE = (config.ConfigException, aiohttp.ClientError, yaml.YAMLError, OSError, ValueError, TypeError, KeyError, RuntimeError)
"""What the library raises for credentials that it cannot read, by way of a file, a plugin or a token endpoint."""


class CredentialsError(Exception):
    """No way to the hub could be made of what is configured; the message says what to set."""


async def hub_connection(kubeconfig: str | None, context: str | None, environ: Mapping[str, str]) -> Connection:
    """Return the connection to the hub: the named kubeconfig, else in-cluster, else the user's own kubeconfig.

    Raises CredentialsError.
    """
    logging.getLogger("kubernetes_asyncio").setLevel(logging.WARNING)
    configuration = Configuration()
    in_cluster = kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in environ and _has_token()
    if kubeconfig is not None and not await asyncio.to_thread(Path(kubeconfig).is_file):
        raise CredentialsError(f"there is no kubeconfig file {kubeconfig}")
    try:
        await _load(configuration, kubeconfig, context, in_cluster)
        tls = await asyncio.to_thread(_tls, configuration)
    except (config.ConfigException, OSError, ssl.SSLError, ValueError, KeyError) as error:
        raise CredentialsError(f"cannot reach the hub: {clean(str(error))}; name a kubeconfig with --kubeconfig or KUBECONFIG") from None
    except (yaml.YAMLError, TypeError, AttributeError):  # whose texts quote the file
        raise CredentialsError(
            f"cannot reach the hub: {kubeconfig or 'its file'} is not a kubeconfig; correct it or name another"
        ) from None
    return Connection(
        server=str(configuration.host),
        tls=tls,
        authorization=_Authorization(configuration, kubeconfig, context, in_cluster),
        server_hostname=configuration.tls_server_name or None,
        proxy=configuration.proxy or None,
    )


def _has_token() -> bool:
    return TOKEN_FILE.exists()


async def _load(configuration: Configuration, kubeconfig: str | None, context: str | None, in_cluster: bool) -> None:
    if in_cluster:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await config.load_kube_config(kubeconfig, context, configuration, persist_config=False)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Go does not enforce it, and CAs of older managed clusters fail it
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


class _Authorization:
    """The bearer token, read anew by the library as it ages, and by us when the server refuses it."""

    def __init__(self, configuration: Configuration, kubeconfig: str | None, context: str | None, in_cluster: bool) -> None:
        self._configuration = configuration
        self._arguments = kubeconfig, context, in_cluster
        self._reloaded_at = -math.inf

    async def __call__(self, fresh: bool) -> str | None:
        try:
            if fresh:
                await self._reload()
            return await self._configuration.get_api_key_with_prefix("BearerToken") or None
        except UNREADABLE as error:
            # Only the kind: the library's texts may quote the file, or what a credential plugin printed.
            raise Unreachable(f"the controller's own credentials cannot be read ({type(error).__name__})") from None

    async def _reload(self) -> None:
        """Load the credentials anew, which may run the operator's credential plugin: not for each of many refused requests."""
        now = asyncio.get_running_loop().time()
        if now - self._reloaded_at >= RELOAD_SECONDS:
            self._reloaded_at = now
            await _load(self._configuration, *self._arguments)


def member_connection(endpoint: Endpoint, *, guarded: bool) -> Connection:
    """Return the connection to a vetted endpoint. Builds a TLS context: call it in a thread."""
    authorization = f"Bearer {endpoint.token}" if endpoint.token else None

    async def authorize(fresh: bool) -> str | None:
        return authorization

    return Connection(
        server=endpoint.server,
        tls=ssl_context(endpoint),
        authorization=authorize,
        server_hostname=endpoint.tls_server_name,
        guarded=guarded,
    )
