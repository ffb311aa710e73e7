"""How many requests an API server was asked, by verb and resource, read from its own metrics."""

import re
from collections import Counter

from tests.bench.rawapi import RawApi

COUNTED = frozenset({"secrets", "configmaps", "namespaces", "clustersyncs", "events", "leases"})
"""What the controller speaks of; the rest is the API server's own."""

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Requests = Counter[tuple[str, str]]

_SAMPLE = re.compile(r"apiserver_request_total\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


async def requests_so_far(api: RawApi) -> Requests:
    """Return the requests answered since the API server's start, keyed by verb and resource."""
    so_far: Requests = Counter()
    for sample in _SAMPLE.finditer((await api.send("GET", "/metrics", accept="text/plain")).decode()):
        labels = dict(_LABEL.findall(sample["labels"]))
        if labels["resource"] in COUNTED:
            so_far[labels["verb"], labels["resource"]] += int(float(sample["value"]))
    return so_far


def told(requests: Requests) -> str:
    """Return the counts in words, most frequent first."""
    return ", ".join(f"{number} {verb} {resource}" for (verb, resource), number in requests.most_common()) or "none"
