"""Several control planes, started at once and ended together."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Unpack

from tests.controlplane.binaries import find_or_build
from tests.controlplane.controlplane import ControlPlane, Options


@contextmanager
def start_all(names: Sequence[str], **options: Unpack[Options]) -> Iterator[dict[str, ControlPlane]]:
    """All of them ready, by name; when one fails to start, none is left."""
    if "binaries" not in options:
        options["binaries"] = find_or_build()
    with ExitStack() as held:
        planes = {name: held.enter_context(ControlPlane(name, **options)) for name in names}
        _bring_up(planes.values())
        yield planes


def _bring_up(planes: Iterable[ControlPlane]) -> None:
    with ThreadPoolExecutor() as pool:
        try:
            for started in [pool.submit(plane.bring_up) for plane in planes]:
                started.result()
        except BaseException:
            # Ctrl-C arrives here, in the main thread: the others stop waiting once their programs are torn down.
            for plane in planes:
                plane.stop()
            raise
