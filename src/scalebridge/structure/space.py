"""The finite element space of a structure: what its elements contribute, precomputed.

The gradient at a point is linear in the nodal values of the element,
g = g₀ + M : (Σₙ uₙ ⊗ ∇Nₙ), with one constant array M for each region's law. In an axisymmetric
body Nₙ/r stands beside ∇Nₙ as a third direction, so that the hoop strain u_r/r needs nothing
of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import skfem
from skfem.quadrature import get_quadrature

from scalebridge.errors import InputError

_ELEMENTS: dict[type, tuple[type, type]] = {
    skfem.MeshTri: (skfem.ElementTriP1, skfem.ElementTriP2),
    skfem.MeshQuad: (skfem.ElementQuad1, skfem.ElementQuad2),
    skfem.MeshTet: (skfem.ElementTetP1, skfem.ElementTetP2),
    skfem.MeshHex: (skfem.ElementHex1, skfem.ElementHex2),
}


@dataclass(frozen=True)
class Space:
    """Scalar shape functions on a mesh; every component of the field uses them.

    Attributes
    ----------
    mesh : skfem.Mesh
    basis : skfem.CellBasis
    order : 1 or 2
    axisymmetric : bool
    nodes : (node, dim)
    connectivity : (element, node of the element)
    gradients : (element, point, node of the element, direction)
    weights : (element, point)
        Volume of the points; thickness or 2πr included.
    points : (element, point, dim)
    """

    mesh: skfem.Mesh
    basis: Any
    order: int
    axisymmetric: bool
    nodes: np.ndarray
    connectivity: np.ndarray
    gradients: np.ndarray
    weights: np.ndarray
    points: np.ndarray

    @property
    def dim(self) -> int:
        """Dimension of the mesh."""
        return self.nodes.shape[1]

    def gather(self, u: np.ndarray, elements: np.ndarray) -> np.ndarray:
        """Return ∂u/∂x, (element, point, component · direction), of nodal values (node, c)."""
        here = u[self.connectivity[elements]]  # (element, node, component)
        slopes = np.swapaxes(here, 1, 2)[:, None] @ self.gradients[elements]
        return slopes.reshape(*slopes.shape[:2], -1)

    def scatter(self, fluxes: np.ndarray, elements: np.ndarray) -> np.ndarray:
        """Return the nodal forces, (element, node, component), of fluxes conjugate to `gather`.

        Parameters
        ----------
        fluxes : (element, point, component · direction)
        """
        directions = self.gradients.shape[-1]
        weighted = fluxes * self.weights[elements][..., None]
        shaped = weighted.reshape(*weighted.shape[:2], -1, directions)
        forces = self.gradients[elements] @ np.swapaxes(shaped, 2, 3)
        return forces.sum(axis=1)


def build(mesh: skfem.Mesh, order: int, axisymmetric: bool, thickness: float) -> Space:
    """Precompute the shape functions of a mesh.

    Raises
    ------
    InputError
        A mesh of an unknown kind, a node in no element, an element that is inverted or has no
        volume, an axisymmetric body that reaches across its axis.
    """
    element = element_of(mesh, order)
    _check_nodes(mesh)
    quadrature = _quadrature(mesh, order)
    _check_elements(mesh, quadrature[0])
    basis = skfem.CellBasis(mesh, element, quadrature=quadrature)
    points = np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1)
    shape = [np.asarray(basis.basis[n][0].grad) for n in range(basis.Nbfun)]
    gradients = np.stack([np.moveaxis(g, 0, -1) for g in shape], axis=2)
    weights = np.array(basis.dx)
    if axisymmetric:
        radius = points[..., 0]
        if mesh.p[0].min() < -1e-12 * np.ptp(mesh.p[0]):
            raise InputError(
                f"`mesh` must lie at r = x ≥ 0 in an axisymmetric structure, but reaches x = "
                f"{mesh.p[0].min():g}; move it"
            )
        values = np.stack(
            [np.broadcast_to(basis.basis[n][0], radius.shape) for n in range(basis.Nbfun)], axis=2
        )
        hoop = values / radius[..., None]
        gradients = np.concatenate([gradients, hoop[..., None]], axis=-1)
        weights = weights * 2 * np.pi * radius
    return Space(
        mesh=mesh,
        basis=basis,
        order=order,
        axisymmetric=axisymmetric,
        nodes=np.ascontiguousarray(basis.doflocs.T),
        connectivity=np.ascontiguousarray(basis.element_dofs.T),
        gradients=np.ascontiguousarray(gradients),
        weights=weights * thickness,
        points=points,
    )


def element_of(mesh: skfem.Mesh, order: int) -> Any:
    """Return the Lagrange element of a mesh."""
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or order not in (1, 2):
        raise InputError(f"`order` must be 1 or 2, but is {order!r}")
    for kind, elements in _ELEMENTS.items():
        if isinstance(mesh, kind):
            return elements[order - 1]()
    known = "MeshTri, MeshQuad, MeshTet or MeshHex"
    raise InputError(f"`mesh` must be a skfem {known}, but is a {type(mesh).__name__}")


def _quadrature(mesh: skfem.Mesh, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the fewest points that integrate stiffness to the order of the element."""
    refdom = mesh.elem.refdom
    simplex = isinstance(mesh, skfem.MeshTri | skfem.MeshTet)
    if simplex and order == 1 and mesh.elem().maxdeg == 1:
        dim = mesh.dim()
        return np.full((dim, 1), 1 / (dim + 1)), np.array([1 / (2 if dim == 2 else 6)])
    # Triangles and tetrahedra need degree 2(k − 1); tensor products k + 1 Gauss points an axis.
    return get_quadrature(refdom, 2 * (order - 1) if simplex and order > 1 else 2 * order + 1)


