"""Exact values that voxels approach: rates of convergence, and from which side.

Record ids (cond.…, el.…) are those of the project's collection of reference values.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.laws import Conduction, Elastic, IsotropicElastic, Void


def effective(micro, laws, tolerance=1e-8, **options):
    """Solve with the laws in the order of the phases."""
    cell = sb.Cell(micro, dict(zip(micro.names, laws, strict=True)), **options)
    return sb.effective(cell, tolerance)


def conducting(contrast):
    return Conduction(1.0), Conduction(contrast)


def order(errors, ratio=2):
    """Slope of log|error| over log h, by least squares; resolutions grow by `ratio`."""
    steps = np.arange(len(errors)) * np.log2(ratio)
    return -np.polyfit(steps, np.log2(np.abs(errors)), 1)[0]


# --- Corners where four phases meet ----------------------------------------------------------

# Around the corner of a checkerboard the potential goes like r^λ, λ = (4/π) arctan √(k₁/k₂), and
# the energy's error like h^2λ: 0.78 at contrast 10, 1.18 at 4. One-point elements on these grids
# fulfil duality to the square of that error, so that they converge like h^4λ.


@pytest.mark.parametrize("contrast", [4, 10])
@pytest.mark.parametrize(("element", "multiple"), [("full", 2), ("reduced", 4)])
def test_checkerboard(contrast, element, multiple):
    """cond.fourphase.1_10_1_10 (Keller 1964, Dykhne 1970): √(k₁k₂) by extrapolation."""
    exact = np.sqrt(contrast)
    exponent = multiple * 4 / np.pi * np.arctan(1 / exact)
    values = []
    for n in (32, 64, 128):
        board = sb.generate.checkerboard((n, n))
        k = effective(board, conducting(contrast), element=element).tensor
        np.testing.assert_allclose(k, k[0, 0] * np.eye(2), rtol=0, atol=1e-7)
        values.append(k[0, 0] / exact)
    errors = np.array(values) - 1
    assert np.all(np.diff(errors) < 0)
    assert errors[-1] > 0
    assert order(errors) == pytest.approx(exponent, rel=0.03)
    extrapolated = values[-1] - (values[-2] - values[-1]) / (2**exponent - 1)
    # The next term of the expansion is smooth, of order h² or more: a tenth of the error is
    # more than is left.
    assert abs(extrapolated - 1) < 0.1 * errors[-1]


@pytest.mark.parametrize("element", ["full", "reduced"])
@pytest.mark.parametrize(
    ("phases", "exact"),
    [
        ((1, 2, 3, 4), (2.43975018237, 2.04939015319)),
        ((1, 10, 1, 1), (1.5442199923, 1.5442199923)),
        ((1, 10, 1, 10), (3.16227766017, 3.16227766017)),
    ],
)
def test_four_phases(phases, exact, element):
    """cond.fourphase.… (Mortola & Steffe 1985; Craster & Obnosov 2001; Milton 2001).

    s1 top left, s2 top right, s3 bottom right, s4 bottom left, x to the right, y up.
    """
    excess = []
    for n in (32, 64):
        half = n // 2
        labels = np.empty((n, n), int)
        labels[:half, half:], labels[half:, half:] = 0, 1
        labels[half:, :half], labels[:half, :half] = 2, 3
        micro = sb.Microstructure(labels, 1.0, {f"s{i + 1}": i for i in range(4)})
        k = effective(micro, [Conduction(s) for s in phases], element=element).tensor
        np.testing.assert_allclose(k[0, 1], 0, atol=1e-7)
        excess.append(np.diag(k) / exact - 1)
    # Full integration converges from above (an inequality at every resolution).
    assert np.all(np.array(excess) > 0)
    assert np.all(excess[1] < excess[0] / 2**0.75)  # 2λ ≥ 0.78 for these


@pytest.mark.parametrize(("element", "multiple"), [("full", 2), ("reduced", 4)])
def test_corners_at_high_contrast(element, multiple):
    """cond.fourphase.1_100_1_100 (Keller 1964, Dykhne 1970): 10, from above.

    2λ = 0.25: the error is large, and what extrapolation leaves of it must fall faster.
    """
    exponent = multiple * 4 / np.pi * np.arctan(0.1)
    values = [
        effective(sb.generate.checkerboard((n, n)), conducting(100), element=element).tensor[0, 0]
        for n in (32, 64, 128)
    ]
    errors = np.array(values) / 10 - 1
    assert np.all(np.diff(errors) < 0)
    assert errors[-1] > 0
    left = np.abs(errors[1:] - (errors[:-1] - errors[1:]) / (2**exponent - 1))
    assert left[1] / left[0] < errors[2] / errors[1]
    assert left[1] < errors[2] / 2


# --- Interfaces that voxels cannot follow ----------------------------------------------------


@pytest.mark.parametrize(("n", "value"), [(64, 2.16145), (128, 2.15004), (256, 2.14853)])
def test_coated_disc(n, value):
    """cond.coated.disk: the neutral inclusion (Hashin 1962); K* = 15/7 whatever is around.

    Another bilinear finite element program's values on these voxels, from above.
    """
    x = (np.arange(n) + 0.5) / n - 0.5
    radius = np.hypot(*np.meshgrid(x, x))
    labels = np.where(radius < 0.3, 0, np.where(radius < 0.45, 1, 2))
    micro = sb.Microstructure(labels, 1.0, {"core": 0, "shell": 1, "outside": 2})
    laws = Conduction(10.0), Conduction(1.0), Conduction(15 / 7)
    k = effective(micro, laws, element="full").tensor
    np.testing.assert_allclose(k, value * np.eye(2), rtol=0, atol=0.5e-5 + 1e-7)
    assert 0 < k[0, 0] / (15 / 7) - 1 < 1 / n  # first order, the rounding of the areas included


# A sphere of voxels differs from the sphere twice: its volume is off by what rounding decides,
# and its surface is a staircase. The first is taken out with a formula for the effect of the
# fraction; the rest falls like h. Error of the tensor = value/exact − formula(f_h)/formula(f).


def square_array(f, contrast):
    """cond.cyl.PMMformula (Perrins, McKenzie & McPhedran 1979)."""
    T = (1 + contrast) / (1 - contrast)
    bottom = T + f - 0.305827 * f**4 * T / (T**2 - 1.402958 * f**8) - 0.013362 * f**8 / T
    return 1 - 2 * f / bottom


def hexagonal_array(f, contrast):
    """cond.cyl.PMMformula, hexagonal."""
    T = (1 + contrast) / (1 - contrast)
    bottom = T + f - 0.075422 * f**6 * T / (T**2 - 1.060283 * f**12) - 0.000076 * f**12 / T
    return 1 - 2 * f / bottom


def maxwell(f, contrast):
    beta = (contrast - 1) / (contrast + 2)
    return (1 + 2 * beta * f) / (1 - beta * f)


@lru_cache
def disc_errors(f, exact, element):
    errors = []
    for n in (32, 64, 128, 256):
        micro = sb.generate.centred_sphere((n, n), f)
        k = effective(micro, conducting(10), element=element).tensor
        np.testing.assert_allclose(k, k[0, 0] * np.eye(2), rtol=0, atol=1e-7)
        achieved = micro.volume_fractions["sphere"]
        errors.append(k[0, 0] / exact - square_array(achieved, 10) / square_array(f, 10))
    return errors


@pytest.mark.parametrize("element", ["reduced", "full"])
@pytest.mark.parametrize(("f", "exact"), [(0.1, 1.17822179562), (0.5, 2.41546738019)])
def test_conduction_past_cylinders(f, exact, element):
    """cond.cyl.sq.f0.1, f0.5 (Perrins, McKenzie & McPhedran 1979): first order, from above."""
    errors = disc_errors(f, exact, element)
    assert np.all(np.diff(errors) < 0)
    assert errors[-1] > 0
    assert order(errors) > 0.9
    assert errors[-1] < 1 / 256


@pytest.mark.parametrize("element", ["reduced", "full"])
@pytest.mark.parametrize(
    ("contrast", "exact"),
    [(0.1, 0.211400796605), (2, 1.66412993402), (10, 4.7303511437), (50, 8.59100920664)],
)
def test_conduction_past_cylinders_that_nearly_touch(contrast, exact, element):
    """cond.cyl.sq.f0.74: first order from 64² on, where the gap of 0.029 has two pixels.

    Pixels of which the middle is inside lie between discs whose radii differ by half a diagonal,
    and so does the conductivity, which is monotonic in the radius.
    """
    errors, radius = [], np.sqrt(0.74 / np.pi)
    for n in (64, 128, 256):
        micro = sb.generate.centred_sphere((n, n), 0.74)
        k = effective(micro, conducting(contrast), element=element).tensor[0, 0] / exact
        around = np.pi * (radius + np.array([-1, 1]) / (np.sqrt(2) * n)) ** 2
        low, high = np.sort(square_array(around, contrast) / square_array(0.74, contrast))
        assert low < k < high
        achieved = micro.volume_fractions["sphere"]
        errors.append(k - square_array(achieved, contrast) / square_array(0.74, contrast))
    assert np.all(np.diff(np.abs(errors)) < 0)
    assert order(errors) > 0.9


@pytest.mark.parametrize("element", ["reduced", "full"])
@pytest.mark.parametrize("f", [0.3, 0.6])
def test_conduction_past_a_hexagonal_array(f, element):
    """cond.cyl.PMMformula (Perrins, McKenzie & McPhedran 1979; 5e-6 at f = 0.5): first order.

    The rectangle's pixels are nearly square; that they are not symmetric under 60° is an error of
    first order too.
    """
    columns, errors = np.array([31, 56, 97, 209]), []
    for n, rows in zip(columns, (54, 97, 168, 362), strict=True):
        micro = sb.generate.hexagonal_array((n, rows), f)
        k = effective(micro, conducting(10), element=element).tensor
        assert abs(k[0, 1]) < 1e-7
        assert abs(k[1, 1] / k[0, 0] - 1) < 0.5 / n
        achieved = micro.volume_fractions["fibre"]
        shift = [hexagonal_array(x, 10) for x in (achieved, f)]
        errors.append((k[0, 0] - shift[0]) / shift[1])
    assert np.all(np.diff(errors) < 0)
    assert errors[-1] > 0
    assert -np.polyfit(np.log(columns), np.log(errors), 1)[0] > 0.9
    assert errors[-1] < 1 / 209


def test_cylinders_in_guaranteed_bounds():
    """cond.cyl.sq.f0.5 between rigorous bounds, whatever the resolution.

    All pixels that touch the disc conduct: with exact energies that is an upper bound of the
    disc's. Pixels within it conduct: by duality, k₁k₂ over the upper bound of the exchanged
    problem is a lower one.
    """
    exact, radius, gaps = 2.41546738019, np.sqrt(0.5 / np.pi), []
    for n in (32, 64, 128):
        x = np.abs(np.arange(n + 1) / n - 0.5)
        near, far = np.minimum(x[1:], x[:-1]), np.maximum(x[1:], x[:-1])
        touching = np.hypot(*np.meshgrid(near, near)) < radius
        within = np.hypot(*np.meshgrid(far, far)) < radius
        upper = disc_conductivity(touching, conducting(10))
        lower = 10 / disc_conductivity(within, conducting(10)[::-1])
        assert lower < exact < upper
        gaps.append(upper - lower)
    assert order(gaps) > 0.9


def disc_conductivity(image, laws):
    micro = sb.Microstructure(image.astype(int), 1.0, {"matrix": 0, "disc": 1})
    return effective(micro, laws, element="full").tensor[0, 0]


# Of f = 0.45 the gap of 0.049 has two voxels from 48³ on.
COARSE, FINE = (16, 32, 64), (48, 96)


@pytest.mark.parametrize(
    ("f", "contrast", "exact", "sizes", "element"),
    [
        (f, contrast, exact, COARSE if f < 0.4 else FINE, element)
        for f, contrast, exact in (
            (0.1, 2, 1.076926673),
            (0.1, 10, 1.243338546),
            (0.3, 10, 1.887740058),
            (0.3, 0, 0.605661246),
            (0.45, 2, 1.383434643),
            (0.45, 10, 2.689695487),
            (0.45, 0, 0.432717572),
        )
        for element in (("reduced", "full") if contrast else ("full",))
    ],
)
def test_conduction_past_spheres(f, contrast, exact, sizes, element):
    """cond.sph.sc.f0.1, f0.3, f0.45 (McPhedran & McKenzie 1978): first order."""
    errors = []
    for n in sizes:
        micro = sb.generate.centred_sphere((n,) * 3, f)
        k = effective(micro, conducting(contrast), 1e-7, element=element).tensor[0, 0]
        achieved = micro.volume_fractions["sphere"]
        errors.append(k / exact - maxwell(achieved, contrast) / maxwell(f, contrast))
    assert np.all(np.diff(np.abs(errors)) < 0)
    assert order(errors) > 0.9
    assert abs(errors[-1]) < 1.5 / sizes[-1]


def hashin_shtrikman(f, matrix, inclusion):
    """C11, C12, C44 of the bound that is attained with `matrix` outside (Hashin 1983)."""

    def bulk_and_shear(E, nu):
        return E / (3 * (1 - 2 * nu)), E / (2 * (1 + nu))

    (K1, G1), (K2, G2) = bulk_and_shear(*matrix), bulk_and_shear(*inclusion)
    K = K1 + f / (1 / (K2 - K1) + 3 * (1 - f) / (3 * K1 + 4 * G1))
    shape = 6 * (1 - f) * (K1 + 2 * G1) / (5 * G1 * (3 * K1 + 4 * G1))
    G = G1 + f / (1 / (G2 - G1) + shape)
    return np.array([K + 4 * G / 3, K - 2 * G / 3, G])


# el.SC.…: matrix (E, ν), sphere (E, ν), and C11, C12, C44 by curved spectral elements, at 0.1
# and at 0.3.
SPHERES = {
    "contrast10": (
        (1.0, 0.3),
        (10.0, 0.2),
        {
            0.1: (1.568538801, 0.6361521302, 0.4522068043),
            0.3: (2.243532974, 0.7503422308, 0.616898204),
        },
    ),
    "glass_epoxy": (
        (2.75, 0.35),
        (72.4, 0.22),
        {
            0.1: (5.20093461, 2.638333644, 1.225266834),
            0.3: (7.823011539, 3.157812486, 1.739388412),
        },
    ),
    "void": (
        (1.0, 0.3),
        (0.0, 0.3),
        {
            0.1: (1.076444838, 0.4293843732, 0.3123497636),
            0.3: (0.6992588474, 0.2311744563, 0.1884588993),
        },
    ),
}


@pytest.mark.parametrize("f", [0.1, 0.3])
@pytest.mark.parametrize(
    ("name", "element"),
    [("contrast10", "reduced"), ("contrast10", "full"), ("glass_epoxy", "full"), ("void", "full")],
)
def test_stiffness_of_an_array_of_spheres(name, element, f):
    """el.SC.f0.1, f0.3: in norm, first order between 16³ and 32³."""
    matrix, sphere, exact = SPHERES[name]
    laws = IsotropicElastic(*matrix), IsotropicElastic(*sphere) if sphere[0] else Void()
    errors = []
    for n in (16, 32):
        micro = sb.generate.centred_sphere((n,) * 3, f)
        C = effective(micro, laws, 1e-6, element=element).voigt[[0, 0, 5], [0, 1, 5]]
        achieved = micro.volume_fractions["sphere"]
        shift = [hashin_shtrikman(x, matrix, sphere) for x in (achieved, f)]
        errors.append(np.linalg.norm(C / exact[f] - shift[0] / shift[1]))
    assert order(errors) > 0.75


def plane_hashin_shtrikman(f, matrix, fibre):
    """C_xx, C_xy, G_xy of the bound that is attained with `matrix` outside (Hashin 1965)."""

    def area_and_shear(law):
        C = np.asarray(law.modulus)
        return (C[0, 0] + C[0, 1]) / 2, C[5, 5] / 2

    (k1, G1), (k2, G2) = area_and_shear(matrix), area_and_shear(fibre)
    k = k1 + f / (1 / (k2 - k1) + (1 - f) / (k1 + G1))
    G = G1 + f / (1 / (G2 - G1) + (1 - f) * (k1 + 2 * G1) / (2 * G1 * (k1 + G1)))
    return np.array([k + G, k - G, G])


# el.UD.sq.…: fraction, matrix, fibre, and C_xx, C_xy, G23 by curved spectral elements [GPa].
FIBRES = {
    "B_Al": (
        0.47,
        IsotropicElastic(68.3, 0.3),
        IsotropicElastic(379.3, 0.1),
        (161.0228841813, 46.3293851942, 45.8243281),
    ),
    "E_glass_MY750": (
        0.6,
        IsotropicElastic(3.35, 0.35),
        IsotropicElastic(74.0, 0.2),
        (16.6306311318, 4.8416542038, 3.25388209),
    ),
    "AS4_3501_6": (
        0.6,
        IsotropicElastic(4.8, 0.34),
        Elastic.transversely_isotropic(
            E_axial=235.0, E_transverse=14.0, nu_axial=0.2, nu_transverse=0.25, G_axial=28.0
        ),
        (11.0553466518, 3.9364885853, 3.11504924),
    ),
}


@pytest.mark.parametrize(
    ("name", "element"),
    [(n, e) for n in ("B_Al", "E_glass_MY750") for e in ("reduced", "full", "bbar")]
    + [("AS4_3501_6", "full")],
)
def test_fibres_in_a_square_array(name, element):
    """el.UD.sq.…, in the plane across the fibres: first order, below 0.5 h/L times the contrast."""
    f, matrix, fibre, exact = FIBRES[name]
    errors = []
    for n in (32, 128):
        micro = sb.generate.centred_sphere((n, n), f)
        C = effective(micro, (matrix, fibre), 1e-7, element=element, plane="strain").voigt
        np.testing.assert_allclose(C[:2, 2], 0, atol=1e-6 * C[0, 0])
        achieved = micro.volume_fractions["sphere"]
        shift = [plane_hashin_shtrikman(x, matrix, fibre) for x in (achieved, f)]
        errors.append(np.linalg.norm(C[[0, 0, 2], [0, 1, 2]] / exact - shift[0] / shift[1]))
    assert order(errors, ratio=4) > 0.9
    contrast = fibre.modulus[5, 5] / matrix.modulus[5, 5]
    assert errors[-1] < 0.5 / 128 * max(contrast, 3)
