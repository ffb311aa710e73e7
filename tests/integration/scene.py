"""The stage of one test about targets: a source, the namespaces it goes to, one ClusterSync, and short questions about them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import pytest

from tests.controlplane.audit import AuditEvent, Mark
from tests.harness import ControllerProcess, Objects, clustersync, config_map, eventually, namespace, secret
from tests.harness.objects import Json

T = TypeVar("T")

NAME = "shared"
"""Of every source that a scene makes, and so of its replicas."""

KINDS = [pytest.param("Secret", id="Secret"), pytest.param("ConfigMap", id="ConfigMap with binary data")]

WRITES = ("create", "update", "patch", "delete", "deletecollection")
MARKS = ("clustersync.io/", "app.kubernetes.io/managed-by")


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything lies on the hub; the source in the namespace `tag`, which carries no label."""

    controller: ControllerProcess
    hub: Objects
    tag: str

    @property
    def labels(self) -> dict[str, str]:
        """What the namespaces of this scene carry."""
        return {"team": self.tag}

    def namespaces(self, *suffixes: str) -> list[str]:
        """Create namespaces that the ClusterSync selects; returns their names."""
        names = [f"{self.tag}-{suffix}" for suffix in suffixes]
        self.hub.create(*(namespace(name, **self.labels) for name in names))
        return names

    def select(self, name: str) -> None:
        """Give a namespace the labels that the ClusterSync selects."""
        self.hub.patch(namespace(name), metadata={"labels": self.labels})

    def deselect(self, name: str) -> None:
        """Take those labels off a namespace."""
        self.hub.patch(namespace(name), metadata={"labels": dict.fromkeys(self.labels)})

    def bystander(self, suffix: str) -> str:
        """Create a namespace that is not selected; returns its name."""
        name = f"{self.tag}-{suffix}"
        self.hub.create(namespace(name))
        return name

    def source(self, kind: str = "Secret", data: dict[str, str] | None = None, **fields: Any) -> Json:
        """Create the source: some text and every byte there is."""
        return self.hub.create(content(kind, self.tag, {"user": "ann", "word": "one"} if data is None else data, **fields))

    def declare(self, source: Json, **spec: Any) -> Json:
        """Create the ClusterSync."""
        return self.hub.create(clustersync(self.tag, source, self.labels, **spec))

    def replica(self, namespace: str, kind: str = "Secret") -> Json:
        """Return the object on a target's place; it has to be there."""
        found = self.hub.get(kind, NAME, namespace)
        assert found is not None, f"no {kind} {namespace}/{NAME}"
        return found

    def until(self, check: Callable[[], T | Literal[False] | None], *, seconds: float = 20.0) -> T:
        """Wait for a state; a failure shows the status and the end of the log."""
        return eventually(check, seconds=seconds, describe=lambda: f"\n{self.hub.status(self.tag)}{self.controller.tail()}")

    def until_replica(self, namespace: str, kind: str = "Secret") -> Json:
        """Wait for the object on a target's place."""
        return self.until(lambda: self.replica(namespace, kind))

    def until_gone(self, namespace: str, kind: str = "Secret") -> None:
        """Wait until nothing lies on a target's place."""
        self.until(lambda: self.hub.get(kind, NAME, namespace) is None)

    def until_status(self, **fields: Any) -> Json:
        """Wait for a status with these fields that speaks of the present generation."""
        return self.until(lambda: self._status_with(fields))

    def until_ready(self, summary: str) -> Json:
        """Wait for `Ready=True` with this summary."""
        return self.until(lambda: self.condition("Ready").get("status") == "True" and self._status_with({"summary": summary}))

    def condition(self, type_: str) -> Json:
        """Return one condition, empty when it is not there."""
        return self.hub.condition(self.tag, type_)

    def until_away(self) -> None:
        """Wait until the ClusterSync is gone."""
        self.until(lambda: self.hub.get("ClusterSync", self.tag) is None)

    def until_event(self, reason: str) -> Json:
        """Wait for an event about the ClusterSync."""
        return self.until(lambda: next((each for each in self.hub.events(self.tag) if each["reason"] == reason), None))

    def request_reconcile(self, sync: Json) -> None:
        """Ask for another look at everything, as a person does with `kubectl annotate`."""
        at = f"clustersync.io/reconcile-requested-at={self.tag}"
        self.hub.plane.kubectl("annotate", "clustersync", sync["metadata"]["name"], at, "--overwrite")

    def mark(self) -> Mark:
        """A place in the audit log."""
        return self.hub.plane.audit.mark()

    def writes_since(self, mark: Mark, *resources: str) -> list[AuditEvent]:
        """What the controller wrote in the namespaces of this scene or to its ClusterSync; of these resources if some are named."""
        events = self.hub.plane.audit.since(mark, user_agent="clustersync")
        return [
            event
            for event in events
            if event.verb in WRITES
            and (not resources or event.resource in resources)
            and (event.namespace == self.tag or event.namespace.startswith(f"{self.tag}-") or event.name == self.tag)
        ]

    def let_work_pass(self) -> None:
        """Return when the controller has done what it had to do before: a bystander saw two statuses, at least a second apart."""
        name = f"bystander-{self.tag}"
        labels = {"bystander": name}
        if self.hub.get("ClusterSync", name) is None:
            self.hub.create(namespace(name), source := secret(name, NAME, {}), clustersync(name, source, labels))
        seen = len(self.hub.select("Namespace", selector=f"bystander={name}"))
        for number in (seen + 1, seen + 2):
            self.hub.create(namespace(f"{name}-{number}", **labels))
            self.until(partial(self._shows, name, f"{number}/{number}"))

    def _shows(self, sync: str, summary: str) -> bool:
        return bool(self.hub.status(sync).get("summary") == summary)

    def _status_with(self, fields: dict[str, Any]) -> Json:
        found = self.hub.get("ClusterSync", self.tag)
        assert found is not None
        status: Json = found.get("status", {})
        assert status.get("observedGeneration") == found["metadata"]["generation"]
        assert {key: status.get(key) for key in fields} == fields
        return status


