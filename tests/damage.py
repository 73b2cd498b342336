"""Image files of every kind that `read` knows, and ways to damage them.

A damage is a function of the bytes and a random number generator, so that a seed tells a case.
"""

from __future__ import annotations

import base64
import io
import random
import re
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from PIL import Image
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

from scalebridge.microstructure import Microstructure
from scalebridge.study.results import write_results

CAST_IRON = Path(__file__).parents[1] / "examples" / "data" / "cast_iron" / "ggg40_100.raw"
CUT = np.s_[33:40, 9:15, 20:24]  # as much of either phase in each slice
SPACING = (0.5, 1.0, 2.0)
FIRST, SECOND = 87, 182  # the labels of the scan, and of all specimens but the masks
NUMBERS = [0, 1, 2, 3, 4, 6, 7, 8, 15, 16, 31, 32, 64, 127, 128, 255, 256, 4095, 32767, 32768]
NUMBERS += [65535, 65536, 10**6, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 10**12, 2**63 - 1, 2**64 - 1]
WORDS = [b"", b"0", b"-1", b"nan", b"inf", b"1e400", b"0x10", b"\xff", b"\x00", b"\n", b"\xc3\xa9"]
WORDS += [b"UInt8", b"Int64", b"Float64", b"String", b"BigEndian", b"UInt64", b"binary", b"ascii"]
WORDS += [b"appended", b"raw", b"0 1 0 1 0 1", b"0 9999999 0 9999999 0 1", b"1 1", b"labels", b"O"]
WORDS += [b"(2, 3)", b"True", b"None", b"[1]", b"'<u2'", b"f2", b"<M8[s]", b"&#10;", b"\x1b[31m"]

Bytes = bytes
Damage = Callable[[Bytes, random.Random], Bytes]


@dataclass(frozen=True)
class Specimen:
    """A file, or a folder of slices, that `read` takes with `options`."""

    name: str
    files: dict[str, Bytes]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[int, int]:
        return (0, 1) if self.name in ("mask.tif", "results.vtkhdf") else (FIRST, SECOND)

    @property
    def kind(self) -> str:
        return next(iter(self.files)).rpartition(".")[2]

    def damaged(self, rng: random.Random) -> Specimen:
        """Return this with one to three damages in one of its files."""
        name = rng.choice(sorted(self.files))
        content = self.files[name]
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            content = rng.choice(ANYWHERE + BY_KIND.get(self.kind, []))(content, rng)
        return replace(self, files={**self.files, name: content})

    def write(self, folder: Path) -> Path:
        """Write it, and return what to read."""
        place = folder / self.name if len(self.files) > 1 else folder
        place.mkdir(exist_ok=True)
        for name, content in self.files.items():
            (place / name).write_bytes(content)
        return place if len(self.files) > 1 else place / next(iter(self.files))


# ---- damages of any file


def flip(data: Bytes, rng: random.Random) -> Bytes:
    """Turn a few bits round."""
    out = bytearray(data or b"\0")
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def overwrite(data: Bytes, rng: random.Random) -> Bytes:
    """Replace a few bytes that follow one another."""
    new = rng.choice(
        [rng.randbytes(4), b"\0" * 4, b"\xff" * 4, rng.randbytes(1), rng.choice(WORDS)]
    )
    at = rng.randint(0, len(data))
    return data[:at] + new + data[at + len(new) :]


def insert(data: Bytes, rng: random.Random) -> Bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice([rng.randbytes(rng.randint(1, 9)), rng.choice(WORDS)]) + data[at:]


def delete(data: Bytes, rng: random.Random) -> Bytes:
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.choice([1, 2, 4, 8, 100]) :]


def truncate(data: Bytes, rng: random.Random) -> Bytes:
    return data[: rng.randint(0, len(data))]


