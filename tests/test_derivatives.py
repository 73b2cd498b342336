"""Derivatives through the pure core, `Cell.respond`, against closed forms and differences.

Few cases, since each compiles a solver inside a transformation: a random image of 15 × 15.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cell import implicit
from scalebridge.laws import Conduction, IsotropicElastic, Void

MICRO = sb.Microstructure(np.random.default_rng(0).integers(0, 2, (15, 15)), 1.0, {"a": 0, "b": 1})
PARAMETERS = {
    "conduction": jnp.array([1.0, 20.0]),  # k of a and b
    "elasticity": jnp.array([1.0, 0.3, 20.0, 0.1]),  # E, nu of a and b
}
physics_of = pytest.mark.parametrize("physics", PARAMETERS)


def laws_of(physics, p):
    if physics == "conduction":
        return {"a": Conduction(p[0]), "b": Conduction(p[1])}
    return {"a": IsotropicElastic(p[0], p[1]), "b": IsotropicElastic(p[2], p[3])}


def cell_of(physics, p, **options):
    """One-point elements, and fields to 1e-11: what follows is of first order in the fields."""
    plane = "strain" if physics == "elasticity" else None
    options = {"element": "reduced", "tolerance": 1e-11, "plane": plane} | options
    return sb.Cell(MICRO, laws_of(physics, p), **options)


@partial(jax.jit, static_argnums=0)
def tensor_of(physics, p):
    """The tensor by `respond`, a column for each unit gradient."""
    cell = cell_of(physics, p)
    return jax.vmap(lambda g: cell.respond(g).flux, out_axes=1)(jnp.eye(cell.kinematics.size))


def energy_of(physics, p, gradient):
    return cell_of(physics, p).respond(gradient).energy


def in_the_plane(physics, modulus):
    keep = np.array([0, 1] if physics == "conduction" else [0, 1, 5])
    return modulus[keep][:, keep]


@physics_of
def test_derivative_by_every_parameter(physics):
    """dC̄_ab/dp = ⟨ε_a · dC/dp · ε_b⟩: the field's own change has no effect at first order.

    (One-point elements: the strain at the voxel's centre is all that has energy.)
    """
    p = PARAMETERS[physics]
    eff = sb.effective(cell_of(physics, p), 1e-11, "residual", fields=True)
    strains = np.stack([eff.local(e).gradient for e in np.eye(len(eff.tensor))])
    slopes = jax.jacfwd(
        lambda q: jnp.stack(
            [in_the_plane(physics, law.modulus) for law in laws_of(physics, q).values()]
        )
    )(p)
    by_voxel = np.asarray(slopes)[MICRO.labels]  # (x, y, m, m, parameter)
    adjoint = np.einsum("acxy,xycdp,bdxy->abp", strains, by_voxel, strains) / MICRO.labels.size
    tangents = np.asarray(jax.jacfwd(lambda q: tensor_of(physics, q))(p))
    scale = np.abs(adjoint).max(axis=(0, 1))
    # Residuals of 1e-11, amplified by the root of the contrast at most.
    np.testing.assert_allclose(tangents / scale, adjoint / scale, rtol=0, atol=1e-9)

    # Reverse mode, of an energy under a mixed load.
    gradient = jnp.linspace(-1.0, 2.0, len(eff.tensor))
    reverse = np.asarray(jax.grad(energy_of, argnums=1)(physics, p, gradient))
    expected = 0.5 * np.einsum("a,abp,b->p", gradient, adjoint, gradient)
    np.testing.assert_allclose(reverse / scale, expected / scale, rtol=0, atol=1e-9)

    # Central differences, step h: the error is h² times the third derivative, of order one here
    # in units of the parameter, but for ν = 0.3, where 1/(1 − 2ν)⁴ makes it some tens.
    for i, step in enumerate(1e-4 * np.asarray(p)):
        there = tensor_of(physics, p.at[i].add(step)), tensor_of(physics, p.at[i].add(-step))
        difference = (there[0] - there[1]) / (2 * step)
        np.testing.assert_allclose(
            difference / scale[i], adjoint[:, :, i] / scale[i], rtol=0, atol=1e-6
        )


def test_euler_identities():
    """K* is homogeneous of degree one in the conductivities, its gradient of degree zero:

    Σ k_i ∂K*/∂k_i = K*, Σ k_i ∂²K*/∂k_i∂k_j = 0. Forward over forward, to second order.
    """
    p = PARAMETERS["conduction"]

    def k_xx(q):
        return 2 * energy_of("conduction", q, jnp.array([1.0, 0.0]))

    first, second = jax.jacfwd(k_xx)(p), jax.jacfwd(jax.jacfwd(k_xx))(p)
    assert first @ p == pytest.approx(float(k_xx(p)), rel=1e-9)
    np.testing.assert_allclose(second @ p, 0, atol=1e-8)
    assert second[0, 0] < 0  # concave: K* is a minimum of functions linear in the moduli


@physics_of
def test_batches(physics):
    """`vmap` over gradients and over parameters, `jit` around both."""
    p = PARAMETERS[physics]
    several = jnp.stack([p, 1.1 * p, 0.8 * p])
    batch = jax.jit(jax.vmap(lambda q: tensor_of(physics, q)))(several)
    for q, tensor in zip(several, batch, strict=True):
        expected = sb.effective(cell_of(physics, q), 1e-9, "residual").tensor
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
        return energy_of("conduction", q, jnp.array([1.0, 0.0]))

    values = [float(energy(jnp.array([1.0, k]))) for k in (2.0, 20.0, 200.0)]
    assert len(traces) == 1
    assert np.all(np.diff(values) > 0)


def energy_unconverged(q):
    # A tolerance that no other test has compiled a solver for.
    cell = cell_of("conduction", q, tolerance=1.23e-9)
    return cell.respond(jnp.array([1.0, 0.0])).energy


@pytest.fixture
def two_iterations(monkeypatch):
    monkeypatch.setattr(implicit, "_ITERATIONS", 2)


@pytest.mark.usefixtures("two_iterations")
def test_what_did_not_converge_is_no_number():
    """Under a transformation nothing can be raised."""
    assert np.isnan(energy_unconverged(PARAMETERS["conduction"]))


@pytest.mark.usefixtures("two_iterations")
def test_derivative_of_what_did_not_converge_is_no_number():
    slope = jax.grad(energy_unconverged)(PARAMETERS["conduction"])
    assert np.all(np.isnan(slope))
