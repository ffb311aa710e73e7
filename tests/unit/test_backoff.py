from random import Random

import pytest

from clustersync.runtime.backoff import Backoff, Retry

TARGETS = Backoff(initial=1.0, maximum=300.0)


class Always(Random):
    """A source of one number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def random(self) -> float:
        return self._number


LEAST, MOST = Always(0.0), Always(1.0)


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [
        pytest.param(1, 0.5, 1.0, id="the first failure waits about the initial delay"),
        pytest.param(2, 1.0, 2.0, id="the second twice as long"),
        pytest.param(5, 8.0, 16.0, id="each doubles"),
        pytest.param(9, 128.0, 256.0, id="until just below the maximum"),
        pytest.param(10, 150.0, 300.0, id="then it stays at the maximum"),
        pytest.param(100_000, 150.0, 300.0, id="an exponent beyond all floats is the maximum"),
        pytest.param(0, 0.5, 1.0, id="no failure counts as the first"),
    ],
)
def test_delay_lies_between_half_the_step_and_the_step(failures: int, least: float, most: float) -> None:
    assert TARGETS.delay(failures, LEAST) == least
    assert TARGETS.delay(failures, MOST) == most


def test_what_failed_together_comes_back_spread() -> None:
    random = Random(1)
    delays = sorted(TARGETS.delay(7, random) for _ in range(1000))
    assert 32.0 <= delays[0] < 33.0
    assert 63.0 < delays[-1] <= 64.0


@pytest.mark.parametrize(
    ("initial", "maximum", "factor"),
    [
        pytest.param(0.0, 1.0, 2.0, id="an initial delay of nothing"),
        pytest.param(2.0, 1.0, 2.0, id="a maximum below the initial delay"),
        pytest.param(1.0, 2.0, 0.5, id="a curve that shrinks"),
    ],
)
def test_curve_that_cannot_be_is_refused(initial: float, maximum: float, factor: float) -> None:
    with pytest.raises(ValueError, match="backoff needs"):
        Backoff(initial, maximum, factor)


def watch_retry() -> Retry:
    return Retry(Backoff(initial=0.8, maximum=30.0), MOST, healthy_seconds=120.0)


def test_retry_grows_with_each_failure() -> None:
    retry = watch_retry()
    now, delays = 0.0, []
    for _ in range(7):
        delays.append(retry.failed(now))
        now += delays[-1]
    assert delays == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0])
    assert retry.failures == 7


@pytest.mark.parametrize(
    ("healthy_seconds", "delay"),
    [
        pytest.param(119.0, 3.2, id="a short run in between does not end the row"),
        pytest.param(120.0, 0.8, id="a long one does"),
    ],
)
def test_health_is_counted_from_the_end_of_the_delay(healthy_seconds: float, delay: float) -> None:
    retry = watch_retry()
    resumed_at = 10.0 + retry.failed(10.0)
    resumed_at += retry.failed(resumed_at)
    assert retry.failed(resumed_at + healthy_seconds) == pytest.approx(delay)


def test_retry_starts_anew_after_a_reset() -> None:
    retry = watch_retry()
    retry.failed(0.0)
    retry.failed(1.0)
    retry.reset()
    assert retry.failures == 0
    assert retry.failed(2.0) == pytest.approx(0.8)