def swap(data: Bytes, rng: random.Random) -> Bytes:
    """Exchange two blocks."""
    a, b, c, d = sorted(rng.randint(0, len(data)) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def double(data: Bytes, rng: random.Random) -> Bytes:
    """Repeat a block."""
    a, b = sorted(rng.randint(0, len(data)) for _ in range(2))
    return data[:b] + data[a:]


def number(data: Bytes, rng: random.Random) -> Bytes:
    """Write an integer where a field of the header may be."""
    size, end = rng.choice([(1, "B"), (2, "H"), (4, "I"), (8, "Q")]), rng.choice("<>")
    value = rng.choice(NUMBERS) % 256 ** size[0]
    near = min(len(data), 400)
    at = rng.choice([rng.randint(0, near), rng.randint(0, len(data)), max(0, len(data) - 200)])
    at -= at % size[0]
    return data[:at] + struct.pack(end + size[1], value) + data[at + size[0] :]


ANYWHERE: list[Damage] = [flip, overwrite, insert, delete, truncate, swap, double, number]


# ---- damages that know the kind of file


def _replaced(
    data: Bytes, rng: random.Random, pattern: Bytes, new: Callable[[Bytes], Bytes]
) -> Bytes:
    """Replace one match of the pattern's first group."""
    found = list(re.finditer(pattern, data[:4000])) or list(re.finditer(pattern, data))
    if not found:
        return data
    start, end = rng.choice(found).span(1)
    return data[:start] + new(data[start:end]) + data[end:]


def digits(data: Bytes, rng: random.Random) -> Bytes:
    """Replace a number that stands as text."""
    return _replaced(
        data, rng, rb"(-?\d+)", lambda _: b"%d" % (rng.choice([-1, 1]) * rng.choice(NUMBERS))
    )


def quoted(data: Bytes, rng: random.Random) -> Bytes:
    """Replace a word in quotes."""
    return _replaced(data, rng, rb"[\"']([^\"']{0,60})[\"']", lambda _: rng.choice(WORDS))


def recoded(data: Bytes, rng: random.Random) -> Bytes:
    """Damage what stands as base64, and encode it again."""

    def new(text: Bytes) -> Bytes:
        content = base64.b64decode(text[: len(text) // 4 * 4])
        return base64.b64encode(rng.choice(ANYWHERE)(content, rng))

    return _replaced(data, rng, rb"[>_\s]([A-Za-z0-9+/]{8,}=?=?)", new)


def repacked(data: Bytes, rng: random.Random) -> Bytes:
    """Damage a member of an archive and pack it with its right checksum."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for info in old.infolist():
                content = rng.choice([*ANYWHERE, digits, quoted])(old.read(info), rng)
                new.writestr(
                    info.filename, content, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
                )
    except Exception:  # damaged before
        return data
    return out.getvalue()


def entry(data: Bytes, rng: random.Random) -> Bytes:
    """Change tag, type, count or value of an entry in the first directories of a TIFF file."""
    entries = list(_entries(data))
    if not entries:
        return data
    at, end, wide = rng.choice(entries)
    tags = [254, 256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 284, 317, 322, 323, 339, 32997]
    choices = [("H", 0, rng.choice(tags)), ("H", 2, rng.randint(0, 19))]
    size = "Q" if wide else "I"
    choices += [(size, 4, rng.choice(NUMBERS)), (size, 12 if wide else 8, rng.choice(NUMBERS))] * 2
    kind, shift, value = rng.choice(choices)
    packed = struct.pack(end + kind, value % 256 ** struct.calcsize(kind))
    return data[: at + shift] + packed + data[at + shift + len(packed) :]


def _entries(data: Bytes) -> Iterator[tuple[int, str, bool]]:
    """Yield place, byte order and width of each entry."""
    end = "<" if data[:2] == b"II" else ">"
    wide = data[2:4] in (b"+\0", b"\0+")
    counts, offsets, length = ("Q", "Q", 20) if wide else ("H", "I", 12)
    try:
        (place,) = struct.unpack_from(end + offsets, data, 8 if wide else 4)
        for _ in range(4):
            (count,) = struct.unpack_from(end + counts, data, place)
            place += struct.calcsize(counts)
            yield from ((place + i * length, end, wide) for i in range(min(count, 30)))
            (place,) = struct.unpack_from(end + offsets, data, place + count * length)
            if not place:
                return
    except (struct.error, OverflowError):
        return


def surgery(data: Bytes, rng: random.Random) -> Bytes:
    """Change an HDF5 file through its library."""
    stream = io.BytesIO(data)
    try:
        with h5py.File(stream, "r+") as file:
            rng.choice(SURGERIES)(file, rng)
    except Exception:  # damaged before
        return data
    return stream.getvalue()


def _attribute(file: h5py.File, rng: random.Random) -> None:
    name = rng.choice(["WholeExtent", "Spacing", "Direction", "Type", "Origin", "Version"])
    values = [
        np.nan,
        np.arange(6),
        np.array([0, 10**6] * 3),
        "text",
        b"ImageData",
        "ä",
        h5py.Empty("f8"),
    ]
    values += [np.array([0, 7, 0, 6, 0, 4.5]), [[0, 7], [0, 6], [0, 4]], np.zeros(3), [1e308] * 3]
    values += [np.array([0, 2**63 - 1] * 3), np.full(9, np.nan), np.array(["a", "b"], "S"), True]
    file["VTKHDF"].attrs[name] = rng.choice(values)


def _lost(file: h5py.File, rng: random.Random) -> None:
    names: list[str] = []
    file.visit(names.append)
    del file[rng.choice(names)]


def _exchanged(file: h5py.File, rng: random.Random) -> None:
    """Put something else in the place of a dataset."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    name = rng.choice(names)
    del file[name]
    shape = rng.choice(
        [(4, 6, 7), (7, 6, 4), (4, 6), (), (0, 6, 7), (4, 6, 7, 1), (4, 6, 7, 3), (2,)]
    )
    kinds = [
        "u1",
        ">i8",
        "f2",
        "g",
        "c16",
        "S3",
        "?",
        h5py.string_dtype(),
        [("a", "i4")],
        h5py.ref_dtype,
    ]
    kinds += [
        h5py.vlen_dtype("i4"),
        h5py.enum_dtype({"A": 0, "B": 1}),
        h5py.opaque_dtype("V4"),
        "(2,)f4",
    ]
    match rng.randrange(6):
        case 0:
            file.create_group(name)
        case 1:
            file[name] = rng.choice(
                ["text", b"{", "[1", "null", "{}", "3", '{"labels": -1}', "NaN"]
            )
        case 2:
            file.create_dataset(name, (10**6,) * 3, "u1", chunks=(64,) * 3, compression="gzip")
        case 3:
            file[name] = h5py.SoftLink(f"/{name}")
        case 4:
            file.create_dataset(name, data=h5py.Empty("f4"))
        case _:
            file.create_dataset(name, shape, np.dtype(rng.choice(kinds)))


def _values(file: h5py.File, rng: random.Random) -> None:
    labels = file["VTKHDF/CellData/labels"]
    labels[rng.randrange(labels.shape[0])] = rng.choice([0, 1, 2, 255])


SURGERIES: list[Callable[[h5py.File, random.Random], None]] = [
    _attribute,
    _lost,
    _exchanged,
    _values,
]
BY_KIND: dict[str, list[Damage]] = {
    "tif": [entry, entry, entry],
    "npy": [digits, digits, quoted],
    "npz": [repacked, repacked, repacked],
    "vti": [digits, digits, quoted, quoted, recoded],
    "vtkhdf": [surgery, surgery, surgery],
}


# ---- what is damaged


def specimens() -> dict[str, Specimen]:
    """Return sound files of every kind, by name: cuts of the scan, and made-up images."""
    scan = np.fromfile(CAST_IRON, np.uint8).reshape((100, 100, 100), order="F")
    labels = np.ascontiguousarray(scan[CUT])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_tiffs(folder, labels)
        _write_arrays(folder, labels)
        _write_vtk(folder, labels)
        found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    slices = {n: found.pop(n) for n in list(found) if n.startswith("slice")}
    raw = {"shape": (7, 6, 4), "dtype": "uint8", "order": "F"}
    options = {"scan.raw": raw, "header.raw": {**raw, "dtype": ">u2", "offset": 17}}
    specimens = [Specimen(n, {n: content}, options.get(n, {})) for n, content in found.items()]
    return {one.name: one for one in (*specimens, Specimen("slices", slices))}


def _write_tiffs(folder: Path, labels: np.ndarray) -> None:
    stack = np.ascontiguousarray(labels.T)
    grey = {"photometric": "minisblack"}
    tifffile.imwrite(folder / "plain.tif", stack, **grey)
    tifffile.imwrite(folder / "page.tif", stack[0], **grey)
    tifffile.imwrite(folder / "pages.tif", stack, metadata=None, contiguous=False, **grey)
    tifffile.imwrite(folder / "deep.tif", stack.astype(np.uint16), byteorder=">", **grey)
    tifffile.imwrite(folder / "float.tif", stack.astype(np.float32), compression="zlib", **grey)
    tifffile.imwrite(folder / "deflate.tif", stack, compression="zlib", predictor=True, **grey)
    tifffile.imwrite(folder / "big.tif", stack, bigtiff=True, compression="zlib", **grey)
    tifffile.imwrite(folder / "tiles.tif", stack, tile=(16, 16), **grey)
    tifffile.imwrite(folder / "imagej.tif", stack.astype(np.uint16), imagej=True)
    tifffile.imwrite(folder / "ome.tif", stack, ome=True, **grey)
    tifffile.imwrite(folder / "mask.tif", stack > FIRST, **grey)
    pages = [Image.fromarray(page) for page in stack]
    for name, compression in (("lzw", "tiff_lzw"), ("packbits", "packbits"), ("pillow", None)):
        path = folder / f"{name}.tif"
        pages[0].save(path, save_all=True, append_images=pages[1:], compression=compression)
    for number, page in enumerate(stack):
        tifffile.imwrite(folder / f"slice{number}.tif", page, **grey)


def _write_arrays(folder: Path, labels: np.ndarray) -> None:
    np.save(folder / "scan.npy", labels)
    np.save(folder / "grey.npy", np.asfortranarray(labels).astype(">f8"))
    np.savez(folder / "stored.npz", labels=labels)
    np.savez_compressed(folder / "deflate.npz", labels=labels.astype(np.int32))
    (folder / "scan.raw").write_bytes(labels.tobytes("F"))
    (folder / "header.raw").write_bytes(b"h" * 17 + labels.astype(">u2").tobytes("F"))


def _write_vtk(folder: Path, labels: np.ndarray) -> None:
    grid = vtkImageData()
    grid.SetDimensions([n + 1 for n in labels.shape])
    grid.SetSpacing(SPACING)
    array = numpy_to_vtk(labels.ravel(order="F"), deep=True)
    array.SetName("labels")
    grid.GetCellData().AddArray(array)
    forms = {
        "text": (0, False, False),
        "inline": (1, False, False),
        "inline-zlib": (1, False, True),
        "raw": (2, False, False),
        "raw-zlib": (2, False, True),
        "base64-zlib": (2, True, True),
    }
    for name, (mode, behind, compressed) in forms.items():
        writer = vtkXMLImageDataWriter()
        writer.SetFileName(str(folder / f"{name}.vti"))
        writer.SetInputData(grid)
        writer.SetDataMode(mode)
        writer.SetEncodeAppendedData(behind)
        writer.SetCompressorTypeToZLib() if compressed else writer.SetCompressorTypeToNone()
        assert writer.Write() == 1
    phases = {"graphite": FIRST, "iron": SECOND}
    fields = {"flux": np.ones((3, *labels.shape)), "temperature": np.zeros(labels.shape)}
    write_results(
        folder / "results.vtkhdf",
        Microstructure(labels, SPACING, phases),
        fields=fields,
        tensors={"heat": np.eye(3)},
        provenance={"study": {"title": "a"}},
    )
    with h5py.File(folder / "chunks.vtkhdf", "w") as file:
        group = file.create_group("VTKHDF")
        group.attrs["Type"] = np.bytes_("ImageData")
        group.attrs["WholeExtent"] = [0, 6, 0, 5, 0, 3]
        group.attrs["Spacing"] = SPACING
        points = group.create_group("PointData")
        options = {"chunks": (2, 3, 4), "compression": "gzip", "shuffle": True, "fletcher32": True}
        points.create_dataset("labels", data=labels.T, **options)
