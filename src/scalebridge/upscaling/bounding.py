"""What bounds the effective tensor of a cell, and how rigorously."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scalebridge import laws
from scalebridge.analytic import HashinShtrikman
from scalebridge.cell.cell import Cell
from scalebridge.cell.solver import Solver
from scalebridge.errors import InputError, Interrupted
from scalebridge.upscaling.effective_tensor import Effective, Progress, effective

#: From the softest to the stiffest.
BOUNDARIES = ("static", "periodic", "kinematic")


class Comparison(NamedTuple):
    """Whether one quadratic form lies below another.

    Attributes
    ----------
    lower, upper : str
    margin : float
        Smallest eigenvalue of the difference, over the largest of the upper form.
    holds : bool
        Whether the margin is not negative, beyond the estimated errors of the solver.
    """

    lower: str
    upper: str
    margin: float
    holds: bool


@dataclass(frozen=True, repr=False)
class Bounds:
    """Bounds and boundary conditions of a cell, from the softest to the stiffest.

    Attributes
    ----------
    reuss, voigt : (m, m)
        Uniform flux and uniform gradient in all phases (Reuss 1929, Voigt 1889).
    hashin_shtrikman : dict of str to (lower, upper), or None
        "k", or "K" and "G" (in 2D of the plane): bounds of isotropic mixtures of these phases at
        these fractions. Given where all phases are isotropic; reported, never compared.
    results : dict of str to Effective
        By boundary condition; without those that are infeasible.
    infeasible : dict of str to str
        Boundary condition → why there is no result.
    order : tuple of Comparison
        The chain Reuss ≤ static ≤ periodic ≤ kinematic ≤ Voigt on this discretisation.
    statements : tuple of str
        What is rigorous, and what is not.
    """

    reuss: np.ndarray
    voigt: np.ndarray
    hashin_shtrikman: dict[str, tuple[float, float]] | None
    results: dict[str, Effective]
    infeasible: dict[str, str]
    order: tuple[Comparison, ...]
    statements: tuple[str, ...]
    components: tuple[str, ...]

    @property
    def is_ordered(self) -> bool:
        """Whether the whole chain holds: a check of the computation, not of the medium."""
        return all(c.holds for c in self.order)

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """Name → tensor, from the softest to the stiffest; then what is not compared."""
        found = {name: result.tensor for name, result in self.results.items()}
        other = {name: found.pop(name) for name in list(found) if name not in BOUNDARIES}
        return {"Reuss": self.reuss, **found, "Voigt": self.voigt, **other}

    def isotropic(self, tensor: np.ndarray) -> dict[str, float]:
        """Return "k", or "K" and "G", of the isotropic part of a tensor, as Hashin–Shtrikman do."""
        return isotropic_moduli(tensor, "conduction" if self.components[0] == "1" else "elasticity")

    def __repr__(self) -> str:
        names = self.tensors
        width = max(map(len, names))
        head = " ".join(f"{c:>11}" for c in self.components)
        lines = [f"{'':{width}} {head}"]
        for name, tensor in names.items():
            values = " ".join(f"{value:11.6g}" for value in np.diag(tensor))
            lines.append(f"{name:{width}} {values}")
        for name, (low, high) in (self.hashin_shtrikman or {}).items():
            lines.append(f"Hashin–Shtrikman {name}: {low:.6g} to {high:.6g}")
        lines += [f"{name}: {why}" for name, why in self.infeasible.items()]
        verdict = "holds" if self.is_ordered else "IS VIOLATED"
        return "\n".join([*lines, f"order {verdict}", *self.statements])


def bounds(
    cell: Cell,
    tolerance: float = 1e-6,
    *,
    boundaries: Sequence[str] = BOUNDARIES,
    known: Mapping[str, Effective] | None = None,
    solver: Solver | None = None,
    progress: Callable[[str, Progress], None] | None = None,
    throw: bool = True,
    **options: Any,
) -> Bounds:
    """Bound the effective tensor of a cell.

    Parameters
    ----------
    cell : Cell
        Its own boundary condition does not matter.
    tolerance : float
        Estimated relative error of each tensor, as in `effective`.
    boundaries : sequence of str
        Which of "static", "periodic" and "kinematic" to solve; "through" too is reported, for
        conduction, but not compared: no flux through the sides is no bound of the tensor.
    known : mapping of str to Effective, optional
        Results that need not be computed again.
    solver : Solver, optional
    progress : callable, optional
        Called with the name of the boundary condition and a `Progress`.
    throw : bool
        Raise when a tolerance is not reached.
    **options
        Passed on to `effective`: measure, fields, field_tolerance.

    Returns
    -------
    Bounds

    Raises
    ------
    InputError
        When a name is not known.
    ConvergenceError
        When a tolerance is not reached.
    Interrupted
        On Ctrl-C, with what was done until then as `partial`.

    References
    ----------
    Huet (1990), J. Mech. Phys. Solids 38, 813-841: apparent properties under kinematic and static
    uniform boundary conditions, and their order.

    Examples
    --------
    >>> import scalebridge as sb
    >>> micro = sb.generate.checkerboard((8, 8))
    >>> found = sb.bounds(sb.Cell(micro, {"white": sb.laws.Conduction(1.0),
    ...                                   "black": sb.laws.Conduction(4.0)}))
    >>> [f"{name} {tensor[0, 0]:.3f}" for name, tensor in found.tensors.items()]
    ['Reuss 1.600', 'static 1.788', 'periodic 2.009', 'kinematic 2.239', 'Voigt 2.500']
    """
    if not isinstance(cell, Cell):
        raise InputError(f"`cell` must be a Cell, but is a {type(cell).__name__}")
    known_names = (*BOUNDARIES, "through")
    for name in boundaries:
        if name not in known_names:
            raise InputError(
                f"`boundaries` must be among {list(known_names)}, but one is {name!r}; "
                "solve other boundary conditions with effective(cell.with_boundary(…))"
            )
    results: dict[str, Effective] = {}
    infeasible: dict[str, str] = {}
    for name in [n for n in known_names if n in boundaries]:
        if known is not None and name in known:
            results[name] = known[name]
            continue

        def report(step: Progress, name: str = name) -> None:
            if progress is not None:
                progress(name, step)

        try:
            bounded = cell.with_boundary(name)
        except InputError as error:
            infeasible[name] = str(error)
            continue
        try:
            results[name] = effective(
                bounded, tolerance, solver=solver, progress=report, throw=throw, **options
            )
        except KeyboardInterrupt as stop:
            partial = getattr(stop, "partial", None)
            if getattr(partial, "complete", False):
                results[name] = partial  # type: ignore[assignment]
            raise Interrupted(_collect(cell, results, infeasible)) from None
    return _collect(cell, results, infeasible)


def _collect(cell: Cell, results: dict[str, Effective], infeasible: dict[str, str]) -> Bounds:
    reuss, voigt = _uniform(cell)
    done = {name: r for name, r in results.items() if r.complete}
    chain = [("Reuss", reuss, 0.0)]
    chain += [(n, done[n].tensor, done[n].error_estimate) for n in BOUNDARIES if n in done]
    chain += [("Voigt", voigt, 0.0)]
    return Bounds(
        reuss=reuss,
        voigt=voigt,
        hashin_shtrikman=_hashin_shtrikman(cell),
        results=results,
        infeasible=infeasible,
        order=tuple(_compare(*pair) for pair in pairwise(chain)),
        statements=_statements(cell),
        components=cell.kinematics.components,
    )


def _uniform(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Return the tensors of uniform flux and of uniform gradient."""
    moduli = np.asarray(cell.moduli())
    image, _ = cell._material_image()
    weights = np.bincount(image.ravel(), minlength=len(moduli)) / image.size
    used = moduli[weights > 0]
    voigt = np.einsum("p,pab->ab", weights, moduli)
    if np.any(np.linalg.eigvalsh(used)[:, 0] <= 1e-14 * np.abs(used).max(axis=(1, 2))):
        return np.zeros_like(voigt), voigt  # some direction of some phase carries nothing
    compliance = np.einsum("p,pab->ab", weights[weights > 0], np.linalg.inv(used))
    reuss = np.linalg.inv(compliance)
    return 0.5 * (reuss + reuss.T), voigt


