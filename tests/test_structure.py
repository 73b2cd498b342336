"""Structures against exact solutions, and the order in which they approach them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skfem
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge import tensors
from scalebridge.structure import annulus, box, cooks_membrane, rectangle
from scalebridge.structure.space import element_of

E, NU = 210.0, 0.3
LAW = sb.laws.IsotropicElastic(E=E, nu=NU)
MESHES: dict[str, Callable[[int], skfem.Mesh]] = {
    "triangle": lambda n: rectangle((1.0, 1.0), (n, n), "triangle"),
    "quad": lambda n: rectangle((1.0, 1.0), (n, n), "quad"),
    "tetrahedron": lambda n: box((1.0, 1.0, 1.0), (n, n, n), "tetrahedron"),
    "hexahedron": lambda n: box((1.0, 1.0, 1.0), (n, n, n), "hexahedron"),
}
ALL = [(kind, order) for kind in MESHES for order in (1, 2)]


def distorted(kind: str, n: int = 2) -> skfem.Mesh:
    """A mesh of which the inner nodes have moved."""
    mesh = MESHES[kind](n)
    inside = np.setdiff1d(np.arange(mesh.nvertices), mesh.boundary_nodes())
    p = mesh.p.copy()
    p[:, inside] += np.random.default_rng(0).uniform(-0.1, 0.1, (mesh.dim(), len(inside)))
    return type(mesh)(p, mesh.t).with_defaults()


def everywhere(mesh: skfem.Mesh) -> dict[str, np.ndarray]:
    return {"all": mesh.boundary_facets()}


def plane_of(mesh: skfem.Mesh) -> str | None:
    return "strain" if mesh.dim() == 2 else None


def l2_error(part: sb.Structure, u: np.ndarray, exact: Callable[..., Any]) -> float:
    """‖u − exact‖ in L², by a quadrature that is finer than the elements."""
    space = part.space
    basis = skfem.CellBasis(space.mesh, element_of(space.mesh, space.order), intorder=7)
    x = np.asarray(basis.global_coordinates())
    values = np.stack([np.asarray(basis.interpolate(np.ascontiguousarray(c))) for c in u.T])
    difference = values - np.asarray(exact(x)).reshape(values.shape)
    return float(np.sqrt(np.sum(difference**2 * basis.dx)))


# ---- patch tests


@pytest.mark.parametrize(("kind", "order"), ALL)
def test_an_affine_field_is_exact(kind: str, order: int) -> None:
    mesh = distorted(kind)
    mesh = mesh.with_boundaries(everywhere(mesh))
    dim = mesh.dim()
    H = np.random.default_rng(1).normal(size=(dim, dim)) * 0.01

    def component(i: int) -> Callable[..., np.ndarray]:
        return lambda x, t: H[i] @ x

    part = sb.Structure(
        mesh,
        {"body": LAW},
        supports={"all": {"xyz"[i]: component(i) for i in range(dim)}},
        order=order,
        plane=plane_of(mesh),
    )
    solution = part.solve(keep=[-1])
    # Rounding of a stiffness whose condition is some hundreds.
    np.testing.assert_allclose(solution.displacement[-1], part.space.nodes @ H.T, atol=1e-13)
    strain = np.zeros((3, 3))
    strain[:dim, :dim] = 0.5 * (H + H.T)
    sigma = np.asarray(LAW.modulus) @ np.asarray(tensors.to_mandel(strain))
    flux = solution.fields[1]["body"]["flux"]
    own = sigma if dim == 3 else sigma[[0, 1, 5]]
    np.testing.assert_allclose(flux, np.broadcast_to(own, flux.shape), atol=1e-11 * E)


@pytest.mark.parametrize("plane", ["strain", "axisymmetric"])
def test_an_affine_deformation_is_exact_in_finite_strain(plane: str) -> None:
    law = sb.laws.NeoHookean(E=1.0, nu=0.4)
    mesh = distorted("quad")
    mesh = mesh.with_boundaries(everywhere(mesh))
    stretch = {"x": lambda x, t: 0.3 * t * x[0], "y": lambda x, t: -0.2 * t * x[1]}
    part = sb.Structure(mesh, {"body": law}, supports={"all": stretch}, plane=plane)
    solution = part.solve([0.0, 0.5, 1.0])
    F = np.diag([1.3, 0.8, 1.3 if plane == "axisymmetric" else 1.0])
    P = np.asarray(law.respond(jnp.asarray(F.ravel()), (), 1.0).flux).reshape(3, 3)
    flux = solution.fields[2]["body"]["flux"]
    own = P.ravel() if plane == "axisymmetric" else P[:2, :2].ravel()
    np.testing.assert_allclose(flux, np.broadcast_to(own, flux.shape), atol=1e-7)


@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_reactions_balance_the_loads(data: st.DataObject) -> None:
    number = st.floats(-1.0, 1.0)
    traction = [data.draw(number), data.draw(number)]
    body = [data.draw(number), data.draw(number)]
    pull = data.draw(number)
    part = sb.Structure(
        rectangle((2.0, 1.0), (4, 3)),
        {"body": LAW},
        supports={"left": "fixed", "A": {"x": pull}},
        loads={"top": {"traction": traction}, "body": {"body_force": body}},
        points={"A": (2.0, 0.0)},
        plane="stress",
        thickness=0.5,
    )
    solution = part.solve()
    total = sum(solution.reactions.values())[-1]
    applied = 0.5 * (2.0 * np.array(traction) + 2.0 * np.array(body))
    np.testing.assert_allclose(total, -applied, atol=1e-10 * (1 + E * abs(pull)))
    np.testing.assert_allclose(solution.work, solution.stored, atol=1e-12 * (1 + E * pull**2))


# ---- orders of convergence


def smooth(x: Any) -> Any:
    """A field that vanishes nowhere in particular."""
    waves = [np.sin(2.0 * c + k) for k, c in enumerate(x)]
    product = waves[0]
    for wave in waves[1:]:
        product = product * wave
    return product


def rates(kind: str, order: int, error: Callable[[skfem.Mesh], float]) -> float:
    counts = (4, 8) if kind in ("triangle", "quad") else (2, 4)
    errors = [error(MESHES[kind](n)) for n in counts]
    return float(np.log2(errors[0] / errors[1]))


@pytest.mark.parametrize(("kind", "order"), ALL)
def test_order_of_convergence_in_conduction(kind: str, order: int) -> None:
    def error(mesh: skfem.Mesh) -> float:
        mesh = mesh.with_boundaries(everywhere(mesh))
        dim = mesh.dim()
        part = sb.Structure(
            mesh,
            {"body": sb.laws.Conduction(2.0)},
            supports={"all": lambda x, t: smooth(x)},
            loads={"body": {"source": lambda x, t: 2.0 * 4.0 * dim * smooth(x)}},
            order=order,
        )
        return l2_error(part, part.solve().field[-1], smooth)

    # Asymptotically order + 1; half a power of h is left to the coarse meshes.
    assert rates(kind, order, error) > order + 0.5


def displacement(x: Any) -> list[Any]:
    return [0.1 * smooth([c + 0.3 * k for c in x]) for k in range(len(x))]


def force_of(stress: Callable[[Any], Any], dim: int) -> Callable[..., np.ndarray]:
    """−Div of a stress (dim, dim) that is a function of x, by differentiation."""

    def one(x: Any) -> Any:
        return -jnp.einsum("ijj->i", jax.jacfwd(stress)(x))

    compiled = jax.jit(jax.vmap(one, in_axes=1, out_axes=1))
    return lambda x, t: np.asarray(compiled(jnp.asarray(x)))


def jax_displacement(x: Any) -> Any:
    dim = len(x)
    return jnp.stack(
        [0.1 * jnp.prod(jnp.sin(2.0 * (x + 0.3 * k) + jnp.arange(dim))) for k in range(dim)]
    )


def mechanics_error(mesh: skfem.Mesh, order: int, finite: bool) -> float:
    dim = mesh.dim()
    law = sb.laws.NeoHookean(E=1.0, nu=0.3) if finite else LAW
    mesh = mesh.with_boundaries(everywhere(mesh))

    def stress(x: Any) -> Any:
        H = jnp.zeros((3, 3)).at[:dim, :dim].set(jax.jacfwd(jax_displacement)(x))
        if finite:
            return law.respond((jnp.eye(3) + H).ravel(), (), 1.0).flux.reshape(3, 3)[:dim, :dim]
        sigma = law.modulus @ tensors.to_mandel(0.5 * (H + H.T))
        return tensors.from_mandel(sigma)[:dim, :dim]

    def held(i: int) -> Callable[..., Any]:
        return lambda x, t: displacement(x)[i]

    part = sb.Structure(
        mesh,
        {"body": law},
        supports={"all": {"xyz"[i]: held(i) for i in range(dim)}},
        loads={"body": {"body_force": force_of(stress, dim)}},
        order=order,
        plane=plane_of(mesh),
    )
    return l2_error(part, part.solve(tolerance=1e-9).displacement[-1], displacement)


@pytest.mark.parametrize(("kind", "order"), ALL)
def test_order_of_convergence_in_elasticity(kind: str, order: int) -> None:
    assert rates(kind, order, lambda mesh: mechanics_error(mesh, order, False)) > order + 0.5


@pytest.mark.parametrize(("kind", "order"), [("quad", 1), ("quad", 2), ("triangle", 2)])
def test_order_of_convergence_in_finite_strain(kind: str, order: int) -> None:
    assert rates(kind, order, lambda mesh: mechanics_error(mesh, order, True)) > order + 0.5


# ---- known solutions


def test_cooks_membrane() -> None:
    """Reference values: p = 8 on 12 × 12 elements, u_y(48, 52) = 23.9667, u_y(48, 60) = 25.178."""
    found = []
    for n in (12, 24):
        part = sb.Structure(
            cooks_membrane(n),
            {"body": sb.laws.IsotropicElastic(E=1.0, nu=1 / 3)},
            supports={"left": "fixed"},
            loads={"right": {"traction": [0.0, 1 / 16]}},
            plane="stress",
            order=2,
        )
        solution = part.solve()
        found.append([solution.at((48, 52))[-1, 1], 2 * solution.stored[-1]])
    # The singular corner leaves an error of about h^1.3 in the energy, here 8e-4 and 3e-4.
    errors = np.abs(np.array(found) / [23.9667, 24.0405] - 1)
    assert np.all(errors[1] < 5e-4)
    assert np.all(errors[1] < 0.6 * errors[0])


def test_pure_bending_is_exact_with_second_order() -> None:
    """Euler–Bernoulli with plane stress: u is quadratic, κ = M/(E I)."""
    curvature = 0.01
    part = sb.Structure(
        rectangle((4.0, 1.0), (4, 2)),
        {"body": LAW},
        supports={"left": {"x": 0.0}, "A": {"y": 0.0}},
        loads={
            "right": {"traction": lambda x, t: np.stack([-E * curvature * (x[1] - 0.5), 0 * x[1]])}
        },
        points={"A": (0.0, 0.5)},
        plane="stress",
        order=2,
    )
    u = part.solve().displacement[-1]
    x, y = part.space.nodes.T
    y = y - 0.5
    exact = np.stack([-curvature * x * y, 0.5 * curvature * (x**2 + NU * y**2)], axis=1)
    np.testing.assert_allclose(u, exact, atol=1e-11)


def lame(r: np.ndarray, p: float, a: float, b: float, spherical: bool) -> np.ndarray:
    """Radial displacement of a thick tube in plane strain, or a thick sphere, under pressure."""
    if spherical:
        k = p * a**3 / (b**3 - a**3)
        return k / E * ((1 - 2 * NU) * r + 0.5 * (1 + NU) * b**3 / r**2)
    k = p * a**2 / (b**2 - a**2)
    return (1 + NU) / E * k * ((1 - 2 * NU) * r + b**2 / r)


@pytest.mark.parametrize("plane", ["strain", "axisymmetric"])
def test_thick_walls_under_pressure(plane: str) -> None:
    """A quarter ring is a tube in plane strain, and a sphere about its axis (Lamé 1852)."""
    errors = []
    for n in (4, 8):
        part = sb.Structure(
            annulus(1.0, 2.0, n, n),
            {"body": LAW},
            supports={"left": "symmetry", "bottom": "symmetry"},
            loads={"inner": {"pressure": 3.0}},
            plane=plane,
        )
        u = part.solve().displacement[-1]

        def exact(x: Any) -> Any:
            r = np.hypot(*x)
            return lame(r, 3.0, 1.0, 2.0, plane == "axisymmetric") * x / r

        errors.append(l2_error(part, u, exact))
    # Twice the mesh, a quarter of the error; the log of the coarse meshes leaves some of it.
    assert np.log2(errors[0] / errors[1]) > 1.8
    assert errors[1] < 0.02 * lame(np.array(1.0), 3.0, 1.0, 2.0, False)


def test_a_tube_about_its_axis() -> None:
    errors = []
    for n in (4, 8):
        mesh = rectangle((1.0, 0.5), (n, 1))
        mesh = mesh.translated((1.0, 0.0))
        part = sb.Structure(
            mesh,
            {"body": LAW},
            supports={"bottom": "symmetry", "top": "symmetry"},
            loads={"left": {"pressure": 3.0}},
            plane="axisymmetric",
            order=2,
        )
        solution = part.solve()
        r = part.space.nodes[:, 0]
        errors.append(np.abs(solution.displacement[-1][:, 0] - lame(r, 3.0, 1.0, 2.0, False)).max())
    assert np.log2(errors[0] / errors[1]) > 3.0  # superconvergent at the nodes


def kirsch(x: np.ndarray, a: float = 1.0) -> np.ndarray:
    """Stresses 11, 22, 12 about a hole under a unit tension along x (Kirsch 1898)."""
    r, theta = np.hypot(*x), np.arctan2(x[1], x[0])
    k, c2, c4 = (a / r) ** 2, np.cos(2 * theta), np.cos(4 * theta)
    s2, s4 = np.sin(2 * theta), np.sin(4 * theta)
    return np.stack(
        [
            1 - k * (1.5 * c2 + c4) + 1.5 * k**2 * c4,
            -k * (0.5 * c2 - c4) - 1.5 * k**2 * c4,
            -k * (0.5 * s2 + s4) + 1.5 * k**2 * s4,
        ]
    )


def test_plate_with_a_hole() -> None:
    errors, peaks = [], []
    for n in (8, 16):
        mesh = sb.structure.plate_with_hole(1.0, 4.0, n_around=n, n_radial=n, curved=True)
        part = sb.Structure(
            mesh,
            {"body": LAW},
            supports={"left": "symmetry", "bottom": "symmetry"},
            loads={
                "right": {"traction": lambda x, t: kirsch(x)[[0, 2]]},
                "top": {"traction": lambda x, t: kirsch(x)[[2, 1]]},
            },
            plane="stress",
            order=2,
        )
        solution = part.solve()
        flux = solution.fields[1]["body"]["flux"]
        exact = kirsch(np.moveaxis(part.space.points, -1, 0))
        difference = flux / np.array([1, 1, np.sqrt(2)]) - np.moveaxis(exact, 0, -1)
        weights = part.space.weights[..., None]
        errors.append(float(np.sqrt(np.sum(weights * difference**2))))
        peaks.append(flux[..., 0].max())
    assert np.log2(errors[0] / errors[1]) > 1.8  # stresses are of the order of the elements
    assert abs(peaks[1] - 3) < abs(peaks[0] - 3) < 0.5  # the points lie inside of the edge


def test_off_axis_ply() -> None:
    """A ply at 30° under tension: ε = S̄ σ, extension and shear together."""
    ply = sb.laws.Elastic.transversely_isotropic(
        E_axial=140.0, E_transverse=10.0, nu_axial=0.3, nu_transverse=0.4, G_axial=5.0, axis="x"
    )
    turn = np.asarray(tensors.rotation_about([0, 0, 1], np.pi / 6))
    part = sb.Structure(
        box((1.0, 1.0, 1.0), (2, 2, 2)),
        {"body": ply},
        supports={"O": "fixed", "A": {"y": 0.0, "z": 0.0}, "B": {"z": 0.0}},
        loads={"right": {"traction": [1.0, 0, 0]}, "left": {"traction": [-1.0, 0, 0]}},
        points={"O": (0, 0, 0), "A": (1, 0, 0), "B": (0, 1, 0)},
        orientation={"body": turn},
    )
    solution = part.solve()
    strain = solution.fields[1]["body"]["gradient"]
    stiffness = np.asarray(tensors.rotate_mandel4(np.asarray(ply.modulus), turn))
    exact = np.linalg.solve(stiffness, np.eye(6)[0])
    np.testing.assert_allclose(strain, np.broadcast_to(exact, strain.shape), atol=1e-12)
    fields = {"body": np.repeat(turn[..., None], 8, axis=2)}
    again = sb.Structure(
        part.space.mesh,
        {"body": ply},
        supports={"left": "fixed"},
        orientation=fields,
        loads={"right": {"traction": [1.0, 0, 0]}},
    ).solve()
    once = sb.Structure(
        part.space.mesh,
        {"body": ply},
        supports={"left": "fixed"},
        orientation={"body": turn},
        loads={"right": {"traction": [1.0, 0, 0]}},
    ).solve()
    np.testing.assert_allclose(again.field, once.field, atol=1e-14)


def test_ties_make_a_periodic_body() -> None:
    """Left and right tied: heat flows from bottom to top as in an endless strip."""
    part = sb.Structure(
        rectangle((1.0, 2.0), (4, 4)),
        {"body": sb.laws.Conduction(3.0)},
        supports={"bottom": 1.0, "top": lambda x, t: 2.0 + np.sin(2 * np.pi * x[0])},
        ties=[("left", "right")],
        order=2,
    )
    u = part.solve().temperature[-1]
    x, y = part.space.nodes.T
    left, right = (np.flatnonzero(x == edge) for edge in (0.0, 1.0))
    np.testing.assert_array_equal(u[left[np.argsort(y[left])]], u[right[np.argsort(y[right])]])
    middle = np.mean(u[np.isclose(y, 1.0)][:-1])
    assert abs(middle - 1.5) < 1e-3  # the wave has decayed, the means interpolate


def test_multigrid_and_factorisation_agree() -> None:
    found = {}
    for method in ("direct", "multigrid"):
        part = sb.Structure(
            box((2.0, 1.0, 1.0), (8, 4, 4)),
            {"body": LAW},
            supports={"left": "symmetry", "bottom": "symmetry", "back": "symmetry"},
            loads={"right": {"traction": [0.0, 1.0, 0.0]}, "top": {"pressure": 2.0}},
            linear_solver=method,
        )
        found[method] = part.solve(tolerance=1e-7).displacement[-1]
    scale = np.abs(found["direct"]).max()
    assert np.abs(found["direct"] - found["multigrid"]).max() < 1e-6 * scale


# ---- inelastic and finite strain


def test_newton_converges_quadratically_in_plastic_flow() -> None:
    law = sb.laws.J2Plasticity(
        E=200e3, nu=0.3, yield_stress=200.0, hardening=sb.laws.LinearHardening(2000.0)
    )
    part = sb.Structure(
        rectangle((1.0, 1.0), (4, 4)),
        {"body": law},
        supports={"left": "fixed", "right": {"x": 0.01, "y": 0.004}},
        plane="strain",
    )
    solution = part.solve([0.0, 0.5, 1.0], tolerance=1e-10)
    r = np.array([line.residual for line in solution.iterations[1][0]])
    r = r[np.isfinite(r) & (r < 1e-2)]
    assert len(r) >= 2
    # r_(k+1) ≤ C r_k² until rounding; C of the order of E/H over the strain.
    assert np.all(r[1:] <= np.maximum(1e3 * r[:-1] ** 2, 1e-10))
    assert np.all(np.diff(solution.dissipated) > 0)


def test_a_pressure_follows_the_surface_with_its_exact_stiffness() -> None:
    part = sb.Structure(
        annulus(1.0, 2.0, 2, 3),
        {"body": sb.laws.NeoHookean(E=1.0, nu=0.3)},
        supports={"left": "symmetry", "bottom": "symmetry"},
        loads={"inner": {"pressure": 0.2}},
        plane="strain",
    )
    loads, space = part.balance.loads, part.space
    rng = np.random.default_rng(0)
    u, du = rng.normal(size=(2, *space.nodes.shape)) * 0.05
    (nodes, slopes), *_ = loads.stiffness(u, 1.0, 1.0)
    along = np.zeros(u.shape)
    local = np.einsum("eij,ej->ei", slopes, du[nodes].reshape(len(nodes), -1))
    np.add.at(along, nodes, local.reshape(*nodes.shape, -1))
    h = 1e-6
    ends = [loads.forces(space, u + s * h * du, 1.0, 1.0) for s in (1, -1)]
    np.testing.assert_allclose(-along, (ends[0] - ends[1]) / (2 * h), atol=1e-9)
    solution = part.solve([0.0, 0.5, 1.0])
    r = np.linalg.norm(space.nodes, axis=1)
    inner = np.isclose(r, 1.0)
    lengths = np.linalg.norm(space.nodes + solution.displacement[-1], axis=1)[inner]
    assert np.ptp(lengths) < 0.01 * lengths.mean()  # it grows round
    assert lengths.mean() > 1.2


def test_a_closed_surface_under_pressure_is_in_balance() -> None:
    mesh = distorted("hexahedron")
    mesh = mesh.with_boundaries(everywhere(mesh))
    part = sb.Structure(
        mesh,
        {"body": sb.laws.NeoHookean(E=1.0, nu=0.3)},
        supports={"O": "fixed", "A": {"y": 0.0, "z": 0.0}, "B": {"z": 0.0}},
        loads={"all": {"pressure": 0.5}},
        points={"O": (0, 0, 0), "A": (1, 0, 0), "B": (0, 1, 0)},
    )
    u = np.random.default_rng(0).normal(size=part.space.nodes.shape) * 0.05
    forces = part.balance.loads.forces(part.space, u, 1.0, 1.0)
    x = part.space.nodes + u
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(np.cross(x, forces).sum(axis=0), 0, atol=1e-13)


def test_a_step_that_fails_is_cut_and_what_was_done_is_kept() -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (2, 2)),
        {"body": sb.laws.J2Plasticity(E=200e3, nu=0.3, yield_stress=100.0)},
        supports={"left": "symmetry", "bottom": "symmetry"},
        loads={"right": {"traction": [200.0, 0.0]}},  # the limit load is 2/√3 of the yield stress
        plane="strain",
    )
    with pytest.raises(sb.ConvergenceError, match="limit load") as caught:
        part.solve(np.linspace(0, 1, 5), cuts=3, newton_iterations=8)
    partial = caught.value.partial
    assert not partial.converged
    assert partial.times.tolist() == [0.0, 0.25, 0.5]
    assert "NOT CONVERGED" in repr(partial)
    again = part.solve(np.linspace(0, 1, 5), cuts=3, newton_iterations=8, throw=False)
    np.testing.assert_array_equal(again.field, partial.field)


def test_tables_ramps_and_functions_of_time() -> None:
    def solve(value: Any) -> np.ndarray:
        part = sb.Structure(
            rectangle((1.0, 1.0), (1, 1)),
            {"body": sb.laws.Conduction(1.0)},
            supports={"left": 0.0, "right": value},
        )
        return part.solve([0.0, 1.0, 2.0, 4.0]).at((1.0, 0.0))[:, 0]

    np.testing.assert_allclose(solve(8.0), [0, 2, 4, 8])
    table = sb.structure.Table([0.0, 1.0, 3.0], [0.0, 4.0, 0.0])
    np.testing.assert_allclose(solve(table), [0, 4, 2, 0])
    np.testing.assert_allclose(solve({"times": [0.0, 1.0], "values": [0.0, 4.0]}), [0, 4, 4, 4])
    np.testing.assert_allclose(solve(lambda x, t: t**2), [0, 1, 4, 16])


def balloon_pressure(inner: np.ndarray, A: float, B: float) -> np.ndarray:
    """Pressure in an incompressible neo-Hookean shell, μ = 1 (Green & Zerna 1954)."""
    outer = (B**3 + (inner**3 - 1) * A**3) ** (1 / 3) / B

    def part(stretch: np.ndarray) -> np.ndarray:
        return 2 / stretch + 1 / (2 * stretch**4)

    return part(outer) - part(inner)


def test_a_balloon_beyond_its_largest_pressure() -> None:
    nu = 0.4995
    part = sb.Structure(
        annulus(1.0, 1.3, 2, 6, curved=True),
        {"body": sb.laws.NeoHookean(E=2 * (1 + nu), nu=nu)},
        supports={"left": "symmetry", "bottom": "symmetry"},
        loads={"inner": {"pressure": 1.0}},
        plane="axisymmetric",
        order=2,
    )
    solution = part.trace(steps=16)
    stretch = 1 + solution.at((1.0, 0.0))[:, 0]
    pressure = solution.times  # the ramp reaches 1 at 1
    peak = int(np.argmax(pressure))
    assert 3 < peak < len(pressure) - 4
    assert np.all(np.diff(stretch) > 0.03)
    # Elements and compressibility, 1 − 2ν over the strains, leave some 1e-3 of the stresses.
    np.testing.assert_allclose(pressure, balloon_pressure(stretch, 1.0, 1.3), atol=5e-3 * 0.32)
    np.testing.assert_allclose(solution.work[-1], solution.stored[-1], rtol=0.02)


def test_a_path_that_is_complete_and_one_that_fails() -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (2, 1)),
        {"body": sb.laws.NeoHookean(E=1.0, nu=0.3)},
        supports={"left": "fixed", "right": {"x": 0.4}},
        plane="strain",
    )
    solution = part.trace(steps=40, first=0.2)
    assert solution.times[-1] == 1.0
    direct = part.solve([0.0, 0.5, 1.0])
    np.testing.assert_allclose(solution.displacement[-1], direct.displacement[-1], atol=1e-5)
    still = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)), {"body": LAW}, supports={"left": "fixed"}, plane="strain"
    )
    with pytest.raises(sb.InputError, match="must grow with the ramp"):
        still.trace()
    with pytest.raises(sb.InputError, match="`first` must lie between 0 and 1"):
        part.trace(first=2.0)
    with pytest.raises(sb.InputError, match="`steps` must be a whole number"):
        part.trace(steps=0)
    partial = part.trace(first=1.0, newton_iterations=1, cuts=0, throw=False)
    assert "is kept" in partial.message
    assert len(partial.times) == 1


def test_bodies_without_stress_are_in_balance() -> None:
    """A uniform temperature, rigid motions, and a body that is unloaded."""
    heat = sb.Structure(
        distorted("quad", 3), {"body": sb.laws.Conduction(1.0)}, supports={"left": 300.0}
    )
    np.testing.assert_allclose(heat.solve().temperature[-1], 300.0, rtol=1e-12)
    for law in (LAW, sb.laws.NeoHookean(E=100.0, nu=0.3)):
        moved = sb.Structure(
            rectangle((1.3, 0.7), (3, 3)),
            {"body": law},
            supports={"left": {"x": 0.01, "y": 0.003}},
            plane="strain",
        ).solve()
        np.testing.assert_allclose(moved.displacement[-1], [[0.01, 0.003]] * 16, atol=1e-13)
        table = sb.structure.Table([0.0, 1.0, 2.0], [[0.0, 0.0], [1.0, 0.3], [0.0, 0.0]])
        unloaded = sb.Structure(
            rectangle((1.3, 0.7), (3, 3)),
            {"body": law},
            supports={"left": "fixed"},
            loads={"right": {"traction": table}},
            plane="strain",
        ).solve([0.0, 1.0, 2.0], tolerance=1e-8)
        largest = np.abs(unloaded.displacement[1]).max()
        assert np.abs(unloaded.displacement[2]).max() < 1e-7 * largest
        assert max(len(substep) for row in unloaded.iterations for substep in row) < 8


def test_reactions_are_those_of_what_a_support_holds() -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (2, 2)),
        {"body": LAW},
        supports={"left": "symmetry", "bottom": "symmetry"},
        loads={"top": {"pressure": 4.0}},
        plane="strain",
    )
    reactions = part.solve().reactions
    np.testing.assert_allclose(reactions["left"][-1], 0.0, atol=1e-12)
    np.testing.assert_allclose(reactions["bottom"][-1], [0.0, 4.0], atol=1e-12)


def test_dissipation_adds_up_over_substeps_and_partial_results_are_of_one_time() -> None:
    law = sb.laws.J2Plasticity(E=200e3, nu=0.3, yield_stress=100.0)
    part = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)),
        {"body": law},
        supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 0.004}},
        plane="strain",
    )
    solution = part.solve([0.0, 0.3, 1.0])
    field = solution.fields[2]["body"]["dissipation"]
    total = float(np.sum(field * part.space.weights))
    assert total == pytest.approx(solution.dissipated[-1], rel=1e-12)
    over = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)),
        {"body": law},
        supports={"left": "symmetry", "bottom": "symmetry"},
        loads={"right": {"traction": [200.0, 0.0]}},
        plane="strain",
    ).solve([0.0, 0.5, 1.0], throw=False)
    assert over.times[-1] == 0.5
    assert set(over.fields) == {1}
    strains = np.asarray(over.states["body"]["plastic_strain"])
    assert np.abs(strains).max() == 0.0  # plastic flow began later, in substeps of the next row
