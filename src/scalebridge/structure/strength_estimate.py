"""Strength estimates: first failure and percentiles over cells and over structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scalebridge import tensors
from scalebridge.cell.cell import Cell
from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.balance import Region
from scalebridge.structure.criteria import Criterion
from scalebridge.structure.localization import Localized
from scalebridge.structure.solution import Solution
from scalebridge.upscaling.across import all_stresses
from scalebridge.upscaling.local_fields import LocalFields

_IN_PLANE, _ACROSS = [0, 1, 5], [2, 3, 4]


class Failure(NamedTuple):
    """Where something fails, and how.

    Attributes
    ----------
    exposure : float
        1 at failure.
    phase : str
        Phase of a cell or region of a structure.
    mode : str
        Of its criterion.
    item : int
        Which of the stress fields that `strength` was given.
    where : tuple of int
        The voxel; of a solution the element and the integration point.
    """

    exposure: float
    phase: str
    mode: str
    item: int
    where: tuple[int, ...]

    @property
    def reserve(self) -> float:
        """Factor on the stresses at which it fails; infinite without exposure."""
        return 1 / self.exposure if self.exposure > 0 else np.inf


@dataclass(frozen=True, repr=False)
class Strength:
    """How far stress fields are from failure.

    Attributes
    ----------
    percentile : float
    first_failures, percentile_failures : tuple of Failure
        For each field and each phase in it that has a criterion: the largest exposure, and the
        smallest that `percentile` per cent of the phase's volume do not exceed.
    exposures : tuple of (x, y[, z]) or (element, point)
        For each field; NaN where no criterion is given.
    """

    percentile: float
    first_failures: tuple[Failure, ...]
    percentile_failures: tuple[Failure, ...]
    exposures: tuple[np.ndarray, ...]

    @property
    def first(self) -> Failure:
        """The first failure of all. In a corner it depends on the resolution."""
        return max(self.first_failures, key=lambda failure: failure.exposure)

    @property
    def at_percentile(self) -> Failure:
        """The first failure when the rest of each phase's volume is left out."""
        return max(self.percentile_failures, key=lambda failure: failure.exposure)

    def reserves(self, *, first: bool = False) -> np.ndarray:
        """Return the reserve factor of each field, (field,): at the percentile, or the first."""
        found = np.full(len(self.exposures), np.inf)
        for failure in self.first_failures if first else self.percentile_failures:
            found[failure.item] = min(found[failure.item], failure.reserve)
        return found

    def __repr__(self) -> str:
        lines = [f"Strength of {len(self.exposures)} stress fields"]
        for title, one in (
            ("first failure", self.first),
            (f"{self.percentile:g} % of each phase", self.at_percentile),
        ):
            lines.append(
                f"{title}: {one.mode} in {one.phase!r}, reserve factor {one.reserve:.4g} "
                f"(field {one.item}, {', '.join(map(str, one.where))})"
            )
        return "\n".join(lines)


class _Part(NamedTuple):
    """Stresses (6, n) of one phase in the axes of its material, with volumes, and their places."""

    phase: str
    stress: np.ndarray
    volume: np.ndarray
    where: tuple[np.ndarray, ...]


