"""The Microstructure itself: what it holds, what it refuses, how it is cut and turned."""

import doctest
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure, generators, image

PAIR = {"matrix": 0, "fibre": 1}
SHAPES = ((6, 4), (4, 6, 2))


def two_phases(seed=0, shape=(4, 6, 2), spacing=1.0):
    labels = np.random.default_rng(seed).integers(0, 2, shape)
    labels.flat[0], labels.flat[1] = 0, 1
    return Microstructure(labels, spacing, PAIR)


@st.composite
def microstructures(draw):
    shape = draw(st.sampled_from(SHAPES))
    labels = draw(arrays(np.int64, shape, elements=st.integers(0, 2)))
    labels.flat[:3] = 0, 1, 2
    return Microstructure(labels, [1.0, 2.0, 3.0][: len(shape)], {"a": 0, "b": 1, "c": 2})


class TestWhatItHolds:
    def test_labels_are_compact_in_the_order_of_the_phases(self):
        micro = Microstructure([[7, 7], [-3, 7]], 2.0, {"pore": -3, "solid": 7})
        assert micro.labels.tolist() == [[1, 1], [0, 1]]
        assert micro.labels.dtype == np.uint8
        assert micro.labels.flags.c_contiguous
        assert micro.names == ("pore", "solid")
        assert dict(micro.phases) == {"pore": 0, "solid": 1}
        assert micro.sources == ("-3", "7")

    def test_sizes(self):
        micro = Microstructure(np.eye(4, 6, dtype=int), (0.5, 2), PAIR)
        assert micro.shape == (4, 6)
        assert micro.dim == 2
        assert micro.spacing == (0.5, 2.0)
        assert micro.extent == (2.0, 12.0)
        assert micro.counts == {"matrix": 20, "fibre": 4}
        assert micro.volume_fractions["fibre"] == pytest.approx(1 / 6)
        assert np.array_equal(micro.mask("fibre"), np.eye(4, 6, dtype=bool))

    def test_ranges_and_lists_are_merged(self):
        grey = np.array([[0, 10, 89], [90, 200, 255]])
        micro = Microstructure(grey, 1, {"void": (0, 89), "solid": [90, (200, 210), 255]})
        assert micro.labels.tolist() == [[0, 0, 0], [1, 1, 1]]
        assert micro.sources == ("0 to 89", "90, 200 to 210, 255")

    @pytest.mark.parametrize("kind", [bool, np.uint8, np.int16, np.uint64, np.int64])
    def test_any_integer_type(self, kind):
        labels = np.eye(3).astype(kind)
        assert np.array_equal(Microstructure(labels, 1.0, PAIR).labels, np.eye(3))

    def test_labels_far_apart(self):
        labels = np.array([[-(2**40), 2**40], [5, 5]])
        micro = Microstructure(labels, 1.0, {"a": 5, "b": -(2**40), "c": 2**40})
        assert micro.labels.tolist() == [[1, 2], [0, 0]]

    def test_many_phases_need_a_wider_type(self):
        labels = np.arange(300).reshape(15, 20)
        micro = Microstructure(labels, 1.0, {f"grain {i}": i for i in range(300)})
        assert micro.labels.dtype == np.uint16
        assert np.array_equal(micro.labels, labels)
        assert "296 more" in repr(micro)

    def test_256_phases_fit_in_a_byte(self):
        labels = np.arange(256).reshape(16, 16)
        assert Microstructure(labels, 1.0, {str(i): i for i in range(256)}).labels.dtype == np.uint8

    def test_order_of_memory_does_not_matter(self):
        labels = np.random.default_rng(0).integers(0, 2, (5, 6, 7))
        in_c = Microstructure(labels, 1.0, PAIR).labels
        in_f = Microstructure(np.asfortranarray(labels), 1.0, PAIR).labels
        assert np.array_equal(in_c, in_f)
        assert in_f.flags.c_contiguous

    def test_a_microstructure_gives_itself(self):
        micro = two_phases()
        again = Microstructure(micro.labels, micro.spacing, micro.phases)
        assert np.array_equal(again.labels, micro.labels)

    def test_it_never_changes(self):
        labels = np.eye(3, dtype=np.uint8)
        micro = Microstructure(labels, 1.0, PAIR)
        labels[0, 0] = 0
        assert micro.labels[0, 0] == 1
        with pytest.raises(ValueError, match="read-only"):
            micro.labels[0, 0] = 0
        with pytest.raises(FrozenInstanceError):
            micro.spacing = (2.0, 2.0)
        with pytest.raises(TypeError):
            micro.phases["matrix"] = 5

    def test_pickle(self):
        micro = pickle.loads(pickle.dumps(two_phases()))
        assert np.array_equal(micro.labels, two_phases().labels)
        assert not micro.labels.flags.writeable

    def test_in_words(self):
        micro = Microstructure(np.eye(4, dtype=int), 0.5, PAIR, notes=["drawn by hand"])
        assert repr(micro) == "Microstructure(4 × 4, spacing=0.5, matrix 75.00 %, fibre 25.00 %)"
        text = micro.summary(connectivity=True)
        for part in ("2D image of 4 × 4 voxels (x × y)", "75.0000%", "extent   2, 2", "by hand"):
            assert part in text
        assert "percolates along x, y" in text
        assert "percolates" not in micro.summary()


