"""What the benchmarks share in measuring and printing; what they measure is their own business."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import platformdirs

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `aim` is what it should be, empty where nothing is promised."""

    name: str
    value: float
    unit: str
    aim: str = ""


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
    return parser


def show(benchmark: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print figures as a table or as one JSON object."""
    if as_json:
        rows = {figure.name: asdict(figure) for figure in figures}
        for row in rows.values():
            del row["name"]
        print(json.dumps({"benchmark": benchmark, "machine": machine(), "figures": rows}))
        return
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        aim = f"   (aim: {figure.aim})" if figure.aim else ""
        print(f"{figure.name:{width}}  {_readable(figure.value):>10} {figure.unit}{aim}")


def tell(text: str) -> None:
    """Say on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)


def machine() -> Mapping[str, object]:
    """What a figure depends on besides the code."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value, the lower one of two."""
    return percentile(values, 50)


def peak_mebibytes() -> float:
    """The most memory this process has held so far."""
    return memory_mebibytes(peak=True)


def memory_mebibytes(*, peak: bool = False) -> float:
    """The memory that this process holds, or the most it has held; the latter off Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would also count what the parent held when it started this process.
        name = "VmHWM" if peak else "VmRSS"
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def disk_mebibytes(folder: Path) -> dict[str, float]:
    """What a folder takes on disk: everything, and each entry of it over a mebibyte."""
    sizes = {
        entry.name: sum(
            path.stat().st_size for path in (entry, *entry.rglob("*")) if path.is_file()
        )
        for entry in folder.iterdir()
    }
    every = {"everything": sum(sizes.values()), **sizes}
    return {name: size / 2**20 for name, size in every.items() if size >= 2**20}


def growth(values: Mapping[int, float]) -> float:
    """The exponent `a` of `value ~ size ** a`: the least-squares slope of the logarithms."""
    sizes = [math.log(size) for size in values]
    logarithms = [math.log(value) for value in values.values()]
    middle, level = sum(sizes) / len(sizes), sum(logarithms) / len(logarithms)
    pairs = zip(sizes, logarithms, strict=True)
    return sum((x - middle) * (y - level) for x, y in pairs) / sum((x - middle) ** 2 for x in sizes)


def in_fresh_process(function: Callable[..., Result], *values: object) -> Result:
    """What a function returns when a new interpreter runs it, with memory of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(function, *values).result()


def cache_folder() -> Path:
    """Where benchmarks keep stores that take long to build; delete it at will."""
    return platformdirs.user_cache_path("ragmem") / "benchmarks"


def _readable(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
