"""What one run of the bench does, and how often."""

from dataclasses import dataclass

CONCURRENCIES = (8, 16, 32, 64)
"""Of the bare writer; one of them is its best on any machine seen so far."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of a run."""

    namespaces: tuple[int, ...] = (1000,)
    pairs: int = 5
    """Bare writer and controller in turn, this often, so that a noisy moment of the machine hits both."""
    samples: int = 50
    """Of each latency."""
    idle_seconds: float = 60.0
    max_concurrency: int = 64
    """Of the controller."""

    def quick(self) -> "Plan":
        """The same for daily use: about a minute for 1,000 namespaces."""
        return Plan(self.namespaces, pairs=2, samples=min(self.samples, 50), idle_seconds=10.0, max_concurrency=self.max_concurrency)
