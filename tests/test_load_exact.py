"""Load histories against exact and published answers: viscous layers, assemblages, rotations.

Record ids (visco.…, viscoplastic.…, fs.…) are those of the project's collection of reference
values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import scalebridge as sb

NAN = np.nan
ROOT2 = np.sqrt(2.0)
SUDDEN = 1e-12  # a step in time: what relaxes within it is 1e-12 of the rest
RECORD_TIMES = [0.0, 0.5, 1.0, 5.0, 20.0]


def stacked(count: int, of: int, normal: str, laws: Any, **options: Any) -> sb.Cell:
    """Layers, of which `count` voxels of `of` along the normal are the second law's."""
    dim = 2 if "plane" in options else 3
    shape, column = [2] * dim, [1] * dim
    shape["xyz".index(normal)] = column["xyz".index(normal)] = of
    labels = np.broadcast_to((np.arange(of) < count).astype(int).reshape(column), shape)
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    return sb.Cell(micro, dict(zip("ab", laws, strict=True)), **options)


def maxwell(G: float, K: float, shear: Any, bulk: Any = ((), ())) -> Any:
    """By instantaneous moduli; pairs of shares and relaxation times."""
    E, nu = 9 * K * G / (3 * K + G), (3 * K - 2 * G) / (2 * (3 * K + G))
    return sb.laws.GeneralizedMaxwell(E=E, nu=nu, shear=shear, bulk=bulk)


def held(cell: sb.Cell, value: Any, times: Any, *, kind: str = "strain") -> Any:
    """Apply a load suddenly at t = 0 and hold it; row 1 is t = 0⁺."""
    rows = np.outer(np.arange(len(times) + 1) > 0, value)
    moments = np.concatenate([[0.0, SUDDEN], np.asarray(times)[1:]])
    return sb.load(cell, moments, **{kind: rows}, tolerance=1e-11)


def steps_to(end: float, count: int) -> np.ndarray:
    return np.linspace(0.0, end, count + 1)


def check_second_order(errors: Any, *, exact: bool = True) -> None:
    """Errors of time steps h, h/2, h/4: a quarter each time.

    What the ratio is off by is of the next order in h: about half as much for half the steps.
    Where the errors are those against an exact value, they vanish without their leading term.
    """
    sizes = [float(np.linalg.norm(e)) for e in errors]
    coarse, fine = (np.log2(sizes[i] / sizes[i + 1]) for i in range(2))
    assert abs(coarse - 2) < 0.25
    assert abs(fine - 2) < max(0.6 * abs(coarse - 2), 0.02)
    if exact:
        assert np.linalg.norm(4 * errors[2] - errors[1]) / 3 < sizes[2] / 100


# --- Viscoelastic layers ---------------------------------------------------------------------


def record_layers() -> sb.Cell:
    layers = ((1.0, 2.0, 1.0), (10.0, 5.0, 3.0))  # G∞, G₁, τ
    laws = [maxwell(G + G1, 2 * (G + G1), shear=(G1 / (G + G1), tau)) for G, G1, tau in layers]
    return stacked(1, 2, "x", laws)


def test_viscoelastic_layers_sheared_along() -> None:
    """Record visco.shear.parallel (correspondence principle, closed form): ⟨G(t)⟩.

    The strain of each layer is the average one, held: exact at any time step.
    """
    exact = [9.0, 8.22273497194, 7.65920771761, 5.97892695409, 5.50318158656]
    history = held(record_layers(), [0, 0, 0, 1e-3, 0, 0], RECORD_TIMES)
    relaxation = history.stress[1:, 3] / (2 * 1e-3)  # √2 τ₂₃ under √2 ε₂₃ = γ₂₃/√2
    np.testing.assert_allclose(relaxation, exact, rtol=1e-11)


