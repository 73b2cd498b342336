"""The matrix-free operator and its preconditioner, against assembled finite elements.

The reference is written from the textbook, in textbook.py.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge import tensors
from scalebridge.cell import cg, green, media, stencil
from scalebridge.cell.discretisation import ELEMENTS, Discretisation
from scalebridge.cell.solver import LinearCellProblem, Solver
from scalebridge.laws import Conduction, Elastic, IsotropicElastic, Void
from scalebridge.tensors import rotation_from_euler
from textbook import Assembled

TWO = {"a": 0, "b": 1}
SPACING = {2: (1.0, 0.7), 3: (1.0, 0.7, 1.6)}
SHAPES = {"even": {2: (4, 6), 3: (4, 2, 4)}, "mixed": {2: (5, 4), 3: (3, 4, 5)}}
PHYSICS = ("conduction", "elasticity")
# Even grids matter to one-point elements, which do not feel modes that alternate along two axes.
# In conduction there is nothing volumetric that `bbar` could leave out: it is `full`.
CASES = [
    (physics, dim, element, grid)
    for physics in PHYSICS
    for dim in (2, 3)
    for element in ELEMENTS
    for grid in SHAPES
    if (element == "reduced" or grid == "mixed") and (element, physics) != ("bbar", "conduction")
    if (dim, element, grid) != (3, "reduced", "mixed")
]
cases = pytest.mark.parametrize(("physics", "dim", "element", "grid"), CASES)
# Each compiles a dozen kernels: in 3D those that the others do not imply.
SOLVED_3D = {
    ("elasticity", 3, "reduced", "even"),
    ("elasticity", 3, "full", "mixed"),
    ("conduction", 3, "full", "mixed"),
}
SOLVED = [case for case in CASES if case[1] == 2 or case in SOLVED_3D]
solved = pytest.mark.parametrize(("physics", "dim", "element", "grid"), SOLVED)


def random_moduli(rng, count, size):
    """Anisotropic, condition number of a few tens."""
    A = rng.normal(size=(count, size, size))
    return A @ np.swapaxes(A, 1, 2) + 0.2 * np.eye(size)


def random_problem(physics, dim, element, grid, seed=0, count=3):
    rng = np.random.default_rng(seed)
    shape = SHAPES[grid][dim]
    scale = np.exp(np.mean(np.log(SPACING[dim])))
    disc = Discretisation(
        shape, tuple(h / scale for h in SPACING[dim]), element, physics, isotropic=False
    )
    labels = rng.integers(0, count, shape)
    return Assembled(disc, labels, random_moduli(rng, count, disc.components)), rng


def operator_of(problem):
    """The package's forces and fluxes of a nodal field and an average gradient."""
    materials = jnp.asarray(media.with_ghosts(problem.labels.astype(np.uint8)))
    table = media.pack(problem.disc, jnp.asarray(problem.moduli))
    return lambda u, mean: _apply(problem.disc, u, mean, materials, table)


