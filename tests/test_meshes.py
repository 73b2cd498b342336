"""Meshes of structures: the helpers, and what is read from files and refused.

Files are written by meshlane, and by hand as gmsh and Abaqus/CAE write them.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from itertools import product
from pathlib import Path

import meshlane
import numpy as np
import pytest
import skfem

from scalebridge.errors import InputError
from scalebridge.structure import (
    annulus,
    box,
    cooks_membrane,
    plate_with_hole,
    read_mesh,
    read_points,
    rectangle,
)


def volume(mesh: skfem.Mesh) -> float:
    return float(skfem.CellBasis(mesh, mesh.elem(), intorder=6).dx.sum())


def area(mesh: skfem.Mesh, name: str) -> float:
    basis = skfem.FacetBasis(mesh, mesh.elem(), facets=mesh.boundaries[name], intorder=6)
    return float(basis.dx.sum())


# Helpers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["quad", "triangle"])
def test_sides_of_a_rectangle(kind: str) -> None:
    mesh = rectangle((3.0, 2.0), (3, 4), kind)
    assert volume(mesh) == pytest.approx(6.0)
    assert {name: area(mesh, name) for name in mesh.boundaries} == pytest.approx(
        {"left": 2.0, "right": 2.0, "bottom": 3.0, "top": 3.0}
    )
    assert len(mesh.subdomains["body"]) == mesh.nelements


@pytest.mark.parametrize("kind", ["hexahedron", "tetrahedron"])
def test_sides_of_a_box(kind: str) -> None:
    mesh = box((1.0, 2.0, 3.0), (2, 1, 2), kind)
    assert volume(mesh) == pytest.approx(6.0)
    ends = {"left": (0, 0), "right": (0, 1), "bottom": (1, 0), "top": (1, 2)}
    ends |= {"front": (2, 0), "back": (2, 3)}
    assert set(mesh.boundaries) == set(ends)
    for name, (axis, end) in ends.items():
        assert np.all(mesh.p[axis, mesh.facets[:, mesh.boundaries[name]]] == end)
        assert area(mesh, name) == pytest.approx(6.0 / (axis + 1))


def order_of(error: Callable[[int], float]) -> float:
    return float(np.log2(error(8) / error(16)))


@pytest.mark.parametrize(("curved", "order"), [(False, 2), (True, 4)])
def test_area_of_a_plate_with_a_hole_converges(curved: bool, order: int) -> None:
    def error(n: int) -> float:
        mesh = plate_with_hole(1.0, 3.0, 4.0, n_around=n, n_radial=n, curved=curved)
        return abs(volume(mesh) - (12.0 - np.pi / 4))

    assert order_of(error) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(("curved", "order"), [(False, 2), (True, 4)])
def test_area_of_a_ring_converges(curved: bool, order: int) -> None:
    def error(n: int) -> float:
        return abs(volume(annulus(1.0, 2.0, n, n, curved=curved)) - 0.75 * np.pi)

    assert order_of(error) == pytest.approx(order, abs=0.2)


def test_boundaries_of_a_plate_with_a_hole() -> None:
    mesh = plate_with_hole(1.0, 3.0, 5.0, n_around=12, n_radial=3, curved=True)
    lengths = {name: area(mesh, name) for name in mesh.boundaries}
    expected = {"left": 4.0, "bottom": 2.0, "right": 5.0, "top": 3.0, "hole": np.pi / 2}
    assert lengths == pytest.approx(expected, rel=1e-5)
    radius = np.linalg.norm(mesh.p[:, mesh.facets[:, mesh.boundaries["hole"]]], axis=0)
    assert radius == pytest.approx(1.0)
    assert np.all(mesh.p[0, mesh.facets[:, mesh.boundaries["left"]]] == 0)


def test_boundaries_of_a_ring() -> None:
    mesh = annulus(1.0, 2.0, 2, 16, curved=True)
    lengths = {name: area(mesh, name) for name in mesh.boundaries}
    expected = {"inner": np.pi / 2, "outer": np.pi, "left": 1.0, "bottom": 1.0}
    assert lengths == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["quad", "triangle"])
def test_cooks_membrane(kind: str) -> None:
    mesh = cooks_membrane(3, kind)
    assert volume(mesh) == pytest.approx(48 * (44 + 16) / 2)
    assert (area(mesh, "left"), area(mesh, "right")) == pytest.approx((44.0, 16.0))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: rectangle((0.0, 1.0), (2, 2)), "`size` must be a length > 0, but is 0.0"),
        (lambda: rectangle((1.0, 1.0), (2, 0)), "`elements` must be an integer ≥ 1, but is 0"),
        (lambda: rectangle((1.0,), (2, 2)), "`size` must be 2 numbers"),
        (lambda: rectangle((1.0, 1.0), (2, 2), "quads"), "did you mean 'quad'?"),
        (lambda: box((1.0, 1.0, np.nan), (2, 2, 2)), "`size` must be a length > 0, but is nan"),
        (lambda: box((1, 1, 1), (2, 2, 2.5)), "`elements` must be an integer ≥ 1, but is 2.5"),
        (lambda: box((1, 1, 1), (2, 2, 2), "tetra"), "did you mean 'tetrahedron'?"),
        (lambda: plate_with_hole(2.0, 2.0), "`radius` must be less than half the width"),
        (lambda: plate_with_hole(1.0, 2.0, n_around=1), "`n_around` must be an integer ≥ 2"),
        (lambda: plate_with_hole(1.0, 2.0, n_radial=True), "`n_radial` must be an integer"),
        (lambda: annulus(2.0, 1.0), "`outer` must be greater than the inner radius 2, but is 1"),
        (lambda: cooks_membrane(-1), "`n` must be an integer ≥ 1, but is -1"),
    ],
)
def test_helpers_refuse(make: Callable[[], object], told: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert told in str(caught.value)


# Files ---------------------------------------------------------------------------------------

# Where VTK has the nodes of its cells: corners, then edges, then faces and centre.
SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
SIDES = [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)]
CUBE = [(x, y, z) for z in (0, 1) for x, y in SQUARE]
EDGES = [(x, y, z) for z in (0, 1) for x, y in SIDES] + [(x, y, 0.5) for x, y in SQUARE]
FACES = [(0, 0.5, 0.5), (1, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 1, 0.5), (0.5, 0.5, 0), (0.5, 0.5, 1)]
TET = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
TET10 = [*TET, (0.5, 0, 0), (0.5, 0.5, 0), (0, 0.5, 0), (0, 0, 0.5), (0.5, 0, 0.5), (0, 0.5, 0.5)]
TRIANGLES = [(0, 1, 2), (0, 2, 3)]
TETS = [(0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)]

#: Kind → nodes of one cell or of a unit square or cube of cells.
PLACES = {
    "triangle": [[SQUARE[i] for i in t] for t in TRIANGLES],
    "quad": [SQUARE],
    "quad8": [SQUARE + SIDES],
    "quad9": [[*SQUARE, *SIDES, (0.5, 0.5)]],
    "tetra": [[CUBE[i] for i in t] for t in TETS],
    "hexahedron": [CUBE],
    "hexahedron20": [CUBE + EDGES],
    "hexahedron27": [[*CUBE, *EDGES, *FACES, (0.5, 0.5, 0.5)]],
}
PLACES["triangle6"] = [
    [*t, *(tuple((np.array(t[i]) + t[(i + 1) % 3]) / 2) for i in range(3))]
    for t in PLACES["triangle"]
]
PLACES["tetra10"] = [
    [tuple((np.array(x) @ (np.array(t[1:]) - t[0])) + t[0]) for x in TET10] for t in PLACES["tetra"]
]
DIM = {kind: len(cells[0][0]) for kind, cells in PLACES.items()}


def bent(points: np.ndarray) -> np.ndarray:
    """Bend second order cells: volumes stay, each part moves by its place."""
    moved = points.astype(float)
    moved[:, 1] += 0.3 * moved[:, 0] * (1 - moved[:, 0])
    return moved


def pieces(kind: str, count: int = 2, curved: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and cells of a row of unit squares or cubes along x."""
    dim = DIM[kind]
    cells = [
        [tuple(np.add(x, (shift, *[0] * (dim - 1)))) for x in cell]
        for shift in range(count)
        for cell in PLACES[kind]
    ]
    nodes = sorted({x for cell in cells for x in cell})
    number = {x: i for i, x in enumerate(nodes)}
    points = np.zeros((len(nodes), 3))
    points[:, :dim] = nodes
    return bent(points) if curved else points, np.array([[number[x] for x in c] for c in cells])


