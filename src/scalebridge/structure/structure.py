"""The Structure: a mesh, a law for each region, supports and loads. With a Cell it is FE²."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import skfem

from scalebridge._runtime import require_double_precision
from scalebridge.cell.cell import Cell
from scalebridge.cell.checks import check_tolerance
from scalebridge.errors import InputError, did_you_mean
from scalebridge.laws.protocol import Law
from scalebridge.structure import linear, marching
from scalebridge.structure.answers import TANGENTS, points_of, spread_turns
from scalebridge.structure.balance import Balance, Region
from scalebridge.structure.kinematic import gradient_operator
from scalebridge.structure.loads import find_loads
from scalebridge.structure.places import Places, find_places
from scalebridge.structure.rigid import rigid_modes
from scalebridge.structure.solution import Solution
from scalebridge.structure.space import Space, build
from scalebridge.structure.supports import check_rigid, find_supports

_PLANES = ("strain", "stress", "axisymmetric")


class Structure:
    """A body on a finite element mesh.

    Parameters
    ----------
    mesh : skfem.Mesh
        Triangles, quadrilaterals, tetrahedra or hexahedra, with named boundaries and regions
        (`mesh.with_boundaries`, `mesh.with_subdomains`).
    laws : mapping of region to Law
        All of one physics; a Cell is a law. A mesh without regions is one.
    supports : mapping of boundary or point
        In mechanics to "fixed", "symmetry" or displacements by axis, ``{"x": 0.0}``; in
        conduction to the value of the field. Values are numbers, which a ramp reaches at the
        last time, a `Table`, or functions of (x, t), x being (dim, point).
    loads : mapping of boundary, region or point
        To loads by kind: "traction" and "pressure" on boundaries, "body_force" in regions,
        "force" at points; in conduction "flux" into the body, "source" and "point_source".
        In finite strain tractions and forces are those of the undeformed body, and a pressure
        follows the surface.
    ties : sequence of (str, str)
        Boundaries that a translation apart move alike: a periodic structure.
    points : mapping of name to coordinates, optional
        Names for nodes.
    order : 1 or 2
        Of the shape functions.
    plane : "strain", "stress" or "axisymmetric", optional
        Mandatory for a 2D mesh in mechanics. The axis of an axisymmetric body is x = 0, and
        its laws see x, y and the hoop as 11, 22 and 33. In plane stress a 3D cell is free to
        extend, so that its average stresses 33, 23 and 13 vanish.
    orientation : mapping of region to (3, 3) or (3, 3, element), optional
        Rotations that take the axes of the material to those of the structure, one for the
        region or one for each of its elements.
    thickness : float
        Of a 2D structure [length].
    linear_solver : "auto", "direct", "multigrid" or "pardiso"
    tangent : "exact", "perturbation" or "forward"
        Of cells: by one linear solve for each component, or, to compare, by central or forward
        differences, which solve the nonlinear micro problem again.

    Raises
    ------
    InputError
        What cannot be used, before anything is solved: names, laws that do not fit, inverted
        elements, a body that is free to move.

    Examples
    --------
    >>> import skfem, scalebridge as sb
    >>> mesh = skfem.MeshQuad().refined(2).with_defaults()
    >>> part = sb.Structure(mesh, {"body": sb.laws.IsotropicElastic(E=200.0, nu=0.3)},
    ...                     supports={"left": "symmetry", "bottom": "symmetry"},
    ...                     loads={"right": {"traction": [2.0, 0.0]}}, plane="stress")
    >>> solution = part.solve()
    >>> solution.displacement[-1].max(axis=0).round(6).tolist()
    [0.01, 0.0]
    """

    def __init__(
        self,
        mesh: skfem.Mesh,
        laws: Mapping[str, Law],
        *,
        supports: Mapping[str, Any] | None = None,
        loads: Mapping[str, Any] | None = None,
        ties: Sequence[tuple[str, str]] = (),
        points: Mapping[str, Any] | None = None,
        order: int = 1,
        plane: str | None = None,
        orientation: Mapping[str, Any] | None = None,
        thickness: float = 1.0,
        linear_solver: str = "auto",
        tangent: str = "exact",
    ) -> None:
        require_double_precision()
        linear.check_method(linear_solver)
        if not isinstance(mesh, skfem.Mesh):
            raise InputError(
                f"`mesh` must be a skfem.Mesh, but is a {type(mesh).__name__}; read files with "
                "sb.structure.read_mesh"
            )
        if not (isinstance(thickness, int | float) and 0 < thickness < np.inf):
            raise InputError(f"`thickness` must be a number > 0, but is {thickness!r}")
        if tangent not in TANGENTS:
            raise InputError(
                f"`tangent` must be one of {', '.join(TANGENTS)}, but is {tangent!r}"
                f"{did_you_mean(tangent, TANGENTS)}"
            )
        self.physics = _physics_of(laws)
        self.plane = _checked_plane(plane, self.physics, mesh.dim())
        axisymmetric = plane == "axisymmetric"
        self.space: Space = build(mesh, order, axisymmetric, float(thickness))
        self.places: Places = find_places(self.space, laws, points)
        components = 1 if self.physics == "conduction" else self.space.dim
        scalar = self.physics == "conduction"
        held = find_supports(self.space, self.places, supports or {}, ties, components, scalar)
        modes = rigid_modes(self.space.nodes, self.physics, axisymmetric)
        check_rigid(self.space, held, modes)
        self.laws = dict(laws)
        self.balance = Balance(
            space=self.space,
            regions=tuple(
                self._region(name, law, (orientation or {}).get(name), tangent)
                for name, law in laws.items()
            ),
            supports=held,
            loads=find_loads(self.space, self.places, loads or {}, self.physics, float(thickness)),
            modes=modes,
            linear_solver=linear_solver,
        )
        for name in orientation or {}:
            self.places.check(name, ("regions",), "orientation")

    def _region(self, name: str, law: Law, turns: Any, tangent: str) -> Region:
        dim, elements = self.space.dim, self.places.regions[name]
        _check_fit(name, law, self.physics, dim, self.plane)
        count = self.space.weights.shape[1]
        given = None
        if turns is not None:
            given = np.asarray(turns, float)
            if given.shape not in ((3, 3), (3, 3, len(elements))):
                raise InputError(
                    f"`orientation[{name!r}]` must have shape (3, 3) or (3, 3, {len(elements)}), "
                    f"one rotation for each element of the region, but has {given.shape}"
                )
            square = np.einsum("ij...,kj...->ik...", given, given)
            if not np.allclose(np.moveaxis(square, (0, 1), (-2, -1)), np.eye(3), atol=1e-8):
                raise InputError(f"`orientation[{name!r}]` must be rotations, but is not")
            given = spread_turns(given, elements, count)
        total = len(elements) * count
        points = points_of(law, self.physics, dim, self.plane, total, given, tangent)
        operator = gradient_operator(points.kinematics, dim, self.plane == "axisymmetric")
        return Region(name, law, elements, given, operator, points)

    def solve(
        self,
        times: Sequence[float] = (0.0, 1.0),
        *,
        tolerance: float = 1e-6,
        keep: Sequence[int] = (-1,),
        newton_iterations: int = 15,
        cuts: int = 6,
        progress: Callable[[marching.StepProgress], None] | None = None,
        throw: bool = True,
    ) -> Solution:
        """Follow the loads through time, from rest.

        Parameters
        ----------
        times : (step,)
            Increasing. The first is the state at rest; ramps end at the last.
        tolerance : float
            Largest norm of the nodal forces out of balance, relative to those of the elements.
            Micro problems are solved ten times as well.
        keep : sequence of int
            Rows whose fields at the points are kept; −1 is the last.
        newton_iterations : int
            Most iterations of a substep before it is cut.
        cuts : int
            A step may be cut down to 2^-cuts of its length.
        progress : callable, optional
            Called with a `StepProgress` after each iteration.
        throw : bool
            Raise when a step cannot be solved; otherwise `Solution.converged` is False.

        Raises
        ------
        InputError
            Times that do not increase.
        ConvergenceError
            A step that fails however short it is cut; `partial` is the solution up to there.
        Interrupted
            On Ctrl-C, with the solution up to there as `partial`.
        """
        check_tolerance("tolerance", tolerance)
        return marching.march(
            self.balance,
            times,
            physics=self.physics,
            tolerance=tolerance,
            keep=keep,
            newton_iterations=newton_iterations,
            cuts=cuts,
            places=self.places,
            progress=progress,
            throw=throw,
        )

    def trace(
        self,
        span: tuple[float, float] = (0.0, 1.0),
        *,
        steps: int = 20,
        first: float = 0.1,
        tolerance: float = 1e-6,
        newton_iterations: int = 12,
        cuts: int = 6,
        throw: bool = True,
    ) -> Solution:
        """Follow the equilibrium path from rest, also where the loads must fall (arc length).

        For laws without rates: steps have no duration of their own. `Solution.times` then tells
        where on the ramp of the loads each row is, and may go back.

        Parameters
        ----------
        span : (float, float)
            Times at which ramps begin and are complete.
        steps : int
            Most steps; the path ends earlier where the loads are complete.
        first : float
            Share of the loads that the first step would take if all were linear.
        tolerance, newton_iterations, cuts, throw
            As in `solve`.

        References
        ----------
        Ramm (1981), Strategies for tracing the nonlinear response near limit points; Crisfield
        (1981), Comput. Struct. 13, 55.
        """
        check_tolerance("tolerance", tolerance)
        for name, value in (("steps", steps), ("newton_iterations", newton_iterations)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"`{name}` must be a whole number > 0, but is {value!r}")
        if not 0 < first <= 1:
            raise InputError(f"`first` must lie between 0 and 1, but is {first!r}")
        return marching.trace(
            self.balance,
            span,
            steps=steps,
            first=first,
            physics=self.physics,
            tolerance=tolerance,
            newton_iterations=newton_iterations,
            cuts=cuts,
            places=self.places,
            throw=throw,
        )


def _physics_of(laws: Mapping[str, Law]) -> str:
    if not isinstance(laws, Mapping) or not laws:
        raise InputError(f"`laws` must map regions to laws, but is {laws!r}")
    for name, law in laws.items():
        if not isinstance(law, Law):
            raise InputError(
                f"`laws[{name!r}]` must be a Law or a Cell, but is a {type(law).__name__}"
            )
    found = {name: law.kinematics.physics for name, law in laws.items()}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name}: {physics}" for name, physics in found.items())
        raise InputError(f"`laws` must be of one physics, but are {told}")
    return next(iter(found.values()))


def _checked_plane(plane: str | None, physics: str, dim: int) -> str | None:
    if dim == 3 and plane is not None:
        raise InputError(f"`plane` is for 2D meshes, but the mesh is 3D and plane is {plane!r}")
    if physics == "conduction":
        if plane not in (None, "axisymmetric"):
            raise InputError(
                f"`plane` in conduction is 'axisymmetric' or left out, but is {plane!r}"
            )
    elif dim == 2 and plane not in _PLANES:
        raise InputError(
            f"`plane` must be one of {', '.join(_PLANES)} for a 2D structure, but is {plane!r}"
        )
    if physics == "finite strain" and plane == "stress":
        raise InputError(
            "`plane` must be 'strain' or 'axisymmetric' in finite strain, but is 'stress', which "
            "is for small strain; use a 3D mesh of a thin sheet"
        )
    return plane


def _check_fit(name: str, law: Law, physics: str, dim: int, plane: str | None) -> None:
    """Refuse a law whose components do not serve the structure."""
    own = law.kinematics.dim
    needed = 3 if dim == 3 or (plane == "axisymmetric" and physics != "conduction") else 2
    if own < needed:
        remedy = "use a 3D law or cell"
        if plane == "axisymmetric":
            remedy += ", or a 2D cell with plane='generalized', which sees the hoop strain"
        raise InputError(
            f"`laws[{name!r}]` must be a law in {needed}D here, but is a {type(law).__name__} in "
            f"{own}D; {remedy}"
        )
    if isinstance(law, Cell) and own == 2 and physics == "elasticity" and law.plane != plane:
        raise InputError(
            f"`laws[{name!r}]` must be a cell in plane {plane} like the structure, but is one in "
            f"plane {law.plane}"
        )
