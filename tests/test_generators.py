"""Microstructures made by rule: exact counts, no overlap, the right seams."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from scalebridge.errors import InputError
from scalebridge.microstructure import generate
from scalebridge.microstructure.packing import random_centres, squared_distances


class TestLaminate:
    @pytest.mark.parametrize("axis", [0, 1, 2, "x", "y", "z"])
    def test_layers_are_normal_to_the_axis(self, axis):
        micro = generate.laminate((10, 20, 40), (0.3, 0.5, 0.2), axis=axis, names=("a", "b", "c"))
        assert micro.volume_fractions == pytest.approx({"a": 0.3, "b": 0.5, "c": 0.2})
        number = "xyz".index(axis) if isinstance(axis, str) else axis
        lines = np.moveaxis(micro.labels, number, 0).reshape(micro.shape[number], -1)
        assert (lines == lines[:, :1]).all()
        assert (np.diff(lines[:, 0].astype(int)) >= 0).all()

    def test_the_fraction_achieved_is_told(self):
        micro = generate.laminate((7, 2), (1 / 3, 2 / 3), spacing=0.5)
        assert micro.volume_fractions["layer1"] == pytest.approx(2 / 7)
        assert "layer1 0.285714 (asked 0.333333)" in micro.notes[0]
        assert micro.spacing == (0.5, 0.5)

    @given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(1, 4))
    @settings(deadline=None, max_examples=40)
    def test_fractions_of_whole_voxels_are_exact(self, voxels, factor):
        n = sum(voxels) * factor
        if n < 2:
            return
        micro = generate.laminate((3, n), [v / sum(voxels) for v in voxels], axis=1)
        assert list(micro.counts.values()) == [3 * v * factor for v in voxels]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"fractions": (0.3, 0.3)}, "sum to 1, but are .* with sum 0.6"),
            ({"fractions": (-0.5, 1.5)}, "must be positive"),
            ({"fractions": ()}, "must be positive and sum to 1"),
            ({"fractions": 0.5}, "must be positive and sum to 1"),
            ({"fractions": (0.01, 0.99)}, "'layer1' of 0.01 has none of the 10 along x; .* 100"),
            ({"axis": 2}, "`axis` must be one of x, y or 0 to 1 in 2D, but is 2"),
            ({"axis": "zz"}, "`axis` must be one of"),
            ({"names": ("a",)}, "must have 2 names here"),
            ({"spacing": 0}, "`spacing` must be positive"),
            ({"shape": (10, 1)}, "`shape` must have at least 2 voxels"),
            ({"shape": (10,)}, "`shape` must be a 2D or 3D image"),
            ({"shape": 10}, "`shape` must be 2 or 3 whole numbers"),
            ({"shape": (10, 2.5)}, "`shape` must be 2 or 3 whole numbers"),
        ],
    )
    def test_what_is_refused(self, options, message):
        with pytest.raises(InputError, match=message):
            generate.laminate(**{"shape": (10, 4), "fractions": (0.4, 0.6), **options})


class TestSpheres:
    @pytest.mark.parametrize(
        ("shape", "fraction", "radius"),
        [
            ((64, 64, 64), 0.3, 8),
            ((40, 30, 20), 0.25, 4),
            ((32, 32, 32), 0.36, 5),
            ((100, 100), 0.5, 6),
            ((50, 80), 0.1, 2.5),
            ((20, 20, 20), 0.5, 9.8),  # one sphere, beyond the limit of random addition
            ((16, 16), 0.01, 1.0),
        ],
    )
    def test_the_fraction_is_met_to_the_voxel(self, shape, fraction, radius):
        micro = generate.spheres(shape, fraction, radius, seed=1)
        assert micro.counts["sphere"] == pytest.approx(fraction * np.prod(shape), abs=1)
        assert f"(asked {fraction:g})" in micro.notes[0]

    @given(st.integers(0, 2**32), st.floats(0.03, 0.12), st.floats(4.0, 5.0))
    @settings(deadline=None, max_examples=15)
    def test_spheres_stay_apart_and_keep_their_size(self, seed, fraction, radius):
        micro = generate.spheres((24, 24, 24), fraction, radius, seed=seed, gap=2.5)
        pieces = micro.clusters("sphere", 26)
        wanted = max(1, round(fraction * 24**3 / (4 / 3 * np.pi * radius**3)))
        assert pieces.count == wanted
        assert not pieces.percolates.any()
        if wanted > 1:
            assert pieces.sizes.max() < 1.35 * pieces.sizes.min()

    def test_the_same_seed_gives_the_same_image(self):
        make = lambda seed: generate.spheres((32, 32, 32), 0.2, 4, seed=seed).labels  # noqa: E731
        assert np.array_equal(make(5), make(5))
        assert not np.array_equal(make(5), make(6))

    def test_names_and_spacing(self):
        micro = generate.spheres((16, 16), 0.2, 3, 0, spacing=0.1, names=("epoxy", "glass"))
        assert micro.names == ("epoxy", "glass")
        assert micro.spacing == (0.1, 0.1)
        assert generate.spheres((16, 16), 0.2, 3, 0, spacing=(1, 1)).spacing == (1.0, 1.0)

    def test_no_face_is_special(self):
        """The mean fraction of each layer over many images is the same up to its scatter."""
        images = [generate.spheres((24, 24), 0.3, 3, seed=s).mask("sphere") for s in range(60)]
        layers = np.mean(images, axis=0).mean(axis=1)
        assert abs(layers[[0, 1, -2, -1]].mean() - 0.3) < 0.03
        assert np.ptp(layers) < 0.2

    def test_128_cubed_is_fast(self):
        start = time.perf_counter()
        generate.spheres((128, 128, 128), 0.3, 8, seed=0)
        assert time.perf_counter() - start < 10

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"fraction": 0.0}, "`fraction` must be a number between 0 and 1"),
            ({"fraction": 1.0}, "`fraction` must be a number between 0 and 1"),
            ({"fraction": float("nan")}, "`fraction` must be a number between"),
            ({"fraction": "much"}, "`fraction` must be a number between"),
            ({"fraction": 0.45}, "must stay below 0.384, where random addition in 3D jams"),
            ({"fraction": 0.3, "gap": 3}, r"is 0.3 \(0.\d+ with its gap\); lower it, or `gap`"),
            ({"shape": (40, 40), "fraction": 0.6}, "below 0.547"),
            ({"radius": 0.5}, "`radius` must be a number above 1"),
            ({"radius": 70}, r"at most 10\.9\d* voxels.*but is 70; take smaller spheres"),
            ({"radius": 30, "fraction": 0.7}, "must let a sphere and its gap fit in the cell"),
            ({"shape": (40, 40, 4)}, "exceeds the side of 4 voxels"),
            ({"gap": -1}, "`gap` must be a number ≥ 0, but is -1; it is in voxels"),
            ({"seed": None}, "`seed` must be a whole number"),
            ({"seed": -1}, "`seed` must be a whole number"),
            ({"seed": 1.5}, "`seed` must be a whole number"),
            ({"spacing": (1, 1, 2)}, "`spacing` must be the same along all axes"),
            ({"names": ("a", "a")}, "distinct names"),
            ({"max_attempts": 0}, "`max_attempts` must be a positive whole number"),
            ({"fraction": 0.37, "max_attempts": 40}, "40 attempts were used up after"),
            ({"fraction": 0.383, "radius": 3, "max_attempts": 20_000}, "lower `fraction`"),
        ],
    )
    def test_what_is_refused(self, options, message):
        given_ = {"shape": (24, 24, 24), "fraction": 0.2, "radius": 4, "seed": 0, **options}
        with pytest.raises(InputError, match=message):
            generate.spheres(**given_)


class TestPacking:
    @given(st.integers(0, 2**32), st.sampled_from([(20, 30), (12, 15, 18)]))
    @settings(deadline=None, max_examples=20)
    def test_points_keep_their_distance(self, seed, shape):
        rng = np.random.default_rng(seed)
        centres = random_centres(shape, 12, 4.5, rng, 10**5)
        assert centres.shape == (12, len(shape))
        assert (centres >= 0).all()
        assert (centres < shape).all()
        assert not cKDTree(centres, boxsize=shape).query_pairs(4.5 - 1e-9)

    def test_a_full_box_is_recognised(self):
        with pytest.raises(InputError, match="no room was left after"):
            random_centres((12, 12), 100, 5.0, np.random.default_rng(0), 10**8)

    def test_the_first_pair_is_uniform_outside_the_exclusion(self):
        """The second point's distance in a long thin box has the density of plain rejection."""
        found = []
        for seed in range(400):
            a, b = random_centres((2, 64), 2, 2.0, np.random.default_rng(seed), 10**5)
            found.append(min(abs(a[1] - b[1]), 64 - abs(a[1] - b[1])))
        assert np.mean(found) == pytest.approx(16.5, abs=1.5)
        assert np.mean(np.array(found) < 8.0) == pytest.approx(0.21, abs=0.06)

    @pytest.mark.parametrize("shape", [(9, 7), (6, 5, 8)])
    def test_distances_are_periodic(self, shape):
        rng = np.random.default_rng(0)
        centres = rng.random((3, len(shape))) * shape
        voxels = np.moveaxis(np.indices(shape), 0, -1) + 0.5
        apart = np.abs(voxels[..., None, :] - centres)
        apart = np.minimum(apart, np.array(shape) - apart)
        exact = (apart**2).sum(-1).min(-1)
        for reach in (2.0, 3.4, 50.0):
            field = squared_distances(shape, centres, reach)
            near = exact <= reach**2
            assert np.allclose(field[near], exact[near])
            assert (field[~near] > reach**2).all()


