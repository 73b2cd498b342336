"""How large must a cell be? Three boundary conditions, and more and more of the same material.

Random discs in a plate, cut out of an endless periodic packing: 1, 2, 4, 8 periods a side. The
periodic condition sees the endless packing whatever the number. A boundary that stays affine
(kinematic) is too stiff and one under uniform tractions (static) too soft, and both errors fall
as surface over volume: the gap between the two tells how much the boundary still matters.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import scalebridge as sb

micro = sb.generate.spheres((32, 32), fraction=0.4, radius=4, seed=2, names=("plate", "disc"))
laws = {
    "plate": sb.laws.IsotropicElastic(E=3.0, nu=0.35),
    "disc": sb.laws.IsotropicElastic(E=70.0, nu=0.2),
}

repeats = (1, 2, 4, 8)
modulus: dict[str, list[float]] = {"static": [], "periodic": [], "kinematic": []}
for count in repeats:
    found = sb.bounds(sb.Cell(micro.repeat(count), laws, plane="strain"), 1e-5)
    for name, result in found.results.items():
        modulus[name].append(result.engineering_constants()["K_area"])
    values = ", ".join(f"{name} {values[-1]:.4f}" for name, values in modulus.items())
    print(f"{count} × {count} periods: {values}; order holds: {found.is_ordered}")

gap = np.subtract(modulus["kinematic"], modulus["static"])
order = float(np.log2(gap[-2] / gap[-1]))
print(f"order = {order:.3f}, of the gap between kinematic and static")

figure = Figure(figsize=(6.4, 4.2), dpi=150)
axes = figure.add_axes((0.12, 0.13, 0.84, 0.82))
for name, marker in (("kinematic", "^"), ("periodic", "o"), ("static", "v")):
    axes.plot(repeats, modulus[name], marker + "-", label=name)
axes.set_xscale("log", base=2)
axes.set_xticks(repeats, [f"{count} × {count}" for count in repeats])
axes.set_xlabel("periods in the cell")
axes.set_ylabel("area modulus [GPa]")
axes.legend(frameon=False)
figure.savefig(Path("boundary_conditions.png"))