BAD_LABELS = [
    (np.full((3, 3), np.nan), "float64 with 9 NaN"),
    (np.ones((3, 3)), "`labels` must be integers, but are float64;"),
    (np.array([["a", "b"], ["c", "d"]]), "must be integers, but are <U1"),
    ([[0, 1], [0]], "rows differ in length"),
    (np.zeros(5, int), "2D or 3D image, but has 1 axes"),
    (np.zeros((2, 2, 2, 2), int), "2D or 3D image, but has 4 axes .*pick one channel"),
    (5, "2D or 3D image, but has 0 axes"),
    (np.zeros((0, 3), int), "is empty"),
    (np.zeros((4, 5, 1), int), r"axis z has only one \(4 × 5 × 1\); .*labels.squeeze\(2\)"),
    (np.zeros((1, 5), int), "axis x has only one .*at least 2 voxels"),
    (np.array([[2**60, 0], [0, 1]]), r"within ±2\^53"),
]

BAD_PHASES = [
    (None, "`phases` must be a mapping .* is missing"),
    ({}, "must be a mapping"),
    ("matrix", "must be a mapping"),
    ({"": 0}, "named by words"),
    ({3: 0}, "named by words"),
    ({"a": 0}, r"4 of 16 voxels hold others: 1 \(4 voxels\); name them"),
    ({"a": [0, 9]}, r"write \(0, 9\) for the range"),
    (
        {"a": 0, "b": 1, "c": 11},
        r"no voxel of 'c' = 11 is there \(did you mean '1'\?\); .*12 voxels",
    ),
    ({"a": (0, 5), "b": (5, 9)}, "must not overlap, but 'a' has 0 to 5 and 'b' has 5 to 9"),
    ({"a": 0, "b": 0}, "must not overlap, but 'a' has 0 and 'b' has 0"),
    ({"a": (5, 0)}, "from low to high, but is .*swap"),
    ({"a": (0, float("nan"))}, "from low to high"),
    ({"a": (0, 1, 2)}, r"inclusive range \(low, high\)"),
    ({"a": "0"}, r"inclusive range \(low, high\)"),
    ({"a": []}, "at least one label"),
]

BAD_SPACING = [
    (None, "`spacing` must be given, but is missing"),
    (0, "positive and finite, but is 0;"),
    (-1.0, "positive and finite, but is -1"),
    (float("nan"), "positive and finite, but is nan"),
    (float("inf"), "positive and finite, but is inf"),
    ((1.0, 0.0), "positive and finite, but is 1, 0"),
    ((1.0, 1.0, 1.0), r"one per axis \(2\), but has 3"),
    ("1 um", "a number or one number per axis"),
    ([[1.0]], "a number or one number per axis"),
]


