"""VTI and VTKHDF: what VTK and we ourselves write comes back; hostile files are refused."""

import base64
import re
import tempfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import pyvista
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure, memory, read
from scalebridge.study.results import write_results

PHASES = {"a": 0, "b": 1, "c": 2}
SPACING = (0.5, 1.0, 2.0)
# data mode (0 text, 1 base64 in place, 2 behind the header), base64 behind, zlib
FORMS = {
    "ascii": (0, False, False),
    "inline": (1, False, False),
    "inline-zlib": (1, False, True),
    "raw": (2, False, False),
    "raw-zlib": (2, False, True),
    "base64": (2, True, False),
    "base64-zlib": (2, True, True),
}


def labels_of(shape=(5, 4, 3), kind=np.uint8):
    labels = np.random.default_rng(0).integers(0, 3, shape).astype(kind)
    labels.flat[:3] = 0, 1, 2
    return labels


def grid_of(labels, points=False, name="labels"):
    """The labels as VTK's image, x fastest."""
    sizes = np.array(labels.shape) + (0 if points else 1)
    grid = pyvista.ImageData(dimensions=sizes, spacing=SPACING)
    data = grid.point_data if points else grid.cell_data
    data[name] = labels.ravel(order="F")
    return grid


def write_vti(path, grid, form="raw", wide=False, big=False, block=None):
    mode, base64_behind, compressed = FORMS[form]
    writer = vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(grid)
    writer.SetDataMode(mode)
    writer.SetEncodeAppendedData(base64_behind)
    writer.SetCompressorTypeToZLib() if compressed else writer.SetCompressorTypeToNone()
    writer.SetHeaderTypeToUInt64() if wide else writer.SetHeaderTypeToUInt32()
    writer.SetByteOrderToBigEndian() if big else writer.SetByteOrderToLittleEndian()
    if block is not None:
        writer.SetBlockSize(block)
    assert writer.Write() == 1
    return path


def simple(path, **options):
    return read(path, phases=PHASES, **options)


def vti(array, *, extent="0 2 0 2 0 2", piece=None, attributes="", spacing="1 1 1", tail=b""):
    """A small VTI file by hand around one <DataArray>."""
    return (
        f'<VTKFile type="ImageData" version="1.0" {attributes}><ImageData WholeExtent="{extent}" '
        f'Spacing="{spacing}"><Piece Extent="{piece or extent}"><CellData>{array}</CellData>'
        "</Piece></ImageData>"
    ).encode() + (tail or b"</VTKFile>")


def ascii_array(text="0 1 2 0 1 2 0 1", kind="UInt8", more=""):
    return f'<DataArray type="{kind}" Name="labels" format="ascii" {more}>{text}</DataArray>'


