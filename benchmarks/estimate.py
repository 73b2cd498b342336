"""Predicted over actual cost of runs, each prediction right before its run.

    python benchmarks/estimate.py [--quick] [--runs 3] [--only PART] [--scan TIFF WORDS…]

Each is a process of its own, as on the command line; seconds include its start. Medians of the
ratios over `--runs`. A scan of yours, with the words that `scalebridge homogenize` takes, comes
last.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
SCALEBRIDGE = [sys.executable, "-m", "scalebridge"]
SOFT = {
    "conduction": {"type": "conduction", "k": 1},
    "elasticity": {"type": "isotropic", "E": 1, "nu": 0.3},
}
STIFF = {
    "conduction": {"type": "conduction", "k": 10},
    "elasticity": {"type": "isotropic", "E": 20, "nu": 0.3},
}
VOID = {"conduction": {"type": "void"}, "elasticity": {"type": "void"}}
CAST_IRON = (
    "examples/data/cast_iron/ggg40_100.raw --shape 100,100,100 --dtype uint8 --order F --flip yz "
    "--spacing 1 --element full --phase graphite=87,k=129,E=39.7,nu=0.2225 "
    "--phase matrix=182,k=80.4,E=210,nu=0.3"
)


def study(shape: list[int], second: Any = STIFF, **cell: Any) -> dict[str, Any]:
    """Return a study of a random medium of two phases."""
    cell = {"physics": "elasticity", **cell}
    length = max(shape) / 12
    return {
        "microstructure": {
            "type": "gaussian_field",
            "shape": shape,
            "fractions": [0.5, 0.5],
            "length": length,
            "seed": 1,
            "names": ["a", "b"],
        },
        "laws": {"a": SOFT, "b": second},
        "cells": {"cell": cell},
    }


QUICK: dict[str, Any] = {
    "2D 256², plane strain": study([256, 256], plane="strain"),
    "64³ porous, full": study([64, 64, 64], VOID),
    "64³ conduction, all boundaries": study([64, 64, 64], physics="conduction", boundary="all"),
    "96³ conduction through, finite volumes": study(
        [96, 96, 96], physics="conduction", boundary="through", element="volume"
    ),
}
LONG: dict[str, Any] = {
    "cast iron, README": CAST_IRON.split(),
    "128³ elasticity": study([128, 128, 128]),
    "128³ elasticity, no fields": study([128, 128, 128], fields=False),
    "64³ elasticity, all boundaries": study([64, 64, 64], boundary="all"),
}


def cases(quick: bool) -> dict[str, Any]:
    """Return name → study file, study or words of `homogenize`."""
    files = {f"{p.name}": p for p in sorted((ROOT / "examples/studies").glob("*.yaml"))}
    return {**files, **QUICK, **({} if quick else LONG)}


def commands(case: Any, folder: Path) -> tuple[list[str], list[str]]:
    """Return the command that predicts and the one that runs."""
    out = ["--out", str(folder / "out"), "--json", "--quiet"]
    if isinstance(case, list):
        words = [*SCALEBRIDGE, "homogenize", *case, *out]
        return [*words, "--estimate"], words
    if isinstance(case, dict):
        path = folder / "study.yaml"
        path.write_text(yaml.safe_dump(case), encoding="utf-8")
        case = path
    return [*SCALEBRIDGE, "estimate", str(case), *out], [*SCALEBRIDGE, "run", str(case), *out]


def spend(command: list[str]) -> tuple[float, int, Any]:
    """Run a command; return its seconds, its peak memory [byte] and what it says."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        said.seek(0)
        told = said.read()
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss * 1024, json.loads(told)


def iterations(summary: dict[str, Any]) -> int:
    """Return all iterations of a run, 0 of a sweep."""
    own = sum(sum(r["evidence"]["iterations"]) for r in summary.get("results", {}).values())
    others = [b["iterations"] for b in summary.get("bounds", {}).values()]
    return own + sum(sum(n) for b in others for name, n in b.items() if name != "periodic")


def compare(name: str, case: Any, runs: int) -> None:
    """Predict and run; print one line."""
    rows = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            predict, run = commands(case, Path(folder))
            trial, _, told = spend(predict)
            seconds, peak, summary = spend(run)
        guess = sum(map(sum, told["iterations"].values()))
        rows.append(
            (
                told["peak_memory_bytes"] / 1e6,
                peak / 1e6,
                told["peak_memory_bytes"] / peak,
                told["seconds"],
                seconds,
                told["seconds"] / seconds,
                trial,
                guess / (iterations(summary) or np.nan),
            )
        )
    m = np.median(rows, axis=0)
    print(
        f"{name:40s} {m[0]:6.0f} {m[1]:6.0f} MB {m[2]:5.2f}   {m[3]:7.1f} {m[4]:7.1f} s {m[5]:5.2f}"
        f"   {m[6]:6.1f} s   {m[7]:5.2f}",
        flush=True,
    )


def main() -> None:
    """Print a table: predicted, actual and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out what takes long")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--scan", nargs=argparse.REMAINDER, help="TIFF and words of homogenize")
    options = parser.parse_args()
    print(f"{'':40s} {'memory':>13s}    ratio   {'time':>15s}     ratio   estimating iterations")
    chosen = {} if options.scan else cases(options.quick)
    if options.scan:
        chosen["scan"] = options.scan
    for name, case in chosen.items():
        if options.only in name:
            compare(name, case, options.runs)


if __name__ == "__main__":
    main()