def save(path: Path, mesh: meshlane.Mesh, **how: object) -> Path:
    with contextlib.redirect_stderr(io.StringIO()):  # meshlane tells of groups it adds
        meshlane.write(path, mesh, **how)
    return path


FORMATS = {
    "vtu": {},
    "vtk": {"file_format": "vtk"},
    "old.vtk": {"file_format": "vtk42"},
    "ascii.msh": {"file_format": "gmsh", "binary": False},
    "msh": {"file_format": "gmsh"},
    "22.msh": {"file_format": "gmsh22"},
    "22ascii.msh": {"file_format": "gmsh22", "binary": False},
    "inp": {},
}
FULL = {"quad8": "MeshQuad2", "quad9": "MeshQuad2", "triangle6": "MeshTri2", "tetra10": "MeshTet2"}
FULL |= {"hexahedron20": "MeshHex2", "hexahedron27": "MeshHex2", "triangle": "MeshTri1"}
FULL |= {"quad": "MeshQuad1", "tetra": "MeshTet1", "hexahedron": "MeshHex1"}


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (kind, ending)
        for kind, ending in product(PLACES, FORMATS)
        if ending != "inp" or kind not in ("quad9", "hexahedron27")  # Abaqus has no such elements
    ],
)
def test_every_kind_in_every_format(kind: str, ending: str, tmp_path: Path) -> None:
    curved = kind[-1].isdigit()
    points, cells = pieces(kind, curved=curved)
    file = meshlane.Mesh(points, [(kind, cells)])
    mesh = read_mesh(save(tmp_path / f"a.{ending}", file, **FORMATS[ending]))
    assert type(mesh).__name__ == FULL[kind]
    assert mesh.dim() == DIM[kind]
    basis = skfem.CellBasis(mesh, mesh.elem(), intorder=6)
    assert float(basis.dx.sum()) == pytest.approx(2.0)
    assert np.all(mesh.mapping().detDF(basis.X) > 0) or kind in ("triangle", "tetra")
    places = {tuple(np.round(x, 6) + 0.0) for x in mesh.doflocs.T}
    assert len(places) == mesh.doflocs.shape[1]
    given = {tuple(np.round(x[: mesh.dim()], 6) + 0.0) for x in points}
    assert places >= given if kind in ("quad8", "hexahedron20") else places == given