def _check_nodes(mesh: skfem.Mesh) -> None:
    """Refuse nodes that nothing would hold."""
    used = np.zeros(mesh.p.shape[1], bool)
    used[mesh.dofs.element_dofs] = True  # corners, and what bends their sides
    if not used.all():
        number = int(np.flatnonzero(~used)[0])
        place = ", ".join(f"{x:g}" for x in mesh.p[:, number])
        others = f" ({int(np.sum(~used))} nodes do)" if np.sum(~used) > 1 else ""
        raise InputError(
            f"`mesh` must have nodes of elements only, but node {number} at ({place}) belongs to "
            f"no element{others}; remove it (mesh.remove_unused_nodes())"
        )


def _check_elements(mesh: skfem.Mesh, X: np.ndarray) -> None:
    """Refuse elements that are inverted, fold over a neighbour or have no volume."""
    with np.errstate(divide="ignore", invalid="ignore"):  # of elements without volume
        jacobians = np.asarray(mesh.mapping().detDF(X))
    size = np.abs(jacobians).max(axis=1)
    corners = mesh.p[:, mesh.t]
    flat = size <= 1e-12 * np.ptp(corners, axis=1).max(axis=0) ** mesh.dim()
    folded = (jacobians.min(axis=1) <= 0) & (jacobians.max(axis=1) >= 0)
    folded |= _overlapping(mesh)  # the sign alone says nothing: it depends on the numbering
    for bad, how in ((flat, "has no volume"), (folded, "is inverted")):
        if bad.any():
            number = int(np.flatnonzero(bad)[0])
            centre = mesh.p[:, mesh.t[:, number]].mean(axis=1)
            place = ", ".join(f"{x:g}" for x in centre)
            others = f" ({int(bad.sum())} of {len(bad)} are)" if bad.sum() > 1 else ""
            raise InputError(
                f"`mesh` must have elements of positive volume, but element {number} at ({place}) "
                f"{how}{others}; repair the mesh"
            )


def _overlapping(mesh: skfem.Mesh) -> np.ndarray:
    """Return which elements lie on the same side of a facet as their neighbour."""
    bad = np.zeros(mesh.t.shape[1], bool)
    first, second = mesh.f2t
    inside = np.flatnonzero(second >= 0)
    corners = mesh.p[:, mesh.facets[:, inside]]  # (dim, node of the facet, facet)
    edges = corners[:, 1:] - corners[:, :1]
    if mesh.dim() == 2:
        normal = np.stack([-edges[1, 0], edges[0, 0]])
    else:
        normal = np.cross(edges[:, 0], edges[:, 1], axis=0)

    def side(elements: np.ndarray) -> np.ndarray:
        centre = mesh.p[:, mesh.t[:, elements]].mean(axis=1)
        return np.sum(normal * (centre - corners[:, 0]), axis=0)

    same = side(first[inside]) * side(second[inside]) > 0
    bad[second[inside[same]]] = True
    return bad