class TestVti:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("kind", ["uint8", "int16", "uint32", "int64", "float32", "float64"])
    @pytest.mark.parametrize(("wide", "big"), [(False, False), (True, True)])
    def test_what_vtk_writes(self, tmp_path, form, kind, wide, big):
        labels = labels_of(kind=kind)
        path = write_vti(tmp_path / "scan.vti", grid_of(labels), form, wide, big)
        micro = simple(path)
        assert np.array_equal(micro.labels, labels)
        assert micro.labels.flags.c_contiguous
        assert micro.spacing == SPACING
        assert micro.notes == (
            f"read from 'scan.vti', VTI, cell data 'labels', {kind}",
            "spacing 0.5, 1, 2 as the file tells",
        )

    @pytest.mark.parametrize("binary", [True, False])
    def test_what_pyvista_writes(self, tmp_path, binary):
        grid_of(labels_of()).save(tmp_path / "scan.vti", binary=binary)
        assert np.array_equal(simple(tmp_path / "scan.vti").labels, labels_of())

    @pytest.mark.parametrize("form", ["inline-zlib", "raw-zlib", "base64-zlib"])
    @pytest.mark.parametrize("shape", [(40, 30, 20), (32, 32, 32)])
    def test_several_blocks(self, tmp_path, form, shape):
        """With a block of 4096 bytes the last one is shorter, or just as long."""
        labels = labels_of(shape)
        path = write_vti(tmp_path / "scan.vti", grid_of(labels), form, block=4096)
        assert np.array_equal(simple(path).labels, labels)

    @pytest.mark.parametrize("compressor", ["vtkZLibDataCompressor", "vtkLZ4DataCompressor"])
    def test_text_is_never_compressed(self, tmp_path, compressor):
        path = tmp_path / "scan.vti"
        path.write_bytes(vti(ascii_array(), attributes=f'compressor="{compressor}"'))
        assert simple(path).labels.ravel(order="F").tolist() == [0, 1, 2, 0, 1, 2, 0, 1]

    def test_header_and_data_encoded_apart(self, tmp_path):
        """As PyEVTK writes; VTK encodes both in one."""
        labels = labels_of((2, 2, 2))
        for header in ("<u4", "<u8"):
            text = base64.b64encode(np.array(8, header).tobytes())
            text += base64.b64encode(labels.tobytes("F"))
            wide = 'header_type="UInt64"' if header == "<u8" else ""
            array = f'<DataArray type="UInt8" Name="x" format="binary">{text.decode()}</DataArray>'
            (tmp_path / "scan.vti").write_bytes(vti(array, attributes=wide))
            assert np.array_equal(simple(tmp_path / "scan.vti").labels, labels)

    def test_point_data_is_an_image_too(self, tmp_path):
        path = write_vti(tmp_path / "scan.vti", grid_of(labels_of(), points=True))
        micro = simple(path)
        assert np.array_equal(micro.labels, labels_of())
        assert "point data 'labels'" in micro.notes[0]

    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("points", [False, True])
    def test_one_voxel_thick_is_2d(self, tmp_path, axis, points):
        labels = labels_of((5, 4))
        path = write_vti(tmp_path / "scan.vti", grid_of(np.expand_dims(labels, axis), points))
        micro = simple(path)
        kept = [a for a in range(3) if a != axis]
        assert np.array_equal(micro.labels, labels)
        assert micro.spacing == tuple(SPACING[a] for a in kept)
        assert f"taken as ({', '.join('xyz'[a] for a in kept)})" in micro.notes[0]

    def test_cells_of_a_flat_extent(self, tmp_path):
        """A flat grid has one layer of points and VTK counts one of cells; its edge may be 0."""
        content = vti(ascii_array("0 1 2 0"), extent="0 2 0 2 0 0", spacing="1 3 0")
        (tmp_path / "scan.vti").write_bytes(content)
        micro = simple(tmp_path / "scan.vti")
        assert micro.labels.tolist() == [[0, 2], [1, 0]]
        assert micro.spacing == (1.0, 3.0)

    def test_key(self, tmp_path):
        grid = grid_of(labels_of())
        grid.cell_data["other"] = np.zeros(60)
        grid.cell_data["flux"] = np.zeros((60, 3))
        path = write_vti(tmp_path / "scan.vti", grid)
        assert np.array_equal(simple(path, key="labels").labels, labels_of())
        with pytest.raises(InputError, match=r"`key` must name .* is missing; it holds flux"):
            simple(path)
        with pytest.raises(InputError, match=r"is 'lables' \(did you mean 'labels'\?\)"):
            simple(path, key="lables")
        with pytest.raises(InputError, match="'flux' has 3 components; choose another"):
            simple(path, key="flux")

    def test_cells_win_over_points_of_the_same_name(self, tmp_path):
        grid = grid_of(labels_of())
        grid.point_data["labels"] = np.zeros(6 * 5 * 4)
        path = write_vti(tmp_path / "scan.vti", grid)
        assert np.array_equal(simple(path, key="labels").labels, labels_of())

    def test_what_the_caller_says_of_spacing_wins(self, tmp_path):
        path = write_vti(tmp_path / "scan.vti", grid_of(labels_of()))
        told = simple(path, spacing=0.25)
        assert told.spacing == (0.25,) * 3
        assert told.notes[1] == "spacing as given; THE FILE TELLS ANOTHER: 0.5, 1, 2"
        same = simple(path, spacing=(0.5, 1, 2))
        assert same.spacing == SPACING
        assert len(same.notes) == 1
        with pytest.raises(InputError, match=r"one per axis \(3\), but has 2"):
            simple(path, spacing=(1, 2))

    def test_a_turned_image_is_told(self, tmp_path):
        grid = grid_of(labels_of())
        grid.direction_matrix = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
        assert "Direction turns it" in simple(write_vti(tmp_path / "s.vti", grid)).notes[0]

    def test_grey_values(self, tmp_path):
        labels = labels_of() > 0
        grey = np.where(labels, 180.0, 60.0) + np.linspace(0, 1, 60).reshape(5, 4, 3)
        path = write_vti(tmp_path / "scan.vti", grid_of(grey))
        assert np.array_equal(read(path, phases=("off", "on"), method="otsu").mask("on"), labels)

    def test_raw_options(self, tmp_path):
        path = write_vti(tmp_path / "scan.vti", grid_of(labels_of()))
        with pytest.raises(InputError, match=r"`shape` must be given for raw .* is a VTI file"):
            simple(path, shape=(5, 4, 3))


