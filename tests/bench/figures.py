"""What the bench finds out: one figure a line, those with a ratio to the bare writer first."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing. `ratios` are controller over bare writer, one for each pair of runs."""

    work: str
    value: float
    unit: str
    bare: float | None = None
    ratios: tuple[float, ...] = ()
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """The median over all pairs, None where there is nothing to compare with."""
        return median(self.ratios) if self.ratios else None


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one number of namespaces."""

    namespaces: int
    figures: tuple[Figure, ...]

    @property
    def ratios_first(self) -> list[Figure]:
        """The figures in order, those with a ratio before those without."""
        return sorted(self.figures, key=lambda figure: figure.ratio is None)


def paired(work: str, unit: str, controller: Sequence[float], bare: Sequence[float], goal: str = "") -> Figure:
    """A figure of runs in alternating order: medians, and the ratio within each pair."""
    ratios = tuple(mine / limit for mine, limit in zip(controller, bare, strict=True))
    return Figure(work, median(controller), unit, median(bare), ratios, goal)


def percentiles(work: str, controller: Sequence[float], bare: Sequence[float], goal: str = "") -> list[Figure]:
    """The p50 and p99 of latencies in seconds, as milliseconds."""
    figures = []
    for percent in (50, 99):
        mine, limit = percentile(controller, percent) * 1000, percentile(bare, percent) * 1000
        figures.append(Figure(f"{work}, p{percent}", mine, "ms", limit, (mine / limit,), goal if percent == 99 else ""))
    return figures


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / PERCENT), len(ordered) - 1)]