def new_scene(controller: ControllerProcess, on_hub: Objects, tag: str) -> Scene:
    """For `scene = pytest.fixture(new_scene)`."""
    on_hub.create(namespace(tag))
    return Scene(controller, on_hub, tag)


def content(kind: str, namespace: str, data: dict[str, str], **fields: Any) -> Json:
    """An object of either kind with this text and, under another key, every byte there is."""
    every_byte = bytes(range(256))
    if kind == "Secret":
        return secret(namespace, NAME, data | {"every-byte": every_byte}, **fields)
    return config_map(namespace, NAME, data, {"every-byte": every_byte}, **fields)


def text(kind: str, value: str) -> str:
    """A value as an object of this kind spells it in its data."""
    return str(secret("", "", {"key": value})["data"]["key"]) if kind == "Secret" else value


def payload(obj: Json) -> Json:
    """What has to be equal between a source and its replica."""
    return {key: obj.get(key) for key in ("kind", "type", "data", "binaryData", "immutable")}


def lasting(obj: Json) -> Json:
    """An object without what any rewriting of it changes."""
    fleeting = ("resourceVersion", "managedFields", "uid", "creationTimestamp")
    return obj | {"metadata": {key: value for key, value in obj["metadata"].items() if key not in fleeting}}


def without_marks(obj: Json) -> Json:
    """An object, less the marks of a replica and what any rewriting changes."""
    kept = lasting(obj)
    for field in ("labels", "annotations"):
        rest = {key: value for key, value in kept["metadata"].pop(field, {}).items() if not key.startswith(MARKS)}
        kept["metadata"] |= {field: rest} if rest else {}
    return kept
