"""The acts of the demo: what somebody does, what has to be seen then, and how long that took. Each fails when the outcome is another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from tests.demo.stage import NAMES, SECRET, Json, Place, Stage
from tests.demo.watching import NotSeen
from tests.harness import config_map, namespace, secret
from tests.harness.installation import ROOT

LABEL = "kubesphere.io/devopsproject"
SOURCES = Place("hub", "kubesphere-devops-system")
PROJECTS = (Place("hub", "team-a"), Place("hub", "team-b"), Place("edge", "team-c"), Place("edge", "team-d"))
BYSTANDER = Place("hub", "sandbox")  # without the label
NEWCOMER = Place("edge", "team-e")
FOREIGN = Place("edge", "legacy")
EXAMPLES = ("registry-credential.yaml", "ca-bundle.yaml")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody does. `play` returns the milliseconds until the outcome is seen; it raises NotSeen."""

    what: str
    outcome: str
    play: Callable[[Stage], float]


def prepare(stage: Stage) -> None:
    """The namespaces and the two sources, before anything is declared."""
    stage.hub.create(namespace(SOURCES.namespace), namespace(BYSTANDER.namespace), _credential("first"), _bundle("first"))
    for place in PROJECTS:
        stage.on(place).create(_project(place))


def first_sync(stage: Stage) -> float:
    declarations = [yaml.safe_load((ROOT / "examples" / name).read_text()) for name in EXAMPLES]
    took = stage.timed(lambda: stage.hub.create(*declarations), lambda: all(_is_replicated(stage, kind, PROJECTS) for kind in NAMES))
    stage.watching.until(lambda: all(_is_ready(stage.status(kind), "4/4") for kind in NAMES))
    _must(all(stage.seen(kind, BYSTANDER) is None for kind in NAMES), "a namespace without the label got a replica")
    return took


def rotation(stage: Stage) -> float:
    rotated = _credential("second")
    return stage.timed(
        lambda: stage.hub.replace(rotated),
        lambda: _data(stage.seen("Secret", SOURCES)) == _data(rotated) and _is_replicated(stage, "Secret", PROJECTS),
    )


def change_of_the_config_map(stage: Stage) -> float:
    changed = _bundle("second")
    return stage.timed(
        lambda: stage.hub.replace(changed),
        lambda: _data(stage.seen("ConfigMap", SOURCES)) == _data(changed) and _is_replicated(stage, "ConfigMap", PROJECTS),
    )


def edit_by_hand(stage: Stage) -> float:
    place = PROJECTS[2]
    edited: list[Json] = []
    stray = {"data": {"username": "aW50cnVkZXI=", "stray": "a2V5"}}
    return stage.timed(
        lambda: edited.append(stage.on(place).patch(_named("Secret", place), **stray)),
        lambda: _revision(stage.seen("Secret", place)) > _revision(edited[0]) and _is_replicated(stage, "Secret", (place,)),
    )


def deletion_by_hand(stage: Stage) -> float:
    place = PROJECTS[0]
    before = _uid(stage.seen("Secret", place))
    return stage.timed(
        lambda: stage.on(place).delete(_named("Secret", place)),
        lambda: _uid(stage.seen("Secret", place)) != before and _is_replicated(stage, "Secret", (place,)),
    )


def new_namespace(stage: Stage) -> float:
    return stage.timed(
        lambda: stage.on(NEWCOMER).create(_project(NEWCOMER)),
        lambda: all(_is_replicated(stage, kind, (NEWCOMER,)) for kind in NAMES),
    )


def label_taken_off(stage: Stage) -> float:
    place = PROJECTS[1]
    took = stage.timed(
        lambda: stage.on(place).patch(namespace(place.namespace), metadata={"labels": {LABEL: None}}),
        lambda: all(stage.seen(kind, place) is None for kind in NAMES),
    )
    _must(all(_is_replicated(stage, kind, PROJECTS[:1]) for kind in NAMES), "another namespace lost its replica")
    return took


def foreign_object(stage: Stage) -> float:
    edge = stage.on(FOREIGN)
    theirs = edge.create(namespace(FOREIGN.namespace), secret(FOREIGN.namespace, SECRET, {"username": "somebody-else"}))
    took = stage.timed(
        lambda: edge.patch(namespace(FOREIGN.namespace), metadata={"labels": {LABEL: "legacy"}}),
        lambda: _in_conflict(stage.status("Secret")) == [FOREIGN] and _is_replicated(stage, "ConfigMap", (FOREIGN,)),
    )
    _must(edge.get("Secret", SECRET, FOREIGN.namespace) == theirs, "somebody else's Secret was touched")
    return took


ACTS = (
    Act("both ClusterSyncs of examples/ are applied", "a Secret and a ConfigMap are in 4 namespaces of 2 clusters", first_sync),
    Act("the source Secret is rotated", "all 4 replicas hold the new value", rotation),
    Act("the source ConfigMap is changed", "all 4 replicas follow", change_of_the_config_map),
    Act("somebody edits the replica in team-c on edge", "it is restored, and the key they added is gone", edit_by_hand),
    Act("somebody deletes the replica in team-a on hub", "it is back", deletion_by_hand),
    Act("a labelled namespace, team-e, is made on edge", "it has both replicas", new_namespace),
    Act("team-b on hub loses the label", "both replicas are gone from it, and only from it", label_taken_off),
    Act("legacy on edge gets the label, and has a common-encode of its own", "that stays as it was, and is a conflict", foreign_object),
)


def _is_replicated(stage: Stage, kind: str, places: tuple[Place, ...]) -> bool:
    """Whether each place holds exactly what the source holds now."""
    source = _content(stage.seen(kind, SOURCES))
    return source is not None and all(_content(stage.seen(kind, place)) == source for place in places)


def _content(obj: Json | None) -> tuple[Any, ...] | None:
    return None if obj is None else (obj.get("type"), obj.get("data"), obj.get("binaryData"))


def _data(obj: Json | None) -> Any:
    return None if obj is None else obj.get("data")


def _uid(obj: Json | None) -> str:
    return "" if obj is None else str(obj["metadata"]["uid"])


def _revision(obj: Json | None) -> int:
    return 0 if obj is None else int(obj["metadata"]["resourceVersion"])


def _is_ready(status: Json, summary: str) -> bool:
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    return status.get("summary") == summary and conditions.get("Ready") == "True"


def _in_conflict(status: Json) -> list[Place]:
    """The places that the status names, if it counts as many."""
    places = [Place(each["cluster"], each["namespace"]) for each in status.get("failures", [])]
    return places if status.get("conflicts") == len(places) else []


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotSeen(otherwise)


def _project(place: Place) -> Json:
    return namespace(place.namespace, **{LABEL: place.namespace})


def _credential(revision: str) -> Json:
    return secret(SOURCES.namespace, NAMES["Secret"], {"username": "robot", "password": f"{revision}-password"})


def _bundle(revision: str) -> Json:
    return config_map(SOURCES.namespace, NAMES["ConfigMap"], {"ca.crt": f"the {revision} certificate"}, {"ca.der": revision.encode()})


def _named(kind: str, place: Place) -> Json:
    return {"kind": kind, "metadata": {"namespace": place.namespace, "name": NAMES[kind]}}
