"""Voxel-centred finite volumes, against dense networks, exact values and another program."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge.cell.boundary import parse_boundary
from scalebridge.errors import InputError
from scalebridge.laws import Conduction, IsotropicElastic

SPACING = (1.0, 0.7, 1.6)
BOUNDARIES = [
    "periodic",
    "kinematic",
    {"x": "kinematic", "y": "free", "z": "free"},
    {"x": "periodic", "y": "kinematic", "z": "free"},
]


def cell_of(labels, conductivities, boundary="periodic", spacing=1.0, **options):
    names = "abcd"[: len(conductivities)]
    micro = sb.Microstructure(labels, spacing, {n: i for i, n in enumerate(names)})
    laws = {n: Conduction(k) for n, k in zip(names, conductivities, strict=True)}
    return sb.Cell(micro, laws, boundary=boundary, element="volume", **options)


def network(labels, conductivities, boundary, spacing):
    """The effective tensor by a dense network of resistors between centres and faces.

    Each half voxel is a resistor; the face between two is eliminated by hand (in series).
    """
    dim, shape = labels.ndim, labels.shape
    _, ends = parse_boundary(boundary, "conduction", dim, 1)
    ends = ends or (("periodic",),) * dim
    k = np.asarray(conductivities)[labels]
    index = np.arange(labels.size).reshape(shape)
    K, F = np.zeros((labels.size,) * 2), np.zeros((labels.size, dim))
    C = np.zeros((dim, dim))
    for axis, (n, h) in enumerate(zip(shape, spacing, strict=True)):
        area = np.prod(spacing) / h
        unit = np.eye(dim)[axis]
        for place in np.ndindex(shape):
            here = index[place]
            last = place[axis] == n - 1
            if not last or ends[axis][0] == "periodic":
                there = tuple((p + (a == axis)) % shape[a] for a, p in enumerate(place))
                ka, kb = k[place], k[there]
                conductance = 2 * ka * kb / (ka + kb) * area / h if ka * kb > 0 else 0.0
                pair = {here: -1.0, index[there]: 1.0} if here != index[there] else {}
                steps = [(pair, conductance, h * unit)]
            else:
                steps = []
            for at_end, sign in ((place[axis] == 0, -1.0), (last, 1.0)):
                if at_end and ends[axis][0] == "fixed":  # from the centre to the face
                    steps.append(({here: -sign}, 2 * k[place] * area / h, 0.5 * h * unit))
            for pair, conductance, step in steps:
                # The drop is ē·step plus the difference of the fluctuations.
                B = np.zeros(labels.size)
                for node, factor in pair.items():
                    B[node] += factor
                K += conductance * np.outer(B, B)
                F += conductance * np.outer(B, step)
                C += conductance * np.outer(step, step)
    volume = labels.size * np.prod(spacing)
    return (C - F.T @ np.linalg.pinv(K, rcond=1e-12, hermitian=True) @ F) / volume


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
@settings(deadline=None, max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), insulating=st.booleans())
def test_against_a_dense_network(boundary, seed, insulating):
    labels = np.random.default_rng(seed).integers(0, 3, (4, 3, 5))
    labels.flat[:3] = 0, 1, 2
    values = (1.0, 20.0, 0.0 if insulating else 5.0)
    found = sb.effective(cell_of(labels, values, boundary, SPACING), 1e-10, "residual")
    expected = network(labels, values, boundary, SPACING)
    # The energy form: the square of the residual, times the contrast; then rounding.
    np.testing.assert_allclose(found.tensor, expected, rtol=0, atol=1e-11 * expected.max())
    assert max(found.hill_mandel) < 1e-7  # first order in the residual


def test_hill_mandel_can_fail():
    labels = np.random.default_rng(1).integers(0, 2, (8, 8))
    for boundary in ("periodic", "kinematic", {"x": "kinematic", "y": "free"}):
        cell = cell_of(labels, (1.0, 50.0), boundary)
        one = sb.Solver(max_iterations=1)
        early = sb.effective(cell, 1e-9, "residual", solver=one, throw=False).hill_mandel
        assert min(early) > 1e-4


def test_slanted_channel():
    """peer.taufactor.slanted: τ = ε/D_eff = 451/60, a rational number; TauFactor's tests, MIT.

    Two of four voxels go on straight, the path shifts by one along y and z at each step.
    """
    N = 20
    labels = np.zeros((N, N + 1, N + 1), int)
    for i in range(N):
        labels[i, i : i + 2, i : i + 2] = 1
    cell = cell_of(labels, (0.0, 1.0), {"x": "kinematic", "y": "free", "z": "free"})
    eff = sb.effective(cell, 1e-10, fields=True, field_tolerance=1e-10)
    porosity = cell.microstructure.volume_fractions["b"]
    assert porosity / eff.tensor[0, 0] == pytest.approx(451 / 60, rel=1e-9)
    flux = eff.local([1.0, 0.0, 0.0]).flux[0].mean(axis=(1, 2))
    np.testing.assert_allclose(flux, eff.tensor[0, 0], rtol=1e-8)  # the same through each plane


@pytest.mark.parametrize("n", [32, pytest.param(128, marks=pytest.mark.slow)])
def test_through_overlapping_spheres(n):
    """FCC spheres that overlap by 5 %: 20 iterations bring the flux to 1e-3 of uniform."""
    micro = sb.generate.cubic_array("fcc", (n,) * 3, overlap=0.05)
    laws = {"matrix": Conduction(1.0), "sphere": Conduction(0.0)}
    across = {"x": "kinematic", "y": "free", "z": "free"}
    for element in ("volume", "full"):
        cell = sb.Cell(micro, laws, boundary=across, element=element)
        few = sb.Solver(max_iterations=20)
        eff = sb.effective(cell, 1e-14, fields=True, solver=few, throw=False)
        flux = eff.local([1.0, 0.0, 0.0]).flux[0].mean(axis=(1, 2))
        assert np.ptp(flux) < 1e-3 * flux.mean()


def test_layers_are_exact():
    """Series and parallel, with half a voxel between face and centre."""
    labels = np.repeat([0, 0, 1, 1, 1, 0], 4).reshape(6, 4)
    series, parallel = 1 / (0.5 / 1.0 + 0.5 / 10.0), 5.5
    for boundary in ("periodic", "through"):
        k = sb.effective(cell_of(labels, (1.0, 10.0), boundary), 1e-12).tensor
        np.testing.assert_allclose(k, np.diag([series, parallel]), rtol=1e-10, atol=1e-12)


def test_elements_and_volumes_approach_the_disc_from_two_sides():
    """cond.cyl.sq.f0.3: 1.65203601108 (Perrins, McKenzie & McPhedran 1979), square array."""
    gaps = []
    for n in (32, 64, 128):
        micro = sb.generate.centred_sphere((n, n), 0.3)
        laws = {"matrix": Conduction(1.0), "sphere": Conduction(10.0)}
        full, volume = (
            sb.effective(sb.Cell(micro, laws, element=e), 1e-8).tensor[0, 0]
            for e in ("full", "volume")
        )
        assert volume < full
        gaps.append(full - volume)
    assert volume < 1.65203601108 < full
    assert gaps[2] < 0.7 * gaps[1] < 0.49 * gaps[0]  # first order, 0.5, in theory


def test_derivatives():
    labels = np.random.default_rng(2).integers(0, 2, (7, 6))

    def k_xx(k):
        cell = cell_of(labels, (1.0, k), {"x": "kinematic", "y": "free"}, tolerance=1e-11)
        return cell.respond(jnp.array([1.0, 0.0])).flux[0]

    slope = jax.grad(k_xx)(5.0)
    step = 1e-4
    difference = (k_xx(5.0 + step) - k_xx(5.0 - step)) / (2 * step)
    assert float(slope) == pytest.approx(float(difference), rel=1e-6)


def test_local_fields_average_to_what_they_should():
    labels = np.random.default_rng(3).integers(0, 2, (8, 6))
    for boundary in ("periodic", "kinematic"):
        eff = sb.effective(
            cell_of(labels, (1.0, 9.0), boundary), 1e-10, fields=True, field_tolerance=1e-10
        )
        local = eff.local([1.0, -2.0])
        np.testing.assert_allclose(local.gradient.mean(axis=(1, 2)), [1.0, -2.0], atol=1e-9)
        np.testing.assert_allclose(
            local.flux.mean(axis=(1, 2)), eff.tensor @ [1.0, -2.0], rtol=1e-8
        )


def test_what_it_is_not_made_for():
    labels = np.eye(4, dtype=int)
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    with pytest.raises(InputError, match="'volume' knows no uniform flux on the boundary"):
        cell_of(labels, (1.0, 2.0), "static")
    anisotropic = {"a": Conduction(np.diag([1.0, 2.0, 3.0])), "b": Conduction(1.0)}
    with pytest.raises(InputError, match="isotropic phases, but these are anisotropic; use 'full'"):
        sb.Cell(micro, anisotropic, element="volume")
    elastic = {"a": IsotropicElastic(1.0, 0.3), "b": IsotropicElastic(2.0, 0.3)}
    with pytest.raises(InputError, match="isotropic phases, but these are of elasticity"):
        sb.Cell(micro, elastic, element="volume", plane="strain")


def test_local_fields_of_transport_through_the_cell_keep_to_their_ends():
    """Superposed: each load case has its own fixed planes, and no flux leaves at its sides."""
    labels = np.random.default_rng(5).integers(0, 2, (5, 4))
    effective = sb.effective(
        cell_of(labels, (1.0, 7.0), "through", SPACING[:2]), 1e-13, fields=True
    )
    alone = []
    for axis in range(2):
        ends = {a: "kinematic" if a == "xy"[axis] else "free" for a in "xy"}
        one = sb.effective(cell_of(labels, (1.0, 7.0), ends, SPACING[:2]), 1e-13, fields=True)
        alone.append(one.local(gradient=np.eye(2)[axis]).flux)
        flux = effective.local(gradient=np.eye(2)[axis]).flux
        np.testing.assert_allclose(flux, alone[-1], atol=1e-6)
        np.testing.assert_allclose(
            flux[axis].mean(axis=1 - axis), one.tensor[axis, axis], rtol=1e-6
        )
    mixed = effective.local(gradient=[1.0, -2.0]).flux
    np.testing.assert_allclose(mixed, alone[0] - 2 * alone[1], atol=1e-6)
