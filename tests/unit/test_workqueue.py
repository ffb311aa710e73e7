import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from clustersync.runtime.backoff import Backoff
from clustersync.runtime.workqueue import URGENT_PER_BULK, QueueClosed, WorkQueue
from tests.virtualtime import virtual_time

Queue = WorkQueue[str]


def queue() -> Queue:
    return WorkQueue(Backoff(initial=1.0, maximum=300.0), Random(7))


def now() -> float:
    return asyncio.get_running_loop().time()


async def next_key(work: Queue) -> str:
    """The next key, looked at and laid down."""
    key = await work.get()
    work.done(key)
    return key


async def all_ready(work: Queue) -> list[str]:
    return [await next_key(work) for _ in range(work.depth)]


def add(*keys: str, bulk: bool = False) -> Callable[[Queue], None]:
    def do(work: Queue) -> None:
        for key in keys:
            work.add(key, bulk=bulk)

    return do


def add_after(key: str, seconds: float, *, bulk: bool = False) -> Callable[[Queue], None]:
    return lambda work: work.add_after(key, seconds, bulk=bulk)


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        pytest.param([add("a", "b", "c")], "abc", id="keys come in the order in which they were added"),
        pytest.param([add("a", "b", "a")], "ab", id="a key added twice comes once, in its first place"),
        pytest.param([add("a", "b", bulk=True), add("c")], "cab", id="urgent comes before bulk"),
        pytest.param([add("a", "b", bulk=True), add("b")], "ba", id="a bulk key added as urgent moves up"),
        pytest.param([add("a", "b"), add("b", bulk=True)], "ab", id="an urgent key added as bulk stays urgent"),
        pytest.param([add("a", "b", bulk=True), add_after("b", 9)], "ba", id="a bulk key wanted urgently later moves up now"),
        pytest.param([add("a"), add_after("a", 9)], "a", id="a ready key is not delayed"),
        pytest.param([add_after("b", 0), add("a")], "ba", id="a delay of nothing is none"),
        pytest.param([add_after("b", 9), add("a", "b", bulk=True)], "ba", id="a key delayed as urgent and then added as bulk stays urgent"),
        pytest.param([add(*"abcdefghij"), add("x", "y", bulk=True)], "abcdefghxijy", id="a bulk key comes after eight urgent ones"),
    ],
)
@virtual_time
async def test_order_of_ready_keys(steps: list[Callable[[Queue], None]], order: str) -> None:
    work = queue()
    for step in steps:
        step(work)
    assert "".join(await all_ready(work)) == order
    assert (work.depth, work.delayed) == (0, 0)


@virtual_time
async def test_urgent_keys_before_bulk_came_do_not_count_towards_its_turn() -> None:
    work = queue()
    add(*(f"urgent-{n}" for n in range(2 * URGENT_PER_BULK)))(work)
    for _ in range(URGENT_PER_BULK):
        await next_key(work)
    work.add("bulk", bulk=True)
    assert (await all_ready(work)).index("bulk") == URGENT_PER_BULK


@pytest.mark.parametrize(
    ("steps", "moments"),
    [
        pytest.param([add_after("a", 5)], [("a", 5)], id="a delayed key comes when it is due"),
        pytest.param([add_after("a", 5), add_after("b", 2)], [("b", 2), ("a", 5)], id="the sooner key comes first"),
        pytest.param([add_after("a", 5), add_after("a", 2)], [("a", 2)], id="a sooner delay replaces a later one"),
        pytest.param([add_after("a", 2), add_after("a", 5)], [("a", 2)], id="a later delay does not replace a sooner one"),
        pytest.param([add_after("a", 5), add("a")], [("a", 0)], id="an add replaces a delay"),
        pytest.param(
            [add_after("a", 5, bulk=True), add_after("b", 5), add_after("a", 9)],
            [("b", 5), ("a", 5)],
            id="a delay asked for as urgent later is urgent at the sooner moment",
        ),
        pytest.param(
            [add_after("a", 9), add_after("a", 5, bulk=True), add_after("b", 5)],
            [("a", 5), ("b", 5)],
            id="a delay asked for as urgent stays urgent at a sooner moment asked for as bulk",
        ),
        pytest.param([add_after("a", 5, bulk=True), add_after("b", 5)], [("b", 5), ("a", 5)], id="of two due at once the urgent is first"),
    ],
)
@virtual_time
async def test_moments_of_delayed_keys(steps: list[Callable[[Queue], None]], moments: list[tuple[str, float]]) -> None:
    work = queue()
    for step in steps:
        step(work)
    assert [(await next_key(work), now()) for _ in moments] == moments
    await asyncio.sleep(100)
    assert (work.depth, work.delayed) == (0, 0)


