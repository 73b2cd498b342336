"""Curves of `plot_estimates` against the classes that they come from, and its door."""

from __future__ import annotations

import numpy as np
import pytest

import scalebridge as sb
from scalebridge import InputError
from scalebridge.analytic import (
    Differential,
    Dilute,
    HashinShtrikman,
    Inclusion,
    MoriTanaka,
    Reuss,
    SelfConsistent,
    Voigt,
)
from scalebridge.laws import Conduction, Elastic, IsotropicElastic, PlaneStrain, Rigid, Void
from scalebridge.study.estimates import _through
from scalebridge.upscaling.constants import engineering_constants

ONE, TEN = Conduction(1.0), Conduction(10.0)
RESIN, GLASS = IsotropicElastic(3.0, 0.35), IsotropicElastic(70.0, 0.2)
ROUNDING = 1e-11  # the self-consistent root is found to 1e-12


def expected(matrix, inclusion, f, **shape):
    """All estimates, written out."""
    both, shares, body = [matrix, inclusion], [1 - f, f], Inclusion(inclusion, f, **shape)
    return {
        "Voigt": Voigt(both, shares),
        "Hashin–Shtrikman +": HashinShtrikman(both, shares, "upper"),
        "differential": Differential(matrix, body),
        "self-consistent": SelfConsistent([Inclusion(matrix, 1 - f), body]),
        "Mori–Tanaka": MoriTanaka(matrix, body),
        "dilute": Dilute(matrix, body),
        "Hashin–Shtrikman −": HashinShtrikman(both, shares, "lower"),
        "Reuss": Reuss(both, shares),
    }


def test_curves_are_those_of_the_classes(tmp_path):
    done = sb.plot_estimates(tmp_path / "k.svg", ONE, TEN, "k11", largest=0.9)
    assert (tmp_path / "k.svg").stat().st_size > 1000
    assert done.quantity == "k11"
    assert done.fractions[-1] == pytest.approx(0.9)
    assert done.cells.size == done.cell_fractions.size == 0
    for point in (0, 30, 59):
        models = expected(ONE, TEN, float(done.fractions[point]))
        assert set(done.curves) == set(models)
        for name, model in models.items():
            assert done.curves[name][point] == pytest.approx(
                float(model.modulus[0, 0]), rel=ROUNDING
            )


def test_engineering_constants_and_entries_of_an_elastic_material(tmp_path):
    done = sb.plot_estimates(tmp_path / "E.png", RESIN, GLASS, "E1")
    shear = sb.plot_estimates(tmp_path / "G.pdf", RESIN, GLASS, "C44").curves
    for name, model in expected(RESIN, GLASS, float(done.fractions[20])).items():
        E = engineering_constants(model.modulus, "stiffness", None)["E1"]
        assert done.curves[name][20] == pytest.approx(float(E), rel=ROUNDING)
        assert shear[name][20] == pytest.approx(
            float(model.modulus[3, 3]) / 2, rel=ROUNDING
        )  # Mandel


def test_nan_where_an_estimate_leaves_its_range(tmp_path):
    """Dilute pores take more than there is: K = K₀(1 − cf) < 0; Voigt of pores is never NaN.

    c = (3K + 4G)/4G = 1 + 3K/4G of Eshelby's spherical pore under pressure.
    """
    done = sb.plot_estimates(tmp_path / "K.png", RESIN, Void(), "K", largest=0.9)
    K, G = 3.0 / (3 * 0.3), 3.0 / (2 * 1.35)
    left = done.fractions > 1 / (1 + 3 * K / (4 * G))
    assert 0 < left.sum() < 60
    assert np.isnan(done.curves["dilute"][left]).all()
    inside = done.curves["dilute"][done.fractions < 0.2]
    assert np.isfinite(inside).all()
    assert np.isfinite(done.curves["Voigt"]).all()
    assert not done.curves["Reuss"].any()


