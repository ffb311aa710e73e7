"""The whole way once: from a declaration to replicas on both clusters and a true status."""

from tests.harness import ControllerProcess, Objects, clustersync, eventually, namespace, secret


def test_a_secret_reaches_the_labelled_namespaces_of_both_clusters(
    controller: ControllerProcess, on_hub: Objects, on_edge: Objects, tag: str
) -> None:
    source = secret(tag, "registry", {"password": "one"})
    on_hub.create(namespace(tag), namespace(f"{tag}-a", team=tag), source)
    on_edge.create(namespace(f"{tag}-b", team=tag))
    sync = clustersync(tag, source, {"team": tag}, clusters=[{"name": "local"}, {"name": "edge"}])
    on_hub.create(sync)
    eventually(lambda: on_hub.condition(tag, "Ready").get("status") == "True", describe=controller.tail)
    assert on_hub.data("Secret", f"{tag}-a", "registry") == {"password": "one"}
    assert on_edge.data("Secret", f"{tag}-b", "registry") == {"password": "one"}
    assert on_hub.status(tag)["summary"] == "2/2"
    on_hub.delete(sync)
    eventually(lambda: on_hub.get("ClusterSync", tag) is None, describe=controller.tail)
    assert on_hub.data("Secret", f"{tag}-a", "registry") is None
    assert on_edge.data("Secret", f"{tag}-b", "registry") is None
