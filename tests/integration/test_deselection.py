"""Leaving the selection is somebody's will, not drift."""

from tests.harness import ControllerProcess, Objects, clustersync, eventually, namespace, secret

REPAIRS = 'clustersync_drift_repaired_total{cluster="local"}'


def test_a_replica_that_goes_with_its_label_is_no_repair(controller: ControllerProcess, on_hub: Objects, tag: str) -> None:
    source = secret(tag, "registry", {"password": "one"})
    leaver = namespace(f"{tag}-leaver", team=tag)
    on_hub.create(namespace(tag), leaver, namespace(f"{tag}-stayer", team=tag), source, clustersync(tag, source, {"team": tag}))
    eventually(lambda: on_hub.status(tag).get("summary") == "2/2", describe=controller.tail)
    before = controller.metrics().get(REPAIRS, 0)
    on_hub.patch(leaver, metadata={"labels": {"team": None}})
    eventually(lambda: on_hub.status(tag)["summary"] == "1/1", describe=controller.tail)
    assert on_hub.data("Secret", f"{tag}-leaver", "registry") is None
    assert controller.metrics().get(REPAIRS, 0) == before