def test_plane_strain_and_cells(tmp_path):
    done = sb.plot_estimates(
        tmp_path / "plane.png",
        RESIN,
        GLASS,
        "C11",
        generate=lambda f: sb.generate.square_array((16, 16), f),
        fractions=(0.2, 0.5),
        plane="strain",
        element="full",
    )
    for name, model in expected(
        PlaneStrain(RESIN), PlaneStrain(GLASS), float(done.fractions[20])
    ).items():
        assert done.curves[name][20] == pytest.approx(float(model.modulus[0, 0]), rel=ROUNDING)
    images = [sb.generate.square_array((16, 16), f) for f in (0.2, 0.5)]
    assert done.cell_fractions.tolist() == [i.volume_fractions["fibre"] for i in images]
    for value, image in zip(done.cells, images, strict=True):
        laws = {"matrix": RESIN, "fibre": GLASS}
        cell = sb.Cell(image, laws, plane="strain", element="full")
        assert value == pytest.approx(float(sb.effective(cell).voigt[0, 0]), rel=1e-8)


@pytest.mark.parametrize("limit", [Void(), Rigid(), Void("conduction")])
def test_a_bare_limit_takes_the_physics_of_the_other(tmp_path, limit):
    done = sb.plot_estimates(
        tmp_path / "k.png",
        ONE,
        limit,
        "k11",
        generate=lambda f: sb.generate.centred_sphere((8, 8), f),
        fractions=[0.25],
    )
    f = float(done.fractions[10])
    two = Conduction(np.eye(2))
    model = MoriTanaka(two, Inclusion(limit, f))
    assert done.curves["Mori–Tanaka"][10] == pytest.approx(float(model.modulus[0, 0]), rel=ROUNDING)
    assert (done.cells < 1).all() if isinstance(limit, Void) else (done.cells > 1).all()


def test_ellipsoids_are_interpolated(tmp_path):
    """One in five values is the estimate; those between are off by a thousandth at most."""
    shape = {"semi_axes": (1, 1, 5)}
    done = sb.plot_estimates(tmp_path / "C.png", RESIN, GLASS, "C33", **shape)
    assert "Hashin–Shtrikman +" not in done.curves  # not isotropic
    for point, rtol in ((24, ROUNDING), (26, 1e-3)):
        models = expected(RESIN, GLASS, float(done.fractions[point]), **shape)
        for name in done.curves:
            value = done.curves[name][point]
            assert value == pytest.approx(float(models[name].modulus[2, 2]), rel=rtol)


def test_anisotropic_phases_in_conduction(tmp_path):
    crystal = Conduction(np.diag([1.0, 2.0, 3.0]))
    done = sb.plot_estimates(tmp_path / "k.png", crystal, TEN, "k33")
    assert "Hashin–Shtrikman +" not in done.curves
    f = float(done.fractions[9])
    model = SelfConsistent([Inclusion(crystal, 1 - f), Inclusion(TEN, f)])
    assert done.curves["self-consistent"][9] == pytest.approx(
        float(model.modulus[2, 2]), rel=ROUNDING
    )


def test_interpolation_keeps_away_from_nan():
    x = np.arange(7.0)
    y = np.array([0.0, 1.0, np.nan, 3.0, np.nan, 5.0, 6.0])
    at = np.arange(0, 6.5, 0.5)
    values = _through(x, y, at)
    np.testing.assert_allclose(values[[0, 1, 2, 6, 10, 11, 12]], [0, 0.5, 1, 3, 5, 5.5, 6])
    assert np.isnan(values[[3, 4, 5, 7, 8, 9]]).all()


def test_a_quantity_that_vanishes_is_drawn(tmp_path):
    done = sb.plot_estimates(tmp_path / "k.png", ONE, TEN, "k12")
    assert not np.any(done.curves["Voigt"])


def disc(f):
    return sb.generate.centred_sphere((8, 8), f)


def three(f):
    return sb.generate.gaussian_field((16, 16), (f, 0.5 - f, 0.5), 2.0, 0)


