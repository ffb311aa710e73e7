"""One real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, from start to tear-down."""

import http.client
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack

from tests.controlplane import commands
from tests.controlplane.api import Api, Reply
from tests.controlplane.audit import AuditLog
from tests.controlplane.binaries import Binaries, find_or_build
from tests.controlplane.kubeconfig import Endpoint, with_certificate, with_token
from tests.controlplane.pki import Authority, KeyPair, service_account_keys
from tests.controlplane.ports import reserve_port
from tests.controlplane.processes import Processes, SupervisorError

START_SECONDS = 90.0  # 3 s on an idle machine; several at once on a busy one take a multiple
POLL_SECONDS = 0.05
KUBECTL_SECONDS = 120.0
LOG_TAIL_LINES = 20
ADMINISTRATORS = ("system:masters",)
ETCD, APISERVER, MANAGER = "etcd", "kube-apiserver", "kube-controller-manager"


class StartFailed(RuntimeError):
    """A program ended or was not ready in time; the message ends with the last lines of its log."""


class Options(TypedDict, total=False):
    """What a control plane can be asked for; all optional."""

    binaries: Binaries  # default: found or built
    audit: bool  # default True; False keeps a bench free of its cost
    controller_manager: bool  # default True
    apiserver: bool  # default True; False for one that comes up later
    directory: Path  # a folder NAME is made in it and stays; default: a temporary one that goes


