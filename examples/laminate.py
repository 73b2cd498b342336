r"""
Laminate against its exact answer
=================================

Layers of boron and aluminium. In each layer the fields are uniform, so that the stiffness of the
laminate has a closed form for any phases and any direction of the layers, and a voxel program has
no excuse: what it does not reproduce is the error of the voxels.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import scalebridge as sb

plt.style.use(Path(sys.argv[0]).parent / "paper.mplstyle")

ALUMINIUM = sb.laws.IsotropicElastic(E=68.3, nu=0.3)  # GPa
BORON = sb.laws.IsotropicElastic(E=379.3, nu=0.1)

# %%
# Layers along the grid
# ---------------------
# 47 of 100 layers are boron. Interfaces lie between voxels, nothing is approximated, and the
# result is exact to rounding.

stack = sb.generate.laminate((100, 2, 2), (0.53, 0.47), names=("aluminium", "boron"))
computed = sb.effective(sb.Cell(stack, {"aluminium": ALUMINIUM, "boron": BORON}), 1e-9)
exact = sb.analytic.Laminate([ALUMINIUM, BORON], [0.53, 0.47], normal="x").modulus
print(f"C11 = {computed.tensor[0, 0]:.9f} GPa, exact {exact[0, 0]:.9f}")
print(f"largest difference of all components: {np.abs(computed.tensor - exact).max():.0e} GPa")

# %%
# Layers across the grid
# ----------------------
# Inclined interfaces become staircases. At slope 1 the one-point element, ``reduced``, still is
# exact: its diagonals lie along the steps. Elsewhere both elements approach the exact tensor with
# the first power of the voxel size.

sizes = np.array([8, 24, 72])
slopes = {"slope 1": (1, 1), "slope 2": (1, 2)}


def inclined(n: int, normal: tuple[int, int]) -> sb.Microstructure:
    """Return layers of equal thickness across `normal`, on n × n pixels."""
    i, j = np.indices((n, n))
    labels = (normal[0] * i + normal[1] * j) % n < n // 2
    return sb.Microstructure(labels.astype(int), 1.0, {"aluminium": 0, "boron": 1})


def error(n: int, normal: tuple[int, int], element: str) -> float:
    """Return the distance to the exact stiffness (6 × 6), relative to it."""
    cell = sb.Cell(
        inclined(n, normal),
        {"aluminium": ALUMINIUM, "boron": BORON},
        element=element,
        plane="generalized",
    )
    exact = sb.analytic.Laminate([ALUMINIUM, BORON], [0.5, 0.5], normal=(*normal, 0)).modulus
    return float(np.linalg.norm(sb.effective(cell, 1e-9).tensor - exact) / np.linalg.norm(exact))


errors = {
    (element, slope): [error(n, normal, element) for n in sizes]
    for element in ("reduced", "full")
    for slope, normal in slopes.items()
}
for (element, slope), values in errors.items():
    print(f"{element:8} {slope}: " + ", ".join(f"{value:.1e}" for value in values))

# %%
# The figure
# ----------

figure, (left, right) = plt.subplots(1, 2, width_ratios=(1, 1.6))
left.imshow(inclined(16, slopes["slope 2"]).labels.T, cmap="Blues", vmin=-0.3, vmax=1.2)
left.set(title="slope 2, 16 × 16 pixels", xlabel="x", ylabel="y", xticks=[], yticks=[])
for number, ((element, slope), values) in enumerate(errors.items()):
    right.loglog(sizes, values, "os^v"[number], linestyle="-", label=f"{element}, {slope}")
right.loglog(sizes, 1 / sizes, color="0.6", linestyle=":", label="first order")
right.set(
    xlabel="pixels across",
    ylabel="relative error of the stiffness",
    title="Inclined layers",
    ylim=(1e-15, 1),
)
right.set_xticks(sizes, sizes)
right.minorticks_off()
right.legend(loc="center right")
plt.show()

C11 = float(computed.tensor[0, 0])
print(f"C11 = {C11:.9f} GPa")
