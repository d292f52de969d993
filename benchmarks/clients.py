"""Time the programs of tests/clients with Keras and with imageloom, start of the workers included.

Each program runs with both libraries in turns. The first round, in which frameworks are imported and
compile, does not count; the others give the medians. Ratios above 1.5 are flagged: nobody is to wait
longer because of a changed import::

    python benchmarks/clients.py                    all programs: about 10 minutes on two cores
    python benchmarks/clients.py arrays/ zca        those with such a word in their name
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from client_data import write_client_data
from client_programs import PROGRAMS, libraries_of, name_of, run_with_both
from machine import keep
from report import markdown
from tqdm import tqdm

ROUNDS = 3
TOO_SLOW = 1.5


@dataclass
class Timing:
    """The median seconds of one program; the reference is Keras, or the serial executor for MLTK."""

    program: str
    reference: str
    reference_seconds: float
    seconds: float

    @property
    def ratio(self) -> float:
        """How many times as long as with the reference it takes."""
        return self.seconds / self.reference_seconds


def measure(program: Path, rounds: int, data: Path, folder: Path) -> Timing:
    """Run a program with both libraries, `rounds` times after a first round that does not count."""
    pairs = []
    for _ in range(rounds + 1):
        with contextlib.redirect_stdout(io.StringIO()):
            pairs.append([outcome.seconds for outcome in run_with_both(program, data, folder)])
    reference, ours = (statistics.median(times) for times in zip(*pairs[1:], strict=True))
    return Timing(name_of(program), libraries_of(program)[0], reference, ours)


def main() -> None:
    """Measure and print the results; save those of all programs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="words in the names of programs; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    chosen = [p for p in PROGRAMS if not options.words or any(w in name_of(p) for w in options.words)]
    timings = []
    with tempfile.TemporaryDirectory(prefix="imageloom-clients-") as folder:
        # Not the user's: what an earlier run left there would make later ones quicker.
        os.environ["IMAGELOOM_CACHE_DIR"] = str(Path(folder, "cache"))
        data = write_client_data(Path(folder, "data"))
        for program in tqdm(chosen, unit="program", disable=None):
            try:
                timings.append(measure(program, options.rounds, data, Path(folder, "work")))
            except Exception as error:
                tqdm.write(f"FAILED: {name_of(program)}: {type(error).__name__}: {error}")
    timings.sort(key=lambda timing: timing.ratio, reverse=True)
    rows = [("program", "reference", "reference s", "imageloom s", "ratio", "")]
    rows += [
        (
            timing.program,
            timing.reference,
            f"{timing.reference_seconds:.3f}",
            f"{timing.seconds:.3f}",
            f"{timing.ratio:.2f}",
            "slow" if timing.ratio > TOO_SLOW else "",
        )
        for timing in timings
    ]
    print(markdown(rows, names=2))
    slow = sum(timing.ratio > TOO_SLOW for timing in timings)
    print(f"{slow} of {len(timings)} take more than {TOO_SLOW} times as long as with the reference")
    if not options.words:
        keep("clients", {"rounds": options.rounds, "timings": [asdict(timing) for timing in timings]})


if __name__ == "__main__":
    main()
