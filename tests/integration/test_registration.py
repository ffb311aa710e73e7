"""Registrations that come, change, go or cannot be used: each is told on its Secret and in the rows, and harms nobody else."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import yaml

from tests.harness import ControllerProcess, registration, secret
from tests.harness.objects import Json
from tests.integration.fleet import Fleet, fleet_of

CANARY = "c4n4ry-of-a-kubeconfig"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("registration"), "edge") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def own_controller(fleet: Fleet) -> Iterator[ControllerProcess]:
    with fleet.controller("--local-labels", "env=hub") as controller:
        yield controller


@pytest.fixture
def controller(own_controller: ControllerProcess, fleet: Fleet) -> Iterator[ControllerProcess]:
    """The controller; a test's registrations go when it ends, as no API server may be registered twice."""
    yield own_controller
    for each in fleet.hub.select("Secret", "clustersync-system", "clustersync.io/cluster"):
        fleet.hub.delete(secret("clustersync-system", each["metadata"]["name"], {}))


def up(controller: ControllerProcess, cluster: str) -> float | None:
    return controller.metrics().get(f'clustersync_cluster_up{{cluster="{cluster}"}}')


def secret_events(fleet: Fleet, name: str) -> list[Json]:
    events = fleet.hub.select("Event", "clustersync-system")
    return [each for each in events if each["involvedObject"]["name"] == name and each["reason"] == "RegistrationRefused"]


def until_served(fleet: Fleet, controller: ControllerProcess, tag: str, *, word: str = "one") -> None:
    fleet.until(lambda: fleet.word("edge", tag) == word and fleet.ready(tag), controller)


def changed(kubeconfig: str, change: Callable[[Json, Json], None]) -> str:
    """Return a kubeconfig after a change to its cluster and its user."""
    document = yaml.safe_load(kubeconfig)
    change(document["clusters"][0]["cluster"], document["users"][0]["user"])
    return yaml.safe_dump(document)