@pytest.mark.parametrize("kind", ["triangle", "triangle6", "quad", "quad8", "quad9"])
def test_plane_cells_that_run_clockwise_are_turned(kind: str, tmp_path: Path) -> None:
    points, cells = pieces(kind, curved=kind[-1].isdigit())
    points[:, 1] *= -1
    mesh = read_mesh(save(tmp_path / "a.vtu", meshlane.Mesh(points, [(kind, cells)])))
    assert volume(mesh) == pytest.approx(2.0)
    detDF = mesh.mapping().detDF(skfem.CellBasis(mesh, mesh.elem(), intorder=6).X)
    assert np.all(detDF > 0) or kind == "triangle"  # whose nodes scikit-fem sorts


# gmsh ----------------------------------------------------------------------------------------

# As gmsh 4 writes it: two triangles are steel and two copper, all four are "all"; the inner
# line and the node have names too, one curve has a group without a name, and one none.
GMSH_41 = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
6
0 9 "tip"
1 2 "left wall"
1 4 "between"
2 1 "steel"
2 3 "copper"
2 5 "all"
$EndPhysicalNames
$Entities
2 4 2 0
11 0 0 0 0
12 2 1 0 1 9
21 0 0 0 0 1 0 1 -2 2 11 -12
22 1 0 0 1 1 0 1 4 2 11 -12
23 2 0 0 2 1 0 1 7 2 11 -12
24 0 0 0 1 0 0 0 2 11 -12
31 0 0 0 1 1 0 2 1 5 4 21 24 22 24
32 1 0 0 2 1 0 2 3 5 3 22 23 24
$EndEntities
$Nodes
2 7 10 90
1 21 0 2
10
40
0 0 0
0 1 0
2 31 1 5
20
30
50
60
90
1 0 0 0 0
1 1 0 0 0
2 0 0 0 0
2 1 0 0 0
7 7 0 0 0
$EndNodes
$Elements
7 9 1 9
0 12 15 1
1 60
1 21 1 1
2 10 40
1 22 1 1
3 20 30
1 23 1 1
4 50 60
1 24 1 1
5 10 20
2 31 2 2
6 10 20 30
7 10 30 40
2 32 2 2
8 20 50 60
9 20 60 30
$EndElements
"""

# The same by gmsh in version 2.2, which repeats an element for each of its groups.
GMSH_22 = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
6
0 9 "tip"
1 2 "left wall"
1 4 "between"
2 1 "steel"
2 3 "copper"
2 5 "all"
$EndPhysicalNames
$Nodes
7
10 0 0 0
40 0 1 0
20 1 0 0
30 1 1 0
50 2 0 0
60 2 1 0
90 7 7 0
$EndNodes
$Elements
13
1 15 2 9 12 60
2 1 2 2 21 10 40
3 1 2 4 22 20 30
4 1 2 7 23 50 60
5 1 2 0 24 10 20
6 2 2 1 31 10 20 30
7 2 2 1 31 10 30 40
8 2 2 5 31 10 20 30
9 2 2 5 31 10 30 40
10 2 2 3 32 20 50 60
11 2 2 3 32 20 60 30
12 2 2 5 32 20 50 60
13 2 2 5 32 20 60 30
$EndElements
"""


