"""Derivatives through the pure core, `Cell.respond`, against closed forms and differences.

Few cases, since each compiles a solver inside a transformation: a random image of 15 × 15.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cell import implicit
from scalebridge.laws import Conduction, IsotropicElastic, Void

MICRO = sb.Microstructure(np.random.default_rng(0).integers(0, 2, (15, 15)), 1.0, {"a": 0, "b": 1})
CONDUCTION = jnp.array([1.0, 20.0])  # k of a and b
ELASTICITY = jnp.array([1.0, 0.3, 20.0, 0.1])  # E, nu of a and b


def laws_of(p):
    if len(p) == 2:
        return {"a": Conduction(p[0]), "b": Conduction(p[1])}
    return {"a": IsotropicElastic(p[0], p[1]), "b": IsotropicElastic(p[2], p[3])}


def cell_of(p, tolerance=1e-11):
    """One-point elements, and fields to 1e-11: what follows is of first order in the fields."""
    plane = "strain" if len(p) == 4 else None
    return sb.Cell(MICRO, laws_of(p), element="reduced", plane=plane, tolerance=tolerance)


@jax.jit
def tensor_of(p):
    """The tensor by `respond`, a column for each unit gradient."""
    cell = cell_of(p)
    return jax.vmap(lambda g: cell.respond(g).flux, out_axes=1)(jnp.eye(cell.kinematics.size))


def energy_of(p, gradient):
    return cell_of(p).respond(gradient).energy


def plane_modulus(law):
    keep = np.array([0, 1, 5])
    return law.modulus[keep][:, keep]


def test_derivative_by_every_parameter():
    """dC̄_ab/dp = ⟨ε_a · dC/dp · ε_b⟩: the field's own change has no effect at first order.

    (One-point elements: the strain at the voxel's centre is all that has energy.)
    """
    p = ELASTICITY
    eff = sb.effective(cell_of(p), 1e-11, "residual", fields=True)
    strains = np.stack([eff.local(e).gradient for e in np.eye(3)])
    slopes = jax.jacfwd(lambda q: jnp.stack([plane_modulus(law) for law in laws_of(q).values()]))(p)
    by_voxel = np.asarray(slopes)[MICRO.labels]  # (x, y, m, m, parameter)
    adjoint = np.einsum("acxy,xycdp,bdxy->abp", strains, by_voxel, strains) / MICRO.labels.size
    scale = np.abs(adjoint).max(axis=(0, 1))

    # Residuals of 1e-11, amplified by the root of the contrast at most.
    tangents = np.asarray(jax.jacfwd(tensor_of)(p))
    np.testing.assert_allclose(tangents / scale, adjoint / scale, rtol=0, atol=1e-9)

    # Reverse mode, of an energy under a mixed load.
    gradient = jnp.linspace(-1.0, 2.0, 3)
    reverse = np.asarray(jax.grad(energy_of)(p, gradient))
    expected = 0.5 * np.einsum("a,abp,b->p", gradient, adjoint, gradient)
    np.testing.assert_allclose(reverse / scale, expected / scale, rtol=0, atol=1e-9)

    # Central differences, step h: the error is h² times the third derivative, of order one here
    # in units of the parameter, but for ν = 0.3, where 1/(1 − 2ν)⁴ makes it some tens.
    for i, step in enumerate(1e-4 * np.asarray(p)):
        there = tensor_of(p.at[i].add(step)), tensor_of(p.at[i].add(-step))
        difference = (there[0] - there[1]) / (2 * step)
        error = difference / scale[i] - adjoint[:, :, i] / scale[i]
        np.testing.assert_allclose(error, 0, atol=1e-6)


def test_derivatives_by_conductivities():
    """∂K*_xx/∂k_i = ⟨g²⟩ over phase i, and Euler's identities.

    K* is homogeneous of degree one in the conductivities, its gradient of degree zero:
    Σ k_i ∂K*/∂k_i = K*, Σ k_i ∂²K*/∂k_i∂k_j = 0. Forward over forward, to second order.
    """
    p, along = CONDUCTION, jnp.array([1.0, 0.0])

    @jax.jit
    def k_xx(q):
        return 2 * energy_of(q, along)

    eff = sb.effective(cell_of(p), 1e-11, "residual", fields=True)
    squares = np.sum(eff.local(along).gradient ** 2, axis=0)
    adjoint = [np.sum(squares[MICRO.labels == i]) / squares.size for i in (0, 1)]
    first, second = jax.jacfwd(k_xx)(p), jax.jacfwd(jax.jacfwd(k_xx))(p)
    np.testing.assert_allclose(first, adjoint, rtol=1e-9)
    assert float(first @ p) == pytest.approx(eff.tensor[0, 0], rel=1e-9)
    np.testing.assert_allclose(second @ p, 0, atol=1e-8)
    assert second[0, 0] < 0  # concave: K* is a minimum of functions linear in the moduli
    for i, step in enumerate(1e-4 * np.asarray(p)):
        difference = (k_xx(p.at[i].add(step)) - k_xx(p.at[i].add(-step))) / (2 * step)
        assert float(difference) == pytest.approx(adjoint[i], rel=1e-6)


def test_batches():
    """`vmap` over gradients and over parameters, `jit` around both."""
    several = jnp.stack([CONDUCTION, 1.1 * CONDUCTION, 0.8 * CONDUCTION])
    for q, tensor in zip(several, jax.jit(jax.vmap(tensor_of))(several), strict=True):
        expected = sb.effective(cell_of(q), 1e-9, "residual").tensor
        np.testing.assert_allclose(tensor, expected, rtol=0, atol=1e-9 * expected.max())


def test_response_is_the_effective_tensor():
    """Flux, energy and consistent tangent; full integration, beside void."""
    laws = {"a": IsotropicElastic(1.0, 0.3), "b": Void()}
    porous = np.kron([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.ones((5, 5), int))
    micro = sb.Microstructure(porous, 1.0, {"a": 0, "b": 1})
    cell = sb.Cell(micro, laws, plane="strain", tolerance=1e-10)
    expected = sb.effective(cell, 1e-9, "residual").tensor
    gradient = np.array([0.3, -0.2, 0.5])
    response = cell.respond(gradient, (), 1.0)
    np.testing.assert_allclose(response.flux, expected @ gradient, rtol=0, atol=1e-9)
    assert float(response.energy) == pytest.approx(0.5 * gradient @ expected @ gradient, rel=1e-9)
    assert response.state == ()
    np.testing.assert_allclose(cell.tangent(), expected, rtol=0, atol=1e-9)


def test_anisotropic_phase_in_space():
    """Each entry of a conductivity tensor is a parameter: ∂(ē·K*·ē)/∂k = ⟨g⊗g⟩ over its phase."""
    labels = np.random.default_rng(1).integers(0, 2, (3, 4, 5))
    micro = sb.Microstructure(labels, (1.0, 0.7, 1.6), {"a": 0, "b": 1})
    k = jnp.array([[3.0, 0.5, 0.2], [0.5, 2.0, -0.4], [0.2, -0.4, 1.0]])

    def cell_with(tensor):
        laws = {"a": Conduction(tensor), "b": Conduction(10.0)}
        return sb.Cell(micro, laws, element="reduced", tolerance=1e-11)

    mean = jnp.array([1.0, -0.5, 0.3])
    eff = sb.effective(cell_with(k), 1e-10, "residual", fields=True)
    energy, slope = jax.value_and_grad(lambda t: cell_with(t).respond(mean).energy)(k)
    assert float(energy) == pytest.approx(float(0.5 * mean @ eff.tensor @ mean), rel=1e-9)
    g = eff.local(mean).gradient[:, labels == 0]
    np.testing.assert_allclose(slope, 0.5 * g @ g.T / labels.size, rtol=0, atol=1e-9)


def test_new_values_retrace_nothing():
    """A jitted function of the parameters is traced once, whatever the values."""
    traces = []

    @jax.jit
    def energy(q):
        traces.append(None)
        return energy_of(q, jnp.array([1.0, 0.0]))

    values = [float(energy(jnp.array([1.0, k]))) for k in (2.0, 20.0, 200.0)]
    assert len(traces) == 1
    assert np.all(np.diff(values) > 0)


def energy_unconverged(q):
    # A tolerance that no other test has compiled a solver for.
    cell = cell_of(q, tolerance=1.23e-9)
    return cell.respond(jnp.array([1.0, 0.0])).energy


@pytest.fixture
def two_iterations(monkeypatch):
    monkeypatch.setattr(implicit, "_ITERATIONS", 2)


@pytest.mark.usefixtures("two_iterations")
def test_what_did_not_converge_is_no_number():
    """Under a transformation nothing can be raised."""
    assert np.isnan(energy_unconverged(CONDUCTION))


@pytest.mark.usefixtures("two_iterations")
def test_derivative_of_what_did_not_converge_is_no_number():
    slope = jax.grad(energy_unconverged)(CONDUCTION)
    assert np.all(np.isnan(slope))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_tangents_of_loads_that_need_no_fluctuation(axis: str) -> None:
    """Along the layers all forces are rounding; solved for, they must not be blown up."""
    from scalebridge.analytic import Laminate

    laws = {
        "a": sb.laws.IsotropicElastic(E=379.3, nu=0.1),
        "b": sb.laws.IsotropicElastic(E=68.3, nu=0.3),
    }
    for shape in ((4, 4, 8), (8, 4, 4), (4, 8, 4)):
        micro = sb.generate.laminate(shape, (0.25, 0.75), axis=axis, names=("a", "b"))
        shares = list(micro.volume_fractions.values())
        exact = np.asarray(Laminate(list(laws.values()), shares, axis).modulus)
        found = np.asarray(sb.Cell(micro, laws).tangent())
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-11 * exact.max())
