"""The Cell: a microstructure, a law for each phase, and boundary conditions. It is a Law."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge import tensors
from scalebridge._runtime import require_double_precision
from scalebridge.cell import batch, bounded, checks, implicit, media, nonlinear
from scalebridge.cell.batch import Batch
from scalebridge.cell.boundary import parse_boundary, through
from scalebridge.cell.constituents import Places, find_places
from scalebridge.cell.discretisation import Discretisation, Ends
from scalebridge.laws.protocol import Kinematics, Law, Response, State
from scalebridge.microstructure import Microstructure


class _Image:
    """A microstructure as a static field: equal for JAX's caches where frame and names are.

    The labels enter compiled functions as an array, so that cells of other
    images of the same frame need no new trace, and no cache keeps each image alive.
    The price: inside a compiled function only the frame may be used.
    """

    def __init__(self, value: Microstructure, warnings: tuple[str, ...]) -> None:
        self.value, self.warnings = value, warnings
        self.told: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {}
        self._frame = (value.shape, value.spacing, value.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Image) and self._frame == other._frame

    def __hash__(self) -> int:
        return hash(self._frame)


class Cell(Law):
    """A representative volume element on its voxel grid.

    Parameters
    ----------
    microstructure : Microstructure
        The image, 2D or 3D.
    laws : mapping of phase name to Law
        A law for each phase, all of one physics. A law may be a Cell.
    boundary : str or mapping
        "periodic"; "kinematic", the affine field of the average gradient on the boundary
        (KUBC); "static", a uniform flux there (SUBC); "rollers" (mechanics), affine normal
        displacements under uniform tangential tractions; "through" (conduction), transport
        along one axis after the other between fixed potentials, without flux through the
        sides. Or axis → "periodic", "kinematic", "static", "free" (no flux, and the average
        gradient finds its own value) or "rollers", or a tuple of these, one for each
        component of the field: ``{"x": "free", "y": "free", "z": "kinematic"}`` are platens.
    element : "reduced", "full", "bbar" or "volume", optional
        How a voxel sees the nodal field. Default: "reduced", the one-point
        rotated scheme, unless a phase is void, where thin struts of one-point
        elements are mechanisms and "full" is the default. "volume", for isotropic
        conduction, is the voxel-centred scheme of porous-media programs, in which
        voxels exchange flux through faces only.
    plane : "strain", "stress" or "generalized", optional
        Mandatory for 2D mechanics, and only there: no strain along axis 3; no stress on it,
        pointwise; or three displacement components under all six average strains, for the
        whole stiffness (6, 6) of a body that is the same along axis 3.
    orientation : mapping of phase name to array, optional
        Orientation of anisotropic phases: a rotation matrix (3, 3) or Bunge
        Euler angles (3,) in radians for the phase, or fields of them,
        (3, 3, …) and (3, …), over the voxels of the image.
    tolerance : float
        Relative residual ‖g‖₂/‖b‖₂ to which `respond` solves.

    Attributes
    ----------
    warnings : tuple of str
        What the user should know before trusting a result.

    Raises
    ------
    InputError
        When a phase has no law, laws of different physics meet, or an option is unknown.

    Examples
    --------
    >>> import numpy as np, scalebridge as sb
    >>> layers = sb.Microstructure(np.repeat([0, 1], 4)[:, None] * np.ones((1, 8), int),
    ...                            spacing=1.0, phases={"a": 0, "b": 1})
    >>> cell = sb.Cell(layers, {"a": sb.laws.Conduction(1.0), "b": sb.laws.Conduction(10.0)})
    >>> np.round(sb.effective(cell).tensor, 6).tolist()
    [[1.818182, 0.0], [0.0, 5.5]]
    """

    laws: dict[str, Law]
    rotations: dict[str, Array]
    materials: Array
    places: Places | None
    image: _Image = eqx.field(static=True)
    boundary: str = eqx.field(static=True)
    ends: Ends = eqx.field(static=True)
    element: str = eqx.field(static=True)
    plane: str | None = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)
    physics: str = eqx.field(static=True)

    def __init__(
        self,
        microstructure: Microstructure,
        laws: Mapping[str, Law],
        *,
        boundary: str | Mapping[str, Any] = "periodic",
        element: str | None = None,
        plane: str | None = None,
        orientation: Mapping[str, Any] | None = None,
        tolerance: float = 1e-8,
    ) -> None:
        require_double_precision()
        checks.check_microstructure(microstructure)
        checks.check_names(microstructure, laws)
        checks.check_options(element, tolerance)
        dim = microstructure.dim
        self.physics = checks.common_physics(laws, dim, plane)
        checks.check_plane(plane, self.physics, dim)
        ordered = {name: laws[name] for name in microstructure.names}
        self.laws, notes = checks.resolve_limits(ordered, self.physics)
        self.rotations = checks.rotations(orientation, microstructure)
        checks.check_moduli(self.laws, self.rotations)
        self.plane, self.tolerance = plane, tolerance
        self.element = element or ("full" if checks.void_phases(self.laws) else "reduced")
        limits = checks.limit_warnings(microstructure, self.laws)
        self.image = _Image(microstructure, (*notes, *limits))
        self.places = None  # a linear cell looks its moduli up by voxel
        if not self.is_linear:
            self.places = find_places(microstructure.labels, len(ordered))
        self.boundary, self.ends, self.materials = "periodic", (), jnp.zeros(())
        for name, value in self._bounded_by(boundary).items():
            setattr(self, name, value)

    @property
    def microstructure(self) -> Microstructure:
        """The image."""
        return self.image.value

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting a result."""
        void = checks.void_phases(self.laws)
        told = self.image.told
        if (void, self.boundary) not in told:  # large images take a moment
            told[void, self.boundary] = checks.void_warnings(
                self.microstructure, void, self.discretisation, self.boundary
            )
        return (*self.image.warnings, *told[void, self.boundary])

    @property
    def dim(self) -> int:
        """Space dimension of the image."""
        return self.microstructure.dim

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics(self.physics, 3 if self.plane == "generalized" else self.dim)

    @property
    def is_linear(self) -> bool:
        return all(law.is_linear for law in self.laws.values())

    @property
    def is_symmetric(self) -> bool:
        return all(law.is_symmetric for law in self.laws.values())

    def initial_state(self) -> State:
        """State of the virgin cell: those of its laws at all points, and the fluctuation."""
        return () if self.is_linear else nonlinear.initial_state(self)

    @property
    def has_void(self) -> bool:
        """Whether a phase carries nothing."""
        return bool(checks.void_phases(self.laws))

    @property
    def discretisation(self) -> Discretisation:
        """What shapes the compiled kernels."""
        spacing = np.asarray(self.microstructure.spacing, float)
        relative = spacing / np.exp(np.mean(np.log(spacing)))
        return Discretisation(
            shape=tuple(self.microstructure.shape),
            spacing=tuple(float(f"{h:.12g}") for h in relative),
            element=self.element,
            physics=self.physics,
            isotropic=all(law.is_isotropic for law in self.laws.values()),
            ends=self.ends,
            generalized=self.plane == "generalized",
        )

    def along(self, axis: int) -> Cell:
        """Return the cell of transport along one axis, of a "through" cell."""
        return self._replace(boundary=f"through {'xyz'[axis]}", ends=through(axis, self.dim))

    def with_boundary(self, boundary: str | Mapping[str, Any]) -> Cell:
        """Return the same cell under another boundary condition."""
        return self._replace(**self._bounded_by(boundary))

    def located(self) -> Cell:
        """Return the same cell, knowing where the points of each phase are."""
        if self.places is not None:
            return self
        return self._replace(places=find_places(self.microstructure.labels, len(self.laws)))

    def _bounded_by(self, boundary: Any) -> dict[str, Any]:
        """Return the fields that a boundary condition decides."""
        disc = self.discretisation
        words, ends = parse_boundary(boundary, self.physics, self.dim, disc.unknowns)
        disc = replace(disc, ends=ends)
        checks.check_volumes(disc)
        checks.check_nonlinear(self.laws, disc, words)
        checks.check_drive(disc)
        checks.check_faces(self.microstructure, disc, checks.void_phases(self.laws), words)
        image, count = self._material_image()
        materials = media.with_ghosts(image, disc.bounded, outside=count)
        return {"boundary": words, "ends": ends, "materials": jnp.asarray(materials)}

    def _replace(self, **changes: Any) -> Cell:
        cell = object.__new__(type(self))
        for f in fields(self):
            object.__setattr__(cell, f.name, changes.get(f.name, getattr(self, f.name)))
        return cell

    def _restrict(self, modulus: Array) -> Array:
        if self.physics == "finite strain":
            modulus = nonlinear.small_strain(modulus)
        return media.restrict(modulus, self.kinematics.small, self.plane)

    def _phases(self) -> Iterator[tuple[str, Law]]:
        """Yield the laws in the order of the labels, which a JAX dict does not keep."""
        for name in self.microstructure.names:
            yield name, self.laws[name]

    def phase_moduli(self) -> Array:
        """Return the (phase, m, m) tangents of the laws, unrotated, as this cell sees them."""
        return jnp.stack([self._restrict(law.tangent()) for _, law in self._phases()])

    def moduli(self) -> Array:
        """Return the (material, m, m) moduli: phases first, then the voxels turned one by one."""
        rows, by_voxel = [], []
        for name, law in self._phases():
            modulus, rotation = law.tangent(), self.rotations.get(name)
            if rotation is not None and rotation.ndim == 2:
                modulus = _turn(modulus, rotation, self.physics)
            rows.append(self._restrict(modulus))
            if rotation is not None and rotation.ndim == 3:
                by_voxel.append(
                    jax.vmap(
                        lambda r, c=modulus: self._restrict(_turn(c, r, self.physics)), in_axes=-1
                    )(rotation)
                )
        return jnp.concatenate([jnp.stack(rows), *by_voxel])

    def reference(self) -> Array:
        """Return the (m, m) modulus of the preconditioner's medium.

        Where phases are turned it is isotropic: then the bounds of the
        preconditioned spectrum are those of the phases, however they are turned.
        Sines and cosines ask for the symmetry of their axes at least.
        """
        mean = media.reference_modulus(jax.lax.stop_gradient(self.phase_moduli()))
        if self.rotations or not bounded.is_matched(bounded.inner(self.discretisation)):
            return media.symmetrise(mean, self.physics, "isotropic")
        if self.discretisation.bounded:
            return media.symmetrise(mean, self.physics, "orthotropic")
        return mean

    def _material_image(self) -> tuple[np.ndarray, int]:
        """Rows of `moduli` by voxel, and how many rows there are.

        A phase's own row, or the voxel's in an orientation field.
        """
        labels = self.microstructure.labels
        turned = [name for name, r in self.rotations.items() if r.ndim == 3]
        position = len(self.laws)
        if not turned:
            return labels, position
        image = labels.astype(np.int32)
        for name in self.microstructure.names:
            if name in turned:
                mask = self.microstructure.mask(name)
                image[mask] = position + np.arange(mask.sum())
                position += int(mask.sum())
        return image, position

    def respond(self, gradient: Any, state: State = (), dt: float | Array = 1.0) -> Response:
        """Average flux and energy under an average gradient.

        The pure core: `jax.jit`, `grad`, `jacfwd` and `vmap` go through it. The
        values are NaN where the solver did not reach `tolerance`.

        Parameters
        ----------
        gradient : (component,)
            Average gradient, strain in Mandel components, or deformation gradient row by row.
        state : pytree
            State at the start of the step; the virgin cell by default.
        dt : float
            Length of the step.
        """
        mean = checks.check_gradient(gradient, self.kinematics.size)
        if not self.is_linear:
            return nonlinear.respond(self, mean, state, jnp.asarray(dt, float))
        if self.boundary == "through":
            loads = mean * jnp.eye(self.dim)
            flux = jnp.stack(
                [self.along(axis).respond(load).flux[axis] for axis, load in enumerate(loads)]
            )
            return Response(flux, state, 0.5 * mean @ flux, jnp.zeros(()))
        disc, moduli, reference = self.discretisation, self.moduli(), self.reference()
        flux = implicit.average_flux(disc, self.materials, moduli, reference, mean, self.tolerance)
        return Response(flux, state, 0.5 * mean @ flux, jnp.zeros(()))

    def respond_batch(
        self,
        gradients: Any,
        states: Any = None,
        dt: float = 1.0,
        *,
        tolerance: float | None = None,
        tangents: bool = False,
        guess: Any = None,
        free: Any = None,
    ) -> Batch:
        """Average fluxes under many average gradients at once, each from a state of its own.

        Parameters
        ----------
        gradients : (member, component)
        states : CellState with a leading axis, optional
            At the start of the step, as `Batch.response.state` of the step before; the virgin
            cell by default.
        dt : float
            Length of the step.
        tolerance : float, optional
            That of the cell by default.
        tangents : bool
            Give the consistent tangents too, with respect to all components.
        guess : Guess, optional
            Where to start: `Batch.guess` of a call under gradients near by.
        free : (component,) bool, optional
            Components that the average flux vanishes in, and whose average gradient the cell
            finds, as those across a sheet in plane stress.

        Returns
        -------
        Batch

        Raises
        ------
        InputError
            When the gradients have another shape.

        Notes
        -----
        Members that have converged leave the batch. The result of a member depends on the
        others by rounding only, and not at all where the batch is the same.
        """
        accuracy = self.tolerance if tolerance is None else tolerance
        checks.check_tolerance("tolerance", accuracy)
        return batch.respond_batch(
            self, gradients, states, dt, accuracy, tangents, guess=guess, free=free
        )


def _turn(modulus: Array, rotation: Array, physics: str) -> Array:
    """Return a 3D modulus turned by a rotation matrix."""
    if physics == "conduction":
        return rotation @ modulus @ rotation.T
    return tensors.rotate_mandel4(modulus, rotation)
