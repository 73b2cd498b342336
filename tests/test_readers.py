"""`read`: what is written comes back, and what cannot be read is told in one line."""

import gc
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure, memory, read
from scalebridge.microstructure.threshold import otsu

CAST_IRON = Path(__file__).parents[1] / "examples" / "data" / "cast_iron"
PHASES = {"a": 0, "b": 1, "c": 2}


def labels_of(shape=(5, 4, 3), kind=np.uint8):
    """Labels 0, 1, 2 with axes x, y, z."""
    labels = np.random.default_rng(0).integers(0, 3, shape).astype(kind)
    labels.flat[:3] = 0, 1, 2
    return labels


def simple(path, **options):
    return read(path, spacing=1.0, phases=PHASES, **options)


def write_tiff(path, stack, **options):
    tifffile.imwrite(path, stack, photometric="minisblack", **options)
    return path


class TestRoundTrips:
    @pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float32", "float64"])
    @pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4)])
    def test_tiff(self, tmp_path, kind, shape):
        labels = labels_of(shape, kind)
        path = write_tiff(tmp_path / "scan.tif", labels.T)  # (page, row, column) = (z, y, x)
        micro = read(path, spacing=(1, 2, 3)[: len(shape)], phases=PHASES)
        assert np.array_equal(micro.labels, labels)
        assert micro.labels.flags.c_contiguous
        assert micro.spacing == (1.0, 2.0, 3.0)[: len(shape)]
        assert "read from 'scan.tif', TIFF of" in micro.summary()

    @pytest.mark.parametrize(
        "options",
        [
            {"compression": "zlib"},
            {"compression": "packbits"},
            {"tile": (16, 16)},
            {"bigtiff": True},
            {"byteorder": ">"},
            {"imagej": True},
            {"ome": True},
            {"metadata": None, "contiguous": False},
        ],
    )
    def test_tiff_in_its_dialects(self, tmp_path, options):
        labels = labels_of((7, 6, 5), np.uint16 if "imagej" in options else np.uint8)
        if options.get("compression") == "packbits":
            stack = [Image.fromarray(page) for page in labels.T]
            path = tmp_path / "scan.TIFF"
            stack[0].save(path, save_all=True, append_images=stack[1:], compression="packbits")
        else:
            path = write_tiff(tmp_path / "scan.TIFF", labels.T, **options)
        assert np.array_equal(simple(path).labels, labels)

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", None])
    def test_tiff_written_by_pillow(self, tmp_path, compression):
        labels = labels_of()
        pages = [Image.fromarray(page) for page in labels.T]
        path = tmp_path / "scan.tif"
        pages[0].save(path, save_all=True, append_images=pages[1:], compression=compression)
        assert np.array_equal(simple(path).labels, labels)

    def test_black_and_white_tiff(self, tmp_path):
        mask = labels_of((9, 7)) > 0
        write_tiff(tmp_path / "scan.tif", mask.T)
        micro = read(tmp_path / "scan.tif", spacing=1.0, phases={"off": 0, "on": 1})
        assert np.array_equal(micro.mask("on"), mask)

    def test_folder_in_natural_order(self, tmp_path):
        labels = labels_of((5, 4, 12))
        for z in range(12):
            write_tiff(tmp_path / f"slice{z + 1}.tif", labels[:, :, z].T)
        (tmp_path / "Thumbs.db").write_bytes(b"nothing")
        (tmp_path / ".hidden.tif").write_bytes(b"nothing")
        micro = simple(tmp_path)
        assert np.array_equal(micro.labels, labels)
        assert "12 files 'slice1.tif' … 'slice12.tif'" in micro.notes[0]
        assert "MISSING" not in micro.notes[0]

    def test_folder_with_a_gap(self, tmp_path):
        for z in (1, 2, 4, 5):
            write_tiff(tmp_path / f"s_{z:03}.tif", labels_of((5, 4)).T)
        assert "MAY BE MISSING: from 's_002.tif' to 's_004.tif'" in simple(tmp_path).notes[0]

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4)])
    def test_numpy(self, tmp_path, shape, order):
        labels = np.asarray(labels_of(shape), order=order)
        np.save(tmp_path / "scan.npy", labels)
        np.savez(tmp_path / "one.npz", labels=labels)
        np.savez_compressed(tmp_path / "two.npz", labels=labels, other=labels[:2])
        assert np.array_equal(simple(tmp_path / "scan.npy").labels, labels)
        assert np.array_equal(simple(tmp_path / "one.npz").labels, labels)
        assert np.array_equal(simple(tmp_path / "two.npz", key="labels").labels, labels)

    @pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2", "<i4", "<f4"])
    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("offset", [0, 17])
    def test_raw(self, tmp_path, dtype, order, offset):
        labels = labels_of((5, 4, 3), dtype)
        path = tmp_path / "scan.raw"
        path.write_bytes(b"h" * offset + labels.tobytes(order))
        told = {"shape": (5, 4, 3), "dtype": dtype, "order": order, "offset": offset}
        assert np.array_equal(simple(path, **told).labels, labels)

    def test_content_decides_where_the_suffix_says_nothing(self, tmp_path):
        write_tiff(tmp_path / "scan", labels_of().T)
        assert np.array_equal(simple(tmp_path / "scan").labels, labels_of())


