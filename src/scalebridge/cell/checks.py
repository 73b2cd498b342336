"""What a Cell asks of its arguments, and what it tells about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge import tensors
from scalebridge.cell import space
from scalebridge.cell.discretisation import SCHEMES, Discretisation
from scalebridge.errors import InputError, did_you_mean
from scalebridge.laws._checks import concrete
from scalebridge.laws.limits import Rigid, Void
from scalebridge.laws.protocol import Law, LinearLaw
from scalebridge.microstructure import Microstructure
from scalebridge.microstructure.morphology import opened
from scalebridge.microstructure.percolation import check_neighbours, find_clusters

PLANES = ("strain", "stress", "generalized")
_CONTRAST = 1e10


def check_microstructure(microstructure: Any) -> None:
    """Refuse anything but a Microstructure."""
    if not isinstance(microstructure, Microstructure):
        raise InputError(
            f"`microstructure` must be a Microstructure, but is a {type(microstructure).__name__}; "
            "build one with sb.Microstructure(labels, spacing, phases) or sb.read(...)"
        )


def check_names(microstructure: Microstructure, laws: Mapping[str, Law]) -> None:
    """Refuse phases without a law, and laws without a phase."""
    names = microstructure.names
    if not isinstance(laws, Mapping):
        raise InputError(
            f"`laws` must map phase names to laws, but is {laws!r}; the image has {list(names)}"
        )
    for name in names:
        if name not in laws:
            guess = did_you_mean(name, set(laws) - set(names))
            raise InputError(
                f"`laws` must have a law for each phase, but phase {name!r} has none{guess}; "
                f"add {name!r} to the laws {sorted(laws)}"
            )
    for name, law in laws.items():
        if name not in names:
            raise InputError(
                f"`laws` names the phase {name!r}, but the image has {list(names)}"
                f"{did_you_mean(name, names)}"
            )
        if not isinstance(law, Law):
            raise InputError(f"`laws[{name!r}]` must be a Law, but is {law!r}; see sb.laws")


def check_options(element: str | None, tolerance: float) -> None:
    """Refuse unknown elements and tolerances."""
    if element is not None and element not in SCHEMES:
        raise InputError(
            f"`element` must be one of {list(SCHEMES)}, but is {element!r}"
            f"{did_you_mean(element, SCHEMES)}"
        )
    check_tolerance("tolerance", tolerance)


def check_tolerance(name: str, value: Any) -> None:
    """Refuse what is no number between 0 and 1."""
    if not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise InputError(f"`{name}` must lie between 0 and 1, but is {value!r}; try 1e-6")


def common_physics(laws: Mapping[str, Law], dim: int, plane: str | None = None) -> str:
    """Return the physics that all laws share."""
    found = {n: law.kinematics for n, law in laws.items() if not isinstance(law, Void | Rigid)}
    if not found:
        raise InputError(
            "`laws` must hold a material law, but all phases are void or rigid; add one"
        )
    physics = {k.physics for k in found.values()}
    if len(physics) > 1:
        listed = ", ".join(f"{n!r}: {k.physics}" for n, k in found.items())
        raise InputError(
            f"`laws` must all be of one physics, but are {listed}; make one cell for each"
        )
    for name, kinematics in found.items():
        if kinematics.dim == 2 and plane == "generalized":
            raise InputError(
                f"`laws[{name!r}]` is two-dimensional, but plane='generalized' needs the answer to "
                "all six strains; pass a 3D law"
            )
        own = getattr(laws[name], "plane", None)
        if own in ("strain", "stress") and own != plane:
            raise InputError(
                f"`laws[{name!r}]` is of plane {own}, but the cell has plane={plane!r}; make them "
                "agree, or pass a 3D law"
            )
        if kinematics.dim < dim:
            raise InputError(
                f"`laws[{name!r}]` is two-dimensional, but the image has {dim} dimensions; "
                "pass a number or a 3D tensor"
            )
    return physics.pop()


def check_plane(plane: str | None, physics: str, dim: int) -> None:
    """Ask 2D mechanics for its plane state, and nothing else for one."""
    if physics == "finite strain" and dim == 2 and plane != "strain":
        raise InputError(
            f"`plane` must be 'strain' in 2D finite strain, but is {plane!r}; make a cell of one "
            "voxel's thickness for other states"
        )
    needed = physics != "conduction" and dim == 2
    if needed and plane not in PLANES:
        got = "is missing" if plane is None else f"is {plane!r}{did_you_mean(plane, PLANES)}"
        raise InputError(
            f"`plane` must be 'strain', 'stress' or 'generalized' for mechanics on a 2D image, "
            f"but {got}; 'strain' is a long body held at its ends, 'stress' a thin sheet, "
            "'generalized' a long body under all six average strains"
        )
    if not needed and plane is not None:
        raise InputError(
            f"`plane` is for mechanics on 2D images only, but this is {physics} in {dim}D; "
            "leave it out"
        )


def resolve_limits(laws: dict[str, Law], physics: str) -> tuple[dict[str, Law], tuple[str, ...]]:
    """Adapt void and rigid phases to the others; tell how rigid is approximated."""
    resolved: dict[str, Law] = {}
    notes = []
    for name, law in laws.items():
        if isinstance(law, Void):
            resolved[name] = Void(physics)
        elif isinstance(law, Rigid):
            others = [tangent(o) for o in laws.values() if not isinstance(o, Void | Rigid)]
            largest = jnp.max(jnp.stack([jnp.linalg.eigvalsh(c)[-1] for c in others]))
            if concrete(largest) == 0:
                raise InputError(
                    f"`laws[{name!r}]` is rigid beside phases that carry nothing; add a material"
                )
            resolved[name] = Rigid(law.factor, physics, largest)
            notes.append(
                f"phase {name!r} is rigid: approximated by {law.factor:g} times the largest "
                f"modulus of the other phases, an error of order {1 / law.factor:.0e}"
            )
        else:
            resolved[name] = law
    return resolved, tuple(notes)


def check_moduli(laws: Mapping[str, Law], turned: Collection[str]) -> None:
    """Refuse cells that carry nothing, and plane tensors that are to be turned in space."""
    if len(void_phases(laws)) == len(laws):
        raise InputError(
            "`laws` must hold a material that carries something, but all moduli are 0; "
            "give one phase a positive one"
        )
    for name in turned:
        if laws[name].kinematics.dim < 3:
            raise InputError(
                f"`orientation` turns phase {name!r} in space, but its law is two-dimensional; "
                "give it a (3, 3) tensor"
            )


def check_gradient(gradient: Any, size: int) -> Array:
    """Return an average gradient as an array, refusing one of another shape."""
    array = jnp.asarray(gradient, dtype=float)
    if array.shape != (size,):
        raise InputError(f"`gradient` must have {size} components, but has shape {array.shape}")
    return array


def check_volumes(disc: Discretisation) -> None:
    """Refuse what voxel-centred finite volumes are not made for."""
    if disc.element != "volume":
        return
    if disc.physics != "conduction" or not disc.isotropic:
        raise InputError(
            "`element` 'volume' is for conduction in isotropic phases, but these are "
            f"{'of elasticity' if disc.physics != 'conduction' else 'anisotropic'}; use 'full'"
        )
    if any("static" in kinds for kinds in disc.ends):
        raise InputError(
            "`element` 'volume' knows no uniform flux on the boundary; use 'full' with 'static', "
            "or 'periodic', 'kinematic', 'free' or 'through' with 'volume'"
        )


def check_nonlinear(laws: Mapping[str, Law], disc: Discretisation, boundary: str) -> None:
    """Refuse discretisations that do not fit laws which are not linear, or finite strain."""
    if disc.physics == "finite strain" and disc.element == "bbar":
        raise InputError(
            "`element` 'bbar' is for small strain, but these laws are of finite strain; "
            "use 'reduced', which does not lock either"
        )
    named = [name for name, law in laws.items() if not law.is_linear]
    if not named:
        return
    if disc.element == "volume":
        raise InputError(
            f"`element` 'volume' is for linear conduction, but the law of {named[0]!r} is not "
            "linear; use 'reduced' or 'full'"
        )
    if boundary == "through":
        raise InputError(
            f"`boundary` 'through' drives one axis after another, but the law of {named[0]!r} is "
            "not linear, so that its answers do not add up; name the axis: "
            "{'x': 'kinematic', 'y': 'free', 'z': 'free'}"
        )


def check_drive(disc: Discretisation) -> None:
    """Refuse a boundary that leaves nothing which an average gradient could drive."""
    if all(space.is_idle(disc, component) for component in range(disc.components)):
        raise InputError(
            "`boundary` must hold the cell somewhere, but it is free along every axis; "
            "make one 'kinematic' or 'static'"
        )


def check_faces(
    microstructure: Microstructure, disc: Discretisation, void: Collection[str], boundary: str
) -> None:
    """Refuse a uniform flux on faces where a phase is void: nothing there can carry it."""
    if not void:
        return
    empty = np.any([microstructure.mask(name) for name in void], axis=0)
    for axis in disc.bounded:
        if "static" not in disc.ends[axis]:
            continue
        faces = empty.take([0, -1], axis)
        if faces.any():
            name = "xyz"[axis]
            smooth = ""
            if disc.physics == "elasticity":
                kinds = ["kinematic" if j == axis else "free" for j in range(disc.unknowns)]
                smooth = f", smooth plates {name}={'/'.join(kinds)}"
            raise InputError(
                f"`boundary` {boundary!r} asks for a uniform flux on the {name} faces, but "
                f"{100 * faces.mean():.3g} % of them are void and cannot carry it, which is "
                f"infeasible; use 'periodic', 'kinematic' or 'free' there{smooth}, or crop it"
            )


def limit_warnings(microstructure: Microstructure, laws: Mapping[str, Law]) -> Iterator[str]:
    """Warn of rigid phases that percolate, and of contrasts that double precision cannot hold."""
    for name, law in laws.items():
        if isinstance(law, Rigid):
            axes = np.flatnonzero(microstructure.connectivity()[name])
            if len(axes):
                yield (
                    f"the rigid phase {name!r} percolates along {'xyz'[axes[0]]}: the result there "
                    "is that of the finite factor, not of a rigid phase"
                )
    known = [concrete(tangent(law)) for law in laws.values() if isinstance(law, LinearLaw)]
    largest = [np.linalg.norm(c) for c in known if c is not None and np.any(c)]
    if largest and max(largest) > _CONTRAST * min(largest):
        yield (
            f"the moduli of the phases differ by a factor of {max(largest) / min(largest):.0e}, "
            "more than double precision resolves: make the softest void, or the stiffest softer"
        )


def void_phases(laws: Mapping[str, Law]) -> tuple[str, ...]:
    """Names of the phases whose modulus is zero, where that is known."""
    return tuple(name for name, law in laws.items() if _is_zero(law))


@eqx.filter_jit
def tangent(law: Law) -> Array:
    """Tangent of a linear law, compiled once for each kind of law."""
    return law.tangent()


def _is_zero(law: Law) -> bool:
    if isinstance(law, Void):
        return True
    if not isinstance(law, LinearLaw) or isinstance(law, Rigid):
        return False  # a cell as a phase carries something, or it would have been refused
    values = concrete(tangent(law))
    return values is not None and not np.any(values)


def void_warnings(
    microstructure: Microstructure, void: tuple[str, ...], disc: Discretisation, boundary: str
) -> tuple[str, ...]:
    """Warn of matter that floats, does not percolate, or is thinner than its voxels resolve."""
    solid = [name for name in microstructure.names if name not in void]
    if not void or not solid:
        return ()
    matter = np.any([microstructure.mask(name) for name in solid], axis=0)
    notes: list[str] = []
    if not matter.all() and matter.any():
        # Finite volumes join voxels through faces only, elements at corners too.
        neighbours = 2 * disc.dim if disc.element == "volume" else None
        if boundary in {"periodic", "through"}:
            notes += _percolation_warnings(
                microstructure, matter, boundary == "periodic", neighbours
            )
        elif len(disc.bounded) == disc.dim:
            notes += _support_warnings(matter, disc, neighbours)
    for name in solid:
        thin = microstructure.thin_fraction(name, voxels=3)
        if thin > 0.3:  # the corners of thick bodies count a little too
            notes.append(
                f"{100 * thin:.0f} % of phase {name!r} lies in struts thinner than 3 voxels, "
                "which are poorly resolved: refine the image to see by how much"
            )
    return tuple(notes)


def _percolation_warnings(
    microstructure: Microstructure,
    matter: np.ndarray,
    periodic: bool,
    neighbours: int | None,
) -> Iterator[str]:
    image = Microstructure(matter, microstructure.spacing, {"void": 0, "matter": 1})
    clusters = image.clusters("matter", neighbours, periodic=periodic)
    percolates = np.any(clusters.percolates, axis=0)
    thick = opened(matter, 3)
    bulk = np.zeros_like(percolates)
    if thick.any():
        coarse = Microstructure._from_compact(
            thick.astype(np.uint8), image.spacing, image.names, image.sources
        )
        found = coarse.clusters("matter", neighbours, periodic=periodic)
        bulk = np.any(found.percolates, axis=0)
    for axis, name in enumerate("xyz"[: microstructure.dim]):
        if not percolates[axis]:
            yield (
                f"matter does not percolate along {name}: the effective modulus along it is zero"
            )
        elif not bulk[axis]:
            yield (
                f"matter percolates along {name} through struts thinner than 3 voxels only, which "
                "are poorly resolved: refine the image to see by how much"
            )
    if 0 < clusters.floating_fraction < 1:
        yield _floating(clusters.floating_fraction)


def _support_warnings(
    matter: np.ndarray, disc: Discretisation, neighbours: int | None
) -> Iterator[str]:
    """Warn of pieces that no face holds, and of those between fixed faces that do not meet."""
    order = check_neighbours(neighbours, disc.dim)
    clusters = find_clusters(matter, order, periodic=False)
    holding = [a for a in disc.bounded if set(disc.ends[a]) != {"free"}]
    held = {int(n) for a in holding for n in np.unique(clusters.labels.take([0, -1], a))}
    loose = [size for n, size in enumerate(clusters.sizes, 1) if n not in held]
    if len(loose) == clusters.count:
        yield "no matter touches the faces that hold the cell: all effective moduli are zero"
    elif loose:
        yield _floating(sum(loose) / int(clusters.sizes.sum()))
    if len(holding) == 1 and len(loose) < clusters.count:
        axis = holding[0]
        if not clusters.percolates[:, axis].any():
            yield (
                f"matter does not go through from face to face along {'xyz'[axis]}: the effective "
                "modulus along it is zero"
            )


def _floating(share: float) -> str:
    return (
        f"{100 * share:.2g} % of the matter floats in the void without contact; it carries nothing"
    )


def rotations(
    orientation: Mapping[str, Any] | None, microstructure: Microstructure
) -> dict[str, Array]:
    """Return rotation matrices by phase: (3, 3), or (3, 3, voxels of the phase)."""
    found = {}
    if not isinstance(orientation, Mapping | None):
        raise InputError("`orientation` must map phase names to rotations; name the phase")
    for name, value in (orientation or {}).items():
        if name not in microstructure.names:
            raise InputError(
                f"`orientation` names the phase {name!r}, but the image has "
                f"{list(microstructure.names)}{did_you_mean(name, microstructure.names)}"
            )
        found[name] = jnp.asarray(_rotation(name, _numbers(name, value), microstructure))
    return found


def _numbers(name: str, value: Any) -> Any:
    """Return a NumPy array, or what is traced by JAX as it is."""
    if isinstance(value, jax.core.Tracer):
        return value
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"`orientation[{name!r}]` must be numbers, but is {value!r}") from error


def _rotation(name: str, array: Any, microstructure: Microstructure) -> Any:
    field = tuple(microstructure.shape)
    if array.shape in {(3,), (3, *field)}:
        kind, trailing = "angles", array.shape[1:]
    elif array.shape in {(3, 3), (3, 3, *field)}:
        kind, trailing = "matrix", array.shape[2:]
    else:
        raise InputError(
            f"`orientation[{name!r}]` must be Bunge angles (3,) or a rotation matrix (3, 3), or a "
            f"field of them over the voxels {field}, but has shape {array.shape}"
        )
    if trailing:
        array = array[..., microstructure.mask(name)]
    if concrete(array) is None:
        return tensors.rotation_from_euler(array) if kind == "angles" else array
    if not np.all(np.isfinite(array)):
        raise InputError(f"`orientation[{name!r}]` must be finite in its phase, but has NaN or inf")
    if kind == "angles":
        return np.asarray(tensors.rotation_from_euler(array))
    product = np.einsum("ij...,kj...->ik...", array, array)
    off = np.abs(product - np.eye(3).reshape((3, 3) + (1,) * (array.ndim - 2))).max(initial=0.0)
    if off > 1e-6 or np.any(np.linalg.det(np.moveaxis(array, (0, 1), (-2, -1))) < 0):
        raise InputError(
            f"`orientation[{name!r}]` must be rotation matrices, but R·Rᵀ differs from 1 by "
            f"{off:.2g}, or R reflects; Euler angles have shape (3, …)"
        )
    return array
