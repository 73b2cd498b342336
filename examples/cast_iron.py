"""
Nodular cast iron from micro-CT
===============================

The thermal conductivity of a real microstructure, beside the value of another program and between
its bounds. The scan (100³ voxels) shows graphite nodules in a metallic matrix; it comes with
`chfem <https://github.com/cortezpedro/chfem>`_, a finite element program for GPUs, whose test suite
also holds the conductivity that chfem finds for it. What is known of the scan is in
``data/cast_iron/SOURCE.md``.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import scalebridge as sb

HERE = Path(sys.argv[0]).parent
plt.style.use(HERE / "paper.mplstyle")

K = {"graphite": 129.0, "matrix": 80.4}  # W/(m K)
CHFEM = np.array([85.24926696431, -0.04306321019815, 0.0270032965531])  # k_xx, k_yx, k_zx

# %%
# The raw file knows neither its shape nor its labels, and its rows run downward and its slices
# away from the viewer. Unturned, the image is another one: off-diagonals change their signs.
# Exchanged labels are the other trap: the volume fractions tell.

iron = sb.read(
    HERE / "data" / "cast_iron" / "ggg40_100.raw",
    shape=(100, 100, 100),
    dtype="uint8",
    order="F",
    spacing=1.0,  # the source states no voxel size, and the tensor does not depend on it
    phases={"graphite": 87, "matrix": 182},
).flip("yz")
print(iron.summary(connectivity=True))

# %%
# With ``full`` the voxels are trilinear elements, as chfem's, and the two programs solve the same
# equations. ``reduced`` is another discretisation of the same voxels: the difference between the
# two tells what the voxels are worth.

laws = {phase: sb.laws.Conduction(k) for phase, k in K.items()}
full = sb.effective(sb.Cell(iron, laws, element="full"), tolerance=1e-8, fields=True)
reduced = sb.effective(sb.Cell(iron, laws, element="reduced"), tolerance=1e-8)
print(full)
difference = np.abs(full.tensor[:, 0] - CHFEM).max() / CHFEM[0]
print(f"from chfem, which stopped at 1e-6: {difference:.1e} of k_xx")
print(f"reduced instead of full: {reduced.tensor[0, 0] / full.tensor[0, 0] - 1:+.1e}")

# %%
# Nodules in a matrix conduct as the lower bound of Hashin and Shtrikman (1962) says, within 0.1 %:
# each is surrounded by matrix, like the cores of the coated spheres that reach this bound.

phases = [laws["matrix"], laws["graphite"]]
shares = [iron.volume_fractions[name] for name in ("matrix", "graphite")]
bounds = {
    "layers": (sb.analytic.Reuss(phases, shares), sb.analytic.Voigt(phases, shares)),
    "Hashin–\nShtrikman": [
        sb.analytic.HashinShtrikman(phases, shares, side) for side in ("lower", "upper")
    ],
}
ranges = {name: [float(law.modulus[0, 0]) for law in pair] for name, pair in bounds.items()}
mean = full.engineering_constants()["mean"]
for name, (low, high) in ranges.items():
    print(f"{' '.join(name.split())}: {low:.3f} to {high:.3f} W/(m K)")
print(f"computed, mean of the directions: {mean:.3f} W/(m K)")

# %%
# The figure
# ----------

flux = np.linalg.norm(full.local(gradient=[1.0, 0.0, 0.0]).flux, axis=0)
height = iron.shape[2] // 2
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.4, 2.6), width_ratios=(1, 1.25, 0.9))
left.imshow(iron.mask("graphite")[:, :, height].T, cmap="Greys", vmax=1.3)
left.set_title("graphite (dark)")
image = middle.imshow(flux[:, :, height].T, cmap="inferno")
middle.set_title("heat flux, 1 K/m along x")
figure.colorbar(image, ax=middle, label="W/m²", shrink=0.9)
for axes in (left, middle):
    axes.set(xlabel="x, 100 voxels", ylabel="y", xticks=[], yticks=[])
for place, (low, high) in enumerate(ranges.values()):
    right.bar(place, high - low, bottom=low, width=0.6, color=f"C{2 * place + 4}", alpha=0.6)
right.plot([2, 2, 2], np.diag(full.tensor), "D", color="C0")
right.set_xticks(range(3), [*ranges, "computed\nx, y, z"])
right.set(title="conductivity [W/(m K)]", xlim=(-0.5, 2.5))
right.grid(axis="x", visible=False)
plt.show()

k_xx = float(full.tensor[0, 0])
print(f"k_xx = {k_xx:.6f} W/(m K), chfem {CHFEM[0]:.6f}")