@pytest.mark.parametrize("text", [GMSH_41, GMSH_22], ids=["4.1", "2.2"])
def test_physical_groups_of_gmsh(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.msh").write_text(text)
    mesh = read_mesh(tmp_path / "a.msh")
    assert (mesh.nelements, mesh.nvertices) == (4, 6)  # the node of no element is gone
    regions = {name: sorted(cells) for name, cells in mesh.subdomains.items()}
    assert regions == {"steel": [0, 1], "copper": [2, 3], "all": [0, 1, 2, 3]}
    assert set(mesh.boundaries) == {"left wall", "between", "7"}
    for name, x in {"left wall": 0.0, "between": 1.0, "7": 2.0}.items():
        assert area(mesh, name) == pytest.approx(1.0)
        assert np.all(mesh.p[0, mesh.facets[:, mesh.boundaries[name]]] == x)
    points = read_points(tmp_path / "a.msh")
    assert set(points) == {"tip"}
    assert points["tip"].tolist() == [2.0, 1.0]


@pytest.mark.parametrize("ending", ["22.msh", "22ascii.msh"])
def test_names_that_meshlane_writes_for_gmsh(ending: str, tmp_path: Path) -> None:
    points, cells = pieces("hexahedron")
    ends = [cells[:1, [0, 3, 7, 4]], cells[1:, [1, 2, 6, 5]]]
    file = meshlane.Mesh(
        points,
        [("quad", np.concatenate(ends)), ("hexahedron", cells)],
        cell_data={"gmsh:physical": [[1, 2], [8, 9]], "gmsh:geometrical": [[1, 2], [1, 2]]},
        field_data={"a": [1, 2], "b": [2, 2], "soft": [8, 3], "hard": [9, 3]},
    )
    mesh = read_mesh(save(tmp_path / "a.msh", file, **FORMATS[ending]))
    assert {n: c.tolist() for n, c in mesh.subdomains.items()} == {"soft": [0], "hard": [1]}
    assert [mesh.p[0, mesh.facets[:, mesh.boundaries[n]]].max() for n in "ab"] == [0.0, 2.0]


def test_binary_gmsh_41_is_read_as_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.msh").write_bytes(binary_41(GMSH_41))
    (tmp_path / "b.msh").write_text(GMSH_41)
    one, other = read_mesh(tmp_path / "a.msh"), read_mesh(tmp_path / "b.msh")
    assert np.array_equal(one.p, other.p)
    assert np.array_equal(one.t, other.t)
    for named in ("boundaries", "subdomains"):
        a, b = getattr(one, named), getattr(other, named)
        assert {n: x.tolist() for n, x in a.items()} == {n: x.tolist() for n, x in b.items()}


def binary_41(text: str) -> bytes:
    """Write a gmsh file in binary, by the table of its format."""
    out = b"$MeshFormat\n4.1 1 8\n" + np.int32(1).tobytes() + b"\n$EndMeshFormat\n"
    for part in text.split("$End")[1:-1]:
        name, body = part.split("$", 1)[1].split("\n", 1)
        if name == "PhysicalNames":
            packed = body.encode()
        else:
            lines = [line.split() for line in body.splitlines()]
            packed = b"".join(PACK[name](lines)) + b"\n"
        out += b"$" + name.encode() + b"\n" + packed + b"$End" + name.encode() + b"\n"
    return out


def pack(kinds: str, words: list[str]) -> bytes:
    """Pack numbers: i an int, s a size, d a double; the last kind repeats."""
    types = {"i": np.int32, "s": np.uint64, "d": np.float64}
    kinds += kinds[-1] * (len(words) - len(kinds))
    return b"".join(types[k](float(w)).tobytes() for k, w in zip(kinds, words, strict=False))


def pack_entities(lines: list[list[str]]) -> list[bytes]:
    found = [pack("s", lines[0])]
    for number, words in enumerate(lines[1:]):
        head = 4 if number < int(lines[0][0]) else 7
        groups = int(words[head])
        kinds = "i" + "d" * (head - 1) + "s" + "i" * groups + "s" + "i"
        found.append(pack(kinds, words))
    return found


def pack_nodes(lines: list[list[str]]) -> list[bytes]:
    found, at = [pack("s", lines[0])], 1
    while at < len(lines):
        count, wide = int(lines[at][3]), 3 + int(lines[at][0]) * int(lines[at][2])
        found.append(pack("iiis", lines[at]))
        found += [pack("s", words) for words in lines[at + 1 : at + 1 + count]]
        found += [pack("d", words) for words in lines[at + 1 + count : at + 1 + 2 * count]]
        assert all(len(w) == wide for w in lines[at + 1 + count : at + 1 + 2 * count])
        at += 1 + 2 * count
    return found


def pack_elements(lines: list[list[str]]) -> list[bytes]:
    found, at = [pack("s", lines[0])], 1
    while at < len(lines):
        count = int(lines[at][3])
        found.append(pack("iiis", lines[at]))
        found += [pack("s", words) for words in lines[at + 1 : at + 1 + count]]
        at += 1 + count
    return found


PACK = {"Entities": pack_entities, "Nodes": pack_nodes, "Elements": pack_elements}


# Abaqus --------------------------------------------------------------------------------------

# As Abaqus/CAE writes it: a part of two cubes, an instance of it that is moved, a reference
# point that is node 1 again, and a surface by way of an internal set.
CAE = """*Heading
** Job name: Job-1 Model name: Model-1
*Preprint, echo=NO
*Part, name=Beam
*Node
      1,           0.,           0.,           0.
      2,           1.,           0.,           0.
      3,           1.,           1.,           0.
      4,           0.,           1.,           0.
      5,           0.,           0.,           1.
      6,           1.,           0.,           1.
      7,           1.,           1.,           1.
      8,           0.,           1.,           1.
     12,           2.,           0.,           0.
     13,           2.,           1.,           0.
     16,           2.,           0.,           1.
     17,           2.,           1.,           1.
*Element, type=C3D8R
1, 1, 2, 3, 4, 5, 6, 7, 8
7, 2, 12, 13, 3, 6, 16,
 17, 7
*Elset, elset=Soft
 1,
*Elset, elset=Hard, generate
  7,  9,  2
*Nset, nset=Ends, generate
 1, 8, 1
** Section: Section-1
*Solid Section, elset=Soft, material=Material-1
,
*End Part
*Assembly, name=Assembly
*Instance, name=Beam-1, part=Beam
         10.,           0.,           0.
*End Instance
*Node
      1,          99.,          99.,          99.
*Nset, nset=RP
 1,
*Nset, nset=Wall, instance=Beam-1
 1, 4, 5, 8
*Nset, nset=Tip, instance=Beam-1
 17,
*Nset, nset=Edge, instance=Beam-1
 12, 16
*Elset, elset=_Load_S4, internal, instance=Beam-1
 7,
*Surface, type=ELEMENT, name=Load
_Load_S4, S4
*Surface, type=NODE, name=WallToo
Wall, 1.
*Surface, type=ELEMENT, name=Skin
soft,
*Surface, type=NODE, name=Coupled
RP,
*Surface, type=ELEMENT, name=Both, combine=UNION
Load, Skin
*End Assembly
*Step, name=Step-1
*Static
*End Step
"""


def test_sets_and_surfaces_of_abaqus(tmp_path: Path) -> None:
    (tmp_path / "Job-1.inp").write_text(CAE)
    mesh = read_mesh(tmp_path / "Job-1.inp")
    assert volume(mesh) == pytest.approx(2.0)
    assert (mesh.p[0].min(), mesh.p[0].max()) == (10.0, 12.0)
    regions = {name: cells.tolist() for name, cells in mesh.subdomains.items()}
    assert regions == {"Soft": [0], "Hard": [1]}
    areas = {name: area(mesh, name) for name in mesh.boundaries}
    assert areas == pytest.approx(
        {"Ends": 5.0, "Wall": 1.0, "Load": 1.0, "WallToo": 1.0, "Skin": 5.0}
    )
    assert np.all(mesh.p[0, mesh.facets[:, mesh.boundaries["Load"]]] == 12.0)
    points = read_points(tmp_path / "Job-1.inp")
    assert set(points) == {"Tip", "Edge"}
    assert points["Tip"].tolist() == [12.0, 1.0, 1.0]
    assert points["Edge"].tolist() == [[12.0, 0.0, 0.0], [12.0, 0.0, 1.0]]


# Plane strain, a surface of element faces by number, sets of sets, names in any capitals.
PLANE = """*NODE, NSET=NALL
1, 0., 0.
2, 1., 0.
3, 1., 1.
4, 0., 1.
5, 2., 0.
6, 2., 1.
*ELEMENT, TYPE={kind}, ELSET=Left
1, {one}
*ELEMENT, TYPE={kind}, ELSET=Right
2, {two}
*ELSET, ELSET=Both
left, RIGHT
*NSET, NSET=Pair
1, 4
*NSET, NSET=More
pair, 2
*SURFACE, NAME=End
2, {face}
*ELEMENT, TYPE=SPRINGA, ELSET=Springs
9, 1, 5
"""


@pytest.mark.parametrize(
    ("one", "two", "face"), [("1, 2, 3, 4", "2, 5, 6, 3", "S2"), ("4, 3, 2, 1", "3, 6, 5, 2", "S2")]
)
def test_plane_abaqus_mesh_is_turned_where_it_runs_clockwise(
    one: str, two: str, face: str, tmp_path: Path
) -> None:
    (tmp_path / "a.inp").write_text(PLANE.format(kind="CPE4", one=one, two=two, face=face))
    mesh = read_mesh(tmp_path / "a.inp")
    assert type(mesh) is skfem.MeshQuad
    assert np.all(mesh.mapping().detDF(np.full((2, 1), 0.5)) > 0)
    regions = {name: cells.tolist() for name, cells in mesh.subdomains.items()}
    assert regions == {"Left": [0], "Right": [1], "Both": [0, 1]}
    areas = {name: area(mesh, name) for name in mesh.boundaries}
    assert areas == pytest.approx({"End": 1.0, "NALL": 6.0, "Pair": 1.0, "More": 2.0})
    assert np.all(mesh.p[0, mesh.facets[:, mesh.boundaries["End"]]] == 2.0)


def test_an_included_file_is_read(tmp_path: Path) -> None:
    text = PLANE.format(kind="CPS4R", one="1, 2, 3, 4", two="2, 5, 6, 3", face="S2")
    (tmp_path / "mesh.inp").write_text(text)
    (tmp_path / "job.inp").write_text("*HEADING\nA job\n*INCLUDE, INPUT=mesh.inp\n*STEP\n")
    assert set(read_mesh(tmp_path / "job.inp").boundaries) == {"End", "NALL", "Pair", "More"}


def test_skins_of_shells_are_boundaries(tmp_path: Path) -> None:
    points, cells = pieces("hexahedron", 1)
    file = meshlane.Mesh(
        points,
        [("hexahedron", cells), ("quad", cells[:, [0, 3, 7, 4]])],
        cell_sets={"skin": [np.array([], int), np.array([0])]},
    )
    mesh = read_mesh(save(tmp_path / "a.inp", file))
    assert area(mesh, "skin") == pytest.approx(1.0)
    assert mesh.subdomains is None


# VTK -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["vtu", "vtk", "old.vtk"])
def test_cell_data_of_vtk_are_regions_and_a_box_gets_its_sides(ending: str, tmp_path: Path) -> None:
    points, cells = pieces("hexahedron", 3)
    file = meshlane.Mesh(
        points,
        [("hexahedron", cells)],
        cell_data={"stress": [[0.5, 1.0, 2.0]], "Material": [np.array([4, 2, 4])]},
    )
    mesh = read_mesh(save(tmp_path / f"a.{ending}", file, **FORMATS[ending]))
    assert {n: c.tolist() for n, c in mesh.subdomains.items()} == {"2": [1], "4": [0, 2]}
    areas = {name: area(mesh, name) for name in mesh.boundaries}
    sides = {"left": 1.0, "right": 1.0, "bottom": 3.0, "top": 3.0, "front": 3.0, "back": 3.0}
    assert areas == pytest.approx(sides)


@pytest.mark.parametrize("number", ["uint8", "int32", "int64", "float32"])
@pytest.mark.parametrize(("ending", "binary"), [("vtk", True), ("vtk", False), ("vtu", True)])
def test_files_that_vtk_writes(ending: str, binary: bool, number: str, tmp_path: Path) -> None:
    import pyvista

    points, cells = pieces("hexahedron20", 3, curved=True)
    grid = pyvista.UnstructuredGrid({pyvista.CellType.QUADRATIC_HEXAHEDRON: cells}, points)
    grid.cell_data["size"] = np.array([0.5, 1.0, 2.0])
    grid.cell_data["material"] = np.array([4, 2, 4], number)
    grid.point_data["place"] = points
    grid.save(tmp_path / f"a.{ending}", binary=binary)
    mesh = read_mesh(tmp_path / f"a.{ending}")
    assert volume(mesh) == pytest.approx(3.0)
    assert {n: c.tolist() for n, c in mesh.subdomains.items()} == {"2": [1], "4": [0, 2]}


OLD_VTK = """# vtk DataFile Version 3.0
two pixels
ASCII
DATASET UNSTRUCTURED_GRID
POINTS 6 float
0 0 0 1 0 0 2 0 0
0 1 0 1 1 0 2 1 0
CELLS 2 10
4 0 1 3 4
4 1 2 4 5
CELL_TYPES 2
8 8
CELL_DATA 2
FIELD FieldData 2
stress 3 2 double
1 2 3 4 5 6
Region 1 2 vtkIdType
7 8
"""


def test_pixels_and_fields_of_an_old_vtk_file(tmp_path: Path) -> None:
    (tmp_path / "a.vtk").write_text(OLD_VTK)
    mesh = read_mesh(tmp_path / "a.vtk")
    assert volume(mesh) == pytest.approx(2.0)
    assert {n: c.tolist() for n, c in mesh.subdomains.items()} == {"7": [0], "8": [1]}


def test_a_body_that_is_no_box_gets_no_sides(tmp_path: Path) -> None:
    points, cells = pieces("quad", 2)
    points[points[:, 0] == 2, 1] *= 2
    mesh = read_mesh(save(tmp_path / "a.vtu", meshlane.Mesh(points, [("quad", cells)])))
    assert mesh.boundaries is None


# Bad input -----------------------------------------------------------------------------------


def mixed(path: Path) -> Path:
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0]], float)
    cells = [("quad", [[0, 1, 2, 3]]), ("triangle", [[1, 4, 2]])]
    return save(path / "a.vtu", meshlane.Mesh(points, cells))


