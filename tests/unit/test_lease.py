import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
import structlog

from clustersync.kube.leadership import AlwaysLeading, Fence
from clustersync.kube.lease import Timing
from clustersync.kube.leaserecord import LeaseSpec, Sighting, claimed, released, rfc3339_micro
from tests.virtualtime import VirtualTimeLoop, virtual_time

NOON = datetime(2026, 5, 20, 12, 0, 0, 250, tzinfo=UTC)
OTHERS = LeaseSpec("other", 15, "2026-05-20T11:00:00.000000Z", "2026-05-20T11:59:00.000000Z", 3)


def fence() -> Fence:
    return Fence(structlog.get_logger())


@virtual_time
async def test_the_fence_is_shut_at_first() -> None:
    assert not fence().may_write()


@virtual_time
async def test_the_fence_is_open_until_its_time_and_not_at_it() -> None:
    opened = fence()
    opened.hold(10.0)
    await asyncio.sleep(9.999)
    assert opened.may_write()
    await asyncio.sleep(0.001)
    assert not opened.may_write()


@virtual_time
async def test_the_loss_is_announced_when_the_time_has_come_and_nobody_renewed() -> None:
    opened = fence()
    opened.hold(10.0)
    await opened.wait_leading()
    await opened.wait_lost()
    assert asyncio.get_running_loop().time() == pytest.approx(10.0)


@virtual_time
async def test_a_renewal_moves_the_end() -> None:
    opened = fence()
    opened.hold(10.0)
    await asyncio.sleep(8)
    opened.hold(18.0)
    await asyncio.sleep(8)
    assert opened.may_write()
    await opened.wait_lost()
    assert asyncio.get_running_loop().time() == pytest.approx(18.0)


@virtual_time
async def test_a_process_that_was_stopped_may_not_write_even_before_its_timers_fire() -> None:
    opened = fence()
    opened.hold(10.0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.jump(60.0)
    assert not opened.may_write()
    await opened.wait_lost()
    assert loop.time() == 60.0


@virtual_time
async def test_an_answer_that_comes_after_its_time_grants_nothing() -> None:
    opened = fence()
    await asyncio.sleep(20)
    opened.hold(10.0)
    assert not opened.may_write()
    await opened.wait_lost()


@virtual_time
async def test_dropping_ends_it_at_once_and_it_can_begin_anew() -> None:
    opened = fence()
    opened.hold(10.0)
    opened.drop("taken by another")
    await opened.wait_lost()
    assert not opened.may_write()
    opened.hold(20.0)
    await asyncio.sleep(15)  # the first term's end would have come
    await opened.wait_leading()
    assert opened.may_write()


LOOKS = [
    pytest.param(None, 0.0, True, id="no record was ever seen"),
    pytest.param(LeaseSpec(""), 0.0, True, id="it was given up"),
    pytest.param(LeaseSpec(), 0.0, True, id="it was made without a holder"),
    pytest.param(LeaseSpec("me", 15), 0.0, True, id="it is our own"),
    pytest.param(OTHERS, 14.9, False, id="another's has not stood still for its duration"),
    pytest.param(OTHERS, 15.0, True, id="another's has stood still for its duration"),
    pytest.param(LeaseSpec("other", 60), 59.0, False, id="the record's own duration counts, not ours"),
    pytest.param(LeaseSpec("other"), 14.9, False, id="a record without a duration has the default, before"),
    pytest.param(LeaseSpec("other"), 15.0, True, id="a record without a duration has the default, after"),
]


@pytest.mark.parametrize(("spec", "seconds", "is_free"), LOOKS)
def test_when_a_lease_may_be_claimed(spec: LeaseSpec | None, seconds: float, is_free: bool) -> None:
    sighting = Sighting()
    if spec is not None:
        sighting.see(spec, 1000.0)
    assert sighting.is_free("me", 1000.0 + seconds) is is_free


def test_a_change_of_the_record_starts_its_time_anew_whatever_its_own_clock_says() -> None:
    sighting = Sighting()
    sighting.see(OTHERS, 0.0)
    sighting.see(LeaseSpec("other", 15, OTHERS.acquire_time, "1999-01-01T00:00:00.000000Z", 3), 14.0)
    assert not sighting.is_free("me", 28.0)
    assert sighting.is_free("me", 29.0)


def test_seeing_the_same_record_again_does_not_prolong_it() -> None:
    sighting = Sighting()
    for now in range(15):
        sighting.see(OTHERS, float(now))
    assert sighting.is_free("me", 15.0)


STAMP = "2026-05-20T12:00:00.000250Z"
CLAIMS = [
    pytest.param(None, LeaseSpec("me", 20, STAMP, STAMP, 0), id="the first holder is no transition"),
    pytest.param(OTHERS, LeaseSpec("me", 20, STAMP, STAMP, 4), id="taking it from another is a transition"),
    pytest.param(LeaseSpec("", 15, STAMP, STAMP, 3), LeaseSpec("me", 20, STAMP, STAMP, 4), id="taking what was given up is one too"),
    pytest.param(
        LeaseSpec("me", 20, OTHERS.acquire_time, OTHERS.renew_time, 3),
        LeaseSpec("me", 20, OTHERS.acquire_time, STAMP, 3),
        id="a renewal keeps the time of acquiring",
    ),
]


@pytest.mark.parametrize(("previous", "expected"), CLAIMS)
def test_what_a_claim_writes(previous: LeaseSpec | None, expected: LeaseSpec) -> None:
    assert claimed(previous, "me", 20, NOON) == expected


def test_giving_up_clears_the_holder_and_keeps_the_count() -> None:
    assert released(OTHERS, NOON) == LeaseSpec("", 15, OTHERS.acquire_time, STAMP, 3)


def test_times_are_written_in_utc_with_microseconds() -> None:
    assert rfc3339_micro(NOON.astimezone(timezone(timedelta(hours=5)))) == STAMP
    assert rfc3339_micro(NOON.replace(microsecond=0)) == "2026-05-20T12:00:00.000000Z"


UNSAFE = [
    pytest.param(Timing, {"lease_seconds": 10}, id="the lease ends with the renew deadline"),
    pytest.param(Timing, {"renew_deadline_seconds": 2.0}, id="the deadline leaves no time for a second try"),
    pytest.param(Timing, {"poll_seconds": 0.0}, id="a standby asks without a pause"),
]


@pytest.mark.parametrize(("timing", "changes"), UNSAFE)
def test_durations_that_do_not_fit_are_refused(timing: type[Timing], changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="renew deadline"):
        timing(**changes)  # type: ignore[arg-type]


@virtual_time
async def test_the_only_controller_leads_until_its_release() -> None:
    alone = AlwaysLeading()
    await alone.wait_leading()
    assert alone.may_write()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(86_400):
            await alone.wait_lost()
    await alone.release()
    await alone.wait_lost()
    assert not alone.may_write()
