"""How long `import ragmem` and a cold `ragmem search` take, and what they import.

    python benchmarks/imports.py [--store DIR] [--runs 9]

Every run is a process of its own, after one that warms the file cache up.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from figures import Figure, arguments, median, show, tell
from texts import read_texts

from ragmem import Agent

HEAVY = ("torch", "transformers", "sentence_transformers", "llama_index", "onnxscript", "scipy")
QUESTION = "What happens when an assertion fails?"
BARE = "pass"
IMPORT = "import ragmem"
IMPORT_AGENT = "from ragmem import Agent"
SEARCH = """
import sys
from ragmem import Agent
with Agent.open(sys.argv[1], read_only=True) as agent:
    agent.knowledge.search(sys.argv[2])
"""
INGEST = """
import sys, tempfile
from ragmem import Agent, TextDocument
with tempfile.TemporaryDirectory() as folder, Agent.open(folder) as agent:
    agent.knowledge.add_texts([TextDocument(uri="a", text="A warranty covers two years.")])
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall time and of all cores' work."""

    wall: float
    processor: float


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="a store to search; by default a small new one")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ragmem-imports-") as folder:
        store = options.store or small_store(Path(folder) / "store")
        figures = measure(store, options.runs)
    show("imports", figures, as_json=options.as_json)


def measure(store: Path, runs: int) -> list[Figure]:
    """Every figure over one store."""
    imports = (BARE, IMPORT, IMPORT_AGENT)
    bare, light, agent = medians([["-c", program] for program in imports], runs)
    command = ["-m", "ragmem", "search", QUESTION, "--store", str(store), "--json"]
    [cold] = medians([command], runs)
    figures = [
        Figure("bare Python", bare.wall * 1e3, "ms"),
        Figure(
            "import ragmem, over bare Python", (light.wall - bare.wall) * 1e3, "ms", "at most 150"
        ),
        Figure("from ragmem import Agent, over bare Python", (agent.wall - bare.wall) * 1e3, "ms"),
        Figure("cold ragmem search", cold.wall, "s", "at most 2.5"),
        Figure("cold ragmem search, processor time", cold.processor, "s"),
    ]
    programs = {"import ragmem": IMPORT, "an ingest": INGEST, "a search": SEARCH}
    for name, program in programs.items():
        heavy = heavy_modules(program, str(store), QUESTION)
        if heavy:
            tell(f"{name} imports {', '.join(heavy)}")
        figures.append(Figure(f"heavy packages that {name} imports", len(heavy), "", "0"))
    return figures


def medians(commands: list[list[str]], runs: int) -> list[Spent]:
    """The median times of each command line of Python, the commands taking turns."""
    spent: list[list[Spent]] = [[] for _ in commands]
    for run in range(runs + 1):
        for command, times in zip(commands, spent, strict=True):
            began, busy = time.perf_counter(), processor_seconds()
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            if run:
                wall = time.perf_counter() - began
                times.append(Spent(wall, processor_seconds() - busy))
    return [
        Spent(median([each.wall for each in times]), median([each.processor for each in times]))
        for times in spent
    ]


def processor_seconds() -> float:
    """What the processes that this one started have computed in all."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def heavy_modules(program: str, *values: str) -> list[str]:
    """Which of the heavy packages a program has imported when it ends."""
    ending = f"\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program + ending, *values],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.split()


def small_store(folder: Path) -> Path:
    """A store of a few hundred chunks."""
    tell("ingesting a small store ...")
    with Agent.open(folder) as agent:
        agent.knowledge.add_texts(read_texts(None, words=60, limit=300))
    return folder


if __name__ == "__main__":
    main()
