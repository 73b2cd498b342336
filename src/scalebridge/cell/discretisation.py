"""Voxels as finite elements: which gradients an element sees.

On a voxel the nodal field is multilinear,

    u(ξ) = Σ_T m_T Π_{t∈T} ξ_t,   ξ ∈ [−½, ½]^d,

with one mode m_T for each set T of axes: averages of the corner values along
the axes outside T, differences along those in T. Its gradient is

    ∂_i u = Σ_S ( m_{S∪{i}} / h_i ) Π_{s∈S} ξ_s,   S ∌ i,

and the monomials are orthogonal on the voxel with ⟨ξ_s²⟩ = 1/12. Hence the
exactly integrated energy of a linear law is a sum over S of the energies of
the "modal gradients" g_S with weight 12^−|S|: S = ∅ is the mean gradient, the
other S are the hourglass gradients. (2^d Gauss points integrate the same
energy, at the price of 2^d dense evaluations.)

The elements differ in their hourglass gradients only:

========== =================================================================
reduced    none: one point, the rotated scheme (Willot 2015)
full       all: the trilinear element, exactly integrated (Schneider, Merkert
           & Kabel 2017); energies are upper bounds on the voxel geometry
bbar       all, without their volumetric part: mean dilatation (Hughes 1980)
========== =================================================================

Beside them, for conduction, stands `volume`: voxel-centred finite volumes (see volumes.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

Axes = frozenset[int]
Ends = tuple[tuple[str, ...], ...]

ELEMENTS = ("reduced", "full", "bbar")
SCHEMES = (*ELEMENTS, "volume")
FREE = ("static", "free")


@dataclass(frozen=True)
class Discretisation:
    """Everything that shapes the compiled kernels; hashable, without values.

    Attributes
    ----------
    shape : (d,) int
        Voxels by axis.
    spacing : (d,) float
        Voxel sides, relative to their geometric mean.
    element : "reduced", "full", "bbar" or "volume"
    physics : "conduction", "elasticity" or "finite strain"
    isotropic : bool
        Two (mechanics) or one (conduction) moduli a material, or a full matrix.
    ends : [axis][field component] of str
        What holds at both ends of each axis: "periodic" (of all components or none), "fixed"
        (no fluctuation), "static" (a uniform flux, whose size keeps the average gradient) or
        "free" (no flux). Empty: periodic.
    generalized : bool
        Three displacement components and all six strains on a 2D grid.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    element: str
    physics: str
    isotropic: bool
    ends: Ends = ()
    generalized: bool = False

    @property
    def dim(self) -> int:
        return len(self.shape)

    @property
    def rank(self) -> int:
        """Dimension of vectors: 3 on the 2D grid of generalised plane strain."""
        return 3 if self.generalized else self.dim

    @property
    def unknowns(self) -> int:
        """Components of the nodal field."""
        return 1 if self.physics == "conduction" else self.rank

    @property
    def components(self) -> int:
        """Components of gradient and flux."""
        if self.physics == "finite strain":
            return self.rank**2
        return self.rank if self.physics == "conduction" else self.rank * (self.rank + 1) // 2

    @property
    def reference(self) -> Discretisation:
        """The same with the kinematics of the reference medium: small strain in mechanics."""
        return replace(self, physics="elasticity") if self.physics == "finite strain" else self

    @property
    def mean_dilatation(self) -> bool:
        """Whether hourglass gradients are seen without their volumetric part."""
        return self.element == "bbar" and self.physics == "elasticity"

    @property
    def bounded(self) -> tuple[int, ...]:
        """Axes that are not periodic."""
        return tuple(a for a, kinds in enumerate(self.ends) if kinds[0] != "periodic")

    @property
    def nodes(self) -> tuple[int, ...]:
        """Nodes by axis: corners of voxels, or their centres."""
        if self.element == "volume":
            return self.shape
        return tuple(n + (a in self.bounded) for a, n in enumerate(self.shape))

    @property
    def is_fourier(self) -> bool:
        """Whether nodal Fourier modes diagonalise the reference medium."""
        return not self.bounded and self.element != "volume"

    def is_fixed(self, axis: int, component: int) -> bool:
        """Whether a field component vanishes at the ends of an axis."""
        return bool(self.ends) and self.ends[axis][component] == "fixed"

    def is_free(self, axis: int, component: int) -> bool:
        """Whether a field component may move at the ends of an axis."""
        return bool(self.ends) and self.ends[axis][component] in FREE

    @property
    def voxels(self) -> int:
        total = 1
        for n in self.shape:
            total *= n
        return total

    def hourglass_sets(self) -> Iterator[tuple[Axes, float]]:
        """Yield each S ≠ ∅ that the element integrates, with its weight 12^−|S|."""
        if self.element == "reduced":
            return
        for size in range(1, self.dim):
            for axes in combinations(range(self.dim), size):
                yield frozenset(axes), 12.0**-size

    def coarser(self) -> Discretisation | None:
        """Return the grid of half the resolution; None where a side is odd, small or bounded."""
        if not self.is_fourier or any(n % 2 or n < 16 for n in self.shape):
            return None
        return replace(self, shape=tuple(n // 2 for n in self.shape))


def symmetric_pairs(dim: int) -> tuple[tuple[int, int], ...]:
    """Index pairs in the order of the Mandel components: 11, 22, 33, 23, 13, 12."""
    normal = [(i, i) for i in range(dim)]
    return tuple(normal + ([(0, 1)] if dim == 2 else [(1, 2), (0, 2), (0, 1)]))