def test_viscoelastic_layers_sheared_across() -> None:
    """Record visco.shear.series (correspondence principle, closed form): creep, ⟨J(t)⟩.

    The strain is not linear over a step, so that the step counts: second order.
    """
    exact = [0.2, 0.252925436423, 0.297810606427, 0.481554915924, 0.549380061592]
    errors = []
    for count in (80, 160, 320):
        stress = [0, 0, 0, 0, 0, 1e-3]
        history = held(record_layers(), stress, steps_to(20.0, count), kind="stress")
        creep = 2 * history.strain[1:, 5] / 1e-3
        errors.append(creep[np.searchsorted(history.times[1:], RECORD_TIMES)] - exact)
    assert abs(errors[0][0]) < 1e-11  # at once, the springs
    check_second_order(errors)


# Both layers relax in shear and in bulk, each with its own times: G, K, (g, τ), (k, τ).
PHASES = (
    (1.0, 4.0, (0.8, 1.0), (0.2, 0.5)),
    (5.0, 8.0, (0.5, 3.0), (0.3, 2.0)),
)
STRAIN = np.array([3.0, -1.0, 2.0, 1.0, 4.0, -2.0]) * 1e-3
TRACE = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
VOLUME = np.outer(TRACE, TRACE) / 3
ACROSS = np.eye(6)[:, [0, 5, 4]]  # strains of sym(a ⊗ e₁), up to the scale of a


def isotropic(G: float, K: float) -> np.ndarray:
    return 3 * K * VOLUME + 2 * G * (np.eye(6) - VOLUME)


def laminate_system() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The layers' dashpots as ż = A z + B ε̄, σ̄ = C z + D ε̄; f = ½, normal e₁.

    In each layer ε = ε̄ ± n a, σ = M₀ ε − M₁ z, ż = T (ε − z): z is the strain of the dashpots,
    M₁ the moduli of their springs, T their rates. Equal tractions give a.
    """
    M0 = [isotropic(G, K) for G, K, _, _ in PHASES]
    M1 = [isotropic(G * g, K * k) for G, K, (g, _), (k, _) in PHASES]
    rate = [VOLUME / k + (np.eye(6) - VOLUME) / g for _, _, (_, g), (_, k) in PHASES]
    n, zero = ACROSS, np.zeros((6, 6))
    solve = np.linalg.inv(n.T @ (M0[0] + M0[1]) @ n)
    a_z = solve @ n.T @ np.hstack([M1[0], -M1[1]])
    a_e = -solve @ n.T @ (M0[0] - M0[1])
    e_z, e_e = [n @ a_z, -n @ a_z], [np.eye(6) + n @ a_e, np.eye(6) - n @ a_e]
    own = [np.hstack([np.eye(6), zero]), np.hstack([zero, np.eye(6)])]
    return (
        np.vstack([rate[i] @ (e_z[i] - own[i]) for i in range(2)]),
        np.vstack([rate[i] @ e_e[i] for i in range(2)]),
        sum(M0[i] @ e_z[i] - M1[i] @ own[i] for i in range(2)) / 2,
        sum(M0[i] @ e_e[i] for i in range(2)) / 2,
    )


@pytest.mark.parametrize("s", [0.05, 0.7, 20.0])
def test_system_of_the_layers_is_the_laminate_of_their_transforms(s: float) -> None:
    """Correspondence principle: D + C (s − A)⁻¹ B is the laminate of the moduli s M̂(s)."""
    A, B, C, D = laminate_system()
    laws = []
    for G, K, (g, shear), (k, bulk) in PHASES:
        law = isotropic(G * (1 - g / (1 + s * shear)), K * (1 - k / (1 + s * bulk)))
        laws.append(sb.laws.Elastic(law))
    found = D + C @ np.linalg.solve(s * np.eye(len(A)) - A, B)
    expected = np.asarray(sb.analytic.Laminate(laws, [0.5, 0.5], "x").modulus)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * expected.max())


def test_relaxation_of_viscoelastic_layers() -> None:
    """All components at once, held from t = 0; the system's exponential is exact."""
    A, B, C, D = laminate_system()
    load = B @ STRAIN
    times = [0.0, 0.5, 1.0, 2.0]
    exact = [
        C @ np.linalg.solve(A, (expm(A * t) - np.eye(len(A))) @ load) + D @ STRAIN for t in times
    ]
    cell = stacked(1, 2, "x", [maxwell(*phase) for phase in PHASES])
    errors = []
    for count in (16, 32, 64):
        history = held(cell, STRAIN, steps_to(2.0, count))
        rows = np.searchsorted(history.times[1:], times)
        errors.append(history.stress[1:][rows] - exact)
    scale = np.abs(exact).max()
    assert np.abs(errors[0][0]).max() < 1e-10 * scale
    check_second_order(errors)


