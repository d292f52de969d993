"""Compare imageloom with other ways to load and augment images, all in one run.

There are two workloads, colour photographs and small grey pictures. The first epoch decodes all
images; in later epochs, the best of which counts, some peers use decoded images that they have
kept. Each peer runs in a new process per round. The peers take turns, so that a change of the
machine's load affects all of them. The results are printed as tables, and written to the output
folder as JSON, of which `python docs/drawings/draw.py` makes charts::

    python benchmarks/compare.py --images 8000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fresh import RunFailed, result_of
from machine import RESULTS, keep
from peers import PEERS
from report import Runs, summarise, table
from tqdm import tqdm
from workload import WORKLOADS, Measurement, Workload, make_workload

_HERE = Path(__file__).resolve().parent


def run_peer(peer: str, workload: Workload) -> Measurement:
    """Measure ``peer`` once in a new process."""
    command = [sys.executable, str(_HERE / "measure.py"), peer]
    command += ["--workload", json.dumps(asdict(workload)), "--started", repr(time.time())]
    return Measurement(**result_of(command))


def run_rounds(
    peers: Sequence[str], workload: Workload, rounds: int
) -> tuple[dict[str, list[Measurement]], dict[str, str]]:
    """Measure all peers ``rounds`` times in turn; a peer that fails is left out of later rounds."""
    runs: dict[str, list[Measurement]] = {peer: [] for peer in peers}
    failures: dict[str, str] = {}
    turns = [peer for _ in range(rounds) for peer in peers]
    progress = tqdm(turns, desc=workload.title, unit="run")
    for peer in progress:
        if peer in failures:
            continue
        progress.set_postfix_str(PEERS[peer].label)
        try:
            run = run_peer(peer, workload)
        except RunFailed as failure:
            failures[peer] = str(failure)
            progress.write(f"{PEERS[peer].label} FAILED: {failure}")
            continue
        runs[peer].append(run)
        rates = (("first epoch", run.first_epoch), ("later", run.later_epoch))
        shown = ", ".join(f"{epoch} {rate:.0f}/s" for epoch, rate in rates if rate is not None)
        progress.write(f"{PEERS[peer].label}: {shown}")
    return runs, failures


def record_of(workload: Workload, runs: Runs, failures: dict[str, str]) -> dict[str, Any]:
    """Return the results of one workload, ready for JSON."""
    task = asdict(workload)
    # The path of the folder does not affect the result, and it may be private.
    del task["directory"]
    return {
        "workload": task,
        "summary": {peer: asdict(summary) for peer, summary in summarise(runs).items()},
        "runs": {peer: [asdict(run) for run in done] for peer, done in runs.items()},
        "failures": failures,
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare image loading and augmentation.")
    parser.add_argument("--images", type=int, default=8000, help="of each kind (default: 8000)")
    parser.add_argument(
        "--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="default: both"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs per peer (default: 3)")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for JSON")
    options = parser.parse_args(arguments)
    if options.images <= Workload.batch_size or options.rounds < 1:
        parser.error(f"needs at least {Workload.batch_size + 1} images and one round")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; the status is 0 unless every peer failed."""
    options = _parse(arguments)
    records: dict[str, Any] = {}
    measured = False
    for name in options.workloads:
        workload = make_workload(name, options.images)
        runs, failures = run_rounds(options.peers, workload, options.rounds)
        records[name] = record_of(workload, runs, failures)
        measured = measured or any(runs.values())
        print(f"\n{workload.title}\n\n{table(summarise(runs), failures)}\n")
    if not measured:
        return 1
    path = keep("comparison", {"workloads": records}, options.output)
    print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
