"""Material cards: read back number by number, and by CalculiX where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge import tensors
from scalebridge.cli import main
from scalebridge.errors import InputError
from scalebridge.study.cards import FORMATS, material_card

NUMBER = re.compile(r"[-+]?\d\.\d+E[-+]\d+")
SHEAR = {"abaqus": "12 13 23", "calculix": "12 13 23"} | dict.fromkeys(
    ("ansys", "nastran", "lsdyna"), "12 23 13"
)


def random_stiffness(seed):
    A = np.random.default_rng(seed).normal(size=(6, 6))
    return A @ A.T + np.eye(6)


def positions(format):
    """Where each number of a card stands in the matrix of the program, written by hand."""
    if format in ("abaqus", "calculix", "lsdyna"):  # 11; 12 22; 13 23 33; …
        return [(i, j) for j in range(6) for i in range(j + 1)]
    return [(i, j) for i in range(6) for j in range(i, 6)]  # 11 12 … 16; 22 …; of a symmetric one


def tensor_of(card, format):
    """The stiffness as C_ijkl, from the numbers of the card and the order of its comments."""
    numbers = [float(word) for word in NUMBER.findall(card)]
    numbers = numbers[1:22] if format == "lsdyna" else numbers[:21]  # density comes first
    pairs = [(0, 0), (1, 1), (2, 2), *(tuple(int(d) - 1 for d in p) for p in SHEAR[format].split())]
    C = np.zeros((3, 3, 3, 3))
    for value, (a, b) in zip(numbers, positions(format), strict=True):
        for p, q in ((a, b), (b, a)):
            for i, j in {pairs[p], pairs[p][::-1]}:
                for k, m in {pairs[q], pairs[q][::-1]}:
                    C[i, j, k, m] = value
    return C


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_stiffness_is_read_back(format, seed):
    C = random_stiffness(seed)
    card = material_card(C, format, density=1.5 if format == "lsdyna" else None)
    found = tensors.to_mandel4(tensor_of(card, format))
    # Nine digits at least.
    np.testing.assert_allclose(found, C, rtol=0, atol=1e-8 * np.abs(C).max())


@pytest.mark.parametrize("format", FORMATS)
def test_conductivity_is_read_back(format):
    k = np.diag([1.5, 2.5, 3.5])
    if format in ("abaqus", "calculix", "nastran"):
        k[0, 2] = k[2, 0] = -0.25
    numbers = [float(w) for w in NUMBER.findall(material_card(k, format, kind="conductivity"))]
    order = {"nastran": [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]}.get(
        format, [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]
    )
    if format in ("ansys", "lsdyna"):
        order = [(0, 0), (1, 1), (2, 2)]
    assert numbers == [k[place] for place in order]


def test_lines_fit_their_formats():
    C = random_stiffness(0)
    for line in material_card(C, "nastran", density=1.0).splitlines()[1:]:
        assert len(line) <= 72
        assert (len(line) - 8) % 16 == 0
    dyna = material_card(C, "lsdyna", density=1.0).splitlines()
    assert [len(line.split(",")) for line in dyna[3:]] == [8, 8, 8, 6, 6]
    assert all(line.count(",") <= 8 for line in material_card(C, "abaqus").splitlines())
    ansys = material_card(C, "ansys").splitlines()
    assert [line.count(",") - 1 for line in ansys if line.startswith("TBDATA")] == [6, 6, 6, 3]


CORNERS = [(x, y, z) for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]


def deck(card, strain):
    """A cube of one element under an affine displacement."""
    lines = ["*NODE", *(f"{n},{x},{y},{z}" for n, (x, y, z) in enumerate(CORNERS, 1))]
    lines += ["*ELEMENT,TYPE=C3D8,ELSET=ALL", "1,1,2,3,4,5,6,7,8", card.rstrip()]
    lines += ["*SOLID SECTION,ELSET=ALL,MATERIAL=RVE", "*STEP", "*STATIC", "*BOUNDARY"]
    for (n, x), j in product(enumerate(CORNERS, 1), range(3)):
        lines.append(f"{n},{j + 1},{j + 1},{strain[j] @ np.array(x, float):.12e}")
    return "\n".join([*lines, "*EL PRINT,ELSET=ALL", "S", "*END STEP", ""])


@pytest.mark.skipif(shutil.which("ccx") is None, reason="CalculiX (Debian: calculix-ccx) is absent")
def test_calculix_under_the_six_strain_states(tmp_path: Path):
    """The stress that CalculiX finds is C ε, in the order of its components xx yy zz xy xz yz."""
    C, size = random_stiffness(1), 1e-6  # so small that its finite strains are small strains
    card = material_card(C, "calculix", name="RVE")
    found = np.empty((6, 6))
    for case, unit in enumerate(np.eye(6)):
        (tmp_path / "cube.inp").write_text(deck(card, size * tensors.from_mandel(unit)))
        subprocess.run(["ccx", "cube"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
        rows = [line.split() for line in (tmp_path / "cube.dat").read_text().splitlines()]
        points = np.array([row[2:8] for row in rows if len(row) == 8], float)
        assert len(points) == 8  # integration points
        xx, yy, zz, xy, xz, yz = points.mean(axis=0) / size
        found[:, case] = tensors.to_mandel(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    # CalculiX prints seven digits; its strains are Green's, off by half the size of the strain.
    np.testing.assert_allclose(found, C, rtol=0, atol=2e-6 * np.abs(C).max())


def test_cards_of_a_run(tmp_path, capsys):
    """From the command line: the tensors of a folder of results, one or all."""
    np.save(tmp_path / "layers.npy", np.repeat([0, 1], 4)[:, None, None] * np.ones((1, 3, 3), int))
    phases = ["--phase", "a=0,k=1,E=1,nu=0.3", "--phase", "b=1,k=2,E=2,nu=0.3"]
    out = str(tmp_path / "out")
    words = [str(tmp_path / "layers.npy"), "--spacing", "1", *phases, "--no-fields", "--out", out]
    assert main(["homogenize", *words, "--quiet"]) == 0
    capsys.readouterr()
    assert main(["card", out, "--format", "nastran", "--result", "conduction"]) == 0
    numbers = [float(word) for word in NUMBER.findall(capsys.readouterr().out)]
    np.testing.assert_allclose(numbers, [4 / 3, 0, 0, 1.5, 0, 1.5], atol=1e-6)
    assert main(["card", out, "--format", "calculix", "--name", "PLY"]) == 0
    told = capsys.readouterr().out
    assert told.count("*MATERIAL, NAME=PLY") == 2
    assert "*ELASTIC" in told
    assert "*CONDUCTIVITY" in told
    for more, message in (
        (["--format", "abacus"], "--format must be one of"),
        (["--format", "ansys", "--result", "heat"], "--result must be one of"),
        (["--format", "lsdyna"], "--density must be given for LS-DYNA"),
    ):
        assert main(["card", out, *more]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert message in error
        assert error.count("\n") == 1


def test_refused():
    with pytest.raises(InputError, match=r"`format` must be one of .* \(did you mean 'abaqus'\?\)"):
        material_card(np.eye(6), "abacus")
    with pytest.raises(InputError, match="finite stiffness of shape"):
        material_card(np.eye(3), "abaqus")
    with pytest.raises(InputError, match="positive definite stiffness, but the smallest eigenval"):
        material_card(np.diag([1.0, 1, 1, 1, 1, 0]), "nastran")
    with pytest.raises(
        InputError, match=r"no place for off-diagonal conductivities, but one is 0\.5"
    ):
        material_card(np.eye(3) + 0.5 * np.eye(3)[[1, 0, 2]], "ansys", kind="conductivity")
    with pytest.raises(InputError, match="`density` must be given for LS-DYNA"):
        material_card(np.eye(6), "lsdyna")
    with pytest.raises(InputError, match="`kind` must be 'stiffness' or 'conductivity'"):
        material_card(np.eye(6), "abaqus", kind="compliance")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({"density": rho}, "`density` must be a number > 0, but is")
            for rho in (0, -1.0, np.inf, np.nan, "light", True)
        ),
        *(
            ({"number": n}, "`number` must be a whole number ≥ 1, but is")
            for n in (0, -3, 1.5, "2", None, True)
        ),
        *(
            ({"name": name}, "`name` must be one line without commas that does not begin with")
            for name in ("", "  ", "a\nb", "a\rb", "a, b", "*STEP", " $x", "!x", 3, None)
        ),
        *(
            ({"tensor": C}, "`tensor` must be a matrix of real numbers, but is")
            for C in ("steel", None, [[1, 2], [3]], np.eye(6) * 1j, np.eye(6).astype(str))
        ),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_what_would_spoil_the_card_is_refused(format, options, message):
    told = {"tensor": np.eye(6), "format": format, "density": 1.0} | options
    with pytest.raises(InputError, match=message):
        material_card(**told)


def test_whole_numbers_of_numpy_and_names_with_signs_are_welcome():
    card = material_card(np.eye(6, dtype=int), "ansys", number=np.int64(7), density=np.float32(2))
    assert "TB,ANEL,7" in card
    assert "NAME=PLY-0/90*2" in material_card(np.eye(6), "abaqus", name="PLY-0/90*2")