class TestWhatItRefuses:
    @pytest.mark.parametrize(("labels", "message"), BAD_LABELS)
    def test_labels(self, labels, message):
        with pytest.raises(InputError, match=message):
            Microstructure(labels, 1.0, PAIR)

    @pytest.mark.parametrize(("phases", "message"), BAD_PHASES)
    def test_phases(self, phases, message):
        with pytest.raises(InputError, match=message):
            Microstructure(np.eye(4, dtype=int), 1.0, phases)

    @pytest.mark.parametrize(("spacing", "message"), BAD_SPACING)
    def test_spacing(self, spacing, message):
        with pytest.raises(InputError, match=message):
            Microstructure(np.eye(4, dtype=int), spacing, PAIR)

    def test_unnamed_labels_are_listed_with_counts(self):
        labels = np.arange(100).reshape(10, 10)
        with pytest.raises(InputError, match=r"99 of 100 .* and 93 more from 1 to 99"):
            Microstructure(labels, 1.0, {"a": 0})

    def test_name(self):
        with pytest.raises(InputError, match=r"is 'fiber' \(did you mean 'fibre'\?\)"):
            two_phases().mask("fiber")


class TestOtherImagesOfIt:
    def test_crop(self):
        micro = two_phases()
        part = micro.crop((1, 3), slice(-4, None), None)
        assert np.array_equal(part.labels, micro.labels[1:3, 2:])
        assert part.spacing == micro.spacing

    @pytest.mark.parametrize(
        ("ranges", "message"),
        [
            (((0, 2), None), r"one per axis \(3\), but there are 2"),
            (((0, 1), None, None), "cropped image must have at least 2 voxels"),
            (((0, 9), None, None), "within 0 to 4 along axis x"),
            ((None, (3, 3), None), "within 0 to 6 along axis y"),
            ((None, slice(0, 4, 2), None), "within 0 to 6 along axis y"),
            ((None, 3, None), "within 0 to 6 along axis y"),
        ],
    )
    def test_crop_refuses(self, ranges, message):
        with pytest.raises(InputError, match=message):
            two_phases().crop(*ranges)

    def test_a_phase_may_be_cropped_away(self):
        micro = Microstructure([[0, 1, 1], [0, 1, 1]], 1.0, PAIR).crop(None, (1, 3))
        assert micro.volume_fractions == {"matrix": 0.0, "fibre": 1.0}
        assert micro.connectivity() == {"matrix": (False, False), "fibre": (True, True)}
        assert micro.clusters("matrix").count == 0
        assert micro.thin_fraction("matrix") == 0.0

    def test_coarsen_takes_the_majority(self):
        labels = [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 2]]
        micro = Microstructure(labels, (1.0, 2.0), {"a": 0, "b": 1, "c": 2}).coarsen(2)
        assert micro.labels.tolist() == [[0, 1], [0, 0]]
        assert micro.spacing == (2.0, 4.0)
        assert micro.volume_fractions["c"] == 0

    def test_coarsen_gives_ties_to_the_rarer_phase(self):
        labels = [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
        for phases in ({"a": 0, "b": 1}, {"b": 1, "a": 0}):
            coarse = Microstructure(labels, 1.0, phases).coarsen(2)
            assert coarse.mask("b").tolist() == [[True, False], [False, False]]

    @pytest.mark.parametrize(
        ("factor", "message"),
        [
            (4, r"must divide each side, but 4 does not divide 6 \(axis y\); crop to 4 voxels"),
            (2, "coarsened image must have at least 2 voxels"),
            (0, "positive whole number"),
            (1.5, "positive whole number"),
            ((2, 2), r"one per axis \(3\)"),
        ],
    )
    def test_coarsen_refuses(self, factor, message):
        with pytest.raises(InputError, match=message):
            two_phases().coarsen(factor)

    @given(microstructures())
    @settings(deadline=None, max_examples=25)
    def test_repeat_then_coarsen_blocks(self, micro):
        assert np.array_equal(micro.coarsen(1).labels, micro.labels)
        blown = np.kron(micro.labels, np.ones((3,) * micro.dim, int))
        fine = Microstructure(blown, 1.0, micro.phases)
        assert np.array_equal(fine.coarsen(3).labels, micro.labels)
        twice = micro.repeat((2,) + (1,) * (micro.dim - 1))
        assert twice.shape == (2 * micro.shape[0], *micro.shape[1:])
        assert twice.volume_fractions == pytest.approx(micro.volume_fractions)

    @given(microstructures(), st.data())
    @settings(deadline=None, max_examples=25)
    def test_flip_and_rotation_come_back(self, micro, data):
        axes = data.draw(st.permutations(range(micro.dim)))[:2]
        assert np.array_equal(micro.flip(axes).flip(axes[::-1]).labels, micro.labels)
        turned = micro.rotate90(axes)
        assert turned.volume_fractions == micro.volume_fractions
        assert turned.extent[axes[1]] == micro.extent[axes[0]]
        back = turned.rotate90(axes, turns=-1)
        assert np.array_equal(back.labels, micro.labels)
        assert back.spacing == micro.spacing
        assert np.array_equal(micro.rotate90(axes, 2).labels, micro.flip(axes).labels)

    def test_rotation_takes_the_first_axis_to_the_second(self):
        labels = np.zeros((3, 3, 3), int)
        labels[2, 1, 1] = 1  # in direction +x from the middle
        micro = Microstructure(labels, 1.0, PAIR)
        assert micro.rotate90("xy").labels[1, 2, 1] == 1  # in direction +y
        assert micro.rotate90("xz").labels[1, 1, 2] == 1
        assert micro.rotate90("zx").labels[1, 1, 0] == 1
        assert micro.flip("x").labels[0, 1, 1] == 1

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda m: m.flip("w"), "`axis` must be one of x, y, z or 0 to 2"),
            (lambda m: m.flip(3), "`axis` must be one of"),
            (lambda m: m.flip((0, "x")), "`axes` must be distinct"),
            (lambda m: m.rotate90("xyz"), "`plane` must be two axes"),
            (lambda m: m.repeat(0), "`counts` must be a positive whole number"),
            (lambda m: m.thin_fraction("fibre", 0), "`voxels` must be a positive"),
        ],
    )
    def test_bad_arguments(self, call, message):
        with pytest.raises(InputError, match=message):
            call(two_phases())

    def test_notes_travel(self):
        micro = generators.centred_sphere((8, 8), 0.3).coarsen(2)
        assert "one disc" in micro.notes[0]
        assert "coarsened by 2 × 2" in micro.notes[1]