class TestBenchmarks:
    @pytest.mark.parametrize("n", [16, 32, 33])
    def test_centred_sphere_by_its_definition(self, n):
        x = (np.indices((n,) * 3) + 0.5) / n
        radius = (0.3 * 3 / (4 * np.pi)) ** (1 / 3)
        inside = ((x - 0.5) ** 2).sum(0) < radius**2
        micro = generate.centred_sphere((n,) * 3, 0.3, spacing=1 / n)
        assert np.array_equal(micro.mask("sphere"), inside)
        assert micro.extent == pytest.approx((1, 1, 1))

    def test_centred_disc(self):
        micro = generate.centred_sphere((400, 400), 0.25)
        assert micro.volume_fractions["sphere"] == pytest.approx(0.25, abs=1e-3)
        for turned in (micro.flip("x"), micro.rotate90("xy")):
            assert np.array_equal(turned.labels, micro.labels)

    def test_checkerboard(self):
        micro = generate.checkerboard((8, 12), tiles=(4, 2))
        assert micro.volume_fractions == {"white": 0.5, "black": 0.5}
        assert micro.labels[:, 0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
        assert micro.labels[0].tolist() == [0] * 6 + [1] * 6
        assert generate.checkerboard((4, 4, 4)).counts == {"white": 32, "black": 32}

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: generate.centred_sphere((8, 9), 0.3), r"equal sides, .* e.g. \(8, 8\)"),
            (lambda: generate.centred_sphere((8, 8, 8), 0.6), "between 0 and 0.5236"),
            (lambda: generate.centred_sphere((8, 8), 0.8), "between 0 and 0.7854"),
            (lambda: generate.centred_sphere((4, 4), 1e-6), "at least one voxel"),
            (lambda: generate.checkerboard((8, 8), 3), "`tiles` must be even"),
            (lambda: generate.checkerboard((6, 6), 4), "4 tiles do not fit 6 voxels"),
            (lambda: generate.laminate((10**6,) * 3, (0.5, 0.5)), "must fit into memory"),
            (lambda: generate.spheres((10**6,) * 3, 0.3, 8, 0), "must fit into memory"),
        ],
    )
    def test_what_is_refused(self, call, message):
        with pytest.raises(InputError, match=message):
            call()