def test_a_registration_created_later_is_served_and_one_removed_is_waited_for_by_nobody(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    sync = fleet.share(tag, "edge", clusters=[{"name": tag}])
    fleet.until(lambda: fleet.hub.condition(tag, "Ready").get("reason") == "ClusterNotRegistered", controller)
    stored = fleet.hub.create(registration(tag, fleet.kubeconfig("edge")))
    until_served(fleet, controller, tag)
    assert up(controller, tag) == 1
    fleet.hub.delete(stored)
    fleet.until(lambda: fleet.hub.condition(tag, "Ready").get("reason") == "ClusterNotRegistered", controller)
    assert up(controller, tag) is None
    fleet.rotate(tag, "two")
    fleet.hub.delete(sync)
    fleet.until(lambda: fleet.hub.get("ClusterSync", tag) is None, controller)
    assert fleet.word("edge", tag) == "one"


def test_selector_terms_follow_the_labels_of_registrations_and_of_the_hub(controller: ControllerProcess, fleet: Fleet, tag: str) -> None:
    stored = fleet.hub.create(registration(tag, fleet.kubeconfig("edge"), env="test"))
    fleet.share(
        tag, "local", "edge", clusters=[{"selector": {"matchLabels": {"env": "prod"}}}, {"selector": {"matchLabels": {"env": "hub"}}}]
    )
    fleet.until(lambda: fleet.ready(tag) and fleet.hub.status(tag)["summary"] == "1/1", controller)
    assert fleet.word("local", tag) == "one"
    assert fleet.row(tag, tag) == {}
    fleet.hub.patch(stored, metadata={"labels": {"env": "prod"}})
    fleet.until(lambda: fleet.ready(tag) and fleet.hub.status(tag)["clustersReady"] == "2/2", controller)
    assert fleet.word("edge", tag) == "one"
    fleet.hub.patch(stored, metadata={"labels": {"env": "test"}})
    fleet.until(lambda: fleet.word("edge", tag) is None and fleet.hub.status(tag)["clustersReady"] == "1/1", controller)


REFUSALS: dict[str, tuple[Callable[[Json, Json], None], str]] = {
    "a program to run": (lambda cluster, user: user.update(exec={"command": CANARY}), "users[0].user.exec"),
    "a third party to ask": (lambda cluster, user: user.update({"auth-provider": {"name": CANARY}}), "users[0].user.auth-provider"),
    "a token file of the controller": (lambda cluster, user: user.update(tokenFile=f"/{CANARY}"), "users[0].user.tokenFile"),
    "a certificate by its path": (lambda cluster, user: user.update({"client-certificate": CANARY}), "users[0].user.client-certificate"),
    "a password": (lambda cluster, user: user.update(password=CANARY), "users[0].user.password"),
    "an impersonation": (lambda cluster, user: user.update({"as": CANARY}), "users[0].user.as"),
    "a proxy": (lambda cluster, user: cluster.update({"proxy-url": CANARY}), "clusters[0].cluster.proxy-url"),
    "no verification": (
        lambda cluster, user: cluster.update({"insecure-skip-tls-verify": True}),
        "clusters[0].cluster.insecure-skip-tls-verify",
    ),
    "a server in clear": (lambda cluster, user: cluster.update(server=f"http://{CANARY}"), "clusters[0].cluster.server"),
    "an authority that is none": (
        lambda cluster, user: cluster.update({"certificate-authority-data": CANARY}),
        "clusters[0].cluster.certificate-authority-data",
    ),
    "no credentials": (lambda cluster, user: user.clear(), "users[0].user"),
}


@pytest.mark.parametrize(("change", "field"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_kubeconfig_that_holds_what_is_refused_is_told_by_the_name_of_the_field(
    controller: ControllerProcess, fleet: Fleet, tag: str, change: Callable[[Json, Json], None], field: str
) -> None:
    fleet.share(tag, "local", clusters=[{"name": "local"}, {"name": tag}])
    fleet.hub.create(registration(tag, changed(fleet.kubeconfig("edge"), change)))
    row = fleet.until(lambda: "refused" in fleet.row(tag, tag).get("message", "") and fleet.row(tag, tag), controller)
    event = fleet.until(lambda: secret_events(fleet, f"cluster-{tag}"), controller)[0]
    assert row["reachable"] is False
    assert f"{field}: " in row["message"]
    assert event["message"].startswith(f"{field}: ")
    assert CANARY not in f"{row}{event}{controller.log.read_text()}"
    assert up(controller, tag) == 0
    fleet.until(lambda: fleet.hub.condition(tag, "Stalled").get("reason") == "RegistrationRefused", controller)
    fleet.until(lambda: fleet.word("local", tag) == "one", controller)


@pytest.mark.parametrize(
    ("kubeconfig", "told"),
    [("][", "kubeconfig: "), ("", "kubeconfig: "), ("# " + "x" * 70_000, "64 KiB")],
    ids=["no YAML", "empty", "larger than 64 KiB"],
)
def test_a_malformed_kubeconfig_is_refused_and_a_good_one_in_its_place_connects_without_a_restart(
    controller: ControllerProcess, fleet: Fleet, tag: str, kubeconfig: str, told: str
) -> None:
    process = controller.pid
    fleet.share(tag, "edge", clusters=[{"name": tag}])
    stored = fleet.hub.create(registration(tag, kubeconfig))
    fleet.until(lambda: told in fleet.row(tag, tag).get("message", ""), controller)
    assert up(controller, tag) == 0
    fleet.hub.patch(stored, data=registration(tag, fleet.kubeconfig("edge"))["data"])
    until_served(fleet, controller, tag)
    assert (up(controller, tag), controller.pid, controller.running) == (1, process, True)


def test_a_registration_without_a_kubeconfig_or_with_a_reserved_name_is_told_on_its_secret(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    nothing = secret("clustersync-system", f"{tag}-nothing", {"config": "x"}, metadata={"labels": {"clustersync.io/cluster": tag}})
    local = secret("clustersync-system", f"{tag}-local", {"kubeconfig": "x"}, metadata={"labels": {"clustersync.io/cluster": "local"}})
    fleet.hub.create(nothing, local)
    assert "data.kubeconfig: is missing" in fleet.until(lambda: secret_events(fleet, f"{tag}-nothing"), controller)[0]["message"]
    assert "other than local" in fleet.until(lambda: secret_events(fleet, f"{tag}-local"), controller)[0]["message"]
    assert up(controller, "local") == 1


def test_credentials_that_the_member_does_not_take_are_named_in_the_row_until_they_are_replaced(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    def other_authority(cluster: Json, user: Json) -> None:
        cluster["certificate-authority-data"] = hub_cluster["certificate-authority-data"]

    hub_cluster = yaml.safe_load(fleet.kubeconfig("hub"))["clusters"][0]["cluster"]
    names = {"wrong-ca": "certificate", "wrong-token": "Unauthorized"}
    ca = fleet.hub.create(registration("wrong-ca", changed(fleet.kubeconfig("edge"), other_authority)))
    token = fleet.hub.create(registration("wrong-token", fleet.planes["edge"].kubeconfig_text(token=CANARY)))
    fleet.share(tag, "edge", clusters=[{"name": name} for name in names])
    for name, cause in names.items():
        fleet.until(partial(is_told, fleet, tag, name, cause), controller)
        assert up(controller, name) == 0
    fleet.hub.delete(ca)
    fleet.hub.patch(token, data=registration("wrong-token", fleet.kubeconfig("edge"))["data"])
    fleet.until(lambda: fleet.word("edge", tag) == "one" and fleet.row(tag, "wrong-token").get("reachable"), controller)
    assert CANARY not in controller.log.read_text()


def is_told(fleet: Fleet, tag: str, name: str, cause: str) -> bool:
    row = fleet.row(tag, name)
    return bool(row) and row["reachable"] is False and row["message"].startswith("cannot be reached: ") and cause in row["message"]


def test_of_two_secrets_for_one_name_the_older_counts_and_the_younger_is_told(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    older = fleet.hub.create(registration(tag, fleet.kubeconfig("edge")))
    fleet.share(tag, "edge", clusters=[{"name": tag}])
    until_served(fleet, controller, tag)
    later = registration(tag, "malformed")
    later["metadata"]["name"] = f"{tag}-a-second"
    fleet.hub.create(later)
    event = fleet.until(lambda: secret_events(fleet, f"{tag}-a-second"), controller)[0]
    assert f"the older Secret cluster-{tag}" in event["message"]
    fleet.rotate(tag, "two")
    until_served(fleet, controller, tag, word="two")
    fleet.hub.delete(older)
    fleet.until(lambda: "registration refused" in fleet.row(tag, tag).get("message", ""), controller)


def test_a_second_registration_of_a_member_is_refused_until_the_first_is_removed(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    first, second = f"{tag}-first", f"{tag}-second"
    older = fleet.hub.create(registration(first, fleet.kubeconfig("edge")))
    fleet.share(tag, "edge", clusters=[{"name": first}, {"name": second}])
    fleet.until(lambda: up(controller, first) == 1, controller)
    fleet.hub.create(registration(second, fleet.kubeconfig("edge")))
    fleet.until(lambda: f"the cluster {first}" in fleet.row(tag, second).get("message", ""), controller)
    assert f"the cluster {first}" in fleet.until(lambda: secret_events(fleet, f"cluster-{second}"), controller)[0]["message"]
    fleet.until(lambda: fleet.word("edge", tag) == "one", controller)
    assert (up(controller, first), up(controller, second)) == (1, 0)
    fleet.hub.delete(older)
    fleet.until(lambda: up(controller, second) == 1 and fleet.row(tag, second).get("synced") == 1, controller)


def test_a_registration_of_the_hub_itself_is_refused(controller: ControllerProcess, fleet: Fleet, tag: str) -> None:
    fleet.share(tag, "local", clusters=[{"name": tag}])
    fleet.hub.create(registration(tag, fleet.kubeconfig("hub")))
    fleet.until(lambda: "the cluster local" in fleet.row(tag, tag).get("message", ""), controller)
    assert "the cluster local" in fleet.until(lambda: secret_events(fleet, f"cluster-{tag}"), controller)[0]["message"]
    assert (up(controller, "local"), up(controller, tag)) == (1, 0)
    assert fleet.word("local", tag) is None


def test_a_member_at_a_loopback_address_is_refused_unless_the_setting_allows_it(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    controller.stop()
    fleet.hub.create(registration(tag, fleet.kubeconfig("edge")))
    fleet.share(tag, "local", "edge", clusters=[{"name": "local"}, {"name": tag}])
    with fleet.controller("--no-allow-loopback-clusters", log="strict") as strict:
        row = fleet.until(lambda: "loopback" in fleet.row(tag, tag).get("message", "") and fleet.row(tag, tag), strict)
        assert "clusters[0].cluster.server: " in row["message"]
        fleet.until(lambda: fleet.word("local", tag) == "one", strict)
        assert up(strict, tag) == 0
    controller.start()
    until_served(fleet, controller, tag)
