"""How long to wait after a failure: exponential, with jitter, always between half the initial delay and the maximum."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """A curve of delays in seconds.

    Raises ValueError for a curve that would not grow from above zero to its maximum.
    """

    initial: float
    maximum: float
    factor: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.initial <= self.maximum:
            raise ValueError(f"backoff needs 0 < initial <= maximum, got {self.initial} and {self.maximum}")
        if self.factor < 1:
            raise ValueError(f"backoff needs a factor of at least 1, got {self.factor}")

    def delay(self, failures: int, random: Random) -> float:
        """Seconds to wait after that many failures in a row, the first of which counts as 1.

        Equal jitter: half of the step is fixed, so that a retry never comes at once, and half is random, so that
        what failed together does not come back together.
        """
        half = self._step(failures) / 2
        return half + half * random.random()

    def _step(self, failures: int) -> float:
        try:
            return min(self.maximum, self.initial * float(self.factor) ** max(failures - 1, 0))
        except OverflowError:
            return self.maximum


class Retry:
    """The failures of one thing that should run for ever, such as a watch: it grows, and is forgotten with health.

    `healthy_seconds` is how long the thing has to run for its failures to be forgotten; 120 is client-go's value
    for its reflectors. Times are those of the loop's clock.
    """

    def __init__(self, backoff: Backoff, random: Random, *, healthy_seconds: float = 120.0) -> None:
        self.failures = 0
        self._backoff = backoff
        self._random = random
        self._healthy_seconds = healthy_seconds
        self._resumed_at = 0.0

    def failed(self, now: float) -> float:
        """Count a failure and return the seconds to wait before the next try."""
        if now - self._resumed_at >= self._healthy_seconds:
            self.failures = 0
        self.failures += 1
        delay = self._backoff.delay(self.failures, self._random)
        self._resumed_at = now + delay
        return delay

    def reset(self) -> None:
        """Forget the failures, as after proof that the thing works."""
        self.failures = 0
