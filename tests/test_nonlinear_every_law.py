"""A cell of one material is that material: every law, every boundary."""

from __future__ import annotations

import numpy as np
import pytest

import scalebridge as sb
from law_members import MEMBERS, TIME_STEP, gradients
from law_members import history as of_the_law

SHAPE = (3, 2, 2)
#: Volume ratios at which nearly incompressible laws, pulled on all sides but not too hard, are
#: stable under dead tractions, as the uniform state of "static" faces must be.
VOLUME = {"Mooney-Rivlin": 1.01, "Ogden": 1.01, "Holzapfel": 1.02}
BOUNDARIES = ["periodic", "kinematic", "static"]
QUICK = {("J2, linear and Prager", "periodic")}
CASES = [
    pytest.param(name, boundary, marks=() if (name, boundary) in QUICK else pytest.mark.slow)
    for boundary in BOUNDARIES
    for name in MEMBERS
]


@pytest.mark.parametrize(("name", "boundary"), CASES)
def test_homogeneous_cell_is_its_law(name: str, boundary: str) -> None:
    """Two steps in which the first component of the gradient answers to the law's own flux."""
    member = MEMBERS[name]
    law, rest = member.law, member.law.kinematics.rest
    path = gradients(member, np.random.default_rng(7).uniform(-1, 1, (2, 9)))
    if name in VOLUME:
        path *= np.cbrt(VOLUME[name] / np.linalg.det(path.reshape(2, 3, 3)))[:, None]
    if law.kinematics.physics == "finite strain":
        assert all(np.linalg.eigvalsh(law.tangent(F))[0] > 0 for F in path)
    answers = of_the_law(law, path, TIME_STEP)
    gradient = np.concatenate([rest[None], path])
    flux = np.full_like(gradient, np.nan)
    flux[:, 0] = [0.0, *(float(answer.flux[0]) for answer in answers)]
    driven = gradient.copy()
    driven[:, 0] = np.nan

    micro = sb.Microstructure(np.arange(12).reshape(SHAPE) % 2, 1.0, {"a": 0, "b": 1})
    cell = sb.Cell(micro, {"a": law, "b": law}, boundary=boundary)
    names = {"conduction": ("gradient", "flux"), "elasticity": ("strain", "stress")}
    own = names.get(cell.physics, ("F", "P"))
    found = sb.load(
        cell,
        TIME_STEP * np.arange(3),
        tolerance=1e-11,
        **dict(zip(own, (driven, flux), strict=True)),
    )
    # A step that had been cut would be another path of a law with memory.
    assert found.substeps.tolist() == [0, 1, 1] or law.initial_state() == ()
    np.testing.assert_allclose(found.gradient, gradient, rtol=0, atol=1e-9 * member.amplitude)
    expected = np.array([answer.flux for answer in answers])
    np.testing.assert_allclose(found.flux[1:], expected, rtol=0, atol=1e-8 * np.abs(expected).max())
    energy = float(answers[-1].energy) - float(law.respond(rest, law.initial_state(), 1.0).energy)
    scale = max(abs(float(answer.energy)) for answer in answers)
    assert found.ledger.stored[-1] == pytest.approx(energy, abs=1e-8 * scale)
    spent = sum(float(answer.dissipation) for answer in answers)
    assert found.ledger.dissipated[-1] == pytest.approx(spent, rel=1e-7, abs=1e-12 * scale)