class TestCastIron:
    def test_scan(self):
        """chfem's 3D test image: 100³ voxels, 11.3944 % graphite, x fastest."""
        micro = read(
            CAST_IRON / "ggg40_100.raw",
            shape=(100, 100, 100),
            dtype="uint8",
            order="F",
            spacing=1e-6,
            phases={"graphite": 87, "matrix": 182},
        )
        assert micro.counts == {"graphite": 113944, "matrix": 886056}
        assert micro.extent == pytest.approx((1e-4,) * 3)
        flat = np.fromfile(CAST_IRON / "ggg40_100.raw", np.uint8)
        assert micro.labels[3, 5, 7] == (flat[3 + 100 * (5 + 100 * 7)] == 182)
        assert micro.connectivity()["matrix"] == (True, True, True)

    def test_a_wrong_label(self):
        with pytest.raises(InputError, match=r"= 88 is there .*113944 voxels|hold others: 87"):
            read(
                CAST_IRON / "ggg40_100.raw",
                shape=(100, 100, 100),
                dtype="uint8",
                order="F",
                spacing=1e-6,
                phases={"graphite": 88, "matrix": 182},
            )


class TestGreyValues:
    def grey(self, seed=0, kind=np.float64):
        """Two bell curves around 60 and 180."""
        rng = np.random.default_rng(seed)
        solid = rng.random((20, 20, 10)) < 0.3
        return np.where(
            solid, rng.normal(180, 15, solid.shape), rng.normal(60, 15, solid.shape)
        ).clip(0, 255).astype(kind), solid

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
    def test_otsu_finds_the_valley(self, tmp_path, kind):
        grey, solid = self.grey(kind=kind)
        np.save(tmp_path / "scan.npy", grey)
        micro = read(tmp_path / "scan.npy", spacing=1.0, phases=("void", "solid"), method="otsu")
        assert np.array_equal(micro.mask("solid"), solid)
        assert "by Otsu's method" in micro.notes[1]

    @given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.booleans())
    @settings(deadline=None, max_examples=100)
    def test_otsu_parts_the_variance_best(self, values, floats):
        """By its definition: the least variance within the classes."""
        image = np.array(values, float if floats else int).reshape(1, -1)
        if image.min() == image.max():
            with pytest.raises(InputError, match="holds only"):
                otsu(image)
            return

        def within(threshold):
            low, high = image[image <= threshold], image[image > threshold]
            return low.size * low.var() + high.size * high.var()

        best = min(within(t) for t in np.unique(image)[:-1])
        assert within(otsu(image)) == pytest.approx(best, abs=1e-9)

    def test_otsu_takes_the_middle_of_a_gap(self):
        assert otsu(np.array([[10, 10, 90, 90]])) == 50

    def test_thresholds_and_ranges_agree(self, tmp_path):
        grey, _ = self.grey(kind=np.uint8)
        np.save(tmp_path / "scan.npy", grey)
        names = ("void", "dim", "bright")
        by_range = read(
            tmp_path / "scan.npy",
            spacing=1.0,
            phases={"void": (0, 99), "dim": (100, 180), "bright": (181, 255)},
        )
        cut = read(tmp_path / "scan.npy", spacing=1.0, phases=names, threshold=(99, 180))
        assert np.array_equal(cut.labels, by_range.labels)
        assert cut.sources == ("up to 99", "99 to 180", "from 180")

    def test_ranges_of_floats(self, tmp_path):
        grey = np.array([[0.1, 0.5], [0.7, 0.9]])
        np.save(tmp_path / "scan.npy", grey)
        micro = read(
            tmp_path / "scan.npy", spacing=1.0, phases={"low": (-np.inf, 0.5), "high": (0.6, 1)}
        )
        assert micro.labels.tolist() == [[0, 0], [1, 1]]

    @pytest.mark.parametrize(
        ("phases", "options", "message"),
        [
            ({"a": (0, 0.4), "b": (0.6, 1)}, {}, r"scan.npy' .* 2 of 6 voxels .*0.5 \(2 voxels\)"),
            ({"a": (0, 1), "b": (2, 3)}, {}, "no voxel of 'b' = 2 to 3 is there"),
            ({"a": (0, 1)}, {"method": "otsu"}, "names alone with `threshold` or `method`"),
            (("a", "b"), {}, "either `threshold` or `method`, but neither"),
            (("a", "b"), {"method": "otsu", "threshold": 1}, "but both are given"),
            (("a", "b"), {"method": "ostu"}, r"must be 'otsu', .*did you mean"),
            (("a", "b", "c"), {"method": "otsu"}, "must have 2 names here"),
            (("a", "a"), {"method": "otsu"}, "distinct names"),
            ("ab", {"method": "otsu"}, "named by words"),
            (("a", "b"), {"threshold": (1, 2)}, r"must be 1 rising number\(s\) for 2 phases"),
            (("a", "b", "c"), {"threshold": (2, 1)}, r"must be 2 rising"),
            (("a", "b"), {"threshold": "high"}, r"must be 1 rising"),
            (("a", "b"), {"threshold": 7.0}, "no voxel of 'b' = from 7 is there"),
            (None, {}, "`phases` must be a mapping .* is missing"),
        ],
    )
    def test_what_is_refused(self, tmp_path, phases, options, message):
        np.save(tmp_path / "scan.npy", np.array([[0.1, 0.5, 0.2], [0.9, 0.5, 0.3]]))
        with pytest.raises(InputError, match=message):
            read(tmp_path / "scan.npy", spacing=1.0, phases=phases, **options)

    @pytest.mark.parametrize("options", [{"method": "otsu"}, {"threshold": 0.5}])
    def test_nan_is_counted(self, tmp_path, options):
        grey = np.linspace(0, 1, 12).reshape(3, 4)
        grey[1, 1:3] = np.nan
        np.save(tmp_path / "scan.npy", grey)
        with pytest.raises(InputError, match=r"scan.npy' must hold a number .* 2 of 12 are NaN"):
            read(tmp_path / "scan.npy", spacing=1.0, phases=("a", "b"), **options)

    def test_infinite_values(self, tmp_path):
        np.save(tmp_path / "scan.npy", np.array([[0.0, np.inf], [1.0, 2.0]]))
        with pytest.raises(InputError, match="finite values"):
            read(tmp_path / "scan.npy", spacing=1.0, phases=("a", "b"), method="otsu")