_Link = tuple[str, np.ndarray, float]


def _compare(lower: _Link, upper: _Link) -> Comparison:
    """Compare two forms; the lower one may be too large by its solver's error, and by rounding."""
    scale = float(np.linalg.eigvalsh(upper[1])[-1]) or 1.0  # nothing may be carried at all
    margin = float(np.linalg.eigvalsh(upper[1] - lower[1])[0]) / scale
    # The error is relative to the diagonal: as a form it reaches to the trace.
    error = lower[2] * float(np.trace(lower[1])) / scale
    return Comparison(lower[0], upper[0], margin, margin >= -(error + 1e-10))


def _hashin_shtrikman(cell: Cell) -> dict[str, tuple[float, float]] | None:
    phases = [law for _, law in cell._phases()]
    if cell.plane == "generalized" or not all(law.is_isotropic for law in phases):
        return None
    shares = list(cell.microstructure.volume_fractions.values())
    seen: list[laws.Law]
    if cell.physics == "conduction":
        k = [law.tangent()[0, 0] * np.eye(cell.dim) for law in phases]
        seen = [laws.Conduction(value) for value in k]
    else:
        wrap: Any = {"strain": laws.PlaneStrain, "stress": laws.PlaneStress}.get(cell.plane or "")
        seen = [wrap(law) if wrap else law for law in phases]
    try:
        low, high = (
            np.asarray(HashinShtrikman(seen, shares, s).modulus) for s in ("lower", "upper")
        )
    except InputError:
        return None
    ends = [isotropic_moduli(bound, cell.physics) for bound in (low, high)]
    return {name: (ends[0][name], ends[1][name]) for name in ends[0]}


def isotropic_moduli(tensor: np.ndarray, physics: str) -> dict[str, float]:
    """Return "k", or bulk and shear modulus (in 2D of the plane), of a tensor's isotropic part."""
    if physics == "conduction":
        return {"k": float(np.trace(tensor)) / len(tensor)}
    d = 3 if len(tensor) == 6 else 2
    bulk = float(tensor[:d, :d].sum()) / d**2
    shear = (float(np.trace(tensor)) - d * bulk) / (2 * (len(tensor) - 1))
    return {"K": bulk, "G": shear}


def _statements(cell: Cell) -> tuple[str, ...]:
    if cell.element == "full" or (cell.element == "bbar" and cell.physics == "conduction"):
        first = (
            "rigorous: kinematic and periodic values of the element 'full' lie above those of the "
            "voxel geometry under the same boundary condition, in the sense of quadratic forms"
        )
    else:
        first = (
            f"no bound of the voxel geometry: the element {cell.element!r} does not integrate the "
            "energy exactly; 'full' does"
        )
    return (
        first,
        "a check of the computation: Reuss ≤ static ≤ periodic ≤ kinematic ≤ Voigt holds on one "
        "discretisation, whatever the image",
        "not a lower bound: a static value from displacements may exceed the exact one; Reuss's is",
        "of a random medium the cell is a sample: the order about the true value is that of means "
        "over many cells; Hashin–Shtrikman holds for isotropic mixtures, k and K for cubic too",
    )