class TestVtkhdf:
    @pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4)])
    def test_what_we_write(self, tmp_path, shape):
        labels = labels_of(shape)
        micro = Microstructure(labels, SPACING[: len(shape)], PHASES)
        fields = {"temperature": np.zeros(shape)}
        write_results(tmp_path / "out.vtkhdf", micro, fields=fields)
        again = simple(tmp_path / "out.vtkhdf")
        assert np.array_equal(again.labels, labels)
        assert again.spacing == micro.spacing
        assert "VTKHDF, cell data 'labels', uint8" in again.notes[0]
        with pytest.raises(InputError, match="did you mean 'temperature'"):
            simple(tmp_path / "out.vtkhdf", key="temperatur")

    @pytest.mark.parametrize("suffix", [".vtkhdf", ".hdf"])
    def test_what_vtk_reads_as_points(self, tmp_path, suffix):
        labels = labels_of(kind=np.int32)
        path = self.write(tmp_path / f"scan{suffix}", labels, "PointData", (0, 4, 0, 3, 0, 2))
        assert np.array_equal(simple(path).labels, labels)

    @staticmethod
    def write(path, labels, parent="CellData", extent=(0, 5, 0, 4, 0, 3), kind=b"ImageData"):
        with h5py.File(path, "w") as file:
            group = file.create_group("VTKHDF")
            group.attrs["Type"] = np.bytes_(kind)
            group.attrs["WholeExtent"] = extent
            group.attrs["Spacing"] = SPACING
            group.create_group(parent)["labels"] = labels.T
        return path

    def test_pyvista_agrees(self, tmp_path):
        """VTK reads the file by hand as we do."""
        path = self.write(tmp_path / "scan.vtkhdf", labels_of())
        with h5py.File(path, "a") as file:
            file["VTKHDF"].attrs["Version"] = [1, 0]
            file["VTKHDF"].attrs["Origin"] = [0.0, 0.0, 0.0]
            file["VTKHDF"].attrs["Direction"] = np.eye(3).ravel()
        theirs = pyvista.read(path).cell_data["labels"].reshape((5, 4, 3), order="F")
        assert np.array_equal(simple(path).labels, theirs)

    def test_links_to_other_files_are_not_followed(self, tmp_path):
        with h5py.File(tmp_path / "secret.h5", "w") as file:
            file["labels"] = labels_of().T
        path = self.write(tmp_path / "scan.vtkhdf", labels_of())
        with h5py.File(path, "a") as file:
            cells = file["VTKHDF/CellData"]
            del cells["labels"]
            cells["labels"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "labels")
        with pytest.raises(InputError, match="cell data or point data, but holds none"):
            simple(path)
        (tmp_path / "secret.bin").write_bytes(labels_of().tobytes("F"))
        for virtual in (False, True):
            with h5py.File(path, "a") as file:
                cells = file["VTKHDF/CellData"]
                del cells["labels"]
                if virtual:
                    layout = h5py.VirtualLayout(shape=(3, 4, 5), dtype="u1")
                    source = h5py.VirtualSource(str(tmp_path / "secret.h5"), "labels", (3, 4, 5))
                    layout[:] = source
                    cells.create_virtual_dataset("labels", layout)
                else:
                    outside = [(str(tmp_path / "secret.bin"), 0, 60)]
                    cells.create_dataset("labels", (3, 4, 5), "u1", external=outside)
            with pytest.raises(InputError, match="'labels' points to other files"):
                simple(path)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kind": b"UnstructuredGrid"}, "must hold an ImageData .* 'UnstructuredGrid'; resam"),
            ({"extent": (0, 5, 0, 4, 0, 4)}, "readable VTKHDF file, but its array 'labels' has sh"),
            ({"extent": (0, 5, 0, 4)}, "its extent is"),
            ({"extent": (0, 0, 0, 0, 0, 3)}, "at least 2 voxels along each axis"),
            ({"parent": "Cells"}, "holds none; save the labels"),
            ({"labels": np.zeros((5, 4, 3), complex)}, "integers or floats, but holds complex"),
        ],
    )
    def test_what_is_refused(self, tmp_path, options, message):
        path = self.write(tmp_path / "scan.vtkhdf", **{"labels": labels_of(), **options})
        with pytest.raises(InputError, match=message) as told:
            simple(path)
        assert "scan.vtkhdf" in str(told.value)

    def test_other_hdf5(self, tmp_path):
        with h5py.File(tmp_path / "scan.vtkhdf", "w") as file:
            file["labels"] = labels_of()
        with pytest.raises(InputError, match="in its group VTKHDF, but holds 'nothing'"):
            simple(tmp_path / "scan.vtkhdf")


