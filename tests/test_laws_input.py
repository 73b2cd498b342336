"""Parameters are refused at the door, in one line that says what to do."""

from __future__ import annotations

import re

import jax.numpy as jnp
import pytest

from scalebridge import InputError
from scalebridge.laws import (
    ArmstrongFrederick,
    GeneralizedMaxwell,
    HolzapfelGasserOgden,
    J2Plasticity,
    LinearHardening,
    MooneyRivlin,
    NeoHookean,
    NonlinearConduction,
    NortonCreep,
    Ogden,
    PerzynaViscoplastic,
    PowerHardening,
    PowerLawConduction,
    PragerHardening,
    VoceHardening,
)

REFUSED = [
    (lambda: J2Plasticity(-1.0, 0.3, 300.0), "`E` must be > 0, but is -1; a void phase is Void()"),
    (lambda: J2Plasticity(1.0, 0.5, 300.0), "`nu` must be > -1 and < 0.5, but is 0.5; a nearly"),
    (lambda: J2Plasticity(1.0, 0.3, 0.0), "`yield_stress` must be > 0, but is 0"),
    (lambda: J2Plasticity(1.0, 0.3, float("nan")), "`yield_stress` must be finite"),
    (lambda: J2Plasticity(1.0, 0.3, 1.0, hardening=2e3), "`hardening` must be an isotropic"),
    (lambda: J2Plasticity(1.0, 0.3, 1.0, kinematic=2e3), "`kinematic` must be a kinematic"),
    (lambda: LinearHardening(-1.0), "`H` must be ≥ 0, but is -1"),
    (lambda: VoceHardening(1.0, 0.0), "`b` must be > 0, but is 0"),
    (lambda: PowerHardening(1.0, 1.5), "`n` must be > 0 and ≤ 1, but is 1.5"),
    (lambda: PragerHardening(-1.0), "`C` must be ≥ 0, but is -1"),
    (lambda: ArmstrongFrederick(1.0, -2.0), "`gamma` must be ≥ 0, but is -2"),
    (
        lambda: PerzynaViscoplastic(1.0, 0.3, 1.0, rate=1.0, drag=1.0, exponent=0.5),
        "`exponent` must be ≥ 1, but is 0.5",
    ),
    (lambda: NortonCreep(1.0, 0.3, rate=0.0, stress=1.0, exponent=3), "`rate` must be > 0"),
    (lambda: NortonCreep(1.0, 0.3, rate=1.0, stress=-1.0, exponent=3), "`stress` must be > 0"),
    (lambda: GeneralizedMaxwell(1.0, 0.3, shear=([0.6, 0.5], [1, 2])), "add up to 1.1; they"),
    (lambda: GeneralizedMaxwell(1.0, 0.3, bulk=([0.6, 0.2], [1])), "`bulk` must have one"),
    (lambda: GeneralizedMaxwell(1.0, 0.3, shear=0.5), "`shear` must be a pair"),
    (
        lambda: GeneralizedMaxwell(1.0, 0.3, shear=(0.5, -1.0)),
        "`shear relaxation times` must be > 0",
    ),
    (lambda: GeneralizedMaxwell(1.0, 0.3, scheme="euler"), "`scheme` must be one of"),
    (lambda: NonlinearConduction(3.0), "`potential` must be a function, but is 3.0"),
    (lambda: NonlinearConduction(jnp.sum, dim=4), "`dim` must be 2 or 3, but is 4"),
    (lambda: PowerLawConduction(1.0, -0.5, 1.0), "`exponent` must be ≥ 0, but is -0.5"),
    (lambda: NeoHookean(0.0, 0.3), "`E` must be > 0, but is 0"),
    (lambda: MooneyRivlin(0.0, 0.0, 1.0), "`C10 + C01` must be > 0, but is 0"),
    (lambda: Ogden([1.0, 2.0], [2.0], 1.0), "`mu` and `alpha` must have one number for each term"),
    (lambda: Ogden([1.0, 2.0], [2.0, -1.0], 1.0), "`mu alpha` must be > 0, but is [2.0, -2.0]"),
    (lambda: HolzapfelGasserOgden(1, 1, 1, 0.5, 1, [1, 0, 0]), "`kappa` must be ≥ 0 and ≤ 0.333"),
    (lambda: HolzapfelGasserOgden(1, 1, 1, 0.1, 1, [0, 0, 0]), "`directions` must not be zero"),
    (lambda: HolzapfelGasserOgden(1, 1, 1, 0.1, 1, [1, 0]), "`directions` must be of shape (1, 3)"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_refused(make, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)