class TestThinFraction:
    @pytest.mark.parametrize(("width", "thin"), [(1, 1.0), (2, 1.0), (3, 0.0), (4, 0.0)])
    def test_plates(self, width, thin):
        micro = generators.laminate((10, 4, 4), (width / 10, 1 - width / 10), names=("a", "b"))
        assert micro.thin_fraction("a") == thin
        assert micro.thin_fraction("b") == 0.0

    def test_it_wraps(self):
        labels = np.zeros((8, 8), int)
        labels[[-1, 0, 1]] = 1
        assert Microstructure(labels, 1.0, PAIR).thin_fraction("fibre") == 0.0

    def test_a_dumbbell(self):
        labels = np.zeros((20, 9), int)
        labels[2:7, 2:7] = labels[12:17, 2:7] = 1
        labels[7:12, 4] = 1
        micro = Microstructure(labels, 1.0, PAIR)
        assert micro.thin_fraction("fibre") == pytest.approx(5 / 55)
        assert micro.thin_fraction("fibre", voxels=1) == 0.0
        assert micro.thin_fraction("fibre", voxels=6) == 1.0

    @given(arrays(bool, (6, 7)))
    @settings(deadline=None, max_examples=50)
    def test_it_is_the_union_of_the_squares_that_fit(self, mask):
        mask[0, :2] = True, False
        reached = np.zeros_like(mask)
        for i, j in np.ndindex(mask.shape):
            square = np.ix_(np.arange(i, i + 3) % 6, np.arange(j, j + 3) % 7)
            if mask[square].all():
                reached[square] = True
        thin = Microstructure(mask, 1.0, {"a": 1, "b": 0}).thin_fraction("a")
        assert thin == pytest.approx(1 - reached.sum() / mask.sum())


def test_docstrings_are_true():
    for module in (image, generators):
        assert doctest.testmod(module).failed == 0


def test_import_stays_light():
    code = (
        "import sys, scalebridge.microstructure as m; "
        "print([n for n in ('jax', 'scipy', 'tifffile', 'PIL') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
