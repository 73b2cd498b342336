"""Failure criteria, and the strength estimates made with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalebridge as sb
from scalebridge.structure import Hashin, MaxPrincipal, Puck, VonMises, rectangle, strength

# E-glass/LY556 of the World-Wide Failure Exercise: Soden, Hinton & Kaddour (1998), Compos. Sci.
# Technol. 58, 1011-1022; MPa. S23 is not among its data.
GLASS = {"Xt": 1140.0, "Xc": 570.0, "Yt": 35.0, "Yc": 114.0, "S12": 72.0}
PLY = sb.laws.Elastic.orthotropic(
    E=(53.48e3, 17.7e3, 17.7e3), nu=(0.278, 0.278, 0.4), G=(5.83e3, 5.83e3, 6.32e3)
)
HASHIN = Hashin(**GLASS, S23=50.0)
PUCK = Puck(**GLASS, slopes="glass")
ALL = [MaxPrincipal(50.0, 200.0), VonMises(250.0), HASHIN, PUCK]
STRESSES = arrays(float, (3, 3), elements=st.floats(-1e3, 1e3, width=32)).map(
    lambda a: np.asarray(sb.tensors.to_mandel(a))
)
TURNS = arrays(float, 3, elements=st.floats(0.0, 6.2)).map(sb.tensors.rotation_from_euler)


def mandel(**components: float) -> np.ndarray:
    """Return a stress from its tensor components, such as s12=30.0."""
    sigma = np.zeros((3, 3))
    for name, value in components.items():
        i, j = (int(digit) - 1 for digit in name[1:])
        sigma[i, j] = sigma[j, i] = value
    return np.asarray(sb.tensors.to_mandel(sigma))


@pytest.mark.parametrize("ply", [HASHIN, PUCK], ids=["hashin", "puck"])
@pytest.mark.parametrize(
    ("stress", "at", "modes"),
    [
        ({"s11": 1.0}, 1140.0, {"fibre tension"}),
        ({"s11": -1.0}, 570.0, {"fibre compression"}),
        ({"s22": 1.0}, 35.0, {"matrix tension", "A"}),
        ({"s33": 1.0}, 35.0, {"matrix tension", "A"}),
        ({"s22": -1.0}, 114.0, {"matrix compression", "C"}),
        ({"s33": -1.0}, 114.0, {"matrix compression", "C"}),
        ({"s12": 1.0}, 72.0, {"matrix compression", "A"}),  # where s = 0, Hashin's modes agree
        ({"s13": -1.0}, 72.0, {"matrix compression", "A"}),
    ],
)
def test_a_ply_has_its_strengths(
    ply: Any, stress: dict[str, float], at: float, modes: set[str]
) -> None:
    assert ply.reserve(mandel(**stress)) == pytest.approx(at, rel=1e-12)
    assert str(ply.mode(mandel(**stress))) in modes


def test_shear_across_the_fibres() -> None:
    assert HASHIN.reserve(mandel(s23=1.0)) == pytest.approx(50.0)
    # Puck's ply breaks at 45°, where the shear is a tension, since that resists less.
    assert PUCK.reserve(mandel(s23=1.0)) == pytest.approx(35.0)
    assert PUCK.angle(mandel(s23=1.0), degrees=True) == pytest.approx(45.0, abs=1e-3)


def test_isotropic_criteria_by_hand() -> None:
    brittle, ductile = ALL[:2]
    assert brittle.reserve(mandel(s11=20.0, s22=-100.0)) == pytest.approx(2.0)
    assert str(brittle.mode(mandel(s11=20.0, s22=-100.0))) == "compression"
    assert MaxPrincipal(50.0).reserve(mandel(s11=20.0, s22=-100.0)) == pytest.approx(2.5)
    assert MaxPrincipal(50.0).reserve(mandel(s11=-1.0)) == np.inf
    assert ductile.reserve(mandel(s12=1.0)) == pytest.approx(250 / 3**0.5)
    assert ductile.exposure(mandel(s11=7.0, s22=7.0, s33=7.0)) == pytest.approx(0.0, abs=1e-12)


@settings(deadline=None)
@given(STRESSES)
def test_hashin_s_equations_hold_at_failure(stress: np.ndarray) -> None:
    for mode, exposure in HASHIN.exposures(stress).items():
        if exposure < 1e-6:
            continue
        s = np.asarray(sb.tensors.from_mandel(stress)) / exposure
        total, g = s[1, 1] + s[2, 2], GLASS
        shear = (s[0, 1] ** 2 + s[0, 2] ** 2) / g["S12"] ** 2
        plane = (s[1, 2] ** 2 - s[1, 1] * s[2, 2]) / 50.0**2 + shear
        pressed = (g["Yc"] / 100.0) ** 2 - 1
        left = {
            "fibre tension": (s[0, 0] / g["Xt"]) ** 2 + shear,
            "fibre compression": -s[0, 0] / g["Xc"],
            "matrix tension": (total / g["Yt"]) ** 2 + plane,
            "matrix compression": pressed * total / g["Yc"] + (total / 100.0) ** 2 + plane,
        }[mode]
        # Under pressure from all sides the ply fails at stresses far above its strengths.
        assert left == pytest.approx(1.0, abs=1e-9 * (1 + np.max(np.abs(s)) / 35.0) ** 2)


def closed_form(s22: float, s12: float, slopes: tuple[float, ...]) -> tuple[str, float]:
    """Return mode and exposure in plane stress, from Puck & Schürmann (2002), table 1."""
    S, Yt, Yc = GLASS["S12"], GLASS["Yt"], GLASS["Yc"]
    up, down, _, across = slopes
    if s22 >= 0:
        root = np.sqrt((s12 / S) ** 2 + ((1 - up * Yt / S) * s22 / Yt) ** 2)
        return "A", root + up * s22 / S
    R = Yc / (2 * (1 + across))
    if abs(s22) * S * np.sqrt(1 + 2 * across) <= R * abs(s12):
        return "B", (np.sqrt(s12**2 + (down * s22) ** 2) + down * s22) / S
    return "C", ((s12 / (2 * (1 + across) * S)) ** 2 + (s22 / Yc) ** 2) * Yc / -s22


@settings(deadline=None)
@given(st.floats(-180.0, 180.0), st.floats(-100.0, 100.0))
def test_puck_in_plane_stress_is_the_closed_form(s22: float, s12: float) -> None:
    S, Yc, down = GLASS["S12"], GLASS["Yc"], 0.25
    R = S / (2 * down) * (np.sqrt(1 + 2 * down * Yc / S) - 1)
    slopes = (0.30, down, down * R / S, down * R / S)
    ply = Puck(**GLASS, slopes=slopes)
    mode, exposure = closed_form(s22, s12, slopes)
    stress = mandel(s22=s22, s12=s12)
    assert ply.exposure(stress) == pytest.approx(exposure, rel=1e-9, abs=1e-12)
    if exposure > 1e-3 and mode == "C":
        angle = np.arccos(np.sqrt(R * exposure / -s22))  # loc. cit.: cos θ of mode C
        assert abs(ply.angle(stress)) == pytest.approx(angle, abs=1e-4)
    if exposure > 1e-3 and (mode != "C" or np.degrees(angle) > 1.1):
        assert str(ply.mode(stress)) == mode


@settings(deadline=None, max_examples=40)
@given(STRESSES)
def test_puck_finds_the_worst_of_all_planes(stress: np.ndarray) -> None:
    sigma = np.asarray(sb.tensors.from_mandel(stress))
    angles = np.linspace(-np.pi / 2, np.pi / 2, 7201)
    zero = np.zeros_like(angles)
    normal = np.stack([zero, np.cos(angles), np.sin(angles)])
    across = np.stack([zero, -np.sin(angles), np.cos(angles)])
    traction = sigma @ normal
    n, t, a = np.sum(normal * traction, 0), np.sum(across * traction, 0), traction[0]
    R = GLASS["Yc"] / 2.4
    with np.errstate(invalid="ignore"):
        share = np.where(t**2 + a**2 > 0, t**2 / (t**2 + a**2), 1.0)
    slope = np.where(n >= 0, 0.30, 0.25) / GLASS["S12"] * (1 - share) + 0.20 / R * share
    pull = np.where(n >= 0, 1 / GLASS["Yt"] - slope, slope) * n
    found = np.sqrt(pull**2 + (t / R) ** 2 + (a / GLASS["S12"]) ** 2) + slope * n
    ours = max(value for mode, value in PUCK.exposures(stress).items() if len(mode) == 1)
    assert ours >= found.max() - 1e-9
    assert ours <= found.max() * (1 + 1e-3) + 1e-6  # where the best of the planes is no better


def test_puck_couples_what_strains_the_fibres() -> None:
    ply = Puck(**GLASS, slopes="glass", coupling=0.2)
    stress = mandel(s11=1000.0, s22=-50.0, s33=-50.0)
    assert ply.exposures(stress)["fibre tension"] == pytest.approx(1020 / 1140)


@settings(deadline=None, max_examples=40)
@given(STRESSES, st.floats(1e-3, 1e3))
def test_exposures_are_of_degree_one(stress: np.ndarray, factor: float) -> None:
    for criterion in ALL:
        exposure = criterion.exposure(stress)
        assert criterion.exposure(factor * stress) == pytest.approx(factor * exposure, rel=1e-9)
        if exposure > 1e-9:
            at_failure = stress * criterion.reserve(stress)
            assert criterion.exposure(at_failure) == pytest.approx(1.0, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(STRESSES, TURNS, st.floats(0.0, 6.2))
def test_criteria_have_the_symmetry_of_their_materials(
    stress: np.ndarray, turn: np.ndarray, angle: float
) -> None:
    def turned(R: np.ndarray) -> np.ndarray:
        return np.asarray(sb.tensors.rotate_mandel(stress, R))

    for criterion in ALL[:2]:
        expected = criterion.exposure(stress)
        assert criterion.exposure(turned(turn)) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    for criterion in ALL[2:]:
        about = turned(sb.tensors.rotation_about([1, 0, 0], angle))
        expected = criterion.exposure(stress)
        assert criterion.exposure(about) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_fields_are_judged_as_their_points_are() -> None:
    fields = np.random.default_rng(0).normal(size=(6, 90, 50)) * 30.0
    for criterion in ALL:
        whole = criterion.exposure(fields)
        assert whole.shape == (90, 50)
        assert whole[71, 3] == pytest.approx(criterion.exposure(fields[:, 71, 3]), rel=1e-12)


# --- Laminates: exact --------------------------------------------------------------------------

CROSS = (np.eye(3), np.asarray(sb.tensors.rotation_about([0, 0, 1], 90, degrees=True)))


def ply_stresses(average: np.ndarray) -> list[np.ndarray]:
    """Return (σ11, σ22, σ12) of the plies 0 and 90 by classical laminate theory."""
    E1, E2, nu, G = 53.48e3, 17.7e3, 0.278, 5.83e3
    f = 1 / (1 - nu**2 * E2 / E1)
    Q0 = np.array([[f * E1, f * nu * E2, 0], [f * nu * E2, f * E2, 0], [0, 0, G]])
    Q90 = Q0[np.ix_([1, 0, 2], [1, 0, 2])]
    strain = np.linalg.solve((Q0 + Q90) / 2, average)
    return [Q0 @ strain, (Q90 @ strain)[[1, 0, 2]]]


def by_phase() -> tuple[sb.Cell, list[str]]:
    image = sb.generate.laminate((2, 2, 4), (0.5, 0.5), axis="z", names=("0", "90"))
    return sb.Cell(image, {"0": PLY, "90": PLY}, orientation={"90": CROSS[1]}), ["0", "90"]


def by_voxel() -> tuple[sb.Cell, list[str]]:
    image = sb.Microstructure(np.zeros((2, 2, 4), int), spacing=1.0, phases={"ply": 0})
    turns = np.stack([CROSS[0], CROSS[0], CROSS[1], CROSS[1]], axis=-1)[:, :, None, None]
    field = np.broadcast_to(turns, (3, 3, 2, 2, 4))
    return sb.Cell(image, {"ply": PLY}, orientation={"ply": field}), ["ply"]


@pytest.mark.parametrize("laminate", [by_phase, by_voxel])
def test_first_ply_failure_is_that_of_laminate_theory(laminate: Any) -> None:
    cell, phases = laminate()
    effective = sb.effective(cell, tolerance=1e-12, fields=True)
    loads = [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (1.0, -1.5, 0.6), (0.0, 0.0, 1.0)]
    fields = [effective.local(flux=mandel(s11=x, s22=y, s12=xy)) for x, y, xy in loads]
    for criterion in (HASHIN, PUCK):
        found = strength(fields, dict.fromkeys(phases, criterion), cell=cell)
        for number, load in enumerate(loads):
            plies = [mandel(s11=a, s22=b, s12=c) for a, b, c in ply_stresses(np.array(load))]
            exact = [float(criterion.exposure(one)) for one in plies]
            image = found.exposures[number]
            assert image[1, 1, 0] == pytest.approx(exact[0], rel=1e-6)
            assert image[0, 0, 3] == pytest.approx(exact[1], rel=1e-6)
            reserve = found.reserves(first=True)[number]
            assert reserve == pytest.approx(1 / max(exact), rel=1e-6)
        # Tension cracks the ply across it. The values are those of classical laminate theory.
        across = ply_stresses(np.array(loads[0]))[1][1]
        assert found.reserves(first=True)[0] == pytest.approx(35.0 / across, rel=1e-4)
        first = max(found.first_failures[: len(phases)], key=lambda f: f.exposure)
        assert first.where[2] >= 2
        assert first.mode in ("matrix tension", "A")


# --- Where stresses come from ------------------------------------------------------------------

SOFT = sb.laws.IsotropicElastic(E=3.0e3, nu=0.35)
HARD = sb.laws.IsotropicElastic(E=70e3, nu=0.2)


def composite(**laws: Any) -> sb.Cell:
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    image = sb.Microstructure(labels, spacing=1.0, phases={"soft": 0, "hard": 1})
    return sb.Cell(image, {"soft": SOFT, "hard": HARD, **laws}, plane="strain")


def test_percentiles_leave_out_the_worst_of_each_phase() -> None:
    cell = composite()
    local = sb.effective(cell, fields=True).local(flux=[1.0, 0.5, 0.0])
    criteria = {"soft": VonMises(80.0), "hard": MaxPrincipal(2000.0)}
    found = strength(local, criteria, cell=cell, percentile=75.0)
    soft, hard = (np.sort(found.exposures[0][cell.microstructure.mask(p)]) for p in criteria)
    assert found.percentile_failures[0].exposure == soft[9]  # 9.75 of 13 voxels
    assert found.percentile_failures[1].exposure == hard[2]  # 2.25 of 3
    assert found.at_percentile.exposure <= found.first.exposure
    assert found.first.exposure == max(soft[-1], hard[-1])
    assert found.exposures[0][found.first.where] == found.first.exposure
    everything = strength(local, criteria, cell=cell, percentile=100)
    assert everything.at_percentile == everything.first == found.first
    only = strength(local, {"hard": MaxPrincipal(2000.0)}, cell=cell)
    assert np.isnan(only.exposures[0]).sum() == 13
    assert f"reserve factor {only.first.reserve:.4g}" in repr(only)
    pressed = strength(local, {"hard": MaxPrincipal(1e30)}, cell=cell)
    assert pressed.reserves()[0] == pytest.approx(only.reserves()[0] * 5e26)


def test_points_of_a_structure_histories_and_cells_agree() -> None:
    cell = composite()
    criteria = {"soft": VonMises(80.0), "hard": MaxPrincipal(2000.0, 3000.0)}
    part = sb.Structure(
        rectangle((2.0, 1.0), (2, 1)),
        {"body": cell},
        supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 0.02}},
        plane="strain",
    )
    solution = part.solve(tolerance=1e-10)
    inside = sb.localize(solution, elements=[(0, 0), (1, 3)])
    found = strength(inside, criteria)
    local = sb.effective(cell, tolerance=1e-12, fields=True).local(gradient=inside[1].average)
    alone = strength(local, criteria, cell=cell)
    assert alone.first.mode == found.first.mode
    np.testing.assert_allclose(alone.exposures[0], found.exposures[1], rtol=1e-5)
    given_as_fields = strength(dict(inside[1].fields), criteria, cell=cell)
    np.testing.assert_allclose(given_as_fields.exposures[0], found.exposures[1], rtol=1e-12)


def test_regions_of_a_structure_are_plies() -> None:
    mesh = rectangle((2.0, 1.0), (2, 1))
    angle = np.radians(30.0)
    held = {"left": "symmetry", "bottom": "symmetry"}
    pulled = {"right": {"traction": [10.0, 0.0]}, "top": {"traction": [0.0, 2.0]}}
    turn = np.asarray(sb.tensors.rotation_about([0, 0, 1], angle))
    # A ply that is stiff alike in its axes does not shear, and carries a uniform stress.
    alike = sb.laws.IsotropicElastic(E=20e3, nu=0.3)
    part = sb.Structure(
        mesh,
        {"body": alike},
        supports=held,
        loads=pulled,
        plane="stress",
        orientation={"body": np.stack([np.eye(3), turn], axis=-1)},
    )
    found = strength(part.solve(tolerance=1e-10), {"body": HASHIN})
    c, s = np.cos(angle), np.sin(angle)
    ply = mandel(s11=10 * c**2 + 2 * s**2, s22=10 * s**2 + 2 * c**2, s12=(2 - 10) * s * c)
    exact = np.array([HASHIN.exposure(mandel(s11=10.0, s22=2.0)), HASHIN.exposure(ply)])
    np.testing.assert_allclose(found.exposures[0], np.repeat(exact[:, None], 4, 1), rtol=1e-7)
    assert found.first.phase == "body"
    assert found.first.where[0] == int(np.argmax(exact))
    # ε₃₃ = 0, with the fibres along y.
    for law, across in ((alike, 0.3 * 12.0), (PLY, 10.0 * 0.4 + 2.0 * 0.278 * 17.7 / 53.48)):
        flat = sb.Structure(
            mesh,
            {"body": law},
            supports=held,
            loads=pulled,
            plane="strain",
            orientation={"body": CROSS[1]},
        )
        found = strength(flat.solve(tolerance=1e-10), {"body": VonMises(250.0)})
        exact = VonMises(250.0).exposure(mandel(s11=10.0, s22=2.0, s33=across))
        assert found.first.exposure == pytest.approx(exact, rel=1e-7)


# --- What cannot be used -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPrincipal(0.0), "`tension` must be a strength"),
        (lambda: MaxPrincipal(1.0, -2.0), "`compression` must be a strength"),
        (lambda: VonMises("high"), "`strength` must be a strength"),
        (lambda: Hashin(1140, 570, 35, -114, 72, 50), "`Yc` must be a strength"),
        (lambda: Hashin(1140, 570, 35, 114, 72, 17), "`S23` must be at least Yt/2 = 17.5"),
        (lambda: Puck(1140, 570, 35, 114, np.nan, "glass"), "`S12` must be a strength"),
        (lambda: Puck(**GLASS, slopes="glas"), "did you mean 'glass'"),
        (lambda: Puck(**GLASS, slopes=(0.3, 0.2)), "four numbers"),
        (lambda: Puck(**GLASS, slopes=(3.0, 0.2, 0.2, 0.2)), "p⊥∥⁺ of at most 2.05"),
        (lambda: Puck(**GLASS, slopes="glass", coupling=-1.0), "`coupling` must be"),
        (lambda: VonMises(1.0).reserve(np.zeros(3)), "six Mandel components"),
        (lambda: VonMises(1.0).reserve(np.full(6, np.nan)), "must be finite"),
        (lambda: VonMises(1.0).reserve("abc"), "must be numbers"),
    ],
)
def test_bad_criteria_are_refused(make: Any, message: str) -> None:
    with pytest.raises(sb.InputError, match=message):
        make()


def test_bad_fields_are_refused() -> None:
    fields = {"stress": np.ones((3, 4, 4)), "strain": np.ones((3, 4, 4))}
    cell, good = composite(), {"soft": VonMises(1.0)}
    viscous = sb.laws.GeneralizedMaxwell(E=1.0, nu=0.3, shear=(0.5, 1.0))
    heat = sb.Cell(
        cell.microstructure, {"soft": sb.laws.Conduction(1.0), "hard": sb.laws.Conduction(2.0)}
    )
    for arguments, options, message in [
        ((fields, good), {}, "`cell` must be the Cell"),
        ((fields, good), {"cell": heat}, "must have the stress of a cell in small strain"),
        (({"q": fields["stress"]}, good), {"cell": cell}, "must have the stress"),
        (({**fields, "stress": np.ones((3, 5, 4))}, good), {"cell": cell}, "must be that of the"),
        ((fields, good), {"cell": composite(soft=viscous)}, "must tell all six stresses in 'soft'"),
        ((fields, {"sft": VonMises(1.0)}), {"cell": cell}, "did you mean 'soft'"),
        ((fields, {"soft": 250.0}), {"cell": cell}, "must be a criterion"),
        ((fields, {}), {"cell": cell}, "must map phases"),
        (([], good), {"cell": cell}, "is empty"),
        ((np.ones((6, 2)), good), {"cell": cell}, "has a ndarray"),
        ((fields, good), {"cell": cell, "percentile": 0}, "`percentile` must be above 0"),
    ]:
        with pytest.raises(sb.InputError, match=message):
            strength(*arguments, **options)
    mesh = rectangle((1.0, 1.0), (1, 1))
    warm = sb.Structure(mesh, {"body": sb.laws.Conduction(1.0)}, supports={"left": 1.0})
    with pytest.raises(sb.InputError, match="must be of a structure in small strain"):
        strength(warm.solve(), {"body": VonMises(1.0)})
    part = sb.Structure(mesh, {"body": cell}, supports={"left": "fixed"}, plane="strain")
    with pytest.raises(sb.InputError, match="must tell all six stresses in 'body'"):
        strength(part.solve(), {"body": VonMises(1.0)})
    with pytest.raises(sb.InputError, match="must have kept a row"):
        strength(part.solve(keep=[]), {"body": VonMises(1.0)})
