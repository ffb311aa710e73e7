"""Leaving the selection is somebody's will, not drift."""

from tests.integration.scene import Scene

REPAIRS = 'clustersync_drift_repaired_total{cluster="local"}'


def test_a_replica_that_goes_with_its_label_is_no_repair(scene: Scene) -> None:
    leaver, _ = scene.namespaces("a", "b")
    scene.declare(scene.source())
    scene.until_ready("2/2")
    before = scene.controller.metrics().get(REPAIRS, 0)
    scene.deselect(leaver)
    scene.until_gone(leaver)
    scene.until_status(summary="1/1")
    assert scene.controller.metrics().get(REPAIRS, 0) == before
