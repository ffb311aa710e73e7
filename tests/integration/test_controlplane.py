"""The control planes themselves: they answer, enforce what real ones enforce, go down and come back, and leave nothing behind."""

import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane, StartFailed, find_or_build, start_all
from tests.controlplane.api import Api
from tests.controlplane.exits import still_running, watch

REPOSITORY = Path(__file__).parents[2]
TEARDOWN_SECONDS = 20.0
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def pair() -> Iterator[dict[str, ControlPlane]]:
    with start_all(["north", "south"]) as planes:
        yield planes


@pytest.fixture(scope="module")
def north(pair: dict[str, ControlPlane]) -> ControlPlane:
    return pair["north"]


@pytest.fixture(scope="module")
def south(pair: dict[str, ControlPlane]) -> ControlPlane:
    return pair["south"]


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_two_started_at_once_are_two_clusters(north: ControlPlane, south: ControlPlane) -> None:
    uids = [plane.kubectl("get", "namespace", "kube-system", "-o=jsonpath={.metadata.uid}").stdout for plane in (north, south)]
    assert len(set(uids)) == 2
    assert all(plane.request("GET", "/version").json()["gitVersion"].startswith("v1.") for plane in (north, south))


def test_one_cluster_does_not_trust_the_other(north: ControlPlane, south: ControlPlane) -> None:
    port = int(south.server_url.rpartition(":")[2])
    stranger = Api(port, north.ca_pem, north.directory / "admin.crt", north.directory / "admin.key")
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/version")


def test_a_deleted_namespace_goes_with_its_content(north: ControlPlane) -> None:
    north.kubectl("create", "namespace", "passing")
    north.kubectl("create", "configmap", "content", "--namespace=passing")
    north.kubectl("delete", "namespace", "passing", "--wait", "--timeout=60s")
    assert north.request("GET", "/api/v1/namespaces/passing").status == 404
    assert north.request("GET", "/api/v1/namespaces/passing/configmaps/content").status == 404


def test_a_quota_refuses_what_is_above_it(north: ControlPlane) -> None:
    north.kubectl("create", "namespace", "narrow")
    north.kubectl("create", "quota", "one", "--hard=count/secrets=1", "--namespace=narrow")
    north.kubectl("wait", "quota/one", "--namespace=narrow", "--for=jsonpath={.status.used.count/secrets}=0", "--timeout=30s")
    north.kubectl("create", "secret", "generic", "first", "--namespace=narrow")
    refused = north.kubectl("create", "secret", "generic", "second", "--namespace=narrow", check=False)
    assert refused.returncode != 0
    assert "exceeded quota: one" in refused.stderr


def test_a_user_has_only_granted_rights(north: ControlPlane) -> None:
    kubeconfig = north.kubeconfig_for("ann", groups=["readers"])
    listing = (f"--kubeconfig={kubeconfig}", "get", "secrets", "--namespace=default")
    refused = north.kubectl(*listing, check=False)
    assert 'User "ann" cannot list resource "secrets"' in refused.stderr
    north.kubectl("create", "rolebinding", "readers", "--clusterrole=admin", "--group=readers")
    assert north.kubectl(*listing).returncode == 0


def test_a_token_of_a_service_account_is_accepted(north: ControlPlane, tmp_path: Path) -> None:
    token = north.kubectl("create", "token", "default").stdout
    kubeconfig = tmp_path / "token.kubeconfig"
    kubeconfig.write_text(north.kubeconfig_text(token=token))
    user = north.kubectl(f"--kubeconfig={kubeconfig}", "auth", "whoami", "-o=jsonpath={.status.userInfo.username}").stdout
    assert user == "system:serviceaccount:default:default"


def test_the_audit_log_counts_exactly(north: ControlPlane) -> None:
    north.request("POST", CONFIG_MAPS, config_map("before"))
    mark = north.audit.mark()
    for number in range(20):
        north.request("POST", CONFIG_MAPS, config_map(f"counted-{number}"))
    north.request("GET", CONFIG_MAPS)
    events = north.audit.since(mark, resource="configmaps")
    assert [(event.verb, event.name, event.code) for event in events] == [
        *(("create", f"counted-{number}", 201) for number in range(20)),
        ("list", "", 200),
    ]


def test_a_stopped_server_refuses_and_comes_back_as_it_was(south: ControlPlane) -> None:
    south.request("POST", CONFIG_MAPS, config_map("kept"))
    south.stop_apiserver()
    with pytest.raises(ConnectionRefusedError):
        south.request("GET", CONFIG_MAPS)
    south.start_apiserver()
    assert south.request("GET", f"{CONFIG_MAPS}/kept").status == 200


def test_a_paused_server_hangs_until_it_is_resumed(south: ControlPlane) -> None:
    south.pause()
    with pytest.raises(TimeoutError):
        south.request("GET", "/version", timeout_seconds=0.3)
    south.resume()
    assert south.request("GET", "/version").status == 200


def test_a_server_can_come_up_later_than_its_kubeconfig() -> None:
    with ControlPlane.start("late", apiserver=False) as late:
        assert late.server_url in late.kubeconfig_text()
        with pytest.raises(ConnectionRefusedError):
            late.request("GET", "/version")
        late.start_apiserver()
        assert late.kubectl("get", "namespaces").returncode == 0


def test_a_failed_start_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    binaries = find_or_build()
    with pytest.raises(StartFailed, match=r"(?s)broken: kube-apiserver ended with code 1; .*unknown flag"):
        ControlPlane.start("broken", binaries=replace(binaries, kube_apiserver=binaries.kubectl))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["killed", "terminated", "interrupted with Ctrl-C"])
def test_nothing_is_left_of_a_process_that_was(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.controlplane", "up", "doomed"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        heading = parent.stdout.readline()
        with watch(int(pid) for pid in re.findall(r" (\d+)\b", heading)) as programs:
            assert len(programs) == 4
            assert len(list(tmp_path.iterdir())) == 1
            os.killpg(parent.pid, how)
            assert still_running(programs, TEARDOWN_SECONDS) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_the_supervisor_is_killed() -> None:
    with ControlPlane.start("orphaned", apiserver=False) as plane, watch(plane.pids.values()) as programs:
        os.kill(plane.pids["supervisor"], signal.SIGKILL)
        assert still_running(programs, TEARDOWN_SECONDS) == []
    assert not plane.directory.exists()
