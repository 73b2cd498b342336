r"""
Duality in two dimensions
=========================

Exchange the two materials of a plate and turn it by a quarter: the new conductivity multiplied by
the old one gives the product of the two materials', whatever the geometry,

.. math:: K^*(k_2, k_1) = k_1 k_2\, R\, K^*(k_1, k_2)^{-1} R^T

(Keller 1964, Dykhne 1970, Mendelson 1975). Where the exchange changes nothing, as in a
checkerboard, the value itself follows, :math:`\sqrt{k_1 k_2}`. No other test of a program that
reads images costs so little.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import scalebridge as sb

plt.style.use(Path(sys.argv[0]).parent / "paper.mplstyle")

TOLERANCE = 1e-7


def conductivity(micro: sb.Microstructure, k: tuple[float, float], element: str) -> np.ndarray:
    """Return the effective conductivity (2, 2) where the two phases have `k`."""
    laws = {name: sb.laws.Conduction(value) for name, value in zip(micro.names, k, strict=True)}
    return sb.effective(sb.Cell(micro, laws, element=element), TOLERANCE).tensor


# %%
# Any geometry
# ------------
# A random plate with a grain along x. On a grid with odd sides one-point elements, ``reduced``,
# keep the identity themselves, so that only the solver's error is left (asked for: 1e-7 of each
# tensor). With full integration it holds in the limit of small voxels, from above.

plate = sb.generate.gaussian_field((127, 127), (0.6, 0.4), (14, 5), seed=3)
quarter = sb.tensors.rotation_in_plane(90, degrees=True)
contrasts = np.array([2.0, 5.0, 10.0, 20.0, 50.0, 100.0])
defect: dict[str, list[float]] = {"reduced": [], "full": []}
for k in contrasts:
    for element, values in defect.items():
        before = conductivity(plate, (1, k), element)
        after = conductivity(plate, (k, 1), element)
        product = before @ sb.tensors.rotate_tensor(after, quarter)
        values.append(np.abs(product / k - np.eye(2)).max())
        if element == "reduced" and k == 10:
            print(f"before\n{before.round(5)}\nafter the exchange\n{after.round(5)}")
            print(f"product, turned\n{product.round(5)}")
            exchange = float(product[0, 0])
for element, values in defect.items():
    print(f"{element:8} distance from 1: " + ", ".join(f"{value:.0e}" for value in values))

# %%
# A checkerboard
# --------------
# At its corners the flux is singular, and the error falls slowly, the more slowly the higher the
# contrast. Fully integrated elements approach the exact value from above, because their energy is
# a minimum over fewer fields; one-point elements are not bound to one side, and closer.

sizes = np.array([8, 16, 32, 64, 128, 256])
boards = {
    element: [conductivity(sb.generate.checkerboard((n, n)), (1, 10), element)[0, 0] for n in sizes]
    for element in defect
}
for element, values in boards.items():
    print(f"{element:8} on {sizes[-1]}² pixels: {values[-1]:.5f}, exact {np.sqrt(10):.5f}")

# %%
# The figure
# ----------

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.2, 2.6))
left.imshow(plate.labels.T, cmap="Blues", vmin=-0.3, vmax=1.2)
left.set(title="the plate, 127 × 127", xlabel="x", ylabel="y", xticks=[], yticks=[])
for element, values in defect.items():
    middle.loglog(contrasts, values, "o-", label=element)
middle.axhline(2 * TOLERANCE, color="0.4", linestyle=":", label="the solver's tolerance")
middle.set(title=r"$\max\,|K\,R K' R^T / k_1 k_2 - 1|$", xlabel="contrast", ylim=(1e-9, 1))
for element, values in boards.items():
    right.semilogx(sizes, values, "o-", base=2, label=element)
right.axhline(np.sqrt(10), color="0.4", linestyle=":", label=r"exact, $\sqrt{10}$")
right.set(title="checkerboard 1 : 10", xlabel="pixels along an edge", xticks=sizes)
right.set_xticklabels(sizes)
middle.legend(loc="center right")
right.legend()
plt.show()

print(f"exchange = {exchange:.6f}, exact 10")