def turned(kind: str, which: list[int], order: list[int]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        points, cells = pieces(kind, 4)
        cells[which] = cells[which][:, order]
        return save(path / "a.vtu", meshlane.Mesh(points, [(kind, cells)]))

    return make


def moved(place: tuple[float, ...], shift: tuple[float, ...], kind: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        points, cells = pieces(kind)
        points[np.all(points == place, axis=1)] += shift
        return save(path / "a.vtu", meshlane.Mesh(points, [(kind, cells)]))

    return make


def written(text: str, name: str = "a.inp") -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        (path / name).write_text(text)
        return path / name

    return make


def of_kind(kind: str, nodes: int) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        points = np.random.default_rng(0).random((nodes, 3))
        return save(path / "a.vtu", meshlane.Mesh(points, [(kind, [list(range(nodes))])]))

    return make


def in_pieces(path: Path) -> Path:
    whole = save(path / "a.vtu", meshlane.Mesh(*one_quad())).read_text()
    start, end = whole.index("<Piece"), whole.index("</Piece>") + len("</Piece>")
    (path / "a.vtu").write_text(whole[:end] + whole[start:end] + whole[end:])
    return path / "a.vtu"


def one_quad() -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    points, cells = pieces("quad", 1)
    return points, [("quad", cells)]


GOOD = PLANE.format(kind="CPE4", one="1, 2, 3, 4", two="2, 5, 6, 3", face="S2")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path / "gone.msh", "gone.msh' is not there"),
        (lambda path: path / "a.mesh", "(.msh, .inp, .vtu, .vtk)"),
        (lambda path: path / "a.mash", "did you mean '.msh'?"),
        (lambda path: None, "`path` must be a mesh file, but is None"),
        (written(""), "is empty"),
        (written("", "a.msh"), "is empty"),
        (written("*HEADING\n"), "has no nodes"),
        (written("*NODE\n1, 0., 0.\n"), "has no elements"),
        (written("hello\n"), "damaged (it must begin with a keyword)"),
        (written(GOOD.replace("1., 1.", "1., one")), "damaged (*Node of line 1)"),
        (written(GOOD.replace("2, 5, 6, 3", "2, 5, 6")), "damaged (*Element of line 10)"),
        (written(GOOD.replace("2, 5, 6, 3", "2, 5, 6, 33")), "element 2 has node 33"),
        (written(GOOD.replace("2, 5, 6, 3", "2, 5, 6, 3, 4")), "damaged (*Element of line 10)"),
        (written(GOOD.replace("CPE4", "C3D6")), "elements of type C3D6 in line 8"),
        (written(GOOD.replace("pair, 2", "pear, 2")), "did you mean 'PAIR'?"),
        (written(GOOD.replace("2, S2", "2, S5")), "faces S1 to S4 of its elements"),
        (written(GOOD.replace("pair, 2", "more, 2")), "a set is part of itself"),
        (written(CAE.replace("*End Part", "")), "*Part has no end"),
        (written(GOOD + "*NGEN\n1, 4\n"), "made by *NGEN in line 22"),
        (written(GOOD + "*INCLUDE, INPUT=b.inp\n"), "b.inp' in line 22"),
        (
            written(CAE.replace("*Assembly,", "*Part, name=B\n*End Part\n*Assembly,")),
            "has Beam and B",
        ),
        (written(CAE.replace("10.,  ", "0, 0, 0\n0, 0, 0, 1, 0, 0, 90\n**")), "turns its instance"),
        (written(GMSH_41[:-30], "a.msh"), "damaged ($Elements is not closed)"),
        (written(GMSH_41.replace("8 20 50 60\n", ""), "a.msh"), "a section ends too early"),
        (written(GMSH_41.replace("8 20 50 60", "8 20 50 61"), "a.msh"), "there is no node 61"),
        (written(GMSH_22.replace("31 10 20 30\n", "31 10 20\n"), "a.msh"), "element 6 has 2 nodes"),
        (written(GMSH_41.replace("4.1 0 8", "4.0 0 8"), "a.msh"), "has version 4.0"),
        (written(GMSH_41.replace("2 32 2 2", "2 32 99 2"), "a.msh"), "elements of gmsh type 99"),
        (written(GMSH_41.replace("Entities", "PartitionedEntities"), "a.msh"), "in partitions"),
        (
            written(GMSH_41.replace("2 1 0 0 0\n7", "2 nan 0 0 0\n7"), "a.msh"),
            "coordinates are not finite",
        ),
        (written("<VTKFile", "a.vtu"), "must be a whole VTK file"),
        (written("# vtk DataFile Version 5.1\n", "a.vtk"), "damaged (no points)"),
        (written(OLD_VTK.replace("2 1 0\nC", "2 1\nC"), "a.vtk"), "must be a whole VTK file"),
        (written(OLD_VTK.replace("8 8", "8 13"), "a.vtk"), "elements of VTK type 13"),
        (written(OLD_VTK.replace("8 8", "8 5"), "a.vtk"), "must be a whole VTK file"),
        (written(OLD_VTK.replace("UNSTR", "STR"), "a.vtk"), "holds STRUCTURED_GRID; convert"),
        (written(OLD_VTK.replace("4 1 2 4 5", "4 1 2 4 6"), "a.vtk"), "nodes that are not there"),
        (in_pieces, "in one piece, but"),
        (mixed, "holds 1 of quad and 1 of triangle"),
        (of_kind("wedge", 6), "elements of kind wedge"),
        (of_kind("triangle", 3), "a surface from z ="),
        (of_kind("line", 2), "holds 1 of line"),
        (turned("quad", [1, 2], [0, 3, 2, 1]), "element 1 at (1.5, 0.5) turns the other way (2 of"),
        (turned("quad", [0, 1, 2], [0, 3, 2, 1]), "element 3 at (3.5, 0.5) turns the other way;"),
        (
            turned("hexahedron", [2], [4, 5, 6, 7, 0, 1, 2, 3]),
            "element 2 at (2.5, 0.5, 0.5) is inv",
        ),
        (turned("hexahedron", [1, 2], [4, 5, 6, 7, 0, 1, 2, 3]), "is inverted (2 of 4)"),
        (turned("tetra", [3], [0, 2, 1, 3]), "element 3 at"),
        (turned("quad", [1], [0, 1, 1, 0]), "element 1 at (1.5, 0) has no volume"),
        (moved((1, 0, 0), (-0.8, 0.9, 0), "quad"), "is inverted"),
        (moved((1, 1, 1), (0, 0, -1.5), "hexahedron"), "is inverted (2 of 2)"),
        (moved((0.5, 0.5, 0), (0.4, 0.6, 0), "triangle6"), "element 0 at"),
    ],
)
def test_files_that_are_refused(
    make: Callable[[Path], Path], told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = make(tmp_path)
    with pytest.raises(InputError) as caught:
        read_mesh(file)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.msh", "b.msh", "c.inp", "d.vtu", "e.vtk"])
def test_a_file_cut_anywhere_is_refused_or_read_whole(name: str, tmp_path: Path) -> None:
    text = {"a.msh": GMSH_41, "b.msh": GMSH_22, "c.inp": CAE}
    if name in text:
        whole = text[name].encode()
    else:
        points, cells = pieces("hexahedron", 2)
        whole = save(tmp_path / name, meshlane.Mesh(points, [("hexahedron", cells)])).read_bytes()
    count = 2 if name > "c" else 4
    for cut in np.linspace(1, len(whole) - 1, 60).astype(int):
        (tmp_path / name).write_bytes(whole[:cut])
        with contextlib.suppress(InputError):
            # text can be cut after the last element, where only names are lost
            assert read_mesh(tmp_path / name).nelements == (2 if "inp" in name else count)
