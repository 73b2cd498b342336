r"""
A plate with a hole, and what its fibres feel
=============================================

FE²: every integration point of a plate is a composite of its own, an aluminium that yields and
stiff fibres across the plate. The plate is pulled into plastic flow, and the stress at the notch
is followed down into the fibre that bears it.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.tri import Triangulation

import scalebridge as sb

plt.style.use(Path(sys.argv[0]).parent / "paper.mplstyle")

# %%
# The micro scale
# ---------------
# A square array of fibres across the plane, 16 × 16 voxels.

image = sb.generate.square_array(shape=(16, 16), fraction=0.3, names=("matrix", "fibre"))
aluminium = sb.laws.J2Plasticity(
    E=70e3, nu=0.33, yield_stress=100.0, hardening=sb.laws.LinearHardening(1000.0)
)  # MPa
fibre = sb.laws.IsotropicElastic(E=400e3, nu=0.2)
cell = sb.Cell(image, {"matrix": aluminium, "fibre": fibre}, plane="strain")

# %%
# The plate
# ---------
# A quarter of it; the cell is its law.

plate = sb.Structure(
    sb.structure.plate_with_hole(1.0, 4.0, n_around=8, n_radial=8),
    {"body": cell},
    supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 0.008}},
    plane="strain",
)
solution = plate.solve(np.linspace(0.0, 1.0, 6))
print(solution)

# %%
# With exact tangents the outer iteration converges quadratically. The cells are solved only as
# well as each iteration can use.

print(solution.table())

# %%
# From the plate into the fibre
# -----------------------------
# Above the hole the plate bears most. ``localize`` gives the fields in the cell there.

inside = sb.localize(solution, [(0.0, 1.0)])[0]
stress = inside.measure("max_principal")

figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
points = plate.space.points.reshape(-1, 2)
flux = solution.fields[5]["body"]["flux"].reshape(-1, 3)
mesh = plate.space.mesh
quads = np.vstack([mesh.t[[0, 1, 2]].T, mesh.t[[0, 2, 3]].T])
nodes = mesh.p + 50 * solution.displacement[-1].T
element = flux.reshape(mesh.nelements, -1, 3)[..., 0].mean(axis=1)
shown = left.tripcolor(Triangulation(*nodes, quads), facecolors=np.tile(element, 2), cmap="viridis")
left.plot(*inside.place, "o", mfc="none", mec="C3", ms=8)
left.set(aspect="equal", title="Plate: average stress 11 (shape × 50)", xlabel="x", ylabel="y")
figure.colorbar(shown, ax=left, label="MPa", shrink=0.8)
shown = right.imshow(stress.T, origin="lower", cmap="magma")
right.set(title="Cell at the notch: largest principal stress", xticks=[], yticks=[])
figure.colorbar(shown, ax=right, label="MPa", shrink=0.8)

plt.show()

told = inside.statistics("max_principal")
average = float(flux.reshape(mesh.nelements, -1, 3)[inside.element, inside.point, 0])
concentration = told["fibre"]["max"] / average
print(f"concentration = {concentration:.4f} from {average:.1f} MPa in the plate")
