"""Images in VTK XML files (.vti), as ParaView and PyVista write them.

The header is XML; the numbers stand in it as text or base64, or behind it as raw bytes or
base64, where `vti_data` finds them. Source: VTK file formats, docs.vtk.org.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure import memory
from scalebridge.microstructure.sniff import unreadable
from scalebridge.microstructure.vti_data import Appended, Encoding, values
from scalebridge.microstructure.vtk_image import Frame, choose, extent_of, tell_image

_APPENDED = re.compile(
    rb"<AppendedData\s[^>]{0,200}?encoding\s*=\s*[\"'](\w{1,20})[\"'][^>]{0,200}>\s{0,200}_"
)
_TYPES = {
    f"{word}{bits}": f"{letter}{bits // 8}"
    for word, letter in (("Int", "i"), ("UInt", "u"), ("Float", "f"))
    for bits in (8, 16, 32, 64)
    if not (word == "Float" and bits < 32)
}


def read_vti(path: Path, key: str | None) -> tuple[NDArray[Any], tuple[float, ...], str]:
    """Return the image as (x, y[, z]), its spacing and a sentence on where it came from."""
    try:
        return _read(path, key)
    except InputError:
        raise
    except Exception as error:  # the XML parser, zlib and base64 raise many kinds
        raise unreadable(path, "VTI", error) from error


def _read(path: Path, key: str | None) -> tuple[NDArray[Any], tuple[float, ...], str]:
    size = path.stat().st_size
    free = memory.available_memory()
    if 3 * size > free:  # the bytes, the text in them, and the numbers
        raise InputError(
            f"'{path}' must fit into memory, but its {memory.tell_bytes(size)} do not with what is "
            f"made of them in {memory.tell_bytes(free)}; crop the image before, or save it as NPY"
        )
    content = path.read_bytes()
    root, appended = _split(content, path)
    image = root.find("ImageData")
    if root.tag != "VTKFile" or image is None:
        raise InputError(
            f"'{path}' must hold an ImageData, but holds {root.get('type') or root.tag!r}; "
            "resample it to an image, in ParaView by the filter 'Resample To Image'"
        )
    direction = image.get("Direction", "1 0 0 0 1 0 0 0 1").split()
    frame = Frame.of(
        image.get("WholeExtent", "").split(),
        image.get("Spacing", "1 1 1").split(),
        [float(value) for value in direction],
    )
    pieces = image.findall("Piece")
    if len(pieces) != 1 or extent_of(pieces[0].get("Extent", "").split()) != frame.extent:
        raise InputError(
            f"'{path}' must hold its image in one piece, but holds {len(pieces)} piece(s) of the "
            "whole; save it as one file, e.g. pyvista.ImageData.save"
        )
    known = {
        (kind, array.get("Name", "")): array
        for kind, parent in (("point", "PointData"), ("cell", "CellData"))
        for array in pieces[0].iterfind(f"{parent}/DataArray")
    }
    kind, name = choose(known, key, path)
    array = known[kind, name]
    encoding = _encoding(root, array, path)
    dtype = _dtype(array, encoding.order, path)
    shape = frame.check(
        kind, name, dtype, components=int(array.get("NumberOfComponents", "1")), path=path
    )
    flat = values(array, dtype, int(np.prod(shape)), encoding, appended)
    # x runs fastest
    numbers = flat.reshape(shape, order="F").astype(dtype.newbyteorder("="), copy=False)
    return frame.finish(numbers, tell_image(path, "VTI", kind, name, numbers.dtype))


def _split(content: bytes, path: Path) -> tuple[ElementTree.Element, Appended | None]:
    """Return the XML tree, and the data behind it, which need not be XML."""
    found = _APPENDED.search(content)
    if found is None:
        return _parse(content, path), None
    header = content[: found.start()] + b"</VTKFile>"
    encoding = found[1].decode()
    if encoding not in ("raw", "base64"):
        raise InputError(
            f"'{path}' must hold its appended data raw or as base64, but tells {encoding!r}; "
            "save it again"
        )
    return _parse(header, path), Appended(memoryview(content)[found.end() :], encoding == "base64")


class _NoDoctype(ElementTree.TreeBuilder):
    """Stops at a document type: entities, which could expand without end, are declared there."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type, which no VTK file has")


def _parse(text: bytes, path: Path) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        return ElementTree.fromstring(text, parser)
    except ElementTree.ParseError as error:
        raise InputError(
            f"'{path}' must be a complete VTI file, but its XML is damaged ({error}); "
            "copy or save it again"
        ) from None


def _encoding(root: ElementTree.Element, array: ElementTree.Element, path: Path) -> Encoding:
    # Text is not compressed, whatever the head tells.
    is_text = array.get("format", "ascii") == "ascii"
    compressor = None if is_text else root.get("compressor")
    if compressor not in (None, "vtkZLibDataCompressor"):
        raise InputError(
            f"'{path}' must be compressed by zlib or not at all, but is by {compressor!r}; "
            "save it again with the compressor ZLib or none"
        )
    order = {"LittleEndian": "<", "BigEndian": ">"}[root.get("byte_order", "LittleEndian")]
    header = {"UInt32": "u4", "UInt64": "u8"}[root.get("header_type", "UInt32")]
    return Encoding(order, np.dtype(order + header), compressor is not None)


def _dtype(array: ElementTree.Element, order: str, path: Path) -> np.dtype:
    told = array.get("type", "")
    if told not in _TYPES:
        raise InputError(
            f"'{path}' must hold integers or floats, but its array holds {told!r}; "
            f"save it as one of {', '.join(_TYPES)}"
        )
    return np.dtype(order + _TYPES[told])
