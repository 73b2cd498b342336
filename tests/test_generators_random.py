"""Random microstructures: polycrystals, Gaussian fields and fibres have the statistics asked for.

Tolerances are 4.5 standard errors, exact or estimated from the sample: of a thousand seeds
one in a hundred would fail; the seeds are fixed.
"""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import ndtri

import scalebridge as sb
from scalebridge import tensors
from scalebridge.errors import InputError
from scalebridge.microstructure import generate
from scalebridge.microstructure import voronoi as voronoi_module
from scalebridge.microstructure.directions import sample_directions
from scalebridge.microstructure.gaussian import gaussian_field
from scalebridge.microstructure.ranks import cut
from scalebridge.microstructure.segments import place_segments, segment_distances

SIGMAS = 4.5


def torus(points, others, box):
    """Periodic distances between all of `points` and all of `others`."""
    apart = points[:, None] - others
    return np.linalg.norm(apart - box * np.round(apart / box), axis=-1)


class TestVoronoi:
    @pytest.mark.parametrize(
        ("shape", "spacing"), [((20, 31), (1.0, 0.5)), ((9, 12, 10), (1.0, 2.0, 0.7))]
    )
    def test_each_voxel_belongs_to_the_nearest_seed(self, shape, spacing, monkeypatch):
        monkeypatch.setattr(voronoi_module, "_SLAB", 100)  # so that there are several slabs
        crystal = generate.voronoi(shape, 25, 3, spacing=spacing)
        micro = crystal.microstructure
        centres = (np.stack(np.indices(shape), -1).reshape(-1, len(shape)) + 0.5) * spacing
        box = np.array(shape) * spacing
        nearest = torus(centres, crystal.points, box).argmin(axis=1)
        assert np.array_equal(micro.labels.ravel(), nearest)
        assert micro.spacing == spacing
        assert micro.names == tuple(f"grain{i + 1}" for i in range(len(crystal.points)))

    @given(st.integers(0, 2**32), st.integers(1, 60))
    @settings(deadline=None, max_examples=30)
    def test_every_grain_has_voxels(self, seed, grains):
        """More seeds than 36 voxels may have: what gets none is left out."""
        crystal = generate.voronoi((6, 6), min(grains, 36), seed)
        counts = crystal.microstructure.counts
        assert min(counts.values()) > 0
        assert len(counts) == len(crystal.points) == len(crystal.orientation)
        assert tuple(crystal.orientation) == crystal.microstructure.names

    def test_grains_without_a_voxel_are_told(self):
        crystal = generate.voronoi((4, 4), 16, 0)
        held = len(crystal.microstructure.names)
        assert held < 16
        assert (
            f"of {held} grains, seed 0; {16 - held} of the 16 asked for met no voxel"
            in (crystal.microstructure.notes[0])
        )

    def test_the_same_seed_gives_the_same_polycrystal(self):
        one, same, other = (generate.voronoi((16, 16), 9, seed) for seed in (1, 1, 2))
        assert np.array_equal(one.microstructure.labels, same.microstructure.labels)
        for name, rotation in one.orientation.items():
            assert np.array_equal(rotation, same.orientation[name])
        assert not np.array_equal(one.points, other.points)

    def test_seeds_are_uniform(self):
        points = generate.voronoi((200, 200), 2000, 0).points / 200
        # 1/12 is the variance of a uniform number, 1/180 that of its squared distance to 1/2
        assert np.abs(points.mean(axis=0) - 0.5).max() < SIGMAS * math.sqrt(1 / 12 / len(points))
        off = ((points - 0.5) ** 2).mean(axis=0) - 1 / 12
        assert np.abs(off).max() < SIGMAS * math.sqrt(1 / 180 / len(points))

    def test_orientations_are_uniform(self):
        """⟨R⟩ = 0, ⟨R_ij R_kl⟩ = δ_ik δ_jl / 3, and the angle of rotation has its density.

        By the orthogonality of the Wigner matrices for l = 1; the standard errors are those of
        the sample. The mean of the angle's density (1 − cos ω)/π is π/2 + 2/π.
        """
        crystal = generate.voronoi((60, 60), 3000, 7)
        R = np.array(list(crystal.orientation.values()))
        n = len(R)
        assert np.allclose(R @ R.transpose(0, 2, 1), np.eye(3))
        assert np.allclose(np.linalg.det(R), 1.0)
        assert np.abs(R.mean(axis=0)).max() < SIGMAS * math.sqrt(1 / 3 / n)
        products = np.einsum("nij,nkl->nijkl", R, R)
        wanted = np.einsum("ik,jl->ijkl", np.eye(3), np.eye(3)) / 3
        error = products.std(axis=0) / math.sqrt(n)
        assert (np.abs(products.mean(axis=0) - wanted) < SIGMAS * error).all()
        angles = np.arccos((np.trace(R, axis1=1, axis2=2) - 1) / 2)
        error = angles.std() / math.sqrt(n)
        assert abs(angles.mean() - (math.pi / 2 + 2 / math.pi)) < SIGMAS * error

    def test_a_cell_takes_it(self):
        crystal = generate.voronoi((8, 8, 8), 4, 0)
        copper = sb.laws.Elastic.cubic(C11=168.4, C12=121.4, C44=75.4)
        laws = crystal.laws(copper)
        assert tuple(laws) == crystal.microstructure.names
        cell = sb.Cell(crystal.microstructure, laws, orientation=crystal.orientation)
        for name, rotation in crystal.orientation.items():
            assert np.allclose(cell.rotations[name], rotation)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"grains": 0}, "`grains` must be a positive whole number"),
            ({"grains": 2.5}, "`grains` must be a positive whole number"),
            ({"grains": 65}, "`grains` must not outnumber the voxels, but 65 grains have 64"),
            ({"seed": -1}, "`seed` must be a whole number"),
            ({"shape": (8,)}, "`shape` must be a 2D or 3D image"),
            ({"spacing": (1, 2, 3)}, "`spacing` must be one number or one per axis"),
            ({"shape": (10**6,) * 3}, "must fit into memory"),
        ],
    )
    def test_what_is_refused(self, options, message):
        with pytest.raises(InputError, match=message):
            generate.voronoi(**{"shape": (8, 8), "grains": 4, "seed": 0, **options})


