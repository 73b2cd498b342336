"""
Boundary conditions and the size of the RVE
===========================================

How large must a cell be to represent its material? Windows of three sizes are cut out of one large
plate with random fibres, and each is solved under three boundary conditions. A boundary that stays
affine (kinematic) is too stiff, one under uniform tractions (static) too soft, and the periodic one
lies between them. Two errors fall as the window grows: that of the boundary, which shifts the mean,
and the scatter from sample to sample, which averaging over more samples removes.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import scalebridge as sb

plt.style.use(Path(sys.argv[0]).parent / "paper.mplstyle")

# %%
# Glass fibres in epoxy, seen along the fibres: discs of radius 5 pixels, 40 % of the area.

LAWS = {
    "epoxy": sb.laws.IsotropicElastic(E=3.35, nu=0.35),  # GPa
    "glass": sb.laws.IsotropicElastic(E=74.0, nu=0.2),
}
RADIUS = 5
plate = sb.generate.spheres((320, 320), 0.4, RADIUS, seed=1, names=("epoxy", "glass"))

# %%
# Windows do not overlap, so that they are nearly independent samples. Each gives the bulk modulus
# of the plane under the three conditions; in each the three must keep their order.

windows = {20: 16, 50: 8, 125: 4}  # edge in pixels: number of samples
boundaries = ("kinematic", "periodic", "static")
modulus: dict[int, dict[str, np.ndarray]] = {}
rng = np.random.default_rng(0)
for edge, count in windows.items():
    places = rng.permutation((plate.shape[0] // edge) ** 2)[:count]
    found: dict[str, list[float]] = {name: [] for name in boundaries}
    for place in places:
        x, y = edge * np.array(divmod(int(place), plate.shape[0] // edge))
        window = plate.crop((x, x + edge), (y, y + edge))
        bounds = sb.bounds(sb.Cell(window, LAWS, plane="strain"), 1e-4)
        assert bounds.is_ordered
        for name in boundaries:
            found[name].append(bounds.results[name].engineering_constants()["K_area"])
    modulus[edge] = {name: np.array(values) for name, values in found.items()}

# %%
# The error bar of a mean is its 95 % confidence interval by Student's t, which with few samples is
# wide: it speaks of these samples, not of the error that the boundary makes in all of them.


def interval(values: np.ndarray) -> float:
    """Return half the 95 % confidence interval of the mean."""
    return float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))


for edge, found in modulus.items():
    told = ", ".join(f"{n} {v.mean():.3f} ± {interval(v):.3f}" for n, v in found.items())
    print(f"{edge:3d} pixels, {windows[edge]:2d} samples: {told} GPa")

# %%
# The figure
# ----------

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.2, 2.7), width_ratios=(1, 1.4, 1.2))
left.imshow(plate.labels.T, cmap="Blues", vmin=-0.3, vmax=1.2)
for edge in windows:
    left.add_patch(plt.Rectangle((0, 0), edge, edge, fill=False, color="#b5493c", linewidth=1.2))
left.set(title="windows", xticks=[], yticks=[])
edges = np.array(list(windows)) / RADIUS
for shift, name, marker in zip((0.96, 1.0, 1.04), boundaries, "^ov", strict=True):
    means = [modulus[edge][name].mean() for edge in windows]
    bars = [interval(modulus[edge][name]) for edge in windows]
    middle.errorbar(edges * shift, means, bars, marker=marker, label=name)
gaps = [(found["kinematic"] - found["static"]).mean() for found in modulus.values()]
scatter = [found["periodic"].std(ddof=1) for found in modulus.values()]
right.loglog(edges, gaps, "o-", label="kinematic − static, mean")
right.loglog(edges, scatter, "s-", label="scatter of the samples")
right.loglog(edges, gaps[0] * edges[0] / edges, color="0.5", linestyle=":", label="1 / edge")
middle.set_xscale("log")
for axes in (middle, right):
    axes.set(xlabel="edge of the window / fibre radius")
    axes.set_xticks(edges, [f"{edge:g}" for edge in edges])
    axes.minorticks_off()
    axes.legend(loc="upper right" if axes is middle else "lower left")
middle.set_title("bulk modulus of the plane [GPa]")
right.set_yticks([0.3, 0.5, 1, 2], ["0.3", "0.5", "1", "2"])
right.set_ylim(0.2, 3)
right.set_title("gap and scatter [GPa]")
plt.show()

mean_modulus = float(modulus[125]["periodic"].mean())
print(f"mean_modulus = {mean_modulus:.4f} GPa")