# --- Assemblages under hydrostatic strain ----------------------------------------------------


def bulk_relaxation(K: Callable[[Any], Any], times: Any) -> np.ndarray:
    """Invert K̂*(s)/s, K̂* a function of s, by Talbot's contour: to about 1e-11.

    Trefethen, Weideman & Schmelzer (2006), BIT 46, 653-670: the cotangent contour.
    """
    count = 20  # more would lose as much to rounding
    theta = np.pi * (2 * np.arange(count) + 1 - count) / count
    found = []
    for t in np.asarray(times, float):
        cot = 1 / np.tan(0.6407 * theta)
        s = count / t * (0.5017 * theta * cot - 0.6122 + 0.2645j * theta)
        slope = 0.5017 * cot - 0.5017 * 0.6407 * theta / np.sin(0.6407 * theta) ** 2 + 0.2645j
        ds = count / t * slope
        found.append(np.real(np.mean(np.exp(s * t) * K(s) / s * ds) / 1j))
    return np.array(found)


def transformed(phase: tuple[Any, ...], s: Any) -> tuple[Any, Any]:
    G, K, (g, shear), (k, bulk) = phase
    return G * (1 - g / (1 + s * shear)), K * (1 - k / (1 + s * bulk))


def coated(core: Any, coating: Any, f: float, constraint: float) -> Any:
    """K* of the assemblage by (G, K); constraint 4/3 for spheres (bulk), 1 for cylinders."""
    (_, K2), (G1, K1) = core, coating
    return K1 + f / (1 / (K2 - K1) + (1 - f) / (K1 + constraint * G1))


def test_transform_of_the_coated_sphere_is_that_of_the_analytic_model() -> None:
    for s in (0.1, 1.0, 10.0):
        core, coating = (transformed(phase, s) for phase in PHASES[::-1])
        laws = [
            sb.laws.IsotropicElastic(9 * K * G / (3 * K + G), (3 * K - 2 * G) / (6 * K + 2 * G))
            for G, K in (core, coating)
        ]
        C = np.asarray(sb.analytic.CoatedSphere(*laws, 0.25).modulus)
        assert C[:3, :3].mean() == pytest.approx(coated(core, coating, 0.25, 4 / 3), rel=1e-12)


def test_bulk_relaxation_of_phases_of_one_shear_modulus() -> None:
    """Hill (1964): any arrangement is as the coated spheres, where G is uniform.

    The voxels keep that exactly on odd grids with one point each, whose gradients and
    divergences are powers of one vector: ε = ∇∇φ, and K + 4G/3 times tr ε is uniform.
    """
    G = 1.5
    phases = ((G, 4.0, (0.0, 1.0), (0.6, 0.5)), (G, 30.0, (0.0, 1.0), (0.3, 2.0)))
    labels = (np.random.default_rng(5).random((3, 5, 3)) < 0.3).astype(int)
    f = labels.mean()
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    laws = [maxwell(G, K, shear=((), ()), bulk=bulk) for _, K, _, bulk in phases]
    cell = sb.Cell(micro, dict(zip("ab", laws, strict=True)), element="reduced")

    def K(s: Any) -> Any:
        coating, core = (transformed(phase, s) for phase in phases)
        return coated(core, coating, f, 4 / 3)

    times, errors = [0.5, 1.0, 2.0], []
    exact = bulk_relaxation(K, times)
    for count in (16, 32, 64):
        history = held(cell, 1e-3 * TRACE, steps_to(2.0, count))
        at = history.stress[1:][np.searchsorted(history.times[1:], times)]
        errors.append(at[:, :3].mean(axis=1) / 3e-3 - exact)
    check_second_order(errors)


