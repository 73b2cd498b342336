"""Draw docs/_static/fe2.png: a plate of a fibre composite, and what two of its points hold.

Run it by python docs/figures/fe2.py; it takes some minutes.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.tri import Triangulation

import scalebridge as sb

ROOT = Path(__file__).parents[2]
plt.style.use(ROOT / "examples" / "paper.mplstyle")
plt.rcParams["figure.constrained_layout.use"] = False
ENLARGED = 15

image = sb.generate.spheres(
    shape=(40, 40), fraction=0.42, radius=5.5, gap=1.0, seed=5, names=("epoxy", "glass")
)
epoxy = sb.laws.J2Plasticity(
    E=3.5e3, nu=0.35, yield_stress=60.0, hardening=sb.laws.LinearHardening(200.0)
)  # MPa
glass = sb.laws.IsotropicElastic(E=72e3, nu=0.22)
cell = sb.Cell(image, {"epoxy": epoxy, "glass": glass}, plane="strain", element="full")
plate = sb.Structure(
    sb.structure.plate_with_hole(1.0, 3.0, n_around=12, n_radial=8),
    {"body": cell},
    supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 0.03}},
    plane="strain",
)
solution = plate.solve(np.linspace(0.0, 1.0, 7), tolerance=1e-5)
print(solution)
inside = sb.localize(solution, [(0.0, 1.0), (2.6, 2.6)])

mesh, last = plate.space.mesh, max(solution.fields)
stress = solution.fields[last]["body"]["flux"][..., 0].mean(axis=1)
quads = np.vstack([mesh.t[[0, 1, 2]].T, mesh.t[[0, 2, 3]].T])
here = mesh.t.ravel()
smooth = np.bincount(here, np.tile(stress, 4)) / np.bincount(here)
moved = mesh.p + ENLARGED * solution.displacement[last].T

figure = plt.figure(figsize=(7.4, 3.3))
left = figure.add_axes((0.0, 0.16, 0.42, 0.75))
for signs in ([1, 1], [-1, 1], [1, -1], [-1, -1]):  # the quarter that was solved, and its mirrors
    x, y = moved * np.array(signs)[:, None]
    shown = left.tripcolor(Triangulation(x, y, quads), smooth, shading="gouraud", cmap="viridis")
    for facet in mesh.t.T:
        left.plot(x[facet[[0, 1, 2, 3, 0]]], y[facet[[0, 1, 2, 3, 0]]], "w-", lw=0.3, alpha=0.5)
left.set_title(f"Plate: average stress along x (shape × {ENLARGED})", loc="center")
left.set_aspect("equal")
left.axis("off")

fields = [one.measure("von_mises") for one in inside]
top = max(np.percentile(field, 99) for field in fields)
fibre = np.asarray(image.mask("glass"), float).T
for k, (one, field) in enumerate(zip(inside, fields, strict=True)):
    axes = figure.add_axes((0.45 + 0.275 * k, 0.22, 0.26, 0.26 * 7.4 / 3.3))
    drawn = axes.imshow(field.T, cmap="inferno", vmin=0, vmax=top)
    axes.contour(fibre, [0.5], colors="white", linewidths=0.6)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{k + 1}  Cell {('at the hole', 'near the corner')[k]}", loc="center")
    at = one.place + ENLARGED * solution.at(one.place)[last]
    left.plot(*at, "o", mfc="white", mec="0.2", mew=0.8, ms=10)
    left.text(*at, str(k + 1), ha="center", va="center_baseline", fontsize=7)
for place, drawing, label, extend in (
    (0.09, shown, "MPa", "neither"),
    (0.6, drawn, "von Mises stress [MPa]", "max"),
):
    axes = figure.add_axes((place, 0.135, 0.24, 0.022))
    bar = figure.colorbar(drawing, cax=axes, orientation="horizontal", extend=extend, label=label)
    bar.outline.set_visible(False)
figure.savefig(ROOT / "docs" / "_static" / "fe2.png", dpi=140)
