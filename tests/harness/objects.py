"""Objects of tests: builders for what is applied, and short ways to read and write it on one control plane."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.controlplane import ControlPlane, Reply

Json = dict[str, Any]

COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "ResourceQuota": "/api/v1/namespaces/{namespace}/resourcequotas",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "ClusterSync": "/apis/clustersync.io/v1alpha1/clustersyncs",
}


def namespace(name: str, **labels: str) -> Json:
    """A namespace; underscores in label keys stand for what a keyword cannot hold: use `labels_of` for others."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def secret(namespace: str, name: str, data: Mapping[str, str | bytes], **fields: Any) -> Json:
    """A Secret with these decoded values; `fields` are top-level ones such as `type`, `immutable`, or `metadata` to be merged."""
    encoded = {key: base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode() for key, value in data.items()}
    metadata = {"namespace": namespace, "name": name} | fields.pop("metadata", {})
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded} | fields


def config_map(namespace: str, name: str, data: Mapping[str, str], binary: Mapping[str, bytes] | None = None, **fields: Any) -> Json:
    """A ConfigMap with this text and these binary values."""
    metadata = {"namespace": namespace, "name": name} | fields.pop("metadata", {})
    encoded = {key: base64.b64encode(value).decode() for key, value in (binary or {}).items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data), "binaryData": encoded} | fields


def clustersync(name: str, source: Json, labels: Mapping[str, str], **spec: Any) -> Json:
    """A ClusterSync of `source` (an object of the hub) to the namespaces with these labels; `spec` overrides and adds fields."""
    meta = source["metadata"]
    return {
        "apiVersion": "clustersync.io/v1alpha1",
        "kind": "ClusterSync",
        "metadata": {"name": name},
        "spec": {
            "source": {"kind": source["kind"], "namespace": meta["namespace"], "name": meta["name"]},
            "namespaceSelector": {"matchLabels": dict(labels)},
        }
        | spec,
    }


def registration(cluster: str, kubeconfig: str, *, namespace: str = "clustersync-system", **labels: str) -> Json:
    """A registration Secret for a member cluster."""
    metadata = {"labels": {"clustersync.io/cluster": cluster, **labels}}
    return secret(namespace, f"cluster-{cluster}", {"kubeconfig": kubeconfig}, metadata=metadata)


class Objects:
    """Reads and writes objects of one control plane as its administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def create(self, *objects: Json) -> Json:
        """Create objects; returns the last as stored."""
        return [self._ok(self.plane.request("POST", _collection(each), each)) for each in objects][-1]

    def replace(self, obj: Json) -> Json:
        """Replace an object, whatever its revision, unless it names one."""
        return self._ok(self.plane.request("PUT", _path(obj), obj))

    def patch(self, obj: Json, **change: Any) -> Json:
        """Merge a change into an object."""
        return self._ok(self.plane.request("PATCH", _path(obj), change))

    def delete(self, *objects: Json) -> None:
        """Delete objects; those that are gone already are fine."""
        for each in objects:
            reply = self.plane.request("DELETE", _path(each))
            assert reply.status in (200, 202, 404), reply.body

    def get(self, kind: str, name: str, namespace: str = "") -> Json | None:
        """Return an object, None if there is none."""
        reply = self.plane.request("GET", f"{COLLECTIONS[kind].format(namespace=namespace)}/{name}")
        return None if reply.status == 404 else self._ok(reply)

    def select(self, kind: str, namespace: str = "", selector: str = "") -> list[Json]:
        """Return the objects of a kind; without a namespace those of all."""
        path = COLLECTIONS[kind].format(namespace=namespace) if namespace else COLLECTIONS[kind].replace("/namespaces/{namespace}", "")
        items: list[Json] = self._ok(self.plane.request("GET", f"{path}?labelSelector={selector}"))["items"]
        return items

    def data(self, kind: str, namespace: str, name: str) -> dict[str, str] | None:
        """Return the decoded text of an object's data, None if there is no such object."""
        found = self.get(kind, name, namespace)
        if found is None:
            return None
        data: dict[str, str] = found.get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()} if kind == "Secret" else data

    def status(self, sync: str) -> Json:
        """Return the status of a ClusterSync, empty when there is none."""
        found = self.get("ClusterSync", sync)
        status: Json = (found or {}).get("status", {})
        return status

    def condition(self, sync: str, type_: str) -> Json:
        """Return one condition of a ClusterSync, empty when it is not there."""
        found = [each for each in self.status(sync).get("conditions", []) if each["type"] == type_]
        return found[0] if found else {}

    def events(self, sync: str) -> list[Json]:
        """Return the events about a ClusterSync."""
        return [each for each in self.select("Event", "default") if each["involvedObject"]["name"] == sync]

    def _ok(self, reply: Reply) -> Json:
        assert reply.status < 300, f"HTTP {reply.status}: {json.loads(reply.body).get('message')}"
        answer: Json = reply.json()
        return answer


def _collection(obj: Json) -> str:
    return COLLECTIONS[obj["kind"]].format(namespace=obj["metadata"].get("namespace", ""))


def _path(obj: Json) -> str:
    return f"{_collection(obj)}/{obj['metadata']['name']}"
