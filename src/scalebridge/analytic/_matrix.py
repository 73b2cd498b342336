"""What the estimates for inclusions in a matrix share."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from scalebridge.analytic._isotropic import check_isotropic
from scalebridge.analytic._phases import check_law, common_kinematics, common_plane
from scalebridge.analytic.inclusion import (
    Inclusion,
    Matrix,
    check_dimension,
    concentrations,
    total_fraction,
)
from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, Law, LinearLaw
from scalebridge.laws._checks import concrete


class MatrixInclusion(LinearLaw):
    """Inclusions in a matrix."""

    matrix: eqx.AbstractVar[Law]
    inclusions: eqx.AbstractVar[tuple[Inclusion, ...]]

    def __check_init__(self) -> None:
        check_law("matrix", self.matrix)
        check_dimension("inclusions", self.inclusions, self.kinematics.dim)
        fraction = concrete(total_fraction(self.inclusions))
        if fraction is not None and fraction > 1 + 1e-9:
            raise InputError(
                f"`inclusions` must fill at most 1, but fill {fraction:g}; the rest is the matrix"
            )
        modulus = self.matrix.tangent()
        values = concrete(modulus)
        if values is not None and np.linalg.eigvalsh(values)[0] <= 1e-13 * np.abs(values).max():
            raise InputError(
                f"`matrix` must be positive definite, but {type(self.matrix).__name__} is not; "
                "take SelfConsistent where no phase surrounds the others"
            )
        if any(i.is_random for i in self.inclusions):
            check_isotropic("matrix", self.matrix, modulus, self.kinematics)

    @property
    def _laws(self) -> list[Law]:
        return [self.matrix, *(i.law for i in self.inclusions)]

    @property
    def kinematics(self) -> Kinematics:
        return common_kinematics(self._laws)

    @property
    def plane(self) -> str | None:
        """Plane state of the phases: "strain", "stress" or None."""
        return common_plane(self._laws)

    @property
    def is_isotropic(self) -> bool:
        return stays_isotropic(self.inclusions) and self.matrix.is_isotropic

    def _concentrations(self, own: Float[Array, "phase c c"]) -> tuple[Matrix, Matrix]:
        """Return Σ f_r ⟨(C_r − C⁰) T_r⟩ and Σ f_r ⟨T_r⟩ in the matrix, the first of `own`."""
        return concentrations(
            self.inclusions, own[1:], own[0], self.kinematics, self.matrix.is_isotropic
        )


def stays_isotropic(inclusions: tuple[Inclusion, ...]) -> bool:
    """Whether an isotropic medium stays so with these inclusions, known from their classes."""
    return all(i.is_random or (i.is_sphere and i.law.is_isotropic) for i in inclusions)


def check_random(name: str, inclusions: tuple[Inclusion, ...], kinematics: Kinematics) -> None:
    """Refuse random orientations beside what makes the medium anisotropic."""
    if not any(i.is_random for i in inclusions):
        return
    for inclusion in (i for i in inclusions if not i.is_random):
        if not inclusion.is_sphere:
            raise InputError(
                f"`{name}` must all be random, or spheres, where one is random, but one is an "
                "aligned ellipsoid; give it orientation='random', or leave semi_axes out"
            )
        check_isotropic(name, inclusion.law, inclusion.law.tangent(), kinematics)