CELLS = {"generate": disc, "fractions": (0.2,)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"largest": 0.0}, r"`largest` must lie between 0 and 1, but is 0\.0; it is a volume fr"),
        ({"largest": 60}, "`largest` must lie between 0 and 1, but is 60"),
        ({"largest": 1}, "`largest` must lie between 0 and 1"),
        ({"largest": "half"}, "`largest` must lie between 0 and 1, but is 'half'"),
        ({"largest": np.nan}, "`largest` must lie between 0 and 1, but is nan"),
        ({"quantity": 11}, "`quantity` must be a name, but is 11"),
        ({"quantity": "k44"}, r"`quantity` must be an entry such as k11 or one of .* but is 'k44'"),
        ({"quantity": ""}, "`quantity` must be an entry such as k11"),
        ({"path": "k.jpg"}, r"`path` must end in \.png, \.pdf, \.svg, but is 'k\.jpg'"),
        ({"path": 3}, r"`path` must end in \.png"),
        ({"path": "absent/k.png"}, "`path` must lie in a folder, but 'absent' is none"),
        ({"matrix": 1.0}, r"`matrix` must hold laws, but holds 1\.0"),
        ({"inclusion": "void"}, "`inclusion` must hold laws, but holds 'void'"),
        ({"inclusion": GLASS}, "`matrix` and `inclusion` must be of one physics, but are"),
        ({"matrix": Void(), "inclusion": Void()}, "must hold a material law"),
        ({"matrix": Void()}, "`matrix` must be positive definite, but Void is not"),
        ({"matrix": Conduction(np.eye(2))}, "`matrix` must be three-dimensional, but Conduction"),
        (
            {"matrix": PlaneStrain(RESIN), "inclusion": PlaneStrain(GLASS), "quantity": "C11"},
            "`matrix` must be three-dimensional, but PlaneStrain is not; on 2D images",
        ),
        ({"plane": "strain"}, "`plane` is for mechanics on 2D images only, but this is conduction"),
        ({"generate": disc}, "`generate` and `fractions` must be given together"),
        ({"fractions": (0.1,)}, "`generate` and `fractions` must be given together"),
        ({"element": "full"}, "`element` must come with `generate`"),
        ({**CELLS, "generate": 3}, "`generate` must be a function of the volume fraction"),
        ({**CELLS, "fractions": 0.2}, r"`fractions` must be a sequence, but is 0\.2"),
        ({**CELLS, "fractions": (0.2, 1.0)}, r"`fractions` must lie between 0 and 1, but is 1\.0"),
        ({**CELLS, "fractions": (-0.2,)}, "`fractions` must lie between 0 and 1"),
        ({**CELLS, "generate": three}, r"with two phases, the matrix first, but gives one with \("),
        ({**CELLS, "generate": lambda f: f}, r"`generate` must give a Microstructure .* one 0\.2"),
        (
            {
                "generate": lambda f: sb.generate.centred_sphere((8,) * (2 if f < 0.3 else 3), f),
                "fractions": (0.2, 0.4),
            },
            "`generate` must give images in 2D or in 3D, but gives both",
        ),
        ({**CELLS, "plane": "strain"}, "this is conduction in 2D"),
        (
            {**CELLS, "matrix": RESIN, "inclusion": GLASS, "quantity": "C11"},
            "`plane` must be 'strain' or 'stress' for mechanics on 2D images, but is None",
        ),
        ({**CELLS, "element": "fll"}, "`element` must be one of"),
        ({**CELLS, "semi_axes": (1, 1, 5)}, "semi-axes and rotations in 2D"),
        ({"semi_axes": (1, 5)}, "semi-axes and rotations in 3D"),
        ({"orientation": "aligned"}, "`orientation` must be 'random' or"),
        (
            {
                "matrix": Elastic.cubic(C11=3.0, C12=1.0, C44=2.0),
                "inclusion": GLASS,
                "quantity": "C11",
                "semi_axes": (1, 1, 5),
                "orientation": "random",
            },
            "`matrix` must be isotropic",
        ),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, changes, message):
    """Before anything is solved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scalebridge.study.estimates.effective", None)
    monkeypatch.setattr("scalebridge.study.estimates._tensors", None)
    told = {"path": "k.png", "matrix": ONE, "inclusion": TEN, "quantity": "k11"} | changes
    with pytest.raises(InputError, match=message):
        sb.plot_estimates(**told)
    assert not any(tmp_path.iterdir())