def strength(
    fields: Any,
    criteria: Mapping[str, Criterion],
    *,
    cell: Cell | None = None,
    percentile: float = 99.0,
) -> Strength:
    """Estimate the strength of a composite from its local stresses.

    Parameters
    ----------
    fields : stress fields, or a sequence of them
        `Localized` fields behind points of a structure; of a cell `Effective.local(...)` or a
        step of `History.fields`, with `cell`; or a `Solution` for the macroscopic stresses in its
        regions, of the last row that was kept.
    criteria : mapping of phase (of a solution: region) to Criterion
        Others are not judged.
    cell : Cell, optional
        To which fields belong that do not tell.
    percentile : float
        Share of each phase's volume, in per cent, that must not fail.

    Returns
    -------
    Strength

    Raises
    ------
    InputError
        Unknown phases, fields without a stress in small strain or of another cell, stresses
        across the plane that the laws do not tell.

    Notes
    -----
    The material's axes are those of the orientation of the phase or region, from the cell or the
    structure. Where all is linear, a reserve factor is a factor on the loads. Where a phase
    yields or flows it only tells how far these stresses are from failing.

    The first failure takes the largest exposure of all voxels. At corners and staircase
    interfaces stresses are singular: there it depends on the resolution and does not converge,
    as a percentile does.

    Examples
    --------
    >>> import numpy as np, scalebridge as sb
    >>> labels = np.repeat([0, 1], 2)[:, None] * np.ones((1, 4), int)
    >>> layers = sb.Microstructure(labels, spacing=1.0, phases={"soft": 0, "stiff": 1})
    >>> cell = sb.Cell(layers, {"soft": sb.laws.IsotropicElastic(E=2.0, nu=0.0),
    ...                         "stiff": sb.laws.IsotropicElastic(E=6.0, nu=0.0)}, plane="stress")
    >>> effective = sb.effective(cell, tolerance=1e-10, fields=True)
    >>> along = effective.local(flux=[0.0, 1.0, 0.0])  # 0.5 in the soft layers, 1.5 in the stiff
    >>> found = sb.structure.strength(
    ...     along, {"stiff": sb.structure.MaxPrincipal(30.0), "soft": sb.structure.VonMises(20.0)},
    ...     cell=cell)
    >>> round(found.first.reserve, 6), found.first.phase, found.first.mode
    (20.0, 'stiff', 'tension')
    """
    _check_percentile(percentile)
    _check_criteria(criteria)
    items = list(fields) if isinstance(fields, Sequence) else [fields]
    if not items:
        raise InputError("`fields` must be one or several stress fields, but is empty")
    found = [_parts(item, cell) for item in items]
    _check_known(criteria, {part.phase: None for _, parts in found for part in parts})
    first, quantile, exposures = [], [], []
    for number, (shape, parts) in enumerate(found):
        image = np.full(shape, np.nan)
        for part in parts:
            if part.phase in criteria:
                modes = criteria[part.phase].exposures(_known(part))
                image[part.where] = np.max(list(modes.values()), axis=0)
                first.append(_failure(part, modes, number, 100.0))
                quantile.append(_failure(part, modes, number, percentile))
        exposures.append(image)
    return Strength(float(percentile), tuple(first), tuple(quantile), tuple(exposures))


def _known(part: _Part) -> np.ndarray:
    """Return the stresses of a part, which must all be there."""
    if not np.all(np.isfinite(part.stress)):
        raise InputError(
            f"`fields` must tell all six stresses in {part.phase!r}, but have NaN, as across the "
            "plane in plane strain where the law does not tell; use a 3D or a generalized cell"
        )
    return part.stress


def _failure(part: _Part, modes: Mapping[str, np.ndarray], item: int, percentile: float) -> Failure:
    """Return the smallest exposure that a share of the volume does not exceed."""
    values = np.stack(list(modes.values()))
    largest = values.max(axis=0)
    order = np.argsort(largest, kind="stable")
    below = np.cumsum(part.volume[order])
    wanted = percentile / 100 * below[-1] * (1 - 1e-12)  # rounding of the sum
    at = int(order[min(np.searchsorted(below, wanted), len(order) - 1)])
    where = tuple(int(axis[at]) for axis in part.where)
    mode = list(modes)[int(np.argmax(values[:, at]))]
    return Failure(float(largest[at]), part.phase, mode, item, where)


def _parts(item: Any, cell: Cell | None) -> tuple[tuple[int, ...], list[_Part]]:
    """Return the shape of a field, and its stresses by phase."""
    if isinstance(item, Solution):
        shape = item.space.weights.shape
        return shape, [_of_region(item, region) for region in item.regions]
    if isinstance(item, Localized):
        cell, fields = item.cell, item.fields
    elif isinstance(item, LocalFields):
        fields = {"strain": item.gradient, "stress": item.flux}
    elif isinstance(item, Mapping):
        fields = item
    else:
        raise InputError(
            "`fields` must be of sb.localize, Effective.local or History.fields, or a Solution, "
            f"but has a {type(item).__name__}"
        )
    if not isinstance(cell, Cell):
        raise InputError(f"`cell` must be the Cell of the fields, but is {cell!r}")
    return tuple(cell.microstructure.shape), _of_cell(cell, fields)