class TestBadFiles:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("scan.tif", b"\x89PNG\r\n\x1a\n", "TIFF file as its suffix says, but is a PNG image"),
            ("scan.tif", b"\x93NUMPY\x01\x00", "as its suffix says, but its content is NPY"),
            ("scan.tif", b"", "as its suffix says, but is empty"),
            ("scan.npy", b"II*\x00\x08\x00\x00\x00", "NPY file .* its content is TIFF"),
            ("scan.npz", b"hello world", "NPZ file .* begins with b'hell'"),
            ("scan.png", b"\x89PNG\r\n\x1a\n", "but is a PNG image; convert it to TIFF"),
            ("scan.jpg", b"\xff\xd8\xff\xe0", "but is a JPEG image; convert"),
            ("scan.h5", b"\x89HDF\r\n\x1a\n", "but is an HDF5 file; convert"),
            ("scan.vtk", b"# vtk DataFile", "but is a VTK file; convert"),
            ("scan.vtu", b"<VTKFile type", "but is a VTK file; convert"),
            ("scan.vti", b"II*\x00\x08\x00\x00\x00", "must be a VTI file as its suffix says"),
            ("scan.vtkhdf", b"<VTKFile type", "must be a VTKHDF file .* but is a VTK file"),
            ("scan.dat", b"\x01\x02", r"begins with .* for raw binary give shape="),
            ("scan.raw", b"II*\x00", "its content is TIFF; for raw binary give"),
            ("scan.tif", b"II*\x00", "is truncated or damaged"),
            ("scan.tif", b"II*\x00\x00\x00\x00\x00", "holds no page"),
            ("scan.tif", b"II*\x00\xff\x00\x00\x00", "header of page 1 lies beyond its 8 bytes"),
            ("scan.npy", b"\x93NUMPY\x01\x00", "readable NPY file"),
            ("scan.npy", b"\x93NUMPY\x07\x00v\x00", "format version"),
            ("scan.npz", b"PK\x03\x04", "readable NPZ file"),
        ],
    )
    def test_content(self, tmp_path, name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message) as told:
            simple(tmp_path / name)
        assert name in str(told.value)
        assert "\n" not in str(told.value)

    def test_absent(self, tmp_path):
        with pytest.raises(InputError, match=r"none.tif' must be a file or folder, but does not"):
            simple(tmp_path / "none.tif")
        with pytest.raises(InputError, match="must be readable"):
            simple("a\0b.tif")
        with pytest.raises(InputError, match="`path` must be a file or folder, but is 5"):
            simple(5)

    @pytest.mark.parametrize("spacing", [None, 0, -1.0, float("nan")])
    def test_spacing_is_checked_before_the_file_is_opened(self, spacing):
        with pytest.raises(InputError, match="`spacing` must be"):
            read("none.tif", spacing=spacing, phases=PHASES)

    def test_spacing_per_axis(self, tmp_path):
        path = write_tiff(tmp_path / "scan.tif", labels_of().T)
        with pytest.raises(InputError, match=r"one per axis \(3\), but has 2"):
            read(path, spacing=(1, 2), phases=PHASES)

    @pytest.mark.parametrize(
        ("stack", "options", "message"),
        [
            (np.zeros((4, 5, 3), np.uint8), {"photometric": "rgb"}, r"colour \(RGB\) image; conv"),
            (np.zeros((2, 3, 4, 5), np.uint8), {}, "2D or 3D image, but has 4 axes"),
            (np.zeros((3, 1, 5), np.uint8), {}, "axis y has only one"),
            (np.zeros((3, 4), np.complex64), {}, "integers or floats, but holds complex64"),
        ],
    )
    def test_tiff_of_another_kind(self, tmp_path, stack, options, message):
        path = tmp_path / "scan.tif"
        tifffile.imwrite(path, stack, **{"photometric": "minisblack", **options})
        with pytest.raises(InputError, match=message):
            simple(path)

    def test_pages_of_several_sizes(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
            tiff.write(np.zeros((4, 5), np.uint8))
            tiff.write(np.zeros((2, 2), np.uint8))
        with pytest.raises(InputError, match=r"pages of one size .* \(2 × 2, 4 × 5\)"):
            simple(tmp_path / "scan.tif")

    @pytest.mark.parametrize(
        ("second", "message"),
        [
            (np.zeros((3, 3), np.uint8), r"must be like 'a1.tif' \(4 × 5, uint8\), but is 3 × 3"),
            (np.zeros((4, 5), np.uint16), "but is 4 × 5, uint16"),
            (np.zeros((2, 4, 5), np.uint8), "a single page in a folder of slices, but has 2"),
            (None, "at least 2 TIFF files, one per slice, but holds 1"),
        ],
    )
    def test_folder(self, tmp_path, second, message):
        write_tiff(tmp_path / "a1.tif", np.zeros((4, 5), np.uint8))
        if second is not None:
            write_tiff(tmp_path / "a2.tif", second)
        with pytest.raises(InputError, match=message):
            simple(tmp_path)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"dtype": "uint8", "order": "C"}, "`shape` must be given for raw binary"),
            ({"shape": (2, 3), "order": "C"}, "`dtype` must be given for raw binary"),
            ({"shape": (2, 3), "dtype": "u1"}, "`order` must be given for raw binary"),
            ({"shape": (2, 3), "dtype": "u1", "order": "Z"}, "must be 'F' .* but is 'Z'"),
            ({"shape": (2, 3), "dtype": "uint9", "order": "C"}, "`dtype` must be a type"),
            ({"shape": (2, 3), "dtype": object, "order": "C"}, "`dtype` must be a type"),
            ({"shape": 6, "dtype": "u1", "order": "C"}, "`shape` must be 2 or 3 whole"),
            ({"shape": (2, -3), "dtype": "u1", "order": "C"}, "`shape` must be positive"),
            ({"shape": (2, 3, 1), "dtype": "u1", "order": "C"}, "axis z has only one"),
            (
                {"shape": (2, 3), "dtype": "u2", "order": "C"},
                r"2 × 3 voxels × 2 bytes = 12 bytes, but holds 6 bytes; check",
            ),
            (
                {"shape": (2, 2), "dtype": "u1", "order": "C"},
                "= 4 bytes, but holds 6 bytes; .* offset=2",
            ),
            ({"shape": (2, 3), "dtype": "u1", "order": "C", "offset": -1}, "bytes ≥ 0"),
            ({"shape": (2, 3), "dtype": "u1", "order": "C", "key": "a"}, "`key` must be given for"),
        ],
    )
    def test_raw(self, tmp_path, options, message):
        (tmp_path / "scan.raw").write_bytes(bytes([0, 1, 2, 0, 1, 2]))
        with pytest.raises(InputError, match=message):
            simple(tmp_path / "scan.raw", **options)

    def test_raw_options_for_other_files(self, tmp_path):
        write_tiff(tmp_path / "scan.tif", labels_of().T)
        with pytest.raises(InputError, match="`shape` must be given for raw binary only"):
            simple(tmp_path / "scan.tif", shape=(5, 4, 3))
        with pytest.raises(InputError, match="`key` must be given for NPZ, VTI and VTKHDF only"):
            simple(tmp_path / "scan.tif", key="a")

    @pytest.mark.parametrize(
        ("arrays", "key", "message"),
        [
            ({}, None, "must hold arrays, but holds none"),
            ({"one": 1, "two": 2}, None, "`key` must name one .* is missing; it holds one, two"),
            ({"one": 1, "two": 2}, "tow", r"is 'tow' \(did you mean 'two'\?\)"),
            ({"one": 1}, None, "2D or 3D image, but has 0 axes"),
            ({"one": np.zeros((2, 3, 4, 5))}, None, "but has 4 axes"),
            ({"one": np.full((2, 2), "a")}, None, "integers or floats, but holds <U1"),
        ],
    )
    def test_npz(self, tmp_path, arrays, key, message):
        np.savez(tmp_path / "scan.npz", **arrays)
        with pytest.raises(InputError, match=message):
            simple(tmp_path / "scan.npz", key=key)

    def test_npy_of_objects(self, tmp_path):
        np.save(tmp_path / "scan.npy", np.array([[None, 1], [2, 3]]), allow_pickle=True)
        with pytest.raises(InputError, match="but holds Python objects"):
            simple(tmp_path / "scan.npy")

    def test_npy_truncated(self, tmp_path):
        np.save(tmp_path / "scan.npy", labels_of())
        content = (tmp_path / "scan.npy").read_bytes()
        (tmp_path / "scan.npy").write_bytes(content[:-7])
        with pytest.raises(InputError, match=r"= 60 bytes, but ends after 53; it is truncated"):
            simple(tmp_path / "scan.npy")

    def test_unknown_compression(self, tmp_path):
        mask = Image.fromarray(labels_of((5, 4)).T > 0)
        mask.save(tmp_path / "scan.tif", compression="group4")
        with pytest.raises(InputError, match=r"compression 4; install the package imagecodecs"):
            simple(tmp_path / "scan.tif")


