"""Time to accuracy: error of the stiffness over wall time, for each element and with a cascade.

    python benchmarks/accuracy.py [--sizes 16 32 64 128] [--plot FILE]

Simple cubic array of spheres, f = 0.3, E 1:10, Poisson's ratios 0.3 and 0.2. The exact
C11 = 2.243532974 is from curved spectral elements (1e-6), so that the error is that of
voxels, element and solver together.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import scalebridge as sb

EXACT = np.array([2.243532974, 0.7503422308, 0.616898204])  # C11, C12, C44
VARIANTS = [("reduced", 0), ("full", 0), ("bbar", 0), ("reduced", 2), ("full", 2)]


def run(n: int, element: str, cascade: int) -> tuple[float, float, int]:
    """Return seconds (after compilation), largest relative error, iterations."""
    micro = sb.generate.centred_sphere((n, n, n), 0.3)
    laws = {
        "matrix": sb.laws.IsotropicElastic(E=1.0, nu=0.3),
        "sphere": sb.laws.IsotropicElastic(E=10.0, nu=0.2),
    }
    solver = sb.Solver(cascade=cascade)
    for _ in range(2):
        start = time.perf_counter()
        result = sb.effective(sb.Cell(micro, laws, element=element), 1e-6, solver=solver)
        seconds = time.perf_counter() - start
    voigt = result.voigt
    found = np.array([voigt[0, 0], voigt[0, 1], voigt[3, 3]])
    return seconds, float(np.max(np.abs(found / EXACT - 1))), max(result.iterations)


def plot(rows: list[tuple[str, int, int, float, float]], path: str) -> None:
    """Draw error over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for element, cascade in VARIANTS:
        chosen = [r for r in rows if r[:2] == (element, cascade)]
        label = element + (f", cascade of {cascade}" if cascade else "")
        axes.loglog(
            [r[3] for r in chosen],
            [r[4] for r in chosen],
            "s--" if cascade else "o-",
            label=label,
        )
        if element == "full" and not cascade:
            for r in chosen:
                axes.annotate(f"{r[2]}³", r[3:], textcoords="offset points", xytext=(5, 5))
    axes.set(
        xlabel="wall time, six load cases [s]", ylabel="largest relative error of C11, C12, C44"
    )
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print a table, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    rows = []
    print("element  cascade    n   seconds  error      iterations")
    for n in options.sizes:
        for element, cascade in VARIANTS:
            seconds, error, iterations = run(n, element, cascade)
            rows.append((element, cascade, n, seconds, error))
            print(f"{element:8s} {cascade:7d} {n:4d} {seconds:8.2f}  {error:.3e}  {iterations:6d}")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