class ControlPlane:
    """A started control plane, to be used in a `with` statement or ended by `stop`."""

    def __init__(self, name: str, **options: Unpack[Options]) -> None:
        """Reserves ports and writes keys; nothing runs yet. Use `start`, or `start_all` for several."""
        self.name = name
        self._options = options
        self._binaries = options.get("binaries") or find_or_build()
        parent = options.get("directory")
        self.directory = Path(tempfile.mkdtemp(prefix=f"clustersync-{name}-")) if parent is None else parent / name
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=parent is None)
        self._processes = Processes(self.directory, keep=parent is not None)
        self._pids: dict[str, int] = {}
        self._held = ExitStack()
        self._held.callback(self._processes.close)
        self._port = self._held.enter_context(reserve_port())
        self._etcd_port = self._held.enter_context(reserve_port())
        self.server_url = f"https://127.0.0.1:{self._port}"
        self._authority = Authority(name)
        self.ca_pem = self._authority.pem
        self._write_keys()
        self._api = Api(self._port, self.ca_pem, self.directory / "admin.crt", self.directory / "admin.key")
        self.audit_log = self.directory / "audit.log"
        self._audit = AuditLog(self.audit_log, lambda fence: self.request("GET", f"/api/v1/namespaces/default/configmaps/{fence}"))

    @classmethod
    def start(cls, name: str, **options: Unpack[Options]) -> Self:
        """Ready, or nothing of it is left and StartFailed is raised."""
        plane = cls(name, **options)
        try:
            plane.bring_up()
        except BaseException:
            plane.stop()
            raise
        return plane

    def bring_up(self) -> None:
        """Start what the options ask for and wait until it is ready."""
        self._spawn(ETCD, commands.etcd(self._binaries.etcd, self.directory, self._etcd_port))
        if self._options.get("apiserver", True):
            self.start_apiserver()

    def stop(self) -> None:
        """End all programs, last started first, and remove the temporary folder; may be called twice."""
        self._held.close()

    def start_apiserver(self) -> None:
        """Start it, at the port and with the data of before, and wait until it is ready; the controller manager follows."""
        audit = self._options.get("audit", True)
        program = self._binaries.kube_apiserver
        self._spawn(APISERVER, commands.kube_apiserver(program, self.directory, self._port, self._etcd_port, audit=audit))
        self._wait_until("ready", self._is_ready)
        if self._options.get("controller_manager", True):
            self._spawn(MANAGER, commands.kube_controller_manager(self._binaries.kube_controller_manager, self.directory))
            self._wait_until("creating service accounts", lambda: self._answers("/api/v1/namespaces/default/serviceaccounts/default"))

    def stop_apiserver(self, *, grace_seconds: float = 0.0) -> None:
        """Connections are reset and then refused, as by a crash, unless it may have time. Data and port are kept.

        The controller manager ends too: its watches would back off for up to a minute after a long outage.
        """
        for name in (MANAGER, APISERVER):
            if self._pids.pop(name, None) is not None:
                self._processes.end(name, grace_seconds=grace_seconds)

    def pause(self) -> None:
        """The API server accepts connections and answers nothing, as a hung one does."""
        self._processes.signal(APISERVER, signal.SIGSTOP)

    def resume(self) -> None:
        self._processes.signal(APISERVER, signal.SIGCONT)

    @property
    def pids(self) -> dict[str, int]:
        """What runs, by program name, and the supervisor that owns it."""
        return {"supervisor": self._processes.supervisor_pid, **self._pids}

    @property
    def audit(self) -> AuditLog:
        if not self._options.get("audit", True):
            raise ValueError(f"{self.name} was started with audit=False")
        return self._audit

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return self.directory / "admin.kubeconfig"

    def kubeconfig_text(self, *, token: str | None = None) -> str:
        """Everything embedded: the administrator's, or one for a bearer token."""
        if token is None:
            return self.kubeconfig.read_text()
        return with_token(self._endpoint, "token", token)

    def kubeconfig_for(self, user: str, groups: Iterable[str] = ()) -> Path:
        """A new client certificate for that user, in a kubeconfig of its own."""
        return self._write_kubeconfig(user, self._authority.client(user, groups))

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it as administrator; a failure raises CalledProcessError with what it said as a note."""
        flags = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.directory / 'kubectl-cache'}"]
        command = [str(self._binaries.kubectl), *flags, *arguments]
        env = {**os.environ, "KUBERC": "off"}  # the person's own preferences are not the tests'
        done = subprocess.run(command, input=input, env=env, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=False)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, ["kubectl", *arguments], done.stdout, done.stderr)
            error.add_note(f"{self.name}: {done.stderr.strip()}")
            raise error
        return done

    def request(self, method: str, path: str, body: object = None, *, timeout_seconds: float = 10.0) -> Reply:
        """One plain request as administrator; blocks."""
        return self._api.request(method, path, body, timeout_seconds=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def _endpoint(self) -> Endpoint:
        return Endpoint(self.name, self.server_url, self.ca_pem)

    def _write_keys(self) -> None:
        server, admin, accounts = self._authority.server(), self._authority.client("admin", ADMINISTRATORS), service_account_keys()
        files = {
            "ca.crt": self.ca_pem,
            "apiserver.crt": server.public_pem,
            "apiserver.key": server.private_pem,
            "admin.crt": admin.public_pem,
            "admin.key": admin.private_pem,
            "service-accounts.pub": accounts.public_pem,
            "service-accounts.key": accounts.private_pem,
        }
        for name, pem in files.items():
            (self.directory / name).write_bytes(pem)
        self._write_kubeconfig("admin", admin)
        # An administrator under its usual name: its own role would need one more identity for each of its controllers.
        manager = self._authority.client(commands.MANAGER_USER, ADMINISTRATORS)
        self._write_kubeconfig(commands.MANAGER_USER, manager, file="controller-manager")

    def _write_kubeconfig(self, user: str, pair: KeyPair, *, file: str = "") -> Path:
        # No colon either: kubectl and the client libraries read one as the end of a path.
        path = self.directory / f"{re.sub(r'[/:]', '_', file or user)}.kubeconfig"
        path.write_text(with_certificate(self._endpoint, user, pair))
        return path

    def _spawn(self, program: str, argv: list[str]) -> None:
        self._pids[program] = self._processes.spawn(program, argv, log=self._log(program), cwd=self.directory)

    def _log(self, program: str) -> Path:
        return self.directory / f"{program}.log"

    def _is_ready(self) -> bool:
        return all(map(self._answers, ("/readyz", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/default")))

    def _answers(self, path: str) -> bool:
        try:
            return self.request("GET", path).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _wait_until(self, state: str, is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_true():
            for program in self._pids:
                self._fail_if_ended(program)
            if time.monotonic() > deadline:
                last = list(self._pids)[-1]
                raise StartFailed(f"{self.name}: {last} is not {state} after {START_SECONDS:.0f} s{self._tail(last)}")
            time.sleep(POLL_SECONDS)

    def _fail_if_ended(self, program: str) -> None:
        try:
            code = self._processes.exit_code(program)
        except SupervisorError as error:
            raise StartFailed(f"{self.name}: torn down while it started") from error
        if code is not None:
            raise StartFailed(f"{self.name}: {program} ended with code {code}{self._tail(program)}")

    def _tail(self, program: str) -> str:
        lines = self._log(program).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "; its log ends with:\n" + "\n".join(lines)