class TestCut:
    @given(
        st.lists(st.integers(0, 3), min_size=1, max_size=40),
        st.lists(st.integers(1, 9), min_size=1, max_size=4),
    )
    @settings(deadline=None, max_examples=100)
    def test_counts_are_exact_and_order_is_kept(self, values, counts):
        """Also among equal values."""
        if sum(counts) != len(values):
            counts = [len(values)]
        field = np.array(values, float)
        labels = cut(field, counts)
        assert np.bincount(labels, minlength=len(counts)).tolist() == counts
        assert (np.diff(labels[np.argsort(field, kind="stable")].astype(int)) >= 0).all()


def level_cut(phi, g):
    """S2 of the upper phase of a Gaussian field cut at its quantile (Teubner 1991)."""
    alpha = ndtri(1 - phi)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    theta = np.arcsin(g)[..., None] * (nodes + 1) / 2  # t = sin θ
    inside = np.exp(-(alpha**2) / (1 + np.sin(theta)))
    return phi**2 + np.arcsin(g) * (inside @ weights) / 2 / (2 * math.pi)


def measured_s2(mask):
    """Periodic autocorrelation at all lags along the first axis."""
    power = np.abs(np.fft.fftn(mask.astype(float))) ** 2
    autocorrelation = np.fft.ifftn(power).real / mask.size
    return autocorrelation[(slice(None), *[0] * (mask.ndim - 1))]


