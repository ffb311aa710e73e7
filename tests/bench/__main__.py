"""The command line of the bench."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from tests.bench import bulk, footprint, latency, report
from tests.bench.figures import Figure, Result
from tests.bench.plan import Plan
from tests.bench.world import world

MEASUREMENTS = (bulk, latency, footprint)
"""In this order: each leaves every namespace with its replica."""


def main() -> None:
    """Run the bench and report."""
    arguments = _parser().parse_args()
    plan = Plan(_numbers(arguments.namespaces), max_concurrency=arguments.max_concurrency)
    results = asyncio.run(_run(plan.quick() if arguments.quick else plan))
    report.show(results)
    if arguments.json:
        report.write_json(arguments.json, results)
    if arguments.markdown:
        report.write_markdown(arguments.markdown, results)


async def _run(plan: Plan) -> list[Result]:
    results = []
    for number in plan.namespaces:
        figures: list[Figure] = []
        async with world(plan, number) as surroundings:
            await asyncio.to_thread(surroundings.controller.start)
            for measurement in MEASUREMENTS:
                _progress(f"{number} namespaces: {measurement.__name__.rpartition('.')[2]}")
                figures += await measurement.measure(surroundings)
        results.append(Result(number, tuple(figures)))
    return results


def _progress(text: str) -> None:
    load = os.getloadavg()[0]
    print(f"{text} (load {load:.1f})", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the controller beside a bare writer.")
    parser.add_argument("--namespaces", default="1000", metavar="N,..", help="how many namespaces; several make several runs")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--max-concurrency", type=int, default=64, metavar="N", help="of the controller")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a table")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


if __name__ == "__main__":
    main()