class TestMemory:
    @pytest.fixture(autouse=True)
    def _small_machine(self, monkeypatch):
        monkeypatch.setattr(memory, "available_memory", lambda: 100_000)

    def test_it_is_refused_before_it_is_loaded(self, tmp_path, monkeypatch):
        labels = np.zeros((60, 50, 40), np.uint16)
        write_tiff(tmp_path / "scan.tif", labels)
        np.save(tmp_path / "scan.npy", labels)
        np.savez_compressed(tmp_path / "scan.npz", labels=labels)
        (tmp_path / "scan.raw").write_bytes(labels.tobytes())
        for z in range(60):
            write_tiff(tmp_path / f"s{z}.tif", labels[z])
        (tmp_path / "scan.tif").rename(tmp_path.parent / "scan.tif")

        def fail(*args, **kwargs):
            raise AssertionError("loaded")

        monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)
        monkeypatch.setattr(np, "fromfile", fail)
        monkeypatch.setattr(np, "frombuffer", fail)
        size = r"× \d+ × \d+ voxels of uint16 need 468.8 KiB and 97.7 KiB are available; crop"
        with pytest.raises(InputError, match=size):
            simple(tmp_path.parent / "scan.tif")
        for name in ("scan.npy", "scan.npz"):
            with pytest.raises(InputError, match=size):
                simple(tmp_path / name)
        with pytest.raises(InputError, match=size):
            simple(tmp_path / "scan.raw", shape=(60, 50, 40), dtype="u2", order="C")

    def test_folder(self, tmp_path):
        for z in range(60):
            write_tiff(tmp_path / f"s{z}.tif", np.zeros((50, 40), np.uint16))
        with pytest.raises(InputError, match=r"60 × 50 × 40 voxels of uint16 need 468.8 KiB"):
            simple(tmp_path)

    def test_a_header_that_tells_too_much(self, tmp_path):
        """Only the header claims 2⁶⁰ voxels: no memory must be asked for."""
        np.save(tmp_path / "scan.npy", labels_of((5, 4)))
        content = (tmp_path / "scan.npy").read_bytes()
        claim = content.replace(b"(5, 4), }      ", b"(" + b"1" * 9 + b", 9)}")
        (tmp_path / "scan.npy").write_bytes(claim)
        with pytest.raises(InputError, match=r"truncated|readable NPY"):
            simple(tmp_path / "scan.npy")


