"""`python -m tests.controlplane build` fills the cache; `... up NAME..` starts clusters to play with, until Ctrl-C."""

import argparse
import signal
import sys

from tests.controlplane import BinariesError, StartFailed, find_or_build, start_all
from tests.controlplane.progress import CommandFailed
from tests.controlplane.toolchain import NoGo

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def _build() -> None:
    print(f"The control planes are in {find_or_build().etcd.parent}")


def _up(names: list[str]) -> None:
    with start_all(names) as planes:
        for name, plane in planes.items():
            print(f"# {name}: {plane.server_url}, " + ", ".join(f"{program} {pid}" for program, pid in plane.pids.items()))
            print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
        print("# until Ctrl-C", flush=True)
        signal.pause()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="find the programs, or build them into the cache")
    commands.add_parser("up", help="start clusters and stay").add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    try:
        if arguments.command == "build":
            _build()
        else:
            _up(arguments.names)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BinariesError, CommandFailed, NoGo, StartFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
