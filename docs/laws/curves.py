"""Draw what each law does in uniaxial stress: loaded once, and to and fro.

The docs build runs it; by hand: ``python docs/laws/curves.py FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from scalebridge import laws
from scalebridge.laws._drive import uniaxial

STEEL = {"E": 200e3, "nu": 0.3, "yield_stress": 300.0}  # MPa
FLOW = {"rate": 1e-3, "drag": 100.0, "exponent": 5.0}
VOCE = laws.VoceHardening(Q=200.0, b=40.0)
MOVING = laws.ArmstrongFrederick(C=40e3, gamma=200.0)
TREE = ([0.5, 0.3], [1.0, 20.0])  # shares and relaxation times, s

# page: (law by label, once up to, to and fro between ±, seconds for each of the two)
SMALL, LARGE = "strain ε₁₁", "stretch F₁₁"
CURVES = {
    "elastic": ({"E = 70 GPa": laws.IsotropicElastic(70e3, 0.33)}, 0.002, 0.002, 1.0),
    "j2-plasticity": (
        {
            "perfect": laws.J2Plasticity(**STEEL),
            "linear": laws.J2Plasticity(**STEEL, hardening=laws.LinearHardening(4e3)),
            "Prager": laws.J2Plasticity(**STEEL, kinematic=laws.PragerHardening(4e3)),
        },
        0.03,
        0.015,
        1.0,
    ),
    "hardening": (
        {
            "Voce": laws.J2Plasticity(**STEEL, hardening=VOCE),
            "power": laws.J2Plasticity(**STEEL, hardening=laws.PowerHardening(600.0, 0.3)),
            "Armstrong-Frederick": laws.J2Plasticity(**STEEL, kinematic=MOVING),
        },
        0.03,
        0.015,
        1.0,
    ),
    "perzyna": (
        {
            "in 1 s": laws.PerzynaViscoplastic(**STEEL, **FLOW, hardening=VOCE),
            "100 times the rate": laws.PerzynaViscoplastic(
                **STEEL, **{**FLOW, "rate": 1e-5}, hardening=VOCE
            ),
        },
        0.03,
        0.015,
        1.0,
    ),
    "norton": (
        {
            f"n = {n}": laws.NortonCreep(200e3, 0.3, rate=1e-2, stress=100.0, exponent=n)
            for n in (1, 5, 50)
        },
        0.01,
        0.005,
        1.0,
    ),
    "generalized-maxwell": (
        {"two branches": laws.GeneralizedMaxwell(3e3, 0.35, shear=TREE)},
        0.02,
        0.02,
        10.0,
    ),
    "conduction": ({"k = 2": laws.Conduction(2.0)}, 3.0, 3.0, 1.0),
    "nonlinear-conduction": (
        {f"m = {m}": laws.PowerLawConduction(2.0, m, 1.0) for m in (0.0, 0.5, 1.5)},
        3.0,
        3.0,
        1.0,
    ),
    "saint-venant-kirchhoff": ({"E = 1": laws.SaintVenantKirchhoff(1.0, 0.3)}, 1.0, 0.6, 1.0),
    "neo-hookean": ({"E = 1": laws.NeoHookean(1.0, 0.3)}, 2.0, 0.7, 1.0),
    "mooney-rivlin": (
        {
            "C01 = 0": laws.MooneyRivlin(0.2, 0.0, 200.0),
            "C01 = C10": laws.MooneyRivlin(0.1, 0.1, 200.0),
        },
        2.0,
        0.6,
        1.0,
    ),
    "ogden": (
        {"Treloar's rubber": laws.Ogden([0.63, 0.0012, -0.01], [1.3, 5.0, -2.0], 200.0)},
        5.5,
        0.6,
        1.0,
    ),
    "holzapfel": (
        {
            f"κ = {kappa:g}": laws.HolzapfelGasserOgden(0.5, 1.0, 1.0, kappa, 100.0, [1, 0, 0])
            for kappa in (0.0, 0.1, 0.3)
        },
        0.5,
        0.3,
        1.0,
    ),
}


def draw(folder: Path, steps: int = 60) -> None:
    """Write one picture for each page."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 1, steps + 1)
    cycle = np.interp(np.linspace(0, 5, 5 * steps // 2 + 1), range(6), [0, 1, 0, -1, 0, 1])
    for page, (members, once, fro, time) in CURVES.items():
        figure = Figure(figsize=(8, 3), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, way, size in zip(panels, (ramp, cycle), (once, fro), strict=True):
            for label, law in members.items():
                driven = uniaxial(law, law.kinematics.rest[0] + size * way, time / steps)
                axes.plot(driven.gradient[:, 0], driven.flux[:, 0], label=label)
            physics = law.kinematics.physics
            axes.set_xlabel({"conduction": "gradient", "elasticity": SMALL}.get(physics, LARGE))
            axes.locator_params(axis="x", nbins=5)
            axes.set_ylabel("flux" if physics == "conduction" else "nominal stress")
        panels[0].legend(frameon=False)
        figure.savefig(folder / f"{page}.png", dpi=120)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
