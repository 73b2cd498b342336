"""Stiffness of glass spheres in epoxy: random packing against a cubic lattice.

A lattice has one sphere in its cell and is stiffer along its axes than across; a random packing is
nearly isotropic. For the lattice the value is known from body-fitted spectral elements (C11 =
7.82301 GPa at a volume fraction of 0.3), so it tells what the voxels cost; the random cells tell
how far apart two samples of the same material are.
"""

import numpy as np

import scalebridge as sb

EPOXY = sb.laws.IsotropicElastic(E=2.75, nu=0.35)  # GPa
GLASS = sb.laws.IsotropicElastic(E=72.4, nu=0.22)
LATTICE_C11 = 7.823011539

fraction, size = 0.3, 32


def stiffness(micro: sb.Microstructure) -> sb.Effective:
    """Return the effective stiffness of spheres in a matrix."""
    return sb.effective(sb.Cell(micro, {"matrix": EPOXY, "sphere": GLASS}))


lattice = [stiffness(sb.generate.centred_sphere((n, n, n), fraction)) for n in (size // 2, size)]
coarse, fine = (effective.tensor[0, 0] for effective in lattice)
print(f"lattice: C11 = {coarse:.4f}, {fine:.4f} GPa at {size // 2}³, {size}³ voxels")
print(f"         exact {LATTICE_C11:.4f}, error {fine / LATTICE_C11 - 1:+.2%}")

random = [
    stiffness(sb.generate.spheres((size,) * 3, fraction, radius=6, seed=seed)) for seed in range(4)
]
young = np.array([effective.engineering_constants()["E"] for effective in random])
print(f"random:  E = {young.mean():.3f} ± {young.std(ddof=1):.3f} GPa over {len(young)} cells")

for name, effective in (("lattice", lattice[-1]), ("random", random[0])):
    constants = effective.engineering_constants()
    print(
        f"{name:8} E1 {constants['E1']:.3f}, G23 {constants['G23']:.3f}, "
        f"universal anisotropy {constants['universal_anisotropy']:.4f}, "
        f"Hill–Mandel {effective.hill_mandel.symmetry:.0e}"
    )

mean_young = float(young.mean())
print(f"mean_young = {mean_young:.4f} GPa")
