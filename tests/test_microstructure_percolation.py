"""Which phases percolate: by hand, and against a search on the tiled image."""

from collections import deque
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure, generate


def micro(mask):
    mask = np.asarray(mask, bool)
    return Microstructure(mask, 1.0, {"on": 1, "off": 0} if not mask.all() else {"on": 1})


def percolates(mask, neighbours=None, periodic=True):
    told = micro(mask).connectivity(neighbours, periodic)["on"]
    return "".join(axis for axis, on in zip("xyz", told, strict=False) if on)


def by_search(mask, order):
    """Walk on the tiled image from each voxel: which axes does a loop of the cell wind around?

    Returns the axes and the number of connected pieces.
    """
    steps = [s for s in product((-1, 0, 1), repeat=mask.ndim) if 0 < np.count_nonzero(s) <= order]
    where, axes, pieces = {}, set(), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if start in where:
            continue
        pieces += 1
        where[start] = np.array(start)
        queue = deque([start])
        while queue:
            voxel = queue.popleft()
            for step in steps:
                place = where[voxel] + step
                image = tuple((place % mask.shape).tolist())
                if not mask[image]:
                    continue
                if image not in where:
                    where[image] = place
                    queue.append(image)
                axes |= set(np.flatnonzero(where[image] != place).tolist())
    return "".join("xyz"[a] for a in sorted(axes)), pieces


def strands():
    """Two strands along x that change places within the cell: a helix of two turns."""
    first, second = np.zeros((2, 8, 6, 6), bool)
    first[0:3, 1, 1] = first[2, 1:5, 1] = first[2:6, 4, 1] = True
    first[5, 4, 1:5] = first[5:8, 4, 4] = True
    second[0:3, 4, 4] = second[2, 1:5, 4] = second[2:6, 1, 4] = True
    second[5, 1, 1:5] = second[5:8, 1, 1] = True
    return first, second