def test_available_memory_is_told(monkeypatch, tmp_path):
    assert memory.available_memory() > 1 << 20
    monkeypatch.setattr(memory, "Path", lambda _: tmp_path / "none")
    assert memory.available_memory() > 1 << 20
    assert memory.tell_bytes(5) == "5 bytes"
    assert memory.tell_bytes(3 << 40) == "3.0 TiB"


def _contents():
    """One file of each kind: name and bytes."""
    labels = labels_of((7, 6, 4))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_tiff(place / "plain.tif", labels.T)
        write_tiff(place / "zlib.tif", labels.T, compression="zlib")
        write_tiff(place / "pages.tif", labels.T, metadata=None, contiguous=False)
        write_tiff(place / "imagej.tif", labels.T, imagej=True)
        write_tiff(place / "big.tif", labels.T, bigtiff=True, byteorder=">")
        pages = [Image.fromarray(page) for page in labels.T]
        pages[0].save(
            place / "lzw.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw"
        )
        np.save(place / "scan.npy", labels)
        np.savez_compressed(place / "scan.npz", labels=labels)
        return labels, {path.name: path.read_bytes() for path in sorted(place.iterdir())}


LABELS, CONTENTS = _contents()


def _read_or_refuse(name, content):
    """Return the image, or None where it was refused in one line that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return simple(path)
        except InputError as error:
            told = str(error)
    assert name in told
    assert "\n" not in told
    return None


class TestDamage:
    @pytest.mark.parametrize("name", sorted(CONTENTS))
    def test_truncated_anywhere(self, name):
        """A file that lost its end is refused, or it has lost nothing that matters."""
        content = CONTENTS[name]
        for end in np.linspace(0, len(content) - 1, 60).astype(int):
            micro = _read_or_refuse(name, content[:end])
            assert micro is None or np.array_equal(micro.labels, LABELS), end

    @pytest.mark.parametrize("name", sorted(CONTENTS))
    @given(data=st.data())
    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    def test_any_byte_changed(self, name, data):
        content = bytearray(CONTENTS[name])
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 255]))
        micro = _read_or_refuse(name, bytes(content))
        assert micro is None or isinstance(micro, Microstructure)

    def test_nothing_is_left_open_or_printed(self, tmp_path, capfd):
        (tmp_path / "scan.tif").write_bytes(CONTENTS["pages.tif"][:-40])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(InputError):
                simple(tmp_path / "scan.tif")
            gc.collect()
        assert capfd.readouterr() == ("", "")