def _of_cell(cell: Cell, fields: Mapping[str, np.ndarray]) -> list[_Part]:
    if cell.physics != "elasticity" or "stress" not in fields:
        raise InputError(
            f"`fields` must have the stress of a cell in small strain, but have "
            f"{', '.join(fields)} of {cell.physics}"
        )
    image, shape = cell.microstructure, tuple(cell.microstructure.shape)
    if fields["stress"].shape[1:] != shape:
        raise InputError(
            f"`cell` must be that of the fields, but has voxels {shape} and they "
            f"{fields['stress'].shape[1:]}"
        )
    stress, parts = all_stresses(fields, cell), []
    for name in image.names:
        mask = image.mask(name)
        own = _in_material_axes(stress[:, mask], cell.rotations.get(name))
        parts.append(_Part(name, own, np.ones(own.shape[1]), np.nonzero(mask)))
    return parts


def _of_region(solution: Solution, region: Region) -> _Part:
    if solution.physics != "elasticity":
        raise InputError(
            f"`fields` must be of a structure in small strain, but it is in {solution.physics}"
        )
    if not solution.fields:
        raise InputError("`fields` must have kept a row; solve with keep=[-1]")
    kept = solution.fields[max(solution.fields)][region.name]
    count = kept["flux"].shape[1]
    stress = _all_of_region(solution, region, kept)
    turns = None if region.turns is None else np.moveaxis(region.turns, (-2, -1), (0, 1))
    return _Part(
        phase=region.name,
        stress=_in_material_axes(stress.reshape(6, -1), turns),
        volume=solution.space.weights[region.elements].ravel(),
        where=(
            np.repeat(region.elements, count),
            np.tile(np.arange(count), len(region.elements)),
        ),
    )


def _all_of_region(
    solution: Solution, region: Region, kept: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return all six stresses of a region, (6, element, point), NaN where they are not told."""
    flux = np.moveaxis(kept["flux"], -1, 0)
    if len(flux) == 6:
        return flux
    whole = np.zeros((6, *flux.shape[1:]))
    whole[_IN_PLANE] = flux
    if solution.plane != "strain":
        return whole
    law = region.law
    if isinstance(law, Cell) or not law.is_linear or law.kinematics.size < 6:
        whole[_ACROSS] = np.nan
        return whole
    modulus = np.asarray(law.tangent())
    if region.turns is not None:
        modulus = tensors.rotate_mandel4(modulus, np.moveaxis(region.turns, (-2, -1), (0, 1)))
    modulus = modulus.reshape(6, 6, *([1, 1] if modulus.ndim == 2 else flux.shape[1:]))
    strain = np.moveaxis(kept["gradient"], -1, 0)
    whole[_ACROSS] = np.einsum("ab...,b...->a...", modulus[np.ix_(_ACROSS, _IN_PLANE)], strain)
    return whole


def _in_material_axes(stress: np.ndarray, rotation: Any) -> np.ndarray:
    """Turn stresses (6, n) back by what turns the material, (3, 3) or (3, 3, n)."""
    if rotation is None:
        return stress
    return np.asarray(tensors.rotate_mandel(stress, np.swapaxes(np.asarray(rotation), 0, 1)))


def _check_percentile(percentile: Any) -> None:
    number = isinstance(percentile, int | float | np.number) and not isinstance(percentile, bool)
    if not number or not 0 < percentile <= 100:
        raise InputError(f"`percentile` must be above 0 and at most 100, but is {percentile!r}")


def _check_criteria(criteria: Any) -> None:
    if not isinstance(criteria, Mapping) or not criteria:
        raise InputError(f"`criteria` must map phases to failure criteria, but is {criteria!r}")
    for name, criterion in criteria.items():
        if not isinstance(criterion, Criterion):
            raise InputError(
                f"`criteria[{name!r}]` must be a criterion such as sb.structure.VonMises(250.0), "
                f"but is {criterion!r}"
            )


def _check_known(criteria: Mapping[str, Criterion], known: Mapping[str, Any]) -> None:
    for name in criteria:
        if name not in known:
            raise InputError(
                f"`criteria` must name phases among {', '.join(known)}, but names {name!r}"
                f"{did_you_mean(name, known)}"
            )
