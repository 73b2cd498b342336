"""The Structure: a mesh, a law for each region, supports and loads. With a Cell it is FE²."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import skfem

from scalebridge._runtime import require_double_precision
from scalebridge.cell.checks import check_tolerance
from scalebridge.errors import InputError, did_you_mean
from scalebridge.laws.protocol import Law
from scalebridge.structure import linear, marching
from scalebridge.structure.alike_points import check_alike
from scalebridge.structure.balance import Balance, Region
from scalebridge.structure.cell_points import TANGENTS
from scalebridge.structure.checks import (
    as_mapping,
    as_span,
    as_thickness,
    as_turns,
    check_checkpoint,
    check_count,
    check_fit,
    check_rows,
    check_workers,
    checked_plane,
    physics_of,
)
from scalebridge.structure.chosen_points import by_number, cell_at
from scalebridge.structure.hold import check_rigid
from scalebridge.structure.kinematic import gradient_operator
from scalebridge.structure.loads import find_loads
from scalebridge.structure.places import Places, find_places
from scalebridge.structure.points_of import points_of, spread_turns
from scalebridge.structure.record import Saves
from scalebridge.structure.rigid import rigid_modes
from scalebridge.structure.solution import Solution
from scalebridge.structure.space import Space, build
from scalebridge.structure.supports import find_supports
from scalebridge.structure.workers import Workers


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
        last time, a `Table`, or functions of (x, t), x being (dim, point). Two displacements
        for one component of one node, as in a corner that two boundaries share, must be equal;
        of tables, functions and values in conduction the later one counts.
    loads : mapping of boundary, region or point
        To loads by kind: "traction" and "pressure" on boundaries, "body_force" in regions,
        "force" at points; in conduction "flux" into the body, "source" and "point_source".
        In finite strain tractions and forces are those of the undeformed body, and a pressure
        follows the surface.
    ties : sequence of (str, str)
        Boundaries that a translation apart move alike: a periodic structure.
    points : mapping of name to coordinates, optional
        Names for nodes, other than those of boundaries and regions.
    order : 1 or 2
        Of the shape functions.
    plane : "strain", "stress" or "axisymmetric", optional
        Mandatory for a 2D mesh in mechanics. The axis of an axisymmetric body is x = 0, and
        its laws see x, y and the hoop as 11, 22 and 33. In plane stress a 3D cell is free to
        extend, so that its average stresses 33, 23 and 13 vanish.
    orientation : mapping of region to (3, 3) or (3, 3, element), optional
        Rotations that take the axes of the material to those of the structure, one for the
        region or one for each of its elements. 2D laws and cells turn about the third axis
        only; so do nonlinear cells in plane stress.
    thickness : float
        Of a plane 2D structure [length].
    linear_solver : "auto", "direct", "multigrid" or "pardiso"
    tangent : "exact", "perturbation", "forward" or "initial"
        Of cells: by one linear solve for each component, or, to compare, by central or forward
        differences, which solve the nonlinear micro problem again, or that of the virgin cell
        throughout, with which the iteration converges linearly.

    Raises
    ------
    InputError
        What cannot be used, before anything is solved: names, laws that do not fit, inverted
        elements, supports that contradict each other, a body that is free to move.

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
        if tangent not in TANGENTS:
            raise InputError(
                f"`tangent` must be one of {', '.join(TANGENTS)}, but is {tangent!r}"
                f"{did_you_mean(tangent, TANGENTS)}"
            )
        supports = as_mapping("supports", supports, "boundaries or points to what holds them")
        loads = as_mapping("loads", loads, "boundaries, regions or points to loads")
        points = as_mapping("points", points, "names to coordinates")
        orientation = as_mapping("orientation", orientation, "regions to rotations")
        self.physics = physics_of(laws)
        self.plane = checked_plane(plane, self.physics, mesh.dim())
        depth = as_thickness(thickness, mesh.dim(), plane)
        axisymmetric = plane == "axisymmetric"
        self.space: Space = build(mesh, order, axisymmetric, depth)
        self.places: Places = find_places(self.space, laws, points)
        for name in orientation:
            self.places.check(name, ("regions",), "orientation")
        components = 1 if self.physics == "conduction" else self.space.dim
        scalar = self.physics == "conduction"
        held = find_supports(self.space, self.places, supports, ties, components, scalar)
        modes = rigid_modes(self.space.nodes, self.physics, axisymmetric)
        check_rigid(self.space, held, modes)
        applied = find_loads(self.space, self.places, loads, self.physics, depth)
        for name, law in laws.items():  # all before the first cell is homogenised
            check_fit(name, law, self.physics, self.space.dim, self.plane)
        self.laws = dict(laws)
        self.balance = Balance(
            space=self.space,
            regions=tuple(
                self._region(name, law, orientation.get(name), tangent)
                for name, law in laws.items()
            ),
            supports=held,
            loads=applied,
            modes=modes,
            linear_solver=linear_solver,
        )

    def _region(self, name: str, law: Law, turns: Any, tangent: str) -> Region:
        dim, elements = self.space.dim, self.places.regions[name]
        count = self.space.weights.shape[1]
        given = None
        if turns is not None:
            given = as_turns(name, turns, law, self.plane, len(elements))
            given = spread_turns(given, count)
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
        watch: Sequence[tuple[int, int]] = (),
        newton_iterations: int = 15,
        cuts: int = 6,
        progress: Callable[[marching.StepProgress], None] | None = None,
        checkpoint: Saves | None = None,
        workers: Workers | None = None,
        alike: float | None = None,
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
        watch : sequence of (element, point)
            Points into whose cells `localize` is to look at each of these rows, and not at the
            last time only: elements of the mesh and their integration points, by number.
        newton_iterations : int
            Most iterations of a substep before it is cut.
        cuts : int
            A step may be cut down to 2^-cuts of its length.
        progress : callable, optional
            Called with a `StepProgress` after each iteration.
        checkpoint : StructureCheckpoint, optional
            Each row is saved there, and what is there already of this very problem is not
            solved again; the result is the same to the last bit.
        workers : DaskWorkers or MpiWorkers, optional
            Processes that answer the nonlinear cells; default this one.
        alike : float, optional
            Points of a region share the solve of one nonlinear cell while their gradients have
            not been farther from the mean than this share of the largest one; `Solution.sharing`
            tells how many solves there were, and the error that it made. Default: each point
            has a cell of its own.
        throw : bool
            Raise when a step cannot be solved; otherwise `Solution.converged` is False.

        Raises
        ------
        InputError
            Times that do not increase; points to watch that there are not, or whose law is no
            cell; `alike` with workers, or without nonlinear cells.
        ConvergenceError
            A step that fails however short it is cut; `partial` is the solution up to there.
        Interrupted
            On Ctrl-C, with the solution up to there as `partial`.
        WorkersLostError
            All workers are gone, with the solution up to there as `partial`.
        """
        check_tolerance("tolerance", tolerance)
        check_rows(keep)
        check_count("newton_iterations", newton_iterations, 1)
        check_count("cuts", cuts, 0)
        check_workers(workers)
        check_checkpoint(checkpoint)
        watched = by_number("watch", self.space, watch)
        for element, _ in watched:
            cell_at("watch", self.balance.regions, element)
        if alike is not None:
            check_alike(alike, workers)
        return marching.march(
            self.balance,
            times,
            physics=self.physics,
            tolerance=tolerance,
            keep=keep,
            watch=list(dict.fromkeys(watched)),
            newton_iterations=newton_iterations,
            cuts=cuts,
            plane=self.plane,
            progress=progress,
            checkpoint=checkpoint,
            workers=workers,
            alike=alike,
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
        workers: Workers | None = None,
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
        tolerance, newton_iterations, cuts, workers, throw
            As in `solve`.

        References
        ----------
        Ramm (1981), Strategies for tracing the nonlinear response near limit points; Crisfield
        (1981), Comput. Struct. 13, 55.
        """
        check_tolerance("tolerance", tolerance)
        check_count("steps", steps, 1)
        check_count("newton_iterations", newton_iterations, 1)
        check_count("cuts", cuts, 0)
        check_workers(workers)
        if not isinstance(first, int | float | np.number) or not 0 < first <= 1:
            raise InputError(f"`first` must lie between 0 and 1, but is {first!r}")
        return marching.trace(
            self.balance,
            as_span(span),
            steps=steps,
            first=first,
            physics=self.physics,
            tolerance=tolerance,
            newton_iterations=newton_iterations,
            cuts=cuts,
            plane=self.plane,
            workers=workers,
            throw=throw,
        )
