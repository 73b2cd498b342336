"""Damaged files: whatever happens to the bytes, reading gives an image, or one line of error.

The seed that a failure names tells the case: ``check_case(seed)``. By hand, for longer:
``python tests/test_readers_fuzz.py COUNT [FIRST]``.
"""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from damage import CAST_IRON, CUT, SECOND, Specimen, specimens
from scalebridge import cli
from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure, lzw, memory, read
from scalebridge.study.results import read_results

SPECIMENS = specimens()
NAMES = sorted(SPECIMENS)
SECONDS = 10  # for one case; most take a few milliseconds
MEMORY = 1 << 26


def ways(specimen: Specimen) -> list[dict[str, Any]]:
    """Return ways to tell the phases of a file."""
    low, high = specimen.labels
    middle = (low + high) / 2
    return [
        {"phases": {"graphite": low, "iron": high}},
        {"phases": {"graphite": (-np.inf, middle), "iron": (middle + 0.1, np.inf)}},
        {"phases": ("dark", "bright"), "method": "otsu"},
        {"phases": ("dark", "bright"), "threshold": middle},
    ]


class Hang(BaseException):
    """No Exception, so that no reader takes it for a damage."""


@contextmanager
def nothing_but_the_answer() -> Iterator[None]:
    """Fail where the block warns, prints, hangs or asks for much more memory than there is."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    tracemalloc.start()
    try:
        with warnings.catch_warnings(record=True) as told, _descriptors() as printed:
            warnings.simplefilter("always")
            yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert not told, [str(warning.message) for warning in told]
    assert not printed, printed
    assert peak < 4 * MEMORY, f"{peak / 1e6:.0f} MB were asked for"


@contextmanager
def _descriptors() -> Iterator[list[bytes]]:
    """Collect what is printed, by libraries in C too."""
    printed: list[bytes] = []
    saved = [(number, os.dup(number)) for number in (1, 2)]
    with tempfile.TemporaryFile() as file:
        for number, _ in saved:
            os.dup2(file.fileno(), number)
        try:
            yield printed
        finally:
            for number, copy in saved:
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            printed += filter(None, [file.read()])


def case(seed: str) -> tuple[Specimen, dict[str, Any]]:
    """Return a damaged file and how to read it; the seed tells everything."""
    rng = random.Random(seed)
    specimen = SPECIMENS[rng.choice(NAMES)].damaged(rng)
    spacing = {} if specimen.kind in ("vti", "vtkhdf") and rng.random() < 0.5 else {"spacing": 1.0}
    return specimen, {**specimen.options, **spacing, **rng.choice(ways(specimen))}


def check_case(seed: str) -> str:
    """Read the file of a case, and return what came of it."""
    specimen, options = case(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = specimen.write(Path(folder))
        outcome = _check(path, lambda: _valid(read(path, **options)))
        if specimen.name == "results.vtkhdf":
            _check(path, lambda: _valid(read_results(path).microstructure))
    return f"{specimen.kind} {outcome}"


def _check(path: Path, work: Any) -> str:
    told = None
    with nothing_but_the_answer():
        try:
            work()
        except InputError as error:
            told = str(error)
    if told is None:
        return "read"
    assert path.name in told, told
    assert told.isprintable(), told
    return "refused"


def _valid(micro: Microstructure) -> None:
    assert micro.labels.ndim in (2, 3)
    assert min(micro.shape) >= 2
    assert len(micro.spacing) == micro.dim
    assert all(np.isfinite(h) and h > 0 for h in micro.spacing)
    assert micro.labels.flags.c_contiguous
    assert not micro.labels.flags.writeable
    assert sum(micro.counts.values()) == micro.labels.size
    assert len(micro.counts) == len(micro.names)
    assert micro.summary()


def run_cases(seeds: Iterable[str]) -> Counter[str]:
    """Check cases, and name the seed of one that fails."""
    came: Counter[str] = Counter()
    for seed in seeds:
        try:
            came[check_case(seed)] += 1
        except (Exception, Hang) as error:
            name = case(seed)[0].name
            raise AssertionError(f"case {seed!r}, a damaged {name}: {error!r}") from error
    return came


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: MEMORY)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_damaged_was_sound(name: str, tmp_path: Path) -> None:
    specimen = SPECIMENS[name]
    path = specimen.write(tmp_path)
    scan = np.fromfile(CAST_IRON, np.uint8).reshape((100, 100, 100), order="F")
    labels = scan[CUT] == SECOND
    for way in ways(specimen):
        micro = read(path, spacing=1.0, **way, **specimen.options)
        assert np.array_equal(micro.labels, labels[:, :, 0] if name == "page.tif" else labels)


@pytest.mark.usefixtures("small_machine")
def test_damaged_files() -> None:
    run_cases(f"few {number}" for number in range(100))


@pytest.mark.slow
@pytest.mark.usefixtures("small_machine")
def test_thousands_of_damaged_files() -> None:
    came = run_cases(f"many {number}" for number in range(3000))
    for kind in {specimen.kind for specimen in SPECIMENS.values()}:
        assert came[f"{kind} read"], came  # damages that nobody could see, or that did not matter
        assert came[f"{kind} refused"], came


# ---- on the command line, up to the solve


def check_command(seed: str) -> None:
    specimen, options = case(seed)
    low, high = specimen.labels
    words = [
        "--phase",
        f"graphite={low},k=1,E=1,nu=0.2",
        "--phase",
        f"iron={high},k=2,E=3,nu=0.3",
    ]
    words += [f"--spacing={options['spacing']}"] if "spacing" in options else []
    words += [
        f"--{n}={specimen.options[n]}"
        for n in ("dtype", "order", "offset")
        if n in specimen.options
    ]
    words += ["--shape=7,6,4"] if "shape" in specimen.options else []
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        path = specimen.write(Path(folder))
        with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("error")
            code = cli.main(
                ["homogenize", str(path), *words, "--plane=strain", "--json", "--quiet"]
            )
    told = err.getvalue()
    assert code in (0, 2), (seed, told)
    if code:
        assert told.startswith("error: "), (seed, told)
        assert told.count("\n") == 1, (seed, told)
        assert out.getvalue() == "", seed
    else:
        assert told == "", (seed, told)


@pytest.fixture
def without_solver(monkeypatch: pytest.MonkeyPatch, small_machine: None) -> None:
    def execute(plan: Any, _: object) -> dict[str, Any]:
        told = {"image": dict(plan.image), "results": {}, "bounds": {}, "interrupted": False}
        return {**told, "failures": [], "files": [], "write_errors": []}

    monkeypatch.setattr("scalebridge.study.homogenize.execute", execute)


@pytest.mark.usefixtures("without_solver")
def test_the_command_line_with_damaged_files() -> None:
    for number in range(25):
        check_command(f"command {number}")


@pytest.mark.slow
@pytest.mark.usefixtures("without_solver")
def test_the_command_line_with_hundreds_of_damaged_files() -> None:
    for number in range(400):
        check_command(f"commands {number}")


# ---- headers that claim more than there is, and data that inflate without end


def claims(folder: Path) -> Iterator[Path]:
    """Write small files of which the header claims 10¹² voxels, or a little less."""
    far = 10**6
    np.save(folder / "scan.npy", np.zeros((10, 10, 10), np.uint8))
    content = (folder / "scan.npy").read_bytes()
    header = content[:128].replace(b"(10, 10, 10), }", b"(10000, 10000, 10000), }")[:127] + b"\n"
    (folder / "scan.npy").write_bytes(header + content[128:])
    yield folder / "scan.npy"
    with zipfile.ZipFile(folder / "scan.npz", "w") as archive:
        archive.writestr("labels.npy", header + content[128:])
    yield folder / "scan.npz"
    path = folder / "scan.tif"
    tifffile.imwrite(path, np.zeros((9, 9), np.uint8), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tiff.pages[0].tags[tag].overwrite(far)
    yield path
    for bits, name in ((b"raw.vti", b"0 7 0 6 0 4"), (b"inline-zlib.vti", b"0 7 0 6 0 4")):
        path = folder / bits.decode()
        path.write_bytes(
            SPECIMENS[path.name].files[path.name].replace(name, b"0 9999 0 9999 0 9999")
        )
        yield path
    with h5py.File(folder / "scan.vtkhdf", "w") as file:
        group = file.create_group("VTKHDF")
        group.attrs["Type"], group.attrs["WholeExtent"] = np.bytes_("ImageData"), [0, 9999] * 3
        data = {"shape": (10**4,) * 3, "dtype": "u1", "chunks": (64,) * 3, "compression": "gzip"}
        group.create_group("PointData").create_dataset("labels", **data)
    yield folder / "scan.vtkhdf"


def test_claims_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    for path in claims(tmp_path):
        with nothing_but_the_answer(), pytest.raises(InputError) as told:
            read(path, spacing=1.0, phases=("dark", "bright"), method="otsu")
        assert path.name in str(told.value)


@pytest.mark.parametrize("code", [8, 5, 32773])
def test_strips_are_inflated_no_further_than_their_page(code: int, tmp_path: Path) -> None:
    """A strip of 81 voxels that would become a quarter of a gigabyte."""
    long = bytes(1 << 28)
    packed = {
        8: lambda: zlib.compress(long),
        5: lambda: _lzw(long[: 1 << 24]),
        32773: lambda: b"\x81\0" * (1 << 21),
    }
    path = tmp_path / "scan.tif"
    strip = packed[code]()
    tifffile.imwrite(path, np.zeros((9, 9), np.uint8), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tags = tiff.pages[0].tags
        tags["Compression"].overwrite(code)
        tags["StripByteCounts"].overwrite(len(strip))
        tags["StripOffsets"].overwrite(path.stat().st_size)
    with path.open("ab") as file:
        file.write(strip)
    del long
    with nothing_but_the_answer():
        assert read(path, spacing=1.0, phases={"a": 0}).shape == (9, 9)


def _lzw(content: bytes) -> bytes:
    """Return the strip that libtiff makes of one row."""
    stream = io.BytesIO()
    Image.frombytes("L", (len(content), 1), content).save(stream, "TIFF", compression="tiff_lzw")
    with tifffile.TiffFile(io.BytesIO(stream.getvalue())) as tiff:
        (start,), (count,) = tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts
    return stream.getvalue()[start : start + count]


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 256), st.integers(1, 9000), st.integers(1, 40))
def test_lzw_of_libtiff(seed: int, letters: int, size: int, run: int) -> None:
    """All that libtiff packs comes back: noise, runs, more codes than the table holds."""
    content = (
        np.random.default_rng(seed).integers(0, letters, size).repeat(run).astype("u1").tobytes()
    )
    assert lzw.decode(_lzw(content), len(content)) == content
    assert lzw.decode(_lzw(content), size) == content[:size]


@given(st.binary(max_size=300))
def test_lzw_of_anything(packed: bytes) -> None:
    with suppress(ValueError):
        assert len(lzw.decode(packed, 1000)) <= 1000


# ---- arrays


LABELS = st.one_of(
    st.lists(st.lists(st.integers(-2, 3), max_size=4), max_size=4),
    st.tuples(
        st.sampled_from(["?", "u1", "i8", ">u2", "f4", "f8", "g", "c8", "O", "U2", "M8[s]", "u8"]),
        st.lists(st.integers(0, 4), max_size=4),
        st.integers(-2, 3),
    ).map(lambda told: np.full(told[1], told[2]).astype(told[0])),
    st.lists(st.sampled_from([0, 1, 2**63, -(2**60)]), min_size=9, max_size=9).map(
        lambda values: np.array(values, object).reshape(3, 3)
    ),
    st.sampled_from([None, "labels", 3, np.ones((2, 2)), np.eye(3, dtype=int), {"a": 1}]),
)
NUMBER = st.one_of(st.integers(-3, 3), st.floats(), st.sampled_from([2**70, True, np.int8(1), "1"]))
VALUE = st.one_of(
    NUMBER,
    st.tuples(NUMBER, NUMBER),
    st.lists(st.one_of(NUMBER, st.tuples(NUMBER, NUMBER))),
    st.none(),
)
PHASES_GIVEN = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(["a", "b", "", "ä", 1]), st.text(max_size=2)), VALUE),
    st.sampled_from([None, [], "ab", ("a", "b"), {"a": (-2, 3)}, {"a": 0, "b": 1}, {"a": [0, 1]}]),
)
SPACING_GIVEN = st.one_of(
    NUMBER, st.lists(NUMBER, max_size=4), st.none(), st.sampled_from(["1", {}, b"1"])
)


def check_arguments(labels: Any, spacing: Any, phases: Any) -> None:
    told = ""
    with nothing_but_the_answer():
        try:
            _valid(Microstructure(labels, spacing, phases))
        except InputError as error:
            told = str(error)
    assert "\n" not in told or "array(" in told


FUZZ = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@given(LABELS, SPACING_GIVEN, PHASES_GIVEN)
@settings(max_examples=150, **FUZZ)
def test_arguments(labels: Any, spacing: Any, phases: Any) -> None:
    check_arguments(labels, spacing, phases)


@pytest.mark.slow
@given(LABELS, SPACING_GIVEN, PHASES_GIVEN)
@settings(max_examples=2000, **FUZZ)
def test_thousands_of_arguments(labels: Any, spacing: Any, phases: Any) -> None:
    check_arguments(labels, spacing, phases)


if __name__ == "__main__":
    memory.available_memory = lambda: MEMORY
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(run_cases(str(number) for number in range(first, first + int(sys.argv[1]))))
