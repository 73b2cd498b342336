"""Thermal conductivity of nodular cast iron from a micro-CT scan, beside another program's value.

The scan (100³ voxels, see data/cast_iron/SOURCE.md) shows graphite nodules in a metallic matrix.
With trilinear voxels, `full`, the problem is the one that the finite element program chfem solves;
with the one-point voxels of `reduced`, the default, it is another discretisation of the same scan,
and the difference between the two tells what the voxels are worth.
"""

from pathlib import Path

import numpy as np

import scalebridge as sb

SCAN = Path(__file__).parent / "data" / "cast_iron" / "ggg40_100.raw"
CHFEM = np.array([85.24926696431, -0.04306321019815, 0.0270032965531])  # k_xx, k_yx, k_zx

# The rows of the raw file run downward and its slices away from the viewer: turn both round.
iron = sb.read(
    SCAN,
    shape=(100, 100, 100),
    dtype="uint8",
    order="F",
    spacing=1.0,
    phases={"graphite": 87, "matrix": 182},
).flip("yz")
print(iron.summary(connectivity=True))

laws = {"graphite": sb.laws.Conduction(129.0), "matrix": sb.laws.Conduction(80.4)}  # W/(m K)
full = sb.effective(sb.Cell(iron, laws, element="full"), tolerance=1e-8)
reduced = sb.effective(sb.Cell(iron, laws, element="reduced"), tolerance=1e-8)
print(full)

difference = np.abs(full.tensor[:, 0] - CHFEM).max() / CHFEM[0]
print(f"largest difference of the first column from chfem: {difference:.1e} of k_xx")
print(f"reduced instead of full: {reduced.tensor[0, 0] / full.tensor[0, 0] - 1:+.2e}")

constants = full.engineering_constants()
print(f"mean {constants['mean']:.3f} W/(m K), anisotropy {constants['anisotropy']:.4f}")

# Between the bounds of Reuss (layers in series) and Voigt (in parallel).
fractions = iron.volume_fractions
series = 1 / (fractions["graphite"] / 129.0 + fractions["matrix"] / 80.4)
parallel = fractions["graphite"] * 129.0 + fractions["matrix"] * 80.4
print(f"{series:.3f} ≤ {constants['mean']:.3f} ≤ {parallel:.3f}")

k_xx = float(full.tensor[0, 0])
print(f"k_xx = {k_xx:.6f} W/(m K)")