# --- Creep -----------------------------------------------------------------------------------


def norton_layers() -> sb.Cell:
    """Layers with dγ/dt = 1e-3 (τ/τᵢ)⁵, τᵢ = 8 and 12: √3 between γ and p, τ and σₑq."""
    laws = [
        sb.laws.NortonCreep(
            E=1e4, nu=0.3, rate=1e-3 / np.sqrt(3), stress=np.sqrt(3) * tau, exponent=5.0
        )
        for tau in (8.0, 12.0)
    ]
    return stacked(1, 2, "x", laws)


def test_creep_of_layers_sheared_across() -> None:
    """Record viscoplastic.powerlaw.series (closed form): τ₁₂ = 10, held; exact at any step."""
    history = held(
        norton_layers(), [0, 0, 0, 0, 0, ROOT2 * 10.0], [0.0, 1.0, 10.0, 30.0], kind="stress"
    )
    slip = ROOT2 * history.strain[1:, 5]
    assert slip[0] == pytest.approx(10.0 / (1e4 / 2.6), rel=1e-9)
    # Of strains of 1e-2 the solver knows 1e-10 or so.
    np.testing.assert_allclose(
        np.diff(slip) / np.diff(history.times[1:]), 0.00172681769226, rtol=1e-8
    )


def test_creep_of_layers_sheared_along() -> None:
    """Under a steady rate both layers end at their own stress, τᵢ (γ̇/1e-3)^(1/5)."""
    rate, times = 2e-3, steps_to(100.0, 25)
    strain = np.outer(rate * times, [0, 0, 0, 1 / ROOT2, 0, 0])
    history = sb.load(norton_layers(), times, strain=strain, tolerance=1e-10)
    assert history.stress[-1, 3] / ROOT2 == pytest.approx(10.0 * 2**0.2, rel=1e-9)


@pytest.mark.slow
def test_bulk_relaxation_of_coated_cylinders() -> None:
    """A hierarchy of two laminates, core in coating, has the assemblage's K + G/3 exactly.

    Laminates of rank 2 with equal shares d = (1 − f)/2 of coating across each axis: ⅓ and ⅓ of
    the whole here (Francfort & Murat 1986, Arch. Ration. Mech. Anal. 94, 307-334).
    """
    laws = [maxwell(*phase) for phase in PHASES]
    options = {"plane": "strain", "tolerance": 1e-11}
    inner = stacked(2, 3, "x", laws, **options)
    cell = stacked(1, 2, "y", (laws[0], inner), **options)

    def K(s: Any) -> Any:
        plane = [(G, K + G / 3) for G, K in (transformed(phase, s) for phase in PHASES)]
        return coated(plane[1], plane[0], 1 / 3, 1.0)

    times, errors = [0.5, 1.0], []
    exact = bulk_relaxation(K, times)
    for count in (8, 16, 32):
        history = held(cell, [1e-3, 1e-3, 0], steps_to(1.0, count))
        at = history.stress[1:][np.searchsorted(history.times[1:], times)]
        np.testing.assert_allclose(at[:, 0], at[:, 1], rtol=1e-9)
        errors.append(at[:, :2].mean(axis=1) / 2e-3 - exact)
    check_second_order(errors)


# --- Composites ------------------------------------------------------------------------------

MICRO = sb.Microstructure(
    (np.random.default_rng(3).random((4, 3, 5)) < 0.4).astype(int), 1.0, {"a": 0, "b": 1}
)


