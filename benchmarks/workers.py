"""FE² in this process, on Dask workers and on MPI ranks: seconds, and overhead for each batch.

    python benchmarks/workers.py [--voxels 32] [--steps 4]

The plate of ``fe2.py``. Overhead is what a batch of 240 answers takes beyond those of the same
shards in this process, for cells of 4² voxels, which cost next to nothing themselves.
Each is run once before, so that nothing is compiled.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fe2 import plate

import scalebridge as sb
from scalebridge.structure.workers import InProcess


def solve(voxels: int, steps: int, workers: Any) -> tuple[float, float]:
    """Return the seconds of a solve, and those of one batch."""
    part, times = plate(voxels, "exact"), np.linspace(0, 1, steps + 1)
    for _ in range(2):
        found = part.solve(times, workers=workers)
    assert found.timings is not None
    return found.timings["total"], found.timings["micro"] / len(found.calls)


def told(name: str, workers: Any, voxels: int, steps: int, plain: float) -> float:
    whole, _ = solve(voxels, steps, workers)
    _, batch = solve(4, steps, workers)
    if not (workers and workers.rank):
        over = f", {1e3 * (batch - plain):.1f} ms over the shards here" if plain else ""
        print(f"{name}: {whole:.2f} s; small batches {1e3 * batch:.1f} ms{over}", flush=True)
    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--mpi", type=float, help="as a rank, told what a batch takes here")
    options = parser.parse_args()
    size = options.voxels, options.steps
    if options.mpi is not None:
        workers = sb.structure.MpiWorkers()
        told(f"MPI, {workers.size} ranks", workers, *size, options.mpi)
        return
    told("this process", None, *size, 0.0)
    plain = told("shards in this process", InProcess(), *size, 0.0)
    for count in (1, 2):
        with sb.structure.DaskWorkers(count) as dask:
            told(f"Dask, {count} workers", dask, *size, plain)
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    for ranks in (1, 2) if mpiexec else ():
        script = [sys.executable, __file__, f"--mpi={plain}", f"--steps={options.steps}"]
        subprocess.run(
            [str(mpiexec), "-n", str(ranks), *script, f"--voxels={options.voxels}"], check=True
        )


if __name__ == "__main__":
    main()