@virtual_time
async def test_delay_that_was_overtaken_does_not_shorten_the_next() -> None:
    work = queue()
    work.add_after("a", 5)
    work.add("a")
    await next_key(work)
    work.add_after("a", 9)
    assert (await next_key(work), now()) == ("a", 9)


@virtual_time
async def test_key_added_while_in_hand_comes_again_when_done() -> None:
    work = queue()
    work.add("a")
    key = await work.get()
    work.add("a")
    work.add("a")
    assert (work.depth, work.in_hand) == (0, 1)
    work.done(key)
    assert (work.depth, work.in_hand) == (1, 0)
    await next_key(work)
    assert work.depth == 0


@pytest.mark.parametrize("urgent_first", [True, False])
@virtual_time
async def test_key_added_as_bulk_and_as_urgent_while_in_hand_comes_again_as_urgent(urgent_first: bool) -> None:
    work = queue()
    work.add("a")
    key = await work.get()
    work.add("b", bulk=True)
    work.add("a", bulk=not urgent_first)
    work.add("a", bulk=urgent_first)
    work.done(key)
    assert await all_ready(work) == ["a", "b"]


@virtual_time
async def test_delay_that_ends_while_its_key_is_in_hand_is_not_lost() -> None:
    work = queue()
    work.add("a")
    key = await work.get()
    work.add_after("a", 1)
    await asyncio.sleep(2)
    assert work.depth == 0
    work.done(key)
    assert await next_key(work) == "a"


@virtual_time
async def test_change_while_in_hand_comes_sooner_than_the_backoff() -> None:
    work = queue()
    work.add("a")
    key = await work.get()
    work.add("a")
    work.requeue_failed(key)
    work.done(key)
    assert (work.depth, work.delayed) == (1, 0)


@virtual_time
async def test_key_that_keeps_failing_waits_longer_each_time() -> None:
    work = queue()
    work.add("a")
    waits = []
    for _ in range(12):
        key = await work.get()
        started = now()
        waits.append(work.requeue_failed(key))
        work.done(key)
        work.add(await work.get())
        assert now() == pytest.approx(started + waits[-1])
        work.done("a")
    steps = [min(2.0**n, 300.0) for n in range(12)]
    assert all(step / 2 <= wait <= step for wait, step in zip(waits, steps, strict=True))
    assert (work.failures("a"), work.retries) == (12, 12)


@virtual_time
async def test_key_that_succeeded_starts_anew() -> None:
    work = queue()
    for _ in range(5):
        work.requeue_failed("a")
    work.forget("a")
    assert work.failures("a") == 0
    assert work.requeue_failed("a") <= 1.0


@virtual_time
async def test_failing_keys_do_not_stand_before_new_ones() -> None:
    work = queue()
    for key in ("a", "b", "c"):
        work.requeue_failed(key)
    await asyncio.sleep(2)
    work.add("new")
    assert (await all_ready(work))[0] == "new"


@virtual_time
async def test_key_that_is_not_in_hand_cannot_be_laid_down() -> None:
    work = queue()
    work.add("a")
    with pytest.raises(KeyError):
        work.done("a")


@virtual_time
async def test_worker_that_crashes_or_is_cancelled_leaves_its_key_for_a_retry() -> None:
    work = queue()

    async def crash() -> None:
        with work.working(await work.get()):
            raise RuntimeError

    async def hang() -> None:
        with work.working(await work.get()):
            await asyncio.Event().wait()

    add("a", "b")(work)
    with pytest.raises(RuntimeError):
        await crash()
    worker = asyncio.ensure_future(hang())
    await asyncio.sleep(0.1)
    worker.cancel()
    await asyncio.wait({worker})
    assert (work.in_hand, work.delayed) == (0, 2)
    assert sorted([await next_key(work), await next_key(work)]) == ["a", "b"]


