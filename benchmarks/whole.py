"""Wall time and memory of whole effective tensors, each in a process of its own.

    python benchmarks/whole.py [--sizes 64 128] [--physics elasticity conduction]

The centred sphere, f = 0.3, contrast 10, Poisson's ratio 0.3. The first call
compiles (or loads compiled kernels); the second is what a user pays from then on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time


def measure(
    physics: str, element: str, n: int, criterion: str, tolerance: float, cascade: int
) -> None:
    """Solve twice and print one line."""
    import scalebridge as sb

    micro = sb.generate.centred_sphere((n, n, n), 0.3)
    if physics == "elasticity":
        laws = {
            "matrix": sb.laws.IsotropicElastic(E=1.0, nu=0.3),
            "sphere": sb.laws.IsotropicElastic(E=10.0, nu=0.3),
        }
    else:
        laws = {"matrix": sb.laws.Conduction(1.0), "sphere": sb.laws.Conduction(10.0)}
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        cell = sb.Cell(micro, laws, element=element)
        result = sb.effective(cell, tolerance, criterion, solver=sb.Solver(cascade=cascade))
        seconds.append(time.perf_counter() - start)
    print(
        f"{physics:11s} {element:8s} {n:4d} {criterion:9s} {tolerance:7.0e} {cascade:7d} "
        f"{seconds[0]:8.2f} s {seconds[1]:8.2f} s  {max(result.iterations):4d} "
        f"{result.residual:9.1e} {result.error_estimate:9.1e} {result.peak_memory / 1e6:8.0f} MB "
        f"{result.peak_memory / n**3:7.0f}  {result.tensor[0, 0]:.8f}",
        flush=True,
    )


def main() -> None:
    """Print a table, a process for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--physics", nargs="+", default=["elasticity", "conduction"])
    parser.add_argument("--elements", nargs="+", default=["reduced", "full"])
    parser.add_argument("--measures", nargs="+", default=["tensor", "residual"])
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--cascade", type=int, nargs="+", default=[0])
    parser.add_argument("--row", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        physics, element, n, criterion, tolerance, cascade = options.row
        measure(physics, element, int(n), criterion, float(tolerance), int(cascade))
        return
    print(
        "physics     element     n measure   tolerance cascade  first      again      its  "
        "residual  estimate     memory  B/voxel  C11 or k11"
    )
    for physics in options.physics:
        for n in options.sizes:
            for element in options.elements:
                for criterion in options.measures:
                    for cascade in options.cascade:
                        row = [physics, element, n, criterion, options.tolerance, cascade]
                        command = [sys.executable, __file__, "--row", *map(str, row)]
                        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
