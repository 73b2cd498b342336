"""Lattices of discs and spheres, minimal surfaces: exact geometry and symmetry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.errors import InputError
from scalebridge.microstructure import generate

TOUCHING = {
    "square": math.pi / 4,
    "hexagonal": math.pi / (2 * math.sqrt(3)),
    "sc": math.pi / 6,
    "bcc": math.pi * math.sqrt(3) / 8,
    "fcc": math.pi * math.sqrt(2) / 6,
}


def make(kind, shape, *args, **options):
    if kind == "square":
        return generate.square_array(shape, *args, **options)
    if kind == "hexagonal":
        return generate.hexagonal_array(shape, *args, **options)
    return generate.cubic_array(kind, shape, *args, **options)


class TestLattices:
    @pytest.mark.parametrize("n", [16, 17, 32, 45])
    @pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5])
    def test_one_in_the_middle_is_the_centred_sphere(self, n, fraction):
        for dim, kind in ((2, "square"), (3, "sc")):
            ours = make(kind, (n,) * dim, fraction, edge=n)
            theirs = generate.centred_sphere((n,) * dim, fraction)
            assert np.array_equal(ours.labels, theirs.labels)
            assert ours.spacing == theirs.spacing

    @pytest.mark.parametrize(
        ("kind", "centres"),
        [
            ("bcc", [(0, 0, 0), (0.5, 0.5, 0.5)]),
            ("fcc", [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]),
        ],
    )
    @pytest.mark.parametrize("shape", [(12, 12, 12), (9, 14, 11)])
    def test_spheres_by_their_definition(self, kind, centres, shape):
        """A voxel is inside where its centre is nearer than r to a centre or an image of it."""
        micro = generate.cubic_array(kind, shape, radius=0.6, edge=2.0)
        x = np.stack(np.indices(shape), -1) + 0.5
        x /= shape
        apart = np.abs(x[..., None, :] - centres)
        apart = 2.0 * np.minimum(apart, 1 - apart)
        assert np.array_equal(micro.mask("sphere"), ((apart**2).sum(-1) < 0.36).any(-1))
        assert micro.extent == pytest.approx((2.0, 2.0, 2.0))

    def test_hexagon_by_its_definition(self):
        """Cell 1 × √3, r = √(f √3 / 2π), strictly inside; the aspect is exact on any grid."""
        shape, fraction = (31, 52), 0.6
        x, y = (np.indices(shape) + 0.5) * np.array([1 / 31, math.sqrt(3) / 52])[:, None, None]
        radius = math.sqrt(fraction * math.sqrt(3) / (2 * math.pi))
        centres = [(0.5, math.sqrt(3) / 2)]
        centres += [(a, b * math.sqrt(3)) for a in (0, 1) for b in (0, 1)]
        inside = np.any([(x - a) ** 2 + (y - b) ** 2 < radius**2 for a, b in centres], axis=0)
        micro = generate.hexagonal_array(shape, fraction)
        assert np.array_equal(micro.mask("fibre"), inside)
        assert micro.extent == pytest.approx((1.0, math.sqrt(3)), rel=1e-15)
        assert f"radius {radius:.6g} (smooth fraction 0.6)" in micro.notes[0]
        assert f"fraction {inside.mean():.6g}" in micro.notes[0].split("), ")[1]

    @pytest.mark.parametrize("kind", TOUCHING)
    @pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
    def test_the_fraction_is_that_of_the_smooth_bodies(self, kind, share):
        """The error of counting voxels is far below the surface's share of them."""
        dim = 2 if kind in ("square", "hexagonal") else 3
        fraction = share * TOUCHING[kind]
        micro = make(kind, (128, 222) if kind == "hexagonal" else (128,) * dim, fraction)
        assert micro.volume_fractions[micro.names[1]] == pytest.approx(fraction, abs=2e-3)

    @pytest.mark.parametrize("kind", TOUCHING)
    def test_overlap_zero_is_touching(self, kind):
        dim = 2 if kind in ("square", "hexagonal") else 3
        touching = make(kind, (24,) * dim, overlap=0.0)
        assert "radius" in touching.notes[0]
        assert np.array_equal(touching.labels, make(kind, (24,) * dim, TOUCHING[kind]).labels)

    @pytest.mark.parametrize(
        ("kind", "count", "contacts"), [("sc", 1, 3), ("bcc", 2, 8), ("fcc", 4, 24)]
    )
    def test_overlapping_spheres(self, kind, count, contacts):
        """Union of the spheres: each contact takes away a lens of π h² (3 r − h) 2 / 3.

        h = r − d/2; exact as long as no three spheres meet.
        """
        micro = generate.cubic_array(kind, (120,) * 3, overlap=0.05)
        distance = {"sc": 1.0, "bcc": math.sqrt(0.75), "fcc": math.sqrt(0.5)}[kind]
        r = distance / (0.95 * 2)
        h = r - distance / 2
        lens = 2 * math.pi * h**2 * (3 * r - h) / 3
        smooth = count * 4 / 3 * math.pi * r**3 - contacts * lens
        assert micro.volume_fractions["sphere"] == pytest.approx(smooth, abs=1e-3)
        assert f"{kind} array of radius {r:.6g} (overlap 5 %)" in micro.notes[0]
        assert micro.connectivity()["sphere"] == (True, True, True)

    @pytest.mark.parametrize("axis", ["x", "y", "z", 1])
    def test_extruded(self, axis):
        number = "xyz".index(axis) if isinstance(axis, str) else axis
        for kind, flat in (("square", (20, 24)), ("hexagonal", (20, 36))):
            shape = list(flat)
            shape.insert(number, 5)
            micro = make(kind, shape, 0.4, axis=axis)
            plane = make(kind, flat, 0.4)
            layers = np.moveaxis(micro.labels, number, 0)
            assert (layers == plane.labels).all()
            spacing = list(micro.spacing)
            assert spacing.pop(number) == plane.spacing[0]
            assert tuple(spacing) == plane.spacing

    @given(
        st.sampled_from(sorted(TOUCHING)),
        st.floats(0.2, 1.0),
        st.sampled_from([6, 8, 10, 14]),
    )
    @settings(deadline=None, max_examples=40)
    def test_lattice_translations_and_mirrors(self, kind, share, n):
        """Centring translations by half the cell map the image onto itself; so do mirrors."""
        dim = 2 if kind in ("square", "hexagonal") else 3
        labels = make(kind, (n,) * dim, share * TOUCHING[kind]).labels
        shifts = {"hexagonal": [(1, 1)], "bcc": [(1, 1, 1)], "fcc": [(0, 1, 1), (1, 1, 0)]}
        for shift in shifts.get(kind, []):
            rolled = np.roll(labels, np.array(shift) * n // 2, axis=tuple(range(dim)))
            assert np.array_equal(rolled, labels)
        for axis in range(dim):
            assert np.array_equal(np.flip(labels, axis), labels)

    @pytest.mark.parametrize(
        ("kind", "options", "message"),
        [
            ("square", {}, "`fraction`, `radius` or `overlap` must be given, .* but none is"),
            ("square", {"fraction": 0.3, "radius": 0.2}, "but fraction and radius are"),
            ("square", {"fraction": 0.8}, "between 0 and 0.7854, but is 0.8; beyond, neighbours"),
            ("hexagonal", {"fraction": 0.91}, "between 0 and 0.9069"),
            ("fcc", {"fraction": 0.75}, "between 0 and 0.7405"),
            ("sc", {"radius": -1}, "`radius` must be a number above 0"),
            ("sc", {"overlap": 1.0}, "`overlap` must be a number ≥ 0 and below 1, but is 1"),
            ("sc", {"overlap": -0.1}, "`overlap` must be a number ≥ 0 and below 1, but is -0.1"),
            (
                "sc",
                {"radius": 0.9},
                r"a voxel, but with sc array of radius 0.9 all of 8 × 8 × 8 are .* smaller",
            ),
            ("sc", {"radius": 0.01}, "none of 8 × 8 × 8 are inside; .* larger bodies"),
            ("square", {"radius": 0.3, "edge": 0}, "`edge` must be a number above 0"),
            ("hexagonal", {"radius": 0.3, "axis": "w", "shape": (4, 8, 8)}, "`axis` must be one"),
            ("fc", {"radius": 0.3}, r"one of sc, bcc, fcc, but is 'fc' \(did you mean"),
            (["fcc"], {"radius": 0.3}, r"`kind` must be one of sc, bcc, fcc, but is \['fcc'\]"),
            ("fcc", {"radius": 0.3, "shape": (8, 8)}, "must be 3D for a cubic .* square_array"),
            ("fcc", {"radius": 0.3, "names": ("a",)}, "must have 2 names"),
            ("fcc", {"radius": 0.3, "shape": (10**6,) * 3}, "must fit into memory"),
            ("square", {"radius": 0.3, "shape": (10**9, 8, 8), "axis": "x"}, "into memory"),
        ],
    )
    def test_what_is_refused(self, kind, options, message):
        told = {"shape": (8, 8) if kind in ("square", "hexagonal") else (8,) * 3, **options}
        with pytest.raises(InputError, match=message):
            make(kind, **told)


KINDS = ("gyroid", "schwarz_p", "diamond")


class TestMinimalSurfaces:
    @given(
        st.sampled_from(KINDS),
        st.sampled_from(["sheet", "skeletal"]),
        st.floats(0.01, 0.99),
        st.tuples(*[st.integers(4, 12)] * 3),
    )
    @settings(deadline=None, max_examples=60)
    def test_the_fraction_is_met_to_the_voxel(self, kind, network, fraction, shape):
        """Though many voxels have equal values by symmetry."""
        micro = generate.gyroid(shape, fraction, kind=kind, network=network)
        assert abs(micro.counts["solid"] - fraction * np.prod(shape)) <= 0.5 + 1e-9

    @pytest.mark.parametrize("network", ["sheet", "skeletal"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_by_its_equation(self, kind, network):
        """All of the solid lies below all of the void, in F or its magnitude."""
        x, y, z = (
            2
            * np.pi
            * (np.indices((16, 18, 20)) + 0.5)
            / np.array([16, 18, 20])[:, None, None, None]
        )
        s, c = np.sin, np.cos
        field = {
            "gyroid": s(x) * c(y) + s(y) * c(z) + s(z) * c(x),
            "schwarz_p": c(x) + c(y) + c(z),
            "diamond": s(x) * s(y) * s(z) + s(x) * c(y) * c(z) + c(x) * s(y) * c(z)
            + c(x) * c(y) * s(z),
        }[kind]  # fmt: skip
        field = np.abs(field) if network == "sheet" else field
        solid = generate.gyroid((16, 18, 20), 0.3, kind=kind, network=network).mask("solid")
        assert field[solid].max() <= field[~solid].min() + 1e-12

    @pytest.mark.parametrize("network", ["sheet", "skeletal"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_symmetric_ones_keep_their_symmetry(self, kind, network):
        """The threefold axis along [111], exactly; the fraction within a group of equals."""
        make_ = lambda n, **more: generate.gyroid(  # noqa: E731
            (n,) * 3, 0.3, kind=kind, network=network, **more
        )
        labels = make_(20, symmetric=True).labels
        assert np.array_equal(labels, labels.transpose(1, 2, 0))
        assert abs(labels.mean() - 0.3) < 192 / 20**3  # twice the order of the group m3̄m, 48 × 4
        if network == "sheet":  # F changes sign under the inversion or half a cell along [111]
            turned = (
                np.flip(labels) if kind != "schwarz_p" else np.roll(labels, (10,) * 3, (0, 1, 2))
            )
            assert np.array_equal(labels, turned)

    def test_sheets_part_two_channels(self):
        micro = generate.gyroid((40,) * 3, 0.2)
        assert micro.clusters("void", 6).count == 2
        assert micro.clusters("solid", 26).count == 1
        skeleton = generate.gyroid((40,) * 3, 0.3, network="skeletal")
        assert skeleton.clusters("void", 26).count == 1
        assert skeleton.connectivity()["solid"] == (True, True, True)

    def test_half_a_skeleton_is_the_surface(self):
        """At ½ the level is 0 by symmetry: F(−x) = −F for the gyroid."""
        labels = generate.gyroid((16,) * 3, 0.5, network="skeletal", symmetric=True).labels
        assert (labels.mean(), labels.sum() + np.flip(labels).sum()) == (0.5, 16**3)

    def test_periods(self):
        """Cells repeat; each has the image of one alone."""
        one = generate.gyroid((12, 12, 12), 0.3, symmetric=True)
        several = generate.gyroid((24, 12, 36), 0.3, periods=(2, 1, 3), symmetric=True)
        assert np.array_equal(several.labels, one.repeat((2, 1, 3)).labels)
        assert "gyroid sheet of 2, 1, 3 periods" in several.notes[0]
        assert generate.gyroid((8,) * 3, 0.3, spacing=0.5, names=("a", "b")).names == ("a", "b")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"shape": (8, 8)}, "`shape` must be 3D for a minimal surface"),
            ({"fraction": 0}, "`fraction` must be a number between 0 and 1"),
            ({"fraction": 1e-6}, "each phase at least one voxel, but 1e-06 of 512"),
            ({"kind": "gyriod"}, r"gyroid, schwarz_p, diamond, but is 'gyriod' \(did you mean"),
            ({"network": "sheets"}, r"sheet, skeletal, but is 'sheets' \(did you mean 'sheet'"),
            ({"periods": 0}, "`periods` must be a positive whole number"),
            ({"spacing": -1}, "`spacing` must be positive"),
            ({"names": ("a",)}, "must have 2 names"),
            ({"shape": (10**6,) * 3}, "must fit into memory"),
        ],
    )
    def test_what_is_refused(self, options, message):
        with pytest.raises(InputError, match=message):
            generate.gyroid(**{"shape": (8,) * 3, "fraction": 0.3, **options})