@virtual_time
async def test_worker_that_succeeds_lays_its_key_down() -> None:
    work = queue()
    work.add("a")
    with work.working(await work.get()):
        assert work.in_hand == 1
    assert (work.in_hand, work.depth, work.delayed) == (0, 0, 0)


@virtual_time
async def test_workers_that_wait_get_the_keys_as_they_come() -> None:
    work = queue()
    workers = [asyncio.ensure_future(work.get()) for _ in range(3)]
    await asyncio.sleep(1)
    add("a", "b", "c")(work)
    assert await asyncio.gather(*workers) == ["a", "b", "c"]


@virtual_time
async def test_key_for_a_worker_that_is_cancelled_as_it_wakes_goes_to_another() -> None:
    work = queue()
    first, second = asyncio.ensure_future(work.get()), asyncio.ensure_future(work.get())
    await asyncio.sleep(1)
    work.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"
    assert first.cancelled()


@virtual_time
async def test_key_that_comes_as_a_worker_is_cancelled_goes_to_another() -> None:
    work = queue()
    first, second = asyncio.ensure_future(work.get()), asyncio.ensure_future(work.get())
    await asyncio.sleep(1)
    first.cancel()
    work.add("a")
    assert await asyncio.wait_for(second, 1) == "a"
    assert first.cancelled()


@virtual_time
async def test_closed_queue_ends_its_workers_and_lets_them_finish_what_they_hold() -> None:
    work = queue()
    add("a", "b", "c")(work)
    key = await work.get()
    await next_key(work)
    await next_key(work)
    workers = [asyncio.ensure_future(work.get()) for _ in range(3)]
    await asyncio.sleep(1)
    work.close()
    for worker in workers:
        with pytest.raises(QueueClosed):
            await worker
    work.requeue_failed(key)
    work.done(key)
    assert work.in_hand == 0


@virtual_time
async def test_closed_queue_hands_nothing_out_and_takes_nothing_in() -> None:
    work = queue()
    work.add("ready")
    work.add_after("delayed", 1)
    work.close()
    work.add("late")
    work.add_after("later", 1)
    await asyncio.sleep(10)
    assert (work.depth, work.delayed) == (1, 0)
    with pytest.raises(QueueClosed):
        await work.get()


@virtual_time
async def test_age_is_that_of_the_longest_waiting_line() -> None:
    work = queue()
    assert work.oldest_seconds() == 0
    work.add("bulk", bulk=True)
    await asyncio.sleep(3)
    work.add("bulk", bulk=True)
    work.add("urgent")
    await asyncio.sleep(2)
    assert work.oldest_seconds() == 5
    work.add("bulk")
    assert await next_key(work) == "urgent"
    assert work.oldest_seconds() == 5
    await next_key(work)
    assert work.oldest_seconds() == 0


async def overtake_a_delay(work: Queue, key: str) -> None:
    work.add_after(key, 3600)
    work.add(key)
    await next_key(work)


async def give_up_waiting(work: Queue, _: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await work.get()


async def fail_and_succeed(work: Queue, key: str) -> None:
    work.requeue_failed(key)
    await next_key(work)
    work.forget(key)


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(overtake_a_delay, id="delays that were overtaken"),
        pytest.param(give_up_waiting, id="workers that gave up waiting"),
        pytest.param(fail_and_succeed, id="failures that are over"),
    ],
)
@virtual_time
async def test_what_is_over_takes_no_memory(deed: Callable[[Queue, str], Awaitable[None]]) -> None:
    work = queue()

    async def repeat(times: int) -> None:
        for n in range(times):
            await deed(work, f"key-{n}")

    await repeat(200)
    gc.collect()
    tracemalloc.start()
    await repeat(3000)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 30_000  # ten bytes for each; the least that could be kept of one, a reference with its key, is 60
