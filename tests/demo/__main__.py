"""`python -m tests.demo [--once]`: play the acts; then stay for the person to play, or end with an exit code."""

import argparse
import signal
import sys
from subprocess import CalledProcessError
from types import FrameType

from tests.controlplane import Binaries, BinariesError, StartFailed, find_or_build
from tests.controlplane.progress import CommandFailed
from tests.controlplane.toolchain import NoGo
from tests.demo.acts import ACTS, Act, prepare
from tests.demo.screen import Screen
from tests.demo.stage import Stage, raised
from tests.demo.watching import NotSeen

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TRY = (
    "kubectl --context hub get clustersync --watch",
    "kubectl --context hub describe clustersync common-encode",
    "kubectl --context edge get secret,configmap -A -l clustersync.io/hub",
    "kubectl --context hub label namespace sandbox kubesphere.io/devopsproject=sandbox",
    "kubectl --context hub delete clustersync ca-bundle",
)


class Interrupted(KeyboardInterrupt):
    """A signal that asks to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = 128 + number  # as shells report it


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the last act; exit code 1 when an act failed")
    once = parser.parse_args().once
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    screen = Screen()
    try:
        return _show(screen, find_or_build(), once=once)
    except Interrupted as interrupted:
        return interrupted.exit_code
    except (BinariesError, CommandFailed, NoGo, StartFailed, AssertionError, OSError, CalledProcessError) as error:
        screen.failed("the stage could not be set", "\n".join([str(error), *getattr(error, "__notes__", ())]))
        return 1


def _show(screen: Screen, binaries: Binaries, *, once: bool) -> int:
    screen.heading("The stage")
    with raised(screen, binaries) as stage:
        prepare(stage)
        screen.heading("What happens, and how long from the request to the last change seen on a watch")
        if not _play(screen, stage):
            return 1
        if not once:
            _stay(screen, stage, binaries)
    return 0


def _play(screen: Screen, stage: Stage) -> bool:
    for act in ACTS:
        if not _play_one(screen, stage, act):
            return False
        if act is ACTS[0]:
            _kubectl(screen, stage, "get", "clustersync")
    _kubectl(screen, stage, "get", "clustersync", "-o", "wide")
    return True


def _play_one(screen: Screen, stage: Stage, act: Act) -> bool:
    try:
        with screen.working(act.what):
            took_ms = act.play(stage)
    except (NotSeen, AssertionError) as problem:
        screen.failed(act.what, f"{act.outcome}: {problem}")
        screen.text(f"\nThe controller's log ends with:{stage.controller.tail()}")
        return False
    screen.done(f"{took_ms:.0f} ms", act.what, act.outcome)
    return True


def _kubectl(screen: Screen, stage: Stage, *arguments: str) -> None:
    screen.command(f"kubectl {' '.join(arguments)}", stage.hub.plane.kubectl(*arguments).stdout)


def _stay(screen: Screen, stage: Stage, binaries: Binaries) -> None:
    kubeconfigs = ":".join(str(objects.plane.kubeconfig) for objects in stage.clusters.values())
    screen.heading("Both clusters stay up until Ctrl-C. In another terminal:")
    screen.text(f"\nexport KUBECONFIG={kubeconfigs}\nexport PATH={binaries.kubectl.parent}:$PATH")
    screen.text("\nand then for instance\n\n" + "\n".join(TRY))
    try:
        signal.pause()
    except Interrupted as interrupted:
        if interrupted.number != signal.SIGINT:
            raise
    screen.text("\nTaking everything down")


def _interrupt(number: int, _frame: FrameType | None) -> None:
    """Unwind once; what comes while everything is taken down would only leave something behind."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


if __name__ == "__main__":
    sys.exit(main())
