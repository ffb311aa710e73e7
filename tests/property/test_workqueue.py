"""The work queue against a naive model of it, with workers that come, go and are cancelled at any moment."""

import asyncio
from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clustersync.runtime.backoff import Backoff
from clustersync.runtime.workqueue import URGENT_PER_BULK, WorkQueue
from tests.virtualtime import VirtualTimeLoop, run

BACKOFF = Backoff(initial=1.0, maximum=8.0)

KEYS = range(6)
A_KEY = st.sampled_from(KEYS)
SOME_KEYS = st.lists(A_KEY, min_size=1, max_size=len(KEYS))
SECONDS = st.sampled_from([0.25, 0.5, 1.0, 2.0, 60.0])
ANY = st.integers(0, 1000)


class Model:
    """The queue with lists instead of anything clever."""

    def __init__(self) -> None:
        self.urgent: list[int] = []
        self.bulk: list[int] = []
        self.in_hand: list[int] = []
        self.again: dict[int, bool] = {}
        self.delays: dict[int, tuple[float, int, bool]] = {}
        self.failures: dict[int, int] = {}
        self._delays_put = 0
        self._passed_over = 0

    def add(self, key: int, bulk: bool) -> None:
        if key in self.delays:
            bulk = self.delays.pop(key)[2] and bulk
        if key in self.in_hand:
            self.again[key] = self.again.get(key, True) and bulk
        elif key not in self.urgent and not (bulk and key in self.bulk):
            self.bulk = [other for other in self.bulk if other != key]
            (self.bulk if bulk else self.urgent).append(key)

    def add_at(self, key: int, deadline: float, bulk: bool) -> None:
        if key in self.urgent + self.bulk or key in self.again:
            self.add(key, bulk)
            return
        pending = self.delays.get(key)
        if pending:
            deadline, bulk = min(deadline, pending[0]), bulk and pending[2]
        if not pending or (deadline, bulk) != (pending[0], pending[2]):
            self._delays_put += 1
            self.delays[key] = (deadline, self._delays_put, bulk)

    def next_deadline(self) -> float:
        return min((delay[0] for delay in self.delays.values()), default=float("inf"))

    def make_due(self, moment: float) -> None:
        due = sorted((*delay[:2], key, delay[2]) for key, delay in self.delays.items() if delay[0] <= moment)
        for _, _, key, bulk in due:
            del self.delays[key]
            self.add(key, bulk)

    def take(self) -> int:
        if self.bulk and (not self.urgent or self._passed_over == URGENT_PER_BULK):
            self._passed_over = 0
            key = self.bulk.pop(0)
        else:
            self._passed_over = self._passed_over + 1 if self.bulk else 0
            key = self.urgent.pop(0)
        self.in_hand.append(key)
        return key

    def done(self, key: int) -> None:
        self.in_hand.remove(key)
        if key in self.again:
            self.add(key, self.again.pop(key))


class QueueBesideItsModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.queue: WorkQueue[int] = WorkQueue(BACKOFF, Random(1))
        self.model = Model()
        self.idle: list[asyncio.Task[None]] = []
        self.held: list[int] = []
        self.owed: set[int] = set()  # asked for, and in no worker's hands since
        self.taken: list[tuple[int, float]] = []
        self.expected: list[tuple[int, float]] = []

    async def take_one(self) -> None:
        key = await self.queue.get()
        assert key not in self.held, "two workers hold one key"
        self.held.append(key)
        self.owed.discard(key)
        self.taken.append((key, self.loop.time()))

    def step(self, action: Callable[[], None], seconds: float = 0) -> None:
        """Act on the queue and let the loop run, then hand out what the model has to the same number of workers."""

        async def act() -> None:
            action()
            await asyncio.sleep(seconds)
            for _ in range(5):  # what has come wakes workers, and a cancelled one wakes another
                await asyncio.sleep(0)

        workers = len(self.idle)
        until = self.loop.time() + seconds
        moment = self.loop.time()
        self.loop.run_until_complete(act())
        while True:
            while workers and (self.model.urgent or self.model.bulk):
                self.expected.append((self.model.take(), moment))
                workers -= 1
            moment = self.model.next_deadline()
            if moment > until:
                break
            self.model.make_due(moment)
        for worker in [worker for worker in self.idle if worker.done()]:
            self.idle.remove(worker)
            worker.result()

    def hire_now(self) -> None:
        self.idle.append(self.loop.create_task(self.take_one()))

    def dismissed(self, index: int) -> asyncio.Task[None]:
        return self.idle.pop(index % len(self.idle))

    def ask(self, keys: list[int], bulk: bool) -> None:
        self.owed.update(keys)
        for key in keys:
            self.queue.add(key, bulk=bulk)
            self.model.add(key, bulk)

    @rule()
    def hire(self) -> None:
        self.hire_now()
        self.step(lambda: None)

    @precondition(lambda self: self.idle)
    @rule(index=ANY)
    def dismiss(self, index: int) -> None:
        worker = self.dismissed(index)

        def act() -> None:
            worker.cancel()

        self.step(act)

    @precondition(lambda self: self.idle)
    @rule(index=ANY, keys=SOME_KEYS, bulk=st.booleans(), before=st.booleans())
    def dismiss_in_the_moment_of_an_add(self, index: int, keys: list[int], bulk: bool, before: bool) -> None:
        worker = self.dismissed(index)

        def act() -> None:
            if before:
                worker.cancel()
            self.ask(keys, bulk)
            if not before:
                worker.cancel()

        self.step(act)

    @rule(keys=SOME_KEYS, bulk=st.booleans())
    def add(self, keys: list[int], bulk: bool) -> None:
        self.step(lambda: self.ask(keys, bulk))

    @rule(key=A_KEY, seconds=SECONDS, bulk=st.booleans())
    def add_after(self, key: int, seconds: float, bulk: bool) -> None:
        self.owed.add(key)
        self.model.add_at(key, self.loop.time() + seconds, bulk)
        self.step(lambda: self.queue.add_after(key, seconds, bulk=bulk))

    @precondition(lambda self: self.held)
    @rule(index=ANY)
    def succeed(self, index: int) -> None:
        key = self.held.pop(index % len(self.held))
        self.model.failures.pop(key, None)
        self.model.done(key)
        self.queue.forget(key)
        self.step(lambda: self.queue.done(key))

    @precondition(lambda self: self.held)
    @rule(index=ANY)
    def fail(self, index: int) -> None:
        key = self.held.pop(index % len(self.held))
        self.owed.add(key)

        def act() -> None:
            delay = self.queue.requeue_failed(key)
            self.queue.done(key)
            failures = self.model.failures[key] = self.model.failures.get(key, 0) + 1
            assert BACKOFF.initial / 2 <= delay <= min(BACKOFF.maximum, BACKOFF.initial * 2 ** (failures - 1))
            self.model.add_at(key, self.loop.time() + delay, True)
            self.model.done(key)

        self.step(act)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.step(lambda: None, seconds)

    @invariant()
    def workers_got_what_the_model_hands_out_and_when(self) -> None:
        assert [key for key, _ in self.taken] == [key for key, _ in self.expected]
        assert all(abs(at - due) < 1e-6 for (_, at), (_, due) in zip(self.taken, self.expected, strict=True))
        self.taken.clear()
        self.expected.clear()

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.depth == len(self.model.urgent) + len(self.model.bulk)
        assert self.queue.delayed == len(self.model.delays)
        assert sorted(self.held) == sorted(self.model.in_hand)
        assert all(self.queue.failures(key) == self.model.failures.get(key, 0) for key in KEYS)

    @invariant()
    def no_worker_is_idle_while_a_key_is_ready(self) -> None:
        assert not (self.idle and self.queue.depth)

    def teardown(self) -> None:
        try:
            self.every_key_asked_for_is_handed_out()
        finally:
            for worker in self.idle:
                worker.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    def every_key_asked_for_is_handed_out(self) -> None:
        self.step(lambda: None, 1000)
        while self.held or self.queue.depth:
            while self.held:
                self.succeed(0)
            for _ in KEYS:
                self.hire_now()
            self.step(lambda: None)
        assert not self.owed


QueueBesideItsModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestQueueBesideItsModel = QueueBesideItsModel.TestCase


@given(bulk_keys=st.integers(1, 6), urgent_before_each_take=st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_bulk_is_not_starved_however_much_urgent_work_comes(bulk_keys: int, urgent_before_each_take: list[int]) -> None:
    async def takes() -> list[str]:
        queue: WorkQueue[str] = WorkQueue(BACKOFF, Random(1))
        taken = []
        for n in range(bulk_keys):
            queue.add(f"bulk {n}", bulk=True)
        for turn, urgent in enumerate(urgent_before_each_take):
            for n in range(urgent):
                queue.add(f"urgent {turn} {n}")
            if queue.depth:
                taken.append(await queue.get())
                queue.done(taken[-1])
        return taken

    taken = run(takes())
    for n in range(bulk_keys):
        assert taken.index(f"bulk {n}") < (n + 1) * (URGENT_PER_BULK + 1)