def test_order_of_the_time_integrator() -> None:
    """The exponential scheme in a composite: differences of halved steps, on a smooth path."""
    soft = maxwell(27e3, 58e3, (0.6, 0.8), (0.3, 0.4))
    cell = sb.Cell(MICRO, {"a": soft, "b": sb.laws.IsotropicElastic(E=400e3, nu=0.2)})
    stress = []
    for count in (16, 32, 64, 128):
        times = steps_to(2.0, count)
        strain = np.outer(np.sin(times), STRAIN)
        stress.append(sb.load(cell, times, strain=strain, tolerance=1e-10).stress[-1])
    check_second_order(np.diff(stress, axis=0), exact=False)


def test_order_of_backward_euler_in_a_creeping_composite() -> None:
    """First order: halving the steps halves the differences, but for the next order in h."""
    creeping = sb.laws.NortonCreep(E=70e3, nu=0.3, rate=1e-3, stress=100.0, exponent=3.0)
    cell = sb.Cell(MICRO, {"a": creeping, "b": sb.laws.IsotropicElastic(E=400e3, nu=0.2)})
    found = []
    for count in (16, 32, 64, 128):
        times = steps_to(2.0, count)
        history = sb.load(cell, times, strain=np.outer(np.sin(times), STRAIN), tolerance=1e-9)
        assert history.substeps[1:].max() == 1
        assert history.newton.max() < 8
        found.append(history.stress[-1])
    sizes = np.linalg.norm(np.diff(found, axis=0), axis=1)
    coarse, fine = np.log2(sizes[:-1] / sizes[1:])
    assert abs(coarse - 1) < 0.1
    assert abs(fine - 1) < max(0.75 * abs(coarse - 1), 0.01)


@pytest.mark.parametrize(
    "boundary", ["periodic", pytest.param("kinematic", marks=pytest.mark.slow)]
)
def test_superposed_rotation(boundary: str) -> None:
    """P̄(QF̄) = Q P̄(F̄), with the same energy, of a composite with fibres."""
    fibres = sb.laws.HolzapfelGasserOgden(0.5, 2.0, 1.5, 0.1, 50.0, [[1.0, 1.0, 0.0]])
    laws = {"a": fibres, "b": sb.laws.NeoHookean(E=10.0, nu=0.3)}
    cell = sb.Cell(MICRO, laws, boundary=boundary, tolerance=1e-10)
    F = np.array([[1.15, 0.1, 0.0], [-0.05, 1.05, 0.1], [0.05, 0.0, 0.9]])
    Q = np.asarray(sb.tensors.rotation_from_euler([0.4, 0.7, -0.3]))
    still, turned = (cell.respond(f.ravel()) for f in (F, Q @ F))
    P = np.asarray(still.flux).reshape(3, 3)
    assert np.abs(P).max() > 0.1
    np.testing.assert_allclose(
        np.asarray(turned.flux).reshape(3, 3), Q @ P, rtol=0, atol=1e-8 * np.abs(P).max()
    )
    assert float(turned.energy) == pytest.approx(float(still.energy), rel=1e-9)


@pytest.mark.slow
def test_pressure_on_spheres_as_another_program_has_it() -> None:
    """Record fs.FANS.hydro (FANS, test/input_files/test_MixedBCs.json): σ̄ = −0.05 1, 32³.

    The sphere's radius, 0.4 of the side, is that of its image.
    """
    laws = []
    for K, G in ((62.5, 28.8462), (222.222, 166.6667)):
        elastic = {"E": 9 * K * G / (3 * K + G), "nu": (3 * K - 2 * G) / (2 * (3 * K + G))}
        laws.append(sb.laws.J2Plasticity(**elastic, yield_stress=1e9))  # never reached
    image = sb.generate.cubic_array("sc", (32, 32, 32), radius=0.4)
    cell = sb.Cell(image, dict(zip(image.names, laws, strict=True)), element="full")
    stress = np.outer([0, 1], -0.05 * TRACE)
    strain = sb.load(cell, [0.0, 1.0], stress=stress, tolerance=1e-9).strain[-1]
    np.testing.assert_allclose(strain[:3], -0.000201177817616389, rtol=1e-9)
    np.testing.assert_allclose(strain[3:], 0.0, atol=1e-9 * 2e-4)


