"""Meshes of common test pieces, with names: one region "body", and boundaries by their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import skfem

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.box_sides import box_sides

_Map = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def rectangle(
    size: Sequence[float], elements: Sequence[int], kind: str = "quad"
) -> skfem.MeshQuad | skfem.MeshTri:
    """Mesh the rectangle from the origin to `size`.

    Parameters
    ----------
    size : (2,) [length]
        Along x and y.
    elements : (2,) int
        Along x and y; for triangles, pairs of them.
    kind : "quad" or "triangle"

    Returns
    -------
    skfem.MeshQuad or skfem.MeshTri
        Boundaries left and right (x−, x+), bottom and top (y−, y+).

    Raises
    ------
    InputError
        A length that is not positive, a count that is not a positive integer, another kind.

    Examples
    --------
    >>> from scalebridge.structure import rectangle
    >>> mesh = rectangle((2.0, 1.0), (4, 2))
    >>> mesh.nelements, sorted(mesh.boundaries)
    (8, ['bottom', 'left', 'right', 'top'])
    """
    lengths = [_length("size", x) for x in _entries("size", size, 2)]
    counts = [_count("elements", n) for n in _entries("elements", elements, 2)]
    _check_kind(kind, ("quad", "triangle"))
    mesh = _grid(*(np.linspace(0, x, n + 1) for x, n in zip(lengths, counts, strict=True)))
    return _named(_as_kind(mesh, kind))


def box(
    size: Sequence[float], elements: Sequence[int], kind: str = "hexahedron"
) -> skfem.MeshHex | skfem.MeshTet:
    """Mesh the box from the origin to `size`.

    Parameters
    ----------
    size : (3,) [length]
        Along x, y and z.
    elements : (3,) int
        Along x, y and z; for tetrahedra, cubes of six.
    kind : "hexahedron" or "tetrahedron"

    Returns
    -------
    skfem.MeshHex or skfem.MeshTet
        Boundaries left and right (x−, x+), bottom and top (y−, y+), front and back (z−, z+).

    Raises
    ------
    InputError
        A length that is not positive, a count that is not a positive integer, another kind.
    """
    lengths = [_length("size", x) for x in _entries("size", size, 3)]
    counts = [_count("elements", n) for n in _entries("elements", elements, 3)]
    _check_kind(kind, ("hexahedron", "tetrahedron"))
    axes = [np.linspace(0, x, n + 1) for x, n in zip(lengths, counts, strict=True)]
    mesh = skfem.MeshHex.init_tensor(*axes)
    return _named(mesh.to_meshtet() if kind == "tetrahedron" else mesh)


def plate_with_hole(
    radius: float,
    half_width: float,
    half_height: float | None = None,
    *,
    n_around: int = 16,
    n_radial: int = 16,
    curved: bool = False,
) -> skfem.MeshQuad | skfem.MeshQuad2:
    """Mesh a quarter of a rectangular plate with a hole in its middle.

    The quads lie on rays from the middle, r = a (R/a)^ξ with the radius a of the hole and the
    distance R to the edge: they grow outwards and keep their shape.

    Parameters
    ----------
    radius : float [length]
        Of the hole.
    half_width, half_height : float [length]
        From the middle to the right and to the upper edge; alike by default.
    n_around, n_radial : int
        Elements along the quarter circle, at least 2, and from the hole to the edge.
    curved : bool
        Quads with sides of second order, which follow the hole.

    Returns
    -------
    skfem.MeshQuad or skfem.MeshQuad2
        Boundaries hole, right, top, and the planes of symmetry left (x = 0) and bottom (y = 0).

    Raises
    ------
    InputError
        A length that is not positive, a hole that is not inside, a count that is too small.

    Examples
    --------
    >>> from scalebridge.structure import plate_with_hole
    >>> sorted(plate_with_hole(1.0, 4.0, curved=True).boundaries)
    ['bottom', 'hole', 'left', 'right', 'top']
    """
    a, w = _length("radius", radius), _length("half_width", half_width)
    h = w if half_height is None else _length("half_height", half_height)
    if a >= min(w, h):
        raise InputError(
            f"`radius` must be less than half the width and height of the plate, but is {a:g} with "
            f"{w:g} and {h:g}; make the hole smaller"
        )
    around, radial = _count("n_around", n_around, 2), _count("n_radial", n_radial)
    corner = np.arctan2(h, w)
    lower = min(max(round(around * corner / (np.pi / 2)), 1), around - 1)
    angles = np.concatenate(
        [
            np.linspace(0, corner, lower + 1)[:-1],
            np.linspace(corner, np.pi / 2, around - lower + 1),
        ]
    )

    def place(share: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = _direction(angle)
        with np.errstate(divide="ignore"):
            edge = np.minimum(w / x, h / y)
        r = a * (edge / a) ** share
        return r * x, r * y

    mesh, sides = _mapped(np.linspace(0, 1, radial + 1), angles, place, curved)
    middle = mesh.p[:, mesh.facets[:, sides["right"]]].mean(axis=1)
    on_right = np.arctan2(middle[1], middle[0]) < corner
    boundaries = {
        "hole": sides["left"],
        "bottom": sides["bottom"],
        "right": sides["right"][on_right],
        "top": sides["right"][~on_right],
        "left": sides["top"],
    }
    return _named(mesh, boundaries)


def annulus(
    inner: float, outer: float, n_radial: int = 8, n_around: int = 8, *, curved: bool = False
) -> skfem.MeshQuad | skfem.MeshQuad2:
    """Mesh a quarter of a ring; its quads grow outwards and keep their shape.

    Parameters
    ----------
    inner, outer : float [length]
        Radii.
    n_radial, n_around : int
        Elements through the wall and along the quarter.
    curved : bool
        Quads with sides of second order, which follow the circles.

    Returns
    -------
    skfem.MeshQuad or skfem.MeshQuad2
        Boundaries inner, outer, and the planes of symmetry left (x = 0) and bottom (y = 0).

    Raises
    ------
    InputError
        Radii that are not positive or do not increase, a count that is not positive.
    """
    a, b = _length("inner", inner), _length("outer", outer)
    if a >= b:
        raise InputError(
            f"`outer` must be greater than the inner radius {a:g}, but is {b:g}; give the inner "
            "radius first"
        )

    def place(share: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = _direction(angle)
        r = a * (b / a) ** share
        return r * x, r * y

    shares = np.linspace(0, 1, _count("n_radial", n_radial) + 1)
    angles = np.linspace(0, np.pi / 2, _count("n_around", n_around) + 1)
    mesh, sides = _mapped(shares, angles, place, curved)
    names = {"inner": "left", "outer": "right", "bottom": "bottom", "left": "top"}
    return _named(mesh, {name: sides[side] for name, side in names.items()})


def cooks_membrane(n: int, kind: str = "quad") -> skfem.MeshQuad | skfem.MeshTri:
    """Mesh Cook's membrane: a panel 48 long, 44 high at the left and 16 at the right.

    Its corners are (0, 0), (48, 44), (48, 60) and (0, 44).

    Parameters
    ----------
    n : int
        Elements along each side; for triangles, pairs of them.
    kind : "quad" or "triangle"

    Returns
    -------
    skfem.MeshQuad or skfem.MeshTri
        Boundaries left, which is clamped in the problem, right, which is sheared, bottom and top.

    Raises
    ------
    InputError
        A count that is not a positive integer, another kind.

    References
    ----------
    R. D. Cook, "Improved two-dimensional finite element", J. Struct. Div. ASCE 100 (1974)
    1851–1863.
    """
    _check_kind(kind, ("quad", "triangle"))
    steps = np.linspace(0, 1, _count("n", n) + 1)

    def place(s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 48 * s, 44 * s + (44 - 28 * s) * t

    square = _as_kind(_grid(steps, steps), kind)
    mesh = replace(square, doflocs=np.stack(place(*square.doflocs)))
    return _named(mesh, box_sides(square))


def _grid(x: np.ndarray, y: np.ndarray) -> skfem.MeshQuad:
    """Return quads that run counterclockwise on a grid."""
    nodes = np.arange(len(x) * len(y)).reshape(len(x), len(y))
    corners = [nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]]
    points = np.stack([a.ravel() for a in np.meshgrid(x, y, indexing="ij")])
    return skfem.MeshQuad(points, np.stack([c.ravel() for c in corners]))


def _as_kind(mesh: skfem.MeshQuad, kind: str) -> skfem.MeshQuad | skfem.MeshTri:
    if kind == "quad":
        return mesh
    return skfem.MeshTri(mesh.p, np.hstack([mesh.t[[0, 1, 2]], mesh.t[[0, 2, 3]]]))


def _mapped(
    x: np.ndarray, y: np.ndarray, place: _Map, curved: bool
) -> tuple[skfem.MeshQuad | skfem.MeshQuad2, dict[str, np.ndarray]]:
    """Return a grid in its place, and the sides that it had before."""
    flat = _grid(x, y)
    mesh = skfem.MeshQuad2.from_mesh(flat) if curved else flat
    return replace(mesh, doflocs=np.stack(place(*mesh.doflocs))), box_sides(flat)


def _direction(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and sine, which vanish on the axes."""
    x, y = np.cos(angle), np.sin(angle)
    return np.where(angle < np.pi / 2, x, 0.0), y


def _named(mesh: skfem.Mesh, boundaries: dict[str, np.ndarray] | None = None) -> skfem.Mesh:
    return mesh.with_boundaries(boundaries or box_sides(mesh)).with_subdomains(
        {"body": np.arange(mesh.nelements)}
    )


def _entries(name: str, given: Sequence[object], count: int) -> list[object]:
    if not isinstance(given, Sequence | np.ndarray) or len(given) != count:
        raise InputError(
            f"`{name}` must be {count} numbers, one for each axis, but is {given!r}; give "
            f"({', '.join('xyz'[:count])})"
        )
    return list(given)


def _length(name: str, given: object) -> float:
    if not (isinstance(given, int | float | np.number) and 0 < given < np.inf):
        raise InputError(f"`{name}` must be a length > 0, but is {given!r}; give a positive number")
    return float(given)


def _count(name: str, given: object, least: int = 1) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
        raise InputError(f"`{name}` must be an integer ≥ {least}, but is {given!r}; give a count")
    return int(given)


def _check_kind(kind: str, known: tuple[str, str]) -> None:
    if kind not in known:
        raise InputError(
            f"`kind` must be {' or '.join(map(repr, known))}, but is {kind!r}"
            f"{did_you_mean(kind, known)}"
        )