class TestGaussianField:
    @given(st.integers(0, 2**32), st.lists(st.integers(1, 20), min_size=1, max_size=4))
    @settings(deadline=None, max_examples=40)
    def test_fractions_are_met_to_the_voxel(self, seed, parts):
        shares = np.array(parts) / sum(parts)
        micro = generate.gaussian_field((17, 12), shares, 1.5, seed)
        wanted = shares * 17 * 12
        assert np.abs(np.array(list(micro.counts.values())) - wanted).max() <= 1

    @pytest.mark.parametrize("covariance", ["gaussian", "exponential"])
    @pytest.mark.parametrize("shape", [(64, 48), (28, 24, 32)])
    def test_two_point_correlation_of_the_half_cut(self, covariance, shape):
        """S2 = ¼ + arcsin(g)/2π (Berk 1987) over 60 images, within their standard error."""
        self.check(shape, 0.5, 3.0, covariance)

    @pytest.mark.parametrize("phi", [0.2, 0.7])
    def test_two_point_correlation_at_other_levels(self, phi):
        self.check((64, 64), phi, 3.0, "gaussian")

    @staticmethod
    def check(shape, phi, length, covariance, images=60):
        g = {"gaussian": lambda r: np.exp(-(r**2)), "exponential": lambda r: np.exp(-r)}[covariance]
        lags = np.arange(10)
        s2 = np.array(
            [
                measured_s2(
                    gaussian_field(
                        shape, (1 - phi, phi), length, seed, covariance=covariance
                    ).labels
                )
                for seed in range(images)
            ]
        )[:, lags]
        error = s2.std(axis=0, ddof=1) / math.sqrt(images)
        # cutting each image at its own quantile, not the law's, takes away the variance of the
        # fraction, which is the mean of S2 − φ² over all lags
        offset = np.prod(2 * length * np.ones(len(shape))) / np.prod(shape)
        bias = offset * phi * (1 - phi)
        off = np.abs(s2.mean(axis=0) - level_cut(phi, g(lags / length)))
        assert s2[:, 0] == pytest.approx(phi, abs=1 / np.prod(shape))
        assert (off[1:] < SIGMAS * error[1:] + bias).all(), (off, error, bias)
        assert (SIGMAS * error + bias < 0.1 * phi * (1 - phi)).all()  # the test can fail

    def test_length_follows_spacing_and_axis(self):
        """S2 along an axis depends on r/ℓ alone: voxels twice as long, or ℓ half as large."""
        make = gaussian_field
        plain = make((64, 64), (0.5, 0.5), (4.0, 2.0), 3).labels
        assert np.array_equal(plain, make((64, 64), (0.5, 0.5), 4.0, 3, spacing=(1, 2)).labels)
        s2x, s2y = (
            np.mean([measured_s2(make((64, 64), (0.5, 0.5), (6.0, 2.0), s).labels.T if t else
                     make((64, 64), (0.5, 0.5), (6.0, 2.0), s).labels) for s in range(20)], axis=0)
            for t in (False, True)
        )  # fmt: skip
        assert s2x[6] == pytest.approx(s2y[2], abs=0.02)
        assert s2x[2] - s2y[2] > 0.1

    @pytest.mark.parametrize("covariance", ["gaussian", "exponential"])
    @pytest.mark.parametrize("shape", [(64, 64), (24, 32, 40)])
    def test_accepted_lengths_have_the_covariance_asked_for(self, covariance, shape):
        """Of a long one, k = 0 would take the mean of g over all lags: at most 5 %."""
        g = {"gaussian": lambda r: np.exp(-(r**2)), "exponential": lambda r: np.exp(-r)}[covariance]
        lags = np.meshgrid(*(np.minimum(np.arange(n), n - np.arange(n)) for n in shape))
        r = np.sqrt(sum(lag**2 for lag in lags))
        accepted = []
        for length in (1, 2, 4, 6, 8, 9, 12, 24, 50, 100, 300):
            try:
                generate.gaussian_field(shape, (0.5, 0.5), length, 0, covariance=covariance)
            except InputError:
                continue
            accepted.append(length)
            assert g(r / length).mean() < 0.0505  # and of what was clipped, a little
        assert accepted[0] == 1
        assert 2 < max(accepted) < 9

    def test_its_own_covariance_and_spectrum_are_those_of_the_names(self):
        """exp(−r²) in 2D has the density exp(−k²/4), up to a factor."""
        named = gaussian_field((40, 32), (0.3, 0.7), 4.0, 5)
        own = gaussian_field((40, 32), (0.3, 0.7), 4.0, 5, covariance=lambda r: np.exp(-(r**2)))
        wave = gaussian_field((40, 32), (0.3, 0.7), 4.0, 5, spectrum=lambda k: np.exp(-(k**2) / 4))
        assert np.array_equal(named.labels, own.labels)
        assert np.array_equal(named.labels, wave.labels)
        assert "gaussian covariance" in named.notes[0]
        assert "its own covariance" in own.notes[0]
        assert "a spectrum of its own" in wave.notes[0]

    def test_a_spectrum_with_a_pole_and_a_peak(self):
        gaussian_field((16, 16), (0.5, 0.5), 1.0, 0, spectrum=lambda k: k**-3)
        peak = lambda k: np.exp(-((k - 1) ** 2) / 0.005)  # noqa: E731
        mask = gaussian_field((128, 128), (0.5, 0.5), 16 / (2 * np.pi), 0, spectrum=peak).labels
        power = np.abs(np.fft.fft2(mask - 0.5)) ** 2
        k = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
        assert 1 / k.flat[power.argmax()] == pytest.approx(16, rel=0.15)

    def test_opposite_faces_match(self):
        """Neighbours differ across the seam as often as elsewhere, over 40 images."""
        labels = np.array([gaussian_field((32, 32), (0.5, 0.5), 4.0, s).labels for s in range(40)])
        differ = (labels != np.roll(labels, 1, axis=1)).mean(
            axis=2
        )  # (image, layer); 0 is the seam
        seam = differ[:, 0] - differ[:, 1:].mean(axis=1)
        assert abs(seam.mean()) < SIGMAS * seam.std() / math.sqrt(40)
        assert SIGMAS * seam.std() / math.sqrt(40) < 0.5 - differ.mean()  # strangers differ in half

    def test_the_same_seed_gives_the_same_image(self):
        one, same, other = (gaussian_field((16, 16), (0.5, 0.5), 2, s).labels for s in (1, 1, 2))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"fractions": (0.5, 0.6)}, "sum to 1, but are"),
            ({"fractions": (0.999, 0.001)}, "'phase2' of 0.001 has none of the 256; refine"),
            ({"length": 0}, "`length` must be a positive number or one per axis"),
            ({"length": (1, 2, 3)}, "`length` must be a positive number or one per axis"),
            ({"covariance": "gausian"}, r"but is 'gausian' \(did you mean 'gaussian'\?\)"),
            ({"covariance": 3}, "`covariance` must be 'gaussian', 'exponential' or a function"),
            ({"covariance": lambda r: 2 - r}, "`covariance` must be 1 at distance 0, but is 2"),
            ({"covariance": lambda r: (r < 1) * 1.0}, r"positive definite .* but \d+.\d% of its"),
            ({"covariance": np.ones_like}, r"`length` must be short .* but 100.0% of"),
            ({"length": 300.0}, r"`length` must be short against the cell, but \d+.\d% of the var"),
            ({"length": 3.0}, r"`length` must be short against the cell, but 11.0% of the varianc"),
            ({"spectrum": lambda k: np.exp(-(k**2) / 4), "length": 3}, "must be short .* 11.0% of"),
            ({"covariance": lambda r: 1 / 0}, "finite number .* but raises ZeroDivisionError"),
            ({"covariance": lambda: 1.0}, "finite number .* but raises TypeError"),
            ({"covariance": lambda r: r[:3]}, r"finite number .* shape \(3, 16\) for \(16, 16\)"),
            ({"covariance": lambda r: r + 0j}, "finite number .* but gives complex128"),
            ({"spectrum": lambda k: [[1, 2], [3]]}, "finite number .* but raises ValueError"),
            ({"spectrum": lambda k: k / (k > 9)}, "finite number .* but gives NaN or inf"),
            ({"covariance": lambda r: 1.0}, r"finite number for each .* shape \(\) for \(16, 16\)"),
            ({"covariance": np.log}, "`covariance` must give a finite number"),
            ({"spectrum": 1.0}, "`spectrum` must be a function"),
            ({"spectrum": lambda k: -k}, "`spectrum` must be ≥ 0 and positive somewhere"),
            ({"spectrum": lambda k: 0 * k}, "`spectrum` must be ≥ 0 and positive somewhere"),
            ({"spectrum": lambda k: k, "covariance": "exponential"}, "instead of `covariance`"),
            ({"names": ("a",)}, "must have 2 names here"),
            ({"seed": None}, "`seed` must be a whole number"),
            ({"shape": (10**6,) * 3}, "must fit into memory"),
        ],
    )
    def test_what_is_refused(self, options, message):
        told = {"shape": (16, 16), "fractions": (0.5, 0.5), "length": 2.0, "seed": 0, **options}
        with pytest.raises(InputError, match=message):
            generate.gaussian_field(**told)