def binary_array(content, kind="UInt8"):
    text = base64.b64encode(content).decode()
    return f'<DataArray type="{kind}" Name="labels" format="binary">{text}</DataArray>'


def blocks(*header, data=b""):
    """The header of compressed blocks by itself, then the data."""
    text = base64.b64encode(np.array(header, "<u4").tobytes()) + base64.b64encode(data)
    return f'<DataArray type="UInt8" Name="x" format="binary">{text.decode()}</DataArray>'


ZLIB = 'compressor="vtkZLibDataCompressor"'
BOMB = zlib.compress(bytes(1 << 22))
EIGHT = zlib.compress(bytes(8))


class TestHostileVti:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (vti(ascii_array("0 1 2")), "it holds 3 numbers where 8 are due"),
            (vti(ascii_array("0 1 2 0 1 2 0 x")), "its text holds what is no number"),
            (vti(ascii_array("0 1 2 0 1 2 0 300")), "its numbers exceed the type uint8"),
            (vti(ascii_array(kind="String")), "integers or floats, but its array holds 'String'"),
            (vti(ascii_array(more='NumberOfComponents="3"')), "'labels' has 3 components"),
            (vti(""), "must hold cell data or point data, but holds none"),
            (vti(ascii_array(), extent="0 2 0 2"), r"its extent is \(0, 2, 0, 2\)"),
            (vti(ascii_array(), extent="0 2 0 2 0 -2"), "its extent is"),
            (vti(ascii_array(), extent=f"0 {10**30} 0 2 0 2"), "exceeds all bounds"),
            (vti(ascii_array(), extent="0 2 0 2 0 1e9"), "readable VTI file, but invalid literal"),
            (vti(ascii_array(), extent=f"0 {10**6} 0 {10**6} 0 {10**6}"), "must fit into memory"),
            (vti(ascii_array(), extent="0 1 0 1 0 8"), "at least 2 voxels along each axis"),
            (vti(ascii_array(), piece="0 1 0 2 0 2"), "must hold its image in one piece"),
            (vti(ascii_array(), spacing="1 1"), r"its spacing is \(1.0, 1.0\)"),
            (vti(ascii_array(), spacing="1 1 0"), "tells a spacing that cannot be used: `spacing"),
            (vti(ascii_array(), spacing="1 1 nan"), "tells a spacing that cannot be used"),
            (vti(ascii_array(), attributes='byte_order="Middle"'), "its header is damaged"),
            (vti(ascii_array(), attributes='header_type="UInt8"'), "its header is damaged"),
            (
                vti(
                    ascii_array().replace("ascii", "binary"),
                    attributes='compressor="vtkLZ4DataCompressor"',
                ),
                "by 'vtkLZ4Data",
            ),
            (vti(binary_array(b"\x09\0\0\0" + bytes(9))), "it holds 9 bytes where 8 are due"),
            (vti(binary_array(b"\x08\0\0\0" + bytes(5))), "its data end after 12 of 16 bytes"),
            (vti(binary_array(b"\x08")), "its data end after 4 of 8 bytes"),
            (vti(ascii_array().replace("ascii", "other")), "cannot be found in the format 'other'"),
            (vti(ascii_array().replace("ascii", "appended")), "found in the format 'appended'"),
            (
                vti(
                    ascii_array(more='offset="-9"').replace("ascii", "appended"),
                    tail=b'<AppendedData encoding="raw">_\x08\0\0\0',
                ),
                "its data end after",
            ),
            (
                vti("", tail=b'<AppendedData encoding="hex">_00'),
                "raw or as base64, but tells 'hex'",
            ),
            (vti(blocks(1, 8, 8, len(BOMB), data=BOMB), attributes=ZLIB), "block 1 of its data"),
            (vti(blocks(1, 8, 8, 0), attributes=ZLIB), "block 1 of its data does not hold 8"),
            (vti(blocks(1, 8, 0, 9, data=b"not zlib."), attributes=ZLIB), "readable VTI file"),
            (vti(blocks(5, 0, 8, *5 * [len(BOMB)], data=5 * BOMB), attributes=ZLIB), "in 5 blocks"),
            (vti(blocks(2**31, 1, 0), attributes=ZLIB), "in 2147483648 blocks where 8 are due"),
            (vti(blocks(0, 8, 16), attributes=ZLIB), "in 0 blocks where 8 are due"),
            (vti(blocks(8, 1, 0, 1), attributes=ZLIB), "its data end after"),
            (b'<VTKFile type="PolyData"></VTKFile>', "an ImageData, but holds 'PolyData'; res"),
            (b"<VTKFile", "its XML is damaged"),
            (b'<?xml version="1.0" encoding="utf-77"?><VTKFile/>', "must be a .* VTI file"),
            (
                b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb">]><VTKFile>&b;</VTKFile>',
                "it declares a document type",
            ),
            (
                b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><VTKFile/>',
                "it declares a document type",
            ),
        ],
    )  # fmt: skip
    def test_content(self, tmp_path, content, message):
        (tmp_path / "scan.vti").write_bytes(content)
        with pytest.raises(InputError, match=message) as told:
            simple(tmp_path / "scan.vti")
        assert "scan.vti" in str(told.value)
        assert "\n" not in str(told.value)

    def test_the_ones_by_hand_are_otherwise_sound(self, tmp_path):
        for array, more in ((ascii_array(), ""), (blocks(1, 8, 8, len(EIGHT), data=EIGHT), ZLIB)):
            (tmp_path / "scan.vti").write_bytes(vti(array, attributes=more))
            found = read(
                tmp_path / "scan.vti", phases={"a": 0, "b": [1, 2]} if not more else {"a": 0}
            )
            assert found.shape == (2, 2, 2)

    def test_entities_do_not_expand(self, tmp_path):
        """A billion laughs are refused before they are laughed."""
        lines = ['<!ENTITY a0 "ha">']
        lines += [f'<!ENTITY a{i} "{10 * f"&a{i - 1};"}">' for i in range(1, 12)]
        content = f'<?xml version="1.0"?><!DOCTYPE x [{"".join(lines)}]><VTKFile>&a11;</VTKFile>'
        (tmp_path / "scan.vti").write_text(content)
        with pytest.raises(InputError, match="declares a document type"):
            simple(tmp_path / "scan.vti")

    def test_deep_nesting(self, tmp_path):
        (tmp_path / "scan.vti").write_bytes(b"<VTKFile>" + b"<a>" * 200_000)
        with pytest.raises(InputError, match="its XML is damaged"):
            simple(tmp_path / "scan.vti")

    def test_memory(self, tmp_path, monkeypatch):
        labels = np.zeros((60, 50, 40), np.uint16)
        tight = write_vti(tmp_path / "tight.vti", grid_of(labels), "raw-zlib")
        loose = write_vti(tmp_path / "loose.vti", grid_of(labels), "raw")
        write_results(tmp_path / "out.vtkhdf", Microstructure(labels, 1.0, {"a": 0}))
        monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
        with pytest.raises(InputError, match=r"tight.vti' .* uint16 need 468.8 KiB and 97.7 KiB"):
            simple(tight)
        with pytest.raises(
            InputError, match=r"loose.vti' must fit into memory, but its 235.\d KiB"
        ):
            simple(loose)
        with pytest.raises(InputError, match=r"out.vtkhdf' .* 60 × 50 × 40 voxels of uint8 need"):
            simple(tmp_path / "out.vtkhdf")


def _contents():
    """One file of each form: name and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for form in FORMS:
            write_vti(place / f"{form}.vti", grid_of(LABELS), form, block=4096)
        write_results(place / "ours.vtkhdf", Microstructure(LABELS, SPACING, PHASES))
        return {path.name: path.read_bytes() for path in sorted(place.iterdir())}


LABELS = labels_of((7, 6, 4))
CONTENTS = _contents()


def _read_or_refuse(name, content):
    """Return the image, or None where it was refused in one line that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return simple(path, spacing=1.0)
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
            content[place] = data.draw(st.sampled_from([*b"\n\x00\xff 09<>&\"'", 127, 128]))
        micro = _read_or_refuse(name, bytes(content))
        assert micro is None or isinstance(micro, Microstructure)

    def test_names_with_line_breaks(self, tmp_path):
        array = ascii_array().replace("labels", "a&#10;b")
        (tmp_path / "scan.vti").write_bytes(vti(array + ascii_array()))
        with pytest.raises(InputError, match="it holds a b, labels") as told:
            simple(tmp_path / "scan.vti")
        assert re.search("\n", str(told.value)) is None
