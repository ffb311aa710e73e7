"""The controller as a process: how it starts, what it answers, how it ends, and what it says when it cannot run."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.harness import ControllerProcess, Objects, eventually, namespace, secret
from tests.harness.installation import ROOT
from tests.harness.process import PROGRAM
from tests.integration.fleet import NAME, Fleet, fleet_of, paused

SHUTDOWN_SECONDS = 2.0
WIDTH = 300


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("process"), "edge") as fleet:
        fleet.register("edge")
        yield fleet


@pytest.fixture
def own_controller(fleet: Fleet, tag: str) -> Iterator[ControllerProcess]:
    """It writes two at a time, so that a fan-out lasts long enough to be interrupted."""
    with fleet.controller("--max-concurrency", "2", log=tag) as controller:
        yield controller


def end(controller: ControllerProcess, number: signal.Signals) -> int:
    """Send the signal, and return the exit code of a process that took no longer than it may."""
    began = time.monotonic()
    code = controller.end(number)
    assert time.monotonic() - began < SHUTDOWN_SECONDS
    return code


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("CLUSTERSYNC_", "KUBE"))}
    return subprocess.run([str(PROGRAM), *arguments], env=inherited | environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_idle_controller_ends_at_once_without_a_complaint(own_controller: ControllerProcess, number: signal.Signals) -> None:
    assert end(own_controller, number) == 0
    assert complaints(own_controller) == []
    assert own_controller.logged()[-1]["event"] == "controller stopped"


def test_a_controller_ends_at_once_while_a_member_hangs(own_controller: ControllerProcess, fleet: Fleet, tag: str) -> None:
    fleet.share(tag, "local", "edge")
    fleet.until(lambda: fleet.ready(tag), own_controller)
    with paused(fleet.planes["edge"]):
        fleet.rotate(tag, "two")
        fleet.until(lambda: fleet.word("local", tag) == "two", own_controller)
        assert end(own_controller, signal.SIGTERM) == 0
    assert complaints(own_controller) == []


def test_a_controller_ends_at_once_during_a_fan_out_and_the_next_one_finishes_it(
    own_controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    fleet.hub.create(*(namespace(f"{tag}-{each}", team=tag) for each in range(WIDTH)))
    fleet.share(tag, clusters=[{"name": "local"}])
    fleet.until(lambda: replicas(fleet, tag) > 0, own_controller)
    assert end(own_controller, signal.SIGTERM) == 0
    assert replicas(fleet, tag) < WIDTH, "nothing was left to be interrupted"
    assert complaints(own_controller) == []
    own_controller.start()
    fleet.until(lambda: fleet.hub.status(tag).get("summary") == f"{WIDTH}/{WIDTH}", own_controller)
    assert replicas(fleet, tag) == WIDTH


def replicas(fleet: Fleet, tag: str) -> int:
    return len(fleet.hub.select("Secret", selector=f"clustersync.io/sync={tag}"))


def complaints(controller: ControllerProcess) -> list[dict[str, object]]:
    """Lines that are no JSON, tell of an exception, or of an error."""
    return [line for line in controller.logged() if "text" in line or "exception" in line or line["level"] in ("error", "critical")]


def test_every_line_of_the_log_is_json_with_time_level_and_event(own_controller: ControllerProcess, fleet: Fleet, tag: str) -> None:
    sync = fleet.share(tag, "local", "edge")
    fleet.until(lambda: fleet.ready(tag), own_controller)
    fleet.hub.delete(sync)
    fleet.until(lambda: fleet.hub.get("ClusterSync", tag) is None, own_controller)
    own_controller.stop()
    assert complaints(own_controller) == []
    assert all(line.keys() >= {"timestamp", "level", "event"} for line in own_controller.logged())


def test_a_controller_started_before_its_hub_says_so_and_starts_when_it_comes(fleet: Fleet, tmp_path: Path) -> None:
    with ControlPlane.start("late", apiserver=False) as late:
        controller = ControllerProcess(late.kubeconfig, tmp_path / "late.log")
        controller.start(wait_ready=False)
        try:
            eventually(lambda: "hub does not answer" in controller.log.read_text())
            assert [controller.probe(path) for path in ("/healthz", "/readyz", "/metrics")] == [200, 503, 200]
            late.start_apiserver()
            late.kubectl("apply", "-f", str(ROOT / "crds"), "-f", str(ROOT / "manifests/hub-rbac.yaml"))
            eventually(controller.is_ready, seconds=30, describe=controller.tail)
            assert complaints(controller) == []
        finally:
            controller.stop()


def test_a_controller_that_waits_for_its_hub_ends_at_once(tmp_path: Path, fleet: Fleet) -> None:
    kubeconfig = tmp_path / "nowhere.kubeconfig"
    kubeconfig.write_text(fleet.planes["hub"].kubeconfig_text().replace(fleet.planes["hub"].server_url, "https://127.0.0.1:9"))
    controller = ControllerProcess(kubeconfig, tmp_path / "nowhere.log")
    controller.start(wait_ready=False)
    eventually(lambda: "hub does not answer" in controller.log.read_text(), describe=controller.tail)
    assert end(controller, signal.SIGTERM) == 0


METRICS = (
    "build_info",
    "cluster_up",
    "concurrency_limit",
    "leader",
    "orphans",
    "queue_depth",
    "queue_oldest_seconds",
    "replicas",
    "retries_total",
    "watch_age_seconds",
    "writes_total",
)


def test_probes_and_metrics_tell_what_goes_on(own_controller: ControllerProcess, fleet: Fleet, tag: str) -> None:
    fleet.share(tag, "local", "edge")
    fleet.until(lambda: fleet.ready(tag), own_controller)
    assert [own_controller.probe(path) for path in ("/healthz", "/readyz", "/metrics", "/")] == [200, 200, 200, 404]
    samples = own_controller.metrics()
    assert {name.partition("{")[0].removeprefix("clustersync_") for name in samples} >= set(METRICS)
    assert samples["clustersync_leader"] == 1
    for cluster in ("local", "edge"):
        assert samples[f'clustersync_cluster_up{{cluster="{cluster}"}}'] == 1
        assert samples[f'clustersync_replicas{{cluster="{cluster}",clustersync="{tag}",state="synced"}}'] == 1
        assert samples[f'clustersync_writes_total{{cluster="{cluster}",code="200",verb="POST"}}'] >= 1
    fleet.hub.delete(secret(f"{tag}-a", NAME, {}))
    drift = 'clustersync_drift_repaired_total{cluster="local"}'
    fleet.until(lambda: own_controller.metrics().get(drift, 0) == samples.get(drift, 0) + 1, own_controller)


WRONG = {
    "an unknown option": (("--bogus",), {}, "--bogus"),
    "an unknown command": (("bogus",), {}, "bogus"),
    "an option without its value": (("run", "--kubeconfig"), {}, "--kubeconfig"),
    "an argument too many": (("run", "now"), {}, "now"),
    "an address without a port": (("run", "--metrics-address", "here"), {}, "METRICS_ADDRESS"),
    "an unknown log level": (("run", "--log-level", "loud"), {}, "LOG_LEVEL"),
    "no number": (("run", "--max-concurrency", "many"), {}, "max-concurrency"),
    "a number too small": (("run", "--max-concurrency", "0"), {}, "MAX_CONCURRENCY"),
    "labels that are no pairs": (("run", "--local-labels", "prod"), {}, "LOCAL_LABELS"),
    "a hub id that cannot be a label": (("run", "--hub-id", "a b"), {}, "HUB_ID"),
    "a wrong value in the environment": (("run",), {"CLUSTERSYNC_LOG_FORMAT": "xml"}, "LOG_FORMAT"),
}


@pytest.mark.parametrize(("arguments", "environ", "told"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_is_told_in_one_line_with_exit_code_64(arguments: tuple[str, ...], environ: dict[str, str], told: str) -> None:
    done = run(*arguments, **environ)
    assert (done.returncode, done.stdout) == (64, "")
    assert_one_line(done.stderr, told)


def assert_one_line(text: str, told: str) -> None:
    assert text.startswith("clustersync: ")
    assert text.count("\n") == 1
    assert told in text


@pytest.mark.parametrize("content", [None, "", "][", "{}", "apiVersion: v1\nkind: Config\ncurrent-context: gone"])
def test_a_kubeconfig_of_the_hub_that_cannot_be_used_is_told_in_one_line_with_exit_code_1(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    done = run("run", "--kubeconfig", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert_one_line(done.stderr, "kubeconfig")


def test_an_address_that_is_taken_is_told_in_one_line_with_exit_code_1(own_controller: ControllerProcess, fleet: Fleet) -> None:
    done = run("run", "--kubeconfig", str(fleet.planes["hub"].kubeconfig), "--no-leader-elect", "--metrics-address", own_controller.address)
    assert done.returncode == 1
    assert_one_line(done.stderr.splitlines(keepends=True)[-1], own_controller.address)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("run", "--help")], ids=" ".join)
def test_help_names_the_commands_or_options(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("--leader-elect" if "run" in arguments else "crd") in done.stdout


def test_the_printed_crd_is_the_one_of_the_repository_and_applies(on_hub: Objects, crd: None) -> None:
    done = run("crd")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "crds/clustersync.io_clustersyncs.yaml").read_text()
    assert (
        json.loads(on_hub.plane.kubectl("apply", "-o", "json", "-f", "-", input=done.stdout).stdout)["kind"] == "CustomResourceDefinition"
    )