def unit(rng, *shape):
    vectors = rng.standard_normal((*shape, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class TestSegments:
    @given(st.integers(0, 2**32), st.sampled_from(["any", "parallel", "crossing", "nearly"]))
    @settings(deadline=None, max_examples=60)
    def test_distance_by_its_definition(self, seed, case):
        """The distance squared is convex in (s, t); a bounded minimiser must find the same."""
        rng = np.random.default_rng(seed)
        p, q = unit(rng, 2)
        between = rng.standard_normal(3) * 4
        if case == "parallel":
            q = rng.choice([-1, 1]) * p
        elif case == "nearly":
            q = p + 1e-6 * q
            q /= np.linalg.norm(q)
        elif case == "crossing":
            between = rng.uniform(-2.9, 2.9) * p - rng.uniform(-2.9, 2.9) * q
        square = lambda u: np.sum((u[0] * p - between - u[1] * q) ** 2)  # noqa: E731
        starts = [(0, 0), (3, 3), (-3, -3), (3, -3), (-3, 3)]
        bounds = [(-3, 3)] * 2
        least = min(minimize(square, start, bounds=bounds).fun for start in starts)
        found = segment_distances(between, p, q, 6.0)
        assert found == pytest.approx(math.sqrt(least), abs=2e-4)
        if case == "crossing":
            assert found < 1e-6

    @pytest.mark.parametrize(
        ("shape", "length", "count"),
        [((30, 30, 30), 8.0, 40), ((30, 30, 30), 26.0, 16), ((18, 40, 26), 25.0, 20)],
    )
    def test_all_images_keep_their_distance(self, shape, length, count):
        """Checked by brute force over 5³ images; some segments are longer than a side."""
        rng = np.random.default_rng(1)
        p = unit(rng, count)
        if length > min(shape):  # only along some directions do they miss themselves
            p = np.tile([0.0, 0.8, 0.6], (count, 1))
        middles = place_segments(shape, p, length, 3.0, rng, 10**6)
        assert ((middles >= 0) & (middles < shape)).all()
        shifts = np.array(list(product(range(-2, 3), repeat=3))) * shape
        between = middles - middles[:, None] + shifts[:, None, None]
        apart = segment_distances(between, p[:, None], p, length)
        itself = (shifts == 0).all(axis=1)[:, None, None] & np.eye(count, dtype=bool)
        assert 3.0 <= apart[~itself].min() < 3.5  # it is crowded: the test is not idle

    def test_own_images(self):
        with pytest.raises(InputError, match=r"along \(1, 0, 0\) comes within 1 of it, .* 3 are"):
            place_segments((20, 20, 20), np.eye(3)[:1], 19.0, 3.0, np.random.default_rng(0), 100)


class TestDirections:
    def test_random_is_uniform(self):
        """⟨pp⟩ = 1/3, ⟨pppp⟩ = (δδ + δδ + δδ)/15, of 5000 independent ones."""
        p = sample_directions("random", 5000, np.random.default_rng(0))
        for order, wanted in (
            ("ni,nj->nij", np.eye(3) / 3),
            ("ni,nj,nk,nl->nijkl", sum(
                np.einsum(f"{a},{b}->ijkl", np.eye(3), np.eye(3))
                for a, b in (("ij", "kl"), ("ik", "jl"), ("il", "jk"))
            ) / 15),
        ):  # fmt: skip
            moments = np.einsum(order, *[p] * (order.count(",") + 1))
            error = moments.std(axis=0) / math.sqrt(len(p))
            assert (np.abs(moments.mean(axis=0) - wanted) < SIGMAS * error).all()

    def test_planar_is_uniform_in_the_plane(self):
        p = sample_directions("planar", 5000, np.random.default_rng(0))
        assert (p[:, 2] == 0).all()
        fourfold = np.exp(4j * np.arctan2(p[:, 1], p[:, 0]))  # ⟨cos⟩ = ⟨sin⟩ = 0, variance ½
        for mean in (p[:, 0] ** 2 - 0.5, fourfold.real, fourfold.imag):
            assert abs(mean.mean()) < SIGMAS * mean.std() / math.sqrt(5000)

    @given(
        st.integers(0, 2**32),
        st.lists(st.floats(0.02, 1.0), min_size=3, max_size=3),
        st.integers(5, 200),
    )
    @settings(deadline=None, max_examples=40)
    def test_the_tensor_is_met(self, seed, values, count):
        rng = np.random.default_rng(seed)
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        tensor = turn @ np.diag(np.array(values) / sum(values)) @ turn.T
        p = sample_directions(tensor, count, rng)
        assert np.linalg.norm(p, axis=1) == pytest.approx(1.0)
        assert np.abs(p.T @ p / count - tensor).max() < 1e-8

    @pytest.mark.parametrize("values", [(0.8, 0.2, 0.0), (1.0, 0.0, 0.0)])
    def test_flat_tensors(self, values):
        p = sample_directions(np.diag(values), 20, np.random.default_rng(0))
        assert np.abs(p.T @ p / 20 - np.diag(values)).max() < 1e-8

    def test_the_distribution_is_the_angular_central_gaussian(self):
        """Its fourth moment along z, by quadrature over the sphere, and a_zz, for B = (1, 1, 2)."""
        u, weights = np.polynomial.legendre.leggauss(400)
        # for p = Bq/|Bq|, p_z² = 4u²/(1 + 3u²) with u = q_z uniform on (−1, 1)
        squares = 4 * u**2 / (1 + 3 * u**2)
        second, fourth = squares @ weights / 2, squares**2 @ weights / 2
        tensor = np.diag([(1 - second) / 2, (1 - second) / 2, second])
        p = sample_directions(tensor, 20_000, np.random.default_rng(0))
        error = (p[:, 2] ** 4).std() / math.sqrt(20_000)
        assert abs((p[:, 2] ** 4).mean() - fourth) < SIGMAS * error


class TestFibres:
    @pytest.mark.parametrize(
        "options",
        [
            {"length": None, "fraction": 0.25, "orientation": "x"},
            {"length": None, "fraction": 0.2, "radius": 4, "orientation": "z"},
            {"length": 20, "orientation": "y"},
            {"length": 20, "orientation": (1, 2, -1)},
            {"length": 20, "orientation": "random"},
            {"length": 30, "radius": 2, "orientation": "planar"},
            {"length": 20, "orientation": np.diag([0.6, 0.3, 0.1])},
            {"shape": (40, 24, 56), "length": 16, "radius": 2.5, "orientation": "random"},
        ],
    )
    def test_the_fraction_is_met_and_fibres_stay_apart(self, options):
        # with this gap no two fibres can have voxels that share a face
        told = {"shape": (48,) * 3, "fraction": 0.06, "radius": 3, "gap": 2.0, "seed": 1, **options}
        made = generate.fibres(**told)
        micro = made.microstructure
        aligned = isinstance(options["orientation"], str) and options["orientation"] in "xyz"
        step = (options["length"] or 48) if aligned else 1  # whole columns are in or out
        assert micro.counts["fibre"] == pytest.approx(
            told["fraction"] * micro.labels.size, abs=step
        )
        assert micro.clusters("fibre", 6).count == len(made.directions)
        assert np.array_equal(made.owner >= 0, micro.mask("fibre"))
        assert made.radius == pytest.approx(told["radius"], rel=0.05)
        through = micro.connectivity()["fibre"]
        assert through == tuple(
            options["length"] is None and options["orientation"] == axis for axis in "xyz"
        )

    @pytest.mark.parametrize("length", [None, 14])
    def test_each_voxel_is_in_its_fibre(self, length):
        """By brute force: where a voxel's centre is strictly inside a cylinder or its images."""
        h, shape = 0.5, np.array((32, 28, 30))
        made = generate.fibres(
            shape, 0.1, 2.5, 3, length=length, spacing=h,
            orientation="random" if length else "y",
        )  # fmt: skip
        points = (np.stack(np.indices(shape), -1) + 0.5) * h
        owner = np.full(shape, -1)
        for number, (c, p) in enumerate(zip(made.centres, made.directions, strict=True)):
            for image in product((-1, 0, 1), repeat=3):
                off = points - c - np.array(image) * shape * h
                along = off @ p
                inside = (off**2).sum(-1) - along**2 < made.radius**2
                owner[inside & (np.abs(along) <= made.length / 2)] = number
        assert np.array_equal(owner, made.owner)
        assert (made.length == math.inf) if length is None else (made.length == 7.0)

    @given(st.integers(0, 2**32), st.floats(0.0, 2.0))
    @settings(deadline=None, max_examples=15)
    def test_axes_keep_their_distance(self, seed, gap):
        made = generate.fibres(
            (30, 30, 30), 0.06, 1.5, seed, length=14, orientation="random", gap=gap
        )
        p = made.directions
        shifts = np.array(list(product((-1, 0, 1), repeat=3))) * 30.0
        between = made.centres - made.centres[:, None] + shifts[:, None, None]
        apart = segment_distances(between, p[:, None], p, 14.0)
        itself = (shifts == 0).all(axis=1)[:, None, None] & np.eye(len(p), dtype=bool)
        assert apart[~itself].min() >= 2 * made.radius + gap - 1e-9

    def test_the_orientation_tensor_is_told(self):
        wanted = np.array([[0.5, 0.1, 0.0], [0.1, 0.3, -0.05], [0.0, -0.05, 0.2]])
        made = generate.fibres((48,) * 3, 0.1, 2, 0, length=16, orientation=wanted)
        assert made.orientation_tensor == pytest.approx(wanted, abs=1e-9)
        assert made.microstructure.notes[1].endswith(": 0.5, 0.3, 0.2, -0.05, 0, 0.1")

    def test_random_fibres_fill_space_alike_in_all_directions(self):
        """No place is special: the fraction of layers near the faces is that of the others."""
        masks = [
            generate.fibres((24,) * 3, 0.1, 1.5, s, length=10, orientation="random").owner >= 0
            for s in range(40)
        ]
        layers = np.mean(masks, axis=(2, 3))  # (image, x)
        error = layers.std(axis=0, ddof=1) / math.sqrt(len(masks))
        assert (np.abs(layers.mean(axis=0) - 0.1) < SIGMAS * error).all()

    @pytest.mark.parametrize("orientation", ["x", (0, -1, 0), "random"])
    def test_the_rotations_turn_z_along_the_fibres(self, orientation):
        made = generate.fibres((24,) * 3, 0.06, 2, 2, length=10, orientation=orientation)
        angles = made.orientation["fibre"]
        inside = made.owner >= 0
        if orientation == "random":
            assert angles.shape == (3, 24, 24, 24)
            angles = angles[:, inside]
        R = np.asarray(tensors.rotation_from_euler(angles)).reshape(3, 3, -1)
        along = np.broadcast_to(R[:, 2], (3, inside.sum())).T
        assert along == pytest.approx(made.directions[made.owner[inside]], abs=1e-12)

    def test_a_cell_takes_it(self):
        """The axial modulus of endless fibres along x is the rule of mixtures: ν is the same."""
        made = generate.fibres((4, 12, 12), 0.3, 3, 0, orientation="x")
        carbon = sb.laws.Elastic.transversely_isotropic(
            E_axial=235.0, E_transverse=14.0, nu_axial=0.3, nu_transverse=0.25, G_axial=28.0, axis=2
        )
        laws = {"matrix": sb.laws.IsotropicElastic(E=3.5, nu=0.3), "fibre": carbon}
        cell = sb.Cell(made.microstructure, laws, orientation=made.orientation)
        share = made.microstructure.volume_fractions["fibre"]
        axial = sb.effective(cell).engineering_constants()["E1"]
        assert axial == pytest.approx(share * 235.0 + (1 - share) * 3.5, rel=1e-3)

    def test_the_same_seed_gives_the_same_image(self):
        make = lambda seed: generate.fibres(  # noqa: E731
            (24,) * 3, 0.06, 2, seed, length=10, orientation="random"
        )
        assert np.array_equal(make(1).owner, make(1).owner)
        assert not np.array_equal(make(1).owner, make(2).owner)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"shape": (24, 24)}, "`shape` must be 3D for fibres, .* in 2D"),
            ({"fraction": 1.0}, "`fraction` must be a number between 0 and 1"),
            ({"radius": 0.5}, "`radius` must be a number above 1"),
            ({"length": 3}, "`length` must be a number above 4, but is 3"),
            ({"length": 21, "orientation": "x"}, r"`length` must keep each fibre off its own"),
            ({"orientation": "diagonal"}, "`orientation` must be 'x', 'y', 'z', 'random'"),
            ({"orientation": (0, 0, 0)}, "`orientation` must be 'x', 'y', 'z', 'random'"),
            ({"orientation": (1, 0)}, "`orientation` must be 'x', 'y', 'z', 'random'"),
            ({"orientation": np.eye(3)}, "of trace 1 .* has trace 3 and eigenvalues 1, 1, 1"),
            ({"orientation": np.diag([1.2, 0, -0.2])}, "has trace 1 and eigenvalues -0.2, 0, 1.2"),
            ({"orientation": [[0.5, 1, 0], [0, 0.5, 0], [0, 0, 0]]}, "must be a symmetric tensor"),
            ({"fraction": 0.01, "orientation": np.eye(3) / 3}, r"but 1 of them cannot; ask for"),
            ({"length": None, "orientation": "random"}, "'x', 'y' or 'z' for endless fibres"),
            ({"length": None, "fraction": 0.6}, "below 0.547"),
            ({"fraction": 0.3, "max_attempts": 2000}, "2000 attempts were used up after .* align"),
            ({"gap": -1}, "`gap` must be a number ≥ 0, but is -1; it is in voxels"),
            ({"spacing": (1, 1, 2)}, "`spacing` must be the same along all axes for fibres"),
            ({"seed": 1.5}, "`seed` must be a whole number"),
            ({"max_attempts": 0}, "`max_attempts` must be a positive whole number"),
            ({"shape": (10**6,) * 3}, "must fit into memory"),
        ],
    )
    def test_what_is_refused(self, options, message):
        told = {"shape": (24,) * 3, "fraction": 0.05, "radius": 2, "seed": 0, "length": 10}
        told |= {"orientation": "random", **options}
        if told["length"] is None and "orientation" not in options:
            told["orientation"] = "z"
        with pytest.raises(InputError, match=message):
            generate.fibres(**told)