class TestByHand:
    def test_a_bar(self):
        mask = np.zeros((5, 6, 7), bool)
        mask[:, 2, 3] = True
        assert percolates(mask) == percolates(mask, 6) == percolates(mask, periodic=False) == "x"
        assert percolates(~mask, 6) == "xyz"

    def test_faces_touched_at_places_that_do_not_match(self):
        mask = np.zeros((6, 7), bool)
        mask[:4, 1] = mask[3, 1:5] = mask[3:, 4] = True
        assert percolates(mask, periodic=False) == "x"
        assert percolates(mask) == ""
        assert micro(mask).clusters("on").count == 1

    def test_they_match_in_the_next_cell_but_one(self):
        mask = np.zeros((6, 8), bool)
        for start in (0, 4):  # rises by half the cell while it crosses it
            mask[:3, start] = mask[2, start : start + 5 if start == 0 else 8] = True
            mask[2:, (start + 4) % 8] = True
        mask[2, 0] = True
        told = by_search(mask, 1)[0]
        assert percolates(mask, 4) == told == "xy"

    @pytest.mark.parametrize("neighbours", [6, 18, 26])
    def test_a_helix_of_two_turns(self, neighbours):
        first, second = strands()
        assert percolates(first | second, neighbours) == "x"
        assert micro(first | second).clusters("on", neighbours).count == 1
        assert micro(first | second).clusters("on", neighbours, periodic=False).count == 2
        for strand in (first, second):
            assert percolates(strand, neighbours) == ""
            assert percolates(strand, neighbours, periodic=False) == "x"

    @pytest.mark.parametrize("mask", [np.eye(5), np.fliplr(np.eye(5)), np.eye(2)])
    def test_a_diagonal_of_corners(self, mask):
        assert percolates(mask, 8) == "xy"
        assert percolates(mask, 4) == ""
        assert micro(mask).clusters("on", 4).count == len(mask)

    def test_a_diagonal_of_corners_in_space(self):
        mask = np.zeros((4, 4, 4), bool)
        mask[range(4), range(4), range(4)] = True
        assert percolates(mask, 26) == "xyz"
        assert percolates(mask, 18) == percolates(mask, 6) == ""

    def test_pieces_that_meet_only_at_the_corner_of_the_cell(self):
        mask = np.zeros((5, 5, 5), bool)
        mask[0, 0, 0] = mask[4, 4, 4] = mask[4, 0, 4] = True
        assert micro(mask).clusters("on", 26).count == 1
        assert micro(mask).clusters("on", 6).count == 2  # (4,0,4) and (4,4,4) share a face
        assert percolates(mask, 26) == ""

    def test_edges_of_the_cell(self):
        mask = np.zeros((5, 5, 5), bool)
        mask[0, 0, :] = mask[4, 4, :] = True
        assert percolates(mask, 18) == percolates(mask, 6) == "z"
        assert micro(mask).clusters("on", 18).count == 1
        assert micro(mask).clusters("on", 6).count == 2

    def test_a_ring_around_the_cell_does_not_wind(self):
        mask = np.zeros((6, 6), bool)
        mask[[0, 0, 5, 5], [0, 5, 0, 5]] = True
        mask[[0, 1, 2], 5] = True
        assert percolates(mask) == ""
        assert micro(mask).clusters("on").count == 1

    def test_a_plate(self):
        mask = np.zeros((4, 5, 6), bool)
        mask[2] = True
        assert percolates(mask, 6) == "yz"
        assert percolates(~mask, 6) == "yz"

    def test_the_whole_cell(self):
        assert percolates(np.ones((2, 3, 2)), 6) == "xyz"

    def test_checkerboard_joins_at_corners_only(self):
        board = generate.checkerboard((6, 6))
        assert board.connectivity(4) == {"white": (False, False), "black": (False, False)}
        assert board.connectivity(8) == {"white": (True, True), "black": (True, True)}

    def test_a_strand_that_closes_after_500_turns(self):
        """It rises by 4 voxels on each way through the cell: one piece, winding (500, 1)."""
        mask = np.zeros((8, 2000), bool)
        for x in range(8):
            mask[x, x // 2 :: 4] = True
        assert percolates(mask, 8) == "xy"
        assert micro(mask).clusters("on", 8).count == 1
        assert micro(mask).clusters("on", 8, periodic=False).count == 500
        mask[3, 1] = False
        assert percolates(mask, 8) == ""


class TestClusters:
    def test_pieces_are_sorted_by_size(self):
        mask = np.zeros((8, 8), bool)
        mask[1, 1] = mask[3, :] = mask[5, 2:5] = True
        pieces = micro(mask).clusters("on")
        assert pieces.sizes.tolist() == [8, 3, 1]
        assert pieces.percolates.tolist() == [[False, True], [False, False], [False, False]]
        assert pieces.floating.tolist() == [2, 3]
        assert pieces.floating_fraction == pytest.approx(4 / 12)
        assert (pieces.labels[3] == 1).all()
        assert pieces.labels[1, 1] == 3
        assert np.array_equal(pieces.labels > 0, mask)

    def test_spheres_float_and_the_matrix_does_not(self):
        image = generate.spheres((32, 32, 32), 0.2, 5, seed=3, gap=2)
        pieces = image.clusters("sphere")
        assert pieces.count == round(0.2 * 32**3 / (4 / 3 * np.pi * 5**3))
        assert len(pieces.floating) == pieces.count
        assert pieces.floating_fraction == 1
        assert image.clusters("matrix").floating_fraction == 0
        assert image.clusters("sphere", periodic=False).count > pieces.count

    @pytest.mark.parametrize(
        ("shape", "neighbours", "message"),
        [((3, 3, 3), 8, "must be 6 or 18 or 26 in 3D"), ((3, 3), 26, "must be 4 or 8 in 2D")],
    )
    def test_neighbours(self, shape, neighbours, message):
        image = micro(np.arange(np.prod(shape)).reshape(shape) % 2)
        with pytest.raises(InputError, match=message):
            image.connectivity(neighbours)
        with pytest.raises(InputError, match=message):
            image.clusters("on", neighbours)


SHAPES = st.sampled_from([(2, 2), (2, 5), (4, 5), (6, 6), (2, 2, 2), (3, 2, 4), (4, 4, 3)])
COUNTS = {2: {4: 1, 8: 2}, 3: {6: 1, 18: 2, 26: 3}}


@st.composite
def masks(draw):
    shape = draw(SHAPES)
    share = draw(st.sampled_from([0.2, 0.4, 0.6]))
    mask = np.random.default_rng(draw(st.integers(0, 2**32))).random(shape) < share
    mask.flat[0] = True
    return mask


class TestOnRandomImages:
    @given(masks(), st.data())
    @settings(deadline=None, max_examples=150)
    def test_against_the_search(self, mask, data):
        neighbours = data.draw(st.sampled_from(sorted(COUNTS[mask.ndim])))
        axes, pieces = by_search(mask, COUNTS[mask.ndim][neighbours])
        assert percolates(mask, neighbours) == axes
        found = micro(mask).clusters("on", neighbours)
        assert found.count == pieces
        assert found.sizes.sum() == mask.sum()
        assert np.array_equal(np.bincount(found.labels.ravel())[1:], found.sizes)

    @given(masks(), st.data())
    @settings(deadline=None, max_examples=40)
    def test_the_medium_is_the_same_from_any_cell(self, mask, data):
        """Tiling, shifting and mirroring do not change what percolates."""
        neighbours = data.draw(st.sampled_from(sorted(COUNTS[mask.ndim])))
        told = percolates(mask, neighbours)
        counts = data.draw(st.tuples(*[st.integers(1, 3)] * mask.ndim))
        shift = data.draw(st.tuples(*[st.integers(0, 5)] * mask.ndim))
        assert percolates(np.tile(mask, counts), neighbours) == told
        assert percolates(np.roll(mask, shift, range(mask.ndim)), neighbours) == told
        assert percolates(np.flip(mask), neighbours) == told

    @given(arrays(bool, (5, 4), elements=st.booleans()))
    @settings(deadline=None, max_examples=40)
    def test_in_the_plane_one_phase_blocks_the_other(self, mask):
        """Exact duality on the torus: of 8-joined matter and 4-joined holes, the one does not
        wind at all only if the other winds both ways."""
        mask[0, :2] = True, False
        through, across = percolates(mask, 8), percolates(~mask, 4)
        assert through or across == "xy"
        assert across or through == "xy"