_apply = jax.jit(stencil.apply, static_argnums=0)
_forces = jax.jit(stencil.forces, static_argnums=0)
_precondition = jax.jit(green.precondition, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _mean_gradient(disc, u):
    return stencil.mean_gradient(disc, tuple(stencil.wrap(a) for a in u))


# --- The operator ----------------------------------------------------------------------------


@cases
def test_operator_is_the_assembled_one(physics, dim, element, grid):
    problem, rng = random_problem(physics, dim, element, grid)
    K, F = problem.system
    v, mean = rng.normal(size=len(K)), rng.normal(size=problem.disc.components)
    force, flux = operator_of(problem)(problem.unflatten(v), jnp.asarray(mean))
    # Sums of some hundred terms in double precision.
    np.testing.assert_allclose(
        problem.flatten(force), K @ v + F @ mean, rtol=0, atol=1e-13 * np.abs(K).max() * 100
    )
    average = [np.mean(stencil.interior(f)) for f in flux[: problem.disc.components]]
    expected = problem.mean_modulus @ mean + F.T @ v / problem.disc.voxels
    np.testing.assert_allclose(average, expected, rtol=0, atol=1e-11)


@cases
@settings(deadline=None, max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_operator_is_symmetric_and_positive(physics, dim, element, grid, seed):
    """⟨w, Bᵀ C B u⟩ = ⟨u, Bᵀ C B w⟩: `forces` is the adjoint of what `fluxes` differentiates."""
    problem, rng = random_problem(physics, dim, element, grid, seed)
    operator = operator_of(problem)
    size = problem.disc.voxels * problem.disc.unknowns
    u, w = rng.normal(size=(2, size))
    nothing = jnp.zeros(problem.disc.components)
    Au, Aw = (problem.flatten(operator(problem.unflatten(x), nothing)[0]) for x in (u, w))
    rounding = 1e-14 * size * np.linalg.norm(u) * np.linalg.norm(Aw)
    assert abs(w @ Au - u @ Aw) < rounding
    assert u @ Au > 0
    # Translations carry no force, and no force moves the whole.
    for j in range(problem.disc.unknowns):
        shift = np.zeros((problem.disc.voxels, problem.disc.unknowns))
        shift[:, j] = 1.0
        assert abs(shift.ravel() @ Au) < rounding


@pytest.mark.parametrize("physics", PHYSICS)
@pytest.mark.parametrize("dim", [2, 3])
@settings(deadline=None, max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_divergence_is_the_adjoint_of_the_mean_gradient(physics, dim, seed):
    """⟨τ, B w⟩ = ⟨Bᵀ τ, w⟩ for any periodic flux field τ, whether or not a law made it."""
    rng = np.random.default_rng(seed)
    disc = random_problem(physics, dim, "reduced", "mixed")[0].disc
    tau = rng.normal(size=(disc.components, *disc.shape))
    w = tuple(jnp.asarray(rng.normal(size=disc.shape)) for _ in range(disc.unknowns))
    ghosted = tuple(jnp.asarray(np.pad(t, [(1, 0)] * dim, mode="wrap")) for t in tau)
    gradient = _mean_gradient(disc, w)
    inside = sum(
        float(jnp.sum(t * stencil.interior(g))) for t, g in zip(tau, gradient, strict=True)
    )
    outside = sum(float(jnp.sum(a * f)) for a, f in zip(w, _forces(disc, ghosted), strict=True))
    assert abs(inside - outside) < 1e-13 * disc.voxels * 100


# --- The preconditioner ----------------------------------------------------------------------


def without_energy(disc):
    """(frequency) bool: modes that a homogeneous medium does not feel.

    Translations; and, with one point a voxel, modes that alternate along two axes or more,
    whose gradient vanishes at the voxel's centre.
    """
    k = np.meshgrid(*[np.arange(n) for n in disc.shape], indexing="ij")
    dead = sum(a == 0 for a in k) == disc.dim
    if disc.element == "reduced":
        alternating = sum(2 * a == n for a, n in zip(k, disc.shape, strict=True))
        dead |= alternating >= 2
    return dead


@cases
def test_green_operator_inverts_the_homogeneous_medium(physics, dim, element, grid):
    """Anisotropic medium, anisotropic spacing: M⁻¹ A u is u less its part without energy."""
    problem, rng = random_problem(physics, dim, element, grid, seed=1, count=1)
    disc = problem.disc
    inverse = green.green_operator(disc, jnp.asarray(problem.moduli[0]), single=False)
    u = tuple(jnp.asarray(rng.normal(size=disc.shape)) for _ in range(disc.unknowns))
    force, _ = operator_of(problem)(u, jnp.zeros(disc.components))
    back = _precondition(disc, inverse, force)
    dead = without_energy(disc)
    for a, b in zip(u, back, strict=True):
        modes = np.fft.fftn(a)
        expected = np.fft.ifftn(np.where(dead, 0, modes)).real
        # Rounding times the condition number of the symbol, a few hundred on such grids.
        np.testing.assert_allclose(b, expected, rtol=0, atol=1e-12)


@cases
def test_zero_energy_modes_are_those_that_are_left_out(physics, dim, element, grid):
    problem, _ = random_problem(physics, dim, element, grid)
    K, _ = problem.system
    values = np.linalg.eigvalsh(K)
    rank = np.sum(values > 1e-12 * values[-1])
    assert len(K) - rank == problem.disc.unknowns * np.sum(without_energy(problem.disc))


@pytest.mark.parametrize(
    ("physics", "dim", "element", "grid"), [case for case in SOLVED if case[0] == "elasticity"]
)
def test_homogeneous_medium_takes_one_iteration(physics, dim, element, grid):
    """From any start: the preconditioner is the inverse. Rounding may ask for a second one."""
    rng = np.random.default_rng(2)
    shape = SHAPES[grid][dim]
    law = anisotropic_law(rng, physics)
    micro = sb.Microstructure(np.arange(np.prod(shape)).reshape(shape) % 2, SPACING[dim], TWO)
    cell = sb.Cell(micro, {"a": law, "b": law}, element=element, plane=plane(physics, dim))
    problem = LinearCellProblem(cell, Solver(preconditioner="double", cascade=0))
    disc = problem.levels[0].problem.disc
    start = tuple(jnp.asarray(rng.normal(size=shape)) for _ in range(disc.unknowns))
    mean = rng.normal(size=disc.components)
    outcome = cg.solve(problem.levels[0], mean, cg.Target(residual=1e-12), start)
    assert outcome.message == ""
    assert outcome.step.iteration <= 2
    # The residual is absolute here, since the affine field is in equilibrium by itself.
    assert outcome.step.residual < 1e-11
    expected = mean @ np.asarray(cell.phase_moduli()[0]) @ mean
    np.testing.assert_allclose(outcome.energy * problem.scale, expected, rtol=1e-12)


@cases
def test_spectrum_lies_above_its_floor(physics, dim, element, grid):
    """Eigenvalues of M⁻¹ K lie between those of C⁰⁻¹ C over the phases (Ladecký et al. 2023)."""
    problem, _ = random_problem(physics, dim, element, grid, seed=3)
    reference = np.asarray(media.reference_modulus(jnp.asarray(problem.moduli)))
    homogeneous = Assembled(problem.disc, np.zeros_like(problem.labels), reference[None])
    values, vectors = np.linalg.eigh(homogeneous.system[0])
    alive = values > 1e-11 * values[-1]
    half = vectors[:, alive] / np.sqrt(values[alive])
    spectrum = np.linalg.eigvalsh(half.T @ problem.system[0] @ half)
    floor = media.spectrum_floor(problem.moduli, reference)
    ceiling = 1 / media.spectrum_floor(np.linalg.inv(problem.moduli), np.linalg.inv(reference))
    assert 0 < floor <= spectrum[0] * (1 + 1e-9)
    assert spectrum[-1] <= ceiling * (1 + 1e-9)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), contrast=st.floats(1.5, 1e4))
def test_ritz_values_lie_above_the_floor(seed, contrast):
    """The Lanczos matrix of a real run, in which the estimate of the error trusts the floor."""
    labels = np.random.default_rng(seed).integers(0, 2, (8, 8))
    labels[0, :2] = 0, 1
    micro = sb.Microstructure(labels, 1.0, TWO)
    laws = {"a": IsotropicElastic(1.0, 0.3), "b": IsotropicElastic(contrast, 0.1)}
    cell = sb.Cell(micro, laws, plane="strain")
    problem = LinearCellProblem(cell, Solver(cascade=0)).levels[0]
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        original = cg.EnergyErrorEstimate
        patch.setattr(cg, "EnergyErrorEstimate", lambda *a: steps.append(original(*a)) or steps[-1])
        cg.solve(problem, np.array([1.0, 0.0, 0.0]), cg.Target(residual=1e-6))
    ritz = steps[0].smallest_ritz_value()
    assert 0 < problem.problem.floor <= ritz * (1 + 1e-5)  # single-precision preconditioner


# --- The solved cell -------------------------------------------------------------------------


def dense_tensor(cell, voxels):
    """The effective tensor of a Cell by the textbook, from (x, y[, z], m, m) moduli."""
    disc = cell.discretisation
    everyone = np.arange(disc.voxels).reshape(disc.shape)
    return Assembled(disc, everyone, voxels.reshape(-1, *voxels.shape[-2:])).tensor


def voxel_moduli(micro, laws, rotations, physics):
    """What each voxel of the image is made of, turned one by one."""
    turn = tensors.rotate_tensor if physics == "conduction" else tensors.rotate_mandel4
    keep = {("conduction", 2): [0, 1], ("elasticity", 2): [0, 1, 5]}.get((physics, micro.dim))
    out = []
    for index in np.ndindex(micro.shape):
        name = micro.names[micro.labels[index]]
        modulus = np.asarray(laws[name].modulus)
        if name in rotations:
            modulus = turn(modulus, rotations[name][(..., *index)])
        out.append(modulus if keep is None else modulus[np.ix_(keep, keep)])
    return np.array(out).reshape(*micro.shape, *out[0].shape)


def plane(physics, dim):
    return "strain" if physics == "elasticity" and dim == 2 else None


def isotropic_laws(physics):
    if physics == "conduction":
        return {"a": Conduction(1.0), "b": Conduction(20.0)}
    return {"a": IsotropicElastic(1.0, 0.3), "b": IsotropicElastic(20.0, 0.1)}


def anisotropic_law(rng, physics):
    if physics == "conduction":
        return Conduction(random_moduli(rng, 1, 3)[0])
    return Elastic(random_moduli(rng, 1, 6)[0])


@solved
def test_effective_tensor_of_a_random_cell(physics, dim, element, grid):
    """The whole solver against the pseudo-inverse of the assembled matrix.

    Phase b is turned as a whole, phase c voxel by voxel.
    """
    rng = np.random.default_rng(4)
    micro = random_image(rng, SHAPES[grid][dim])
    laws = {name: anisotropic_law(rng, physics) for name in "abc"}
    angles = {"b": np.array([0.4, 1.2, -0.3]), "c": rng.uniform(-3, 3, (3, *micro.shape))}
    cell = sb.Cell(micro, laws, element=element, plane=plane(physics, dim), orientation=angles)
    rotations = {
        "b": np.multiply.outer(rotation_from_euler(angles["b"]), np.ones(micro.shape)),
        "c": rotation_from_euler(angles["c"]),
    }
    check_against_dense(cell, voxel_moduli(micro, laws, rotations, physics))


@pytest.mark.parametrize(("physics", "dim", "element", "grid"), [c for c in SOLVED if c[1] == 2])
def test_effective_tensor_of_a_random_porous_cell(physics, dim, element, grid):
    """Isotropic phases, which have kernels of their own, and one that is void."""
    rng = np.random.default_rng(4)
    micro = random_image(rng, SHAPES[grid][dim])
    laws = isotropic_laws(physics) | {"c": Void(physics)}
    cell = sb.Cell(micro, laws, element=element, plane=plane(physics, dim))
    check_against_dense(cell, voxel_moduli(micro, laws, {}, physics))


def random_image(rng, shape):
    labels = rng.choice(3, size=shape, p=[0.4, 0.35, 0.25])
    labels.flat[:3] = 0, 1, 2
    return sb.Microstructure(labels, SPACING[len(shape)], TWO | {"c": 2})


def check_against_dense(cell, voxels):
    expected = dense_tensor(cell, voxels)
    found = sb.effective(cell, 1e-10, "residual")
    # The tensor's error is the square of the field's: rounding, times the contrast.
    np.testing.assert_allclose(found.tensor, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_alternating_modes_stay_out_of_the_solution():
    """On an even grid one-point elements do not feel (−1)^(i+j): it is neither loaded nor found."""
    rng = np.random.default_rng(5)
    micro = sb.Microstructure(rng.integers(0, 2, (8, 8)), 1.0, TWO)
    laws = {"a": IsotropicElastic(1.0, 0.3), "b": IsotropicElastic(1e3, 0.1)}
    cell = sb.Cell(micro, laws, plane="strain", element="reduced")
    eff = sb.effective(cell, 1e-8, "residual", fields=True)
    board = (-1.0) ** np.add.outer(np.arange(8), np.arange(8))
    for case in np.eye(3):
        u = eff.local(case).fluctuation
        size = np.sqrt(np.mean(u**2))
        # The transforms of the preconditioner are in single precision.
        assert np.abs(np.mean(u * board, axis=(1, 2))).max() < 1e-6 * size
        assert np.abs(np.mean(u, axis=(1, 2))).max() < 1e-6 * size