@pytest.mark.slow
def test_sheet_is_a_solid_without_stress_across() -> None:
    """Biaxial path, ε₁₁ out and back under a growing σ₂₂: plane stress against 3D control."""
    law = sb.laws.J2Plasticity(
        E=70e3, nu=0.3, yield_stress=100.0, hardening=sb.laws.LinearHardening(2e3)
    )
    turns = np.array([0.0, 0.5, 1.0, 0.3, -0.6, 0.2])
    pull, side = 4e-3 * turns, np.linspace(0.0, 60.0, len(turns))
    none, free = np.zeros(len(turns)), np.full(len(turns), NAN)
    flat = stacked(1, 2, "x", (law, law), plane="stress")
    solid = stacked(1, 2, "x", (law, law))
    times = np.arange(len(turns), dtype=float)
    sheet = sb.load(
        flat,
        times,
        strain=np.stack([pull, free, none], axis=1),
        stress=np.stack([free, side, free], axis=1),
        tolerance=1e-11,
    )
    whole = sb.load(
        solid,
        times,
        strain=np.stack([pull, free, free, free, free, none], axis=1),
        stress=np.stack([free, side, none, none, none, free], axis=1),
        tolerance=1e-11,
    )
    np.testing.assert_allclose(sheet.strain, whole.strain[:, [0, 1, 5]], atol=1e-9 * 4e-3)
    np.testing.assert_allclose(sheet.stress, whole.stress[:, [0, 1, 5]], atol=1e-8 * 100.0)
    assert np.ptp(sheet.stress[:, 0]) > 150.0  # it yields both ways


@pytest.mark.slow
def test_limit_load_of_a_cube_with_a_hole() -> None:
    """Perfect plasticity under hydrostatic strain, where one sphere would carry −⅔ σ_y ln f.

    Record gurson (Gurson 1977, J. Eng. Mater. Technol. 99, 2-15; hydrostatic): above the
    periodic array. Below it the stress of the hollow sphere between the hole's farthest corner
    and the cube's faces, with the limit load as pressure in the rest: statically admissible
    (Hill 1950, record j2.hollow.sphere). Plastic flow needs `bbar`: `full` locks, without a
    limit load.
    """
    shares: dict[str, list[float]] = {"periodic": [], "kinematic": []}
    times = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0])
    strain = np.outer(times, 0.005 * TRACE)
    laws = {
        "matrix": sb.laws.J2Plasticity(E=100.0, nu=0.3, yield_stress=1.0),
        "pore": sb.laws.Void(),
    }
    for side in (8, 16, 24):
        image = sb.generate.cubic_array(
            "sc", (side, side, side), radius=0.25, names=("matrix", "pore")
        )
        pore = np.argwhere(image.mask("pore"))
        corners = [(pore + corner) / side - 0.5 for corner in np.ndindex(2, 2, 2)]
        farthest = max(np.linalg.norm(corner, axis=1).max() for corner in corners)
        gurson = -2 / 3 * np.log(image.volume_fractions["pore"])
        for boundary, found in shares.items():
            cell = sb.Cell(image, laws, element="bbar", boundary=boundary)
            pressure = sb.load(cell, times, strain=strain).stress[:, 0]
            # Far beyond first yield, the limit load is reached.
            assert 0 < pressure[-1] - pressure[-2] < 1e-3 * pressure[-1]
            found.append(pressure[-1] / gurson)
        assert 2 * np.log(0.5 / farthest) / gurson < shares["periodic"][-1] < 1
        assert shares["periodic"][-1] < shares["kinematic"][-1]
    for found in shares.values():  # relative to the voxels' own fraction it settles
        assert abs(found[2] - found[1]) < abs(found[1] - found[0]) / 2
