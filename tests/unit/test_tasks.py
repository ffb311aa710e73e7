import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from clustersync.runtime.tasks import Scope, running
from tests.virtualtime import virtual_time


class Crash(Exception):
    pass


class Diary:
    """What happened, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    async def live(self, name: str) -> None:
        self.entries.append(f"{name} starts")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            self.entries.append(f"{name} ends")

    async def crash(self, name: str) -> None:
        await asyncio.sleep(1)
        self.entries.append(f"{name} crashes")
        raise Crash(name)


async def errors_of(work: Coroutine[Any, Any, None]) -> list[str]:
    with pytest.raises(ExceptionGroup) as caught:
        await work
    return [str(error) for error in caught.value.exceptions]


@virtual_time
async def test_leaving_the_block_ends_the_children_and_waits_for_them() -> None:
    diary = Diary()
    async with running(("informer", diary.live("informer")), ("worker", diary.live("worker"))):
        await asyncio.sleep(10)
        diary.entries.append("block ends")
    assert diary.entries == ["informer starts", "worker starts", "block ends", "informer ends", "worker ends"]


@virtual_time
async def test_nested_scopes_end_in_reverse_order() -> None:
    diary = Diary()
    async with running(("informer", diary.live("informer"))), running(("worker", diary.live("worker"))):
        await asyncio.sleep(10)
    assert diary.entries[2:] == ["worker ends", "informer ends"]


@virtual_time
async def test_children_carry_their_names() -> None:
    names: list[str] = []

    async def note_name() -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())

    async with running(("watch of namespaces on edge-1", note_name())):
        await asyncio.sleep(1)
    assert names == ["watch of namespaces on edge-1"]


@virtual_time
async def test_child_that_crashes_ends_the_block_and_its_siblings_and_surfaces() -> None:
    diary = Diary()

    async def own() -> None:
        async with running(("informer", diary.live("informer")), ("worker", diary.crash("worker"))):
            await asyncio.sleep(100)
            diary.entries.append("block goes on")

    assert await errors_of(own()) == ["worker"]
    assert diary.entries == ["informer starts", "worker crashes", "informer ends"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@virtual_time
async def test_child_that_crashes_while_ending_surfaces() -> None:
    async def crash_at_the_end() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise Crash("cleanup")

    async def own() -> None:
        async with running(("worker", crash_at_the_end())):
            await asyncio.sleep(1)

    assert await errors_of(own()) == ["cleanup"]


@virtual_time
async def test_error_of_the_block_ends_the_children() -> None:
    diary = Diary()

    async def own() -> None:
        async with running(("worker", diary.live("worker"))):
            await asyncio.sleep(1)
            raise Crash("block")

    assert await errors_of(own()) == ["block"]
    assert diary.entries == ["worker starts", "worker ends"]


@virtual_time
async def test_cancelling_the_owner_ends_the_children_and_stays_a_cancellation() -> None:
    diary = Diary()

    async def own() -> None:
        async with running(("worker", diary.live("worker"))):
            await asyncio.sleep(100)

    owner = asyncio.ensure_future(own())
    await asyncio.sleep(1)
    owner.cancel()
    await asyncio.wait({owner})
    assert owner.cancelled()
    assert diary.entries == ["worker starts", "worker ends"]


@virtual_time
async def test_child_cancelled_before_its_first_step_never_runs() -> None:
    diary = Diary()
    async with running(("worker", diary.live("worker"))):
        pass
    assert diary.entries == []


@virtual_time
async def test_child_that_returns_leaves_the_others_running() -> None:
    diary = Diary()
    async with running(("short", asyncio.sleep(1)), ("worker", diary.live("worker"))):
        await asyncio.sleep(10)
        assert diary.entries == ["worker starts"]


@virtual_time
async def test_one_child_is_stopped_and_awaited_while_the_others_go_on() -> None:
    diary = Diary()
    async with Scope() as scope:
        edge_1 = scope.start("edge-1", diary.live("edge-1"))
        scope.start("edge-2", diary.live("edge-2"))
        await asyncio.sleep(1)
        await scope.stop(edge_1)
        assert edge_1.cancelled()
        assert diary.entries == ["edge-1 starts", "edge-2 starts", "edge-1 ends"]
    assert diary.entries[-1] == "edge-2 ends"


@virtual_time
async def test_child_that_has_ended_by_itself_can_be_stopped() -> None:
    async with Scope() as scope:
        short = scope.start("short", asyncio.sleep(1))
        await asyncio.sleep(2)
        await scope.stop(short)
        assert not short.cancelled()


@virtual_time
async def test_child_that_crashes_while_stopped_ends_the_scope() -> None:
    async def crash_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise Crash("cleanup")

    async def own() -> None:
        async with Scope() as scope:
            child = scope.start("edge-1", crash_at_the_end())
            await asyncio.sleep(1)
            await scope.stop(child)
            await asyncio.sleep(100)

    assert await errors_of(own()) == ["cleanup"]
    assert asyncio.get_running_loop().time() == 1


@virtual_time
async def test_nothing_starts_in_a_scope_that_is_closing() -> None:
    scope = Scope()

    async def start_another_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            scope.start("late", asyncio.sleep(1_000_000))

    async def own() -> None:
        async with scope:
            scope.start("edge-1", start_another_at_the_end())
            await asyncio.sleep(1)

    assert await errors_of(own()) == ["task 'late' was started in a scope that is closing"]
    assert asyncio.get_running_loop().time() == 1


@virtual_time
async def test_child_is_told_once_to_end_so_that_its_cleanup_is_not_interrupted() -> None:
    diary = Diary()

    async def stop(scope: Scope, child: asyncio.Task[None]) -> None:
        await scope.stop(child)

    async with Scope() as scope:
        edge_1 = scope.start("edge-1", diary.live("edge-1"))
        await asyncio.sleep(1)
        scope.start("first stop", stop(scope, edge_1))
        scope.start("second stop", stop(scope, edge_1))
        await asyncio.sleep(0.5)
    assert diary.entries == ["edge-1 starts", "edge-1 ends"]


@virtual_time
async def test_block_that_tidies_up_after_a_crash_neither_starts_nor_interrupts_children() -> None:
    diary = Diary()
    refusals: list[str] = []

    async def own() -> None:
        async with Scope() as scope:
            scope.start("edge-2", diary.crash("edge-2"))
            edge_1 = scope.start("edge-1", diary.live("edge-1"))
            try:
                await asyncio.sleep(100)
            finally:
                with pytest.raises(RuntimeError) as caught:
                    scope.start("edge-3", diary.live("edge-3"))
                refusals.append(str(caught.value))
                await asyncio.sleep(0.5)
                await scope.stop(edge_1)

    assert await errors_of(own()) == ["edge-2"]
    assert refusals == ["task 'edge-3' was started in a scope that is closing"]
    assert diary.entries == ["edge-1 starts", "edge-2 crashes", "edge-1 ends"]
