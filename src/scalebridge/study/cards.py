"""Effective tensors as material cards of finite element programs.

Every program numbers the shear components its own way. Ours, in tensors, is 23, 13, 12.

========== ======================================= ==========================
format     stiffness                               conductivity
========== ======================================= ==========================
abaqus     ``*ELASTIC, TYPE=ANISOTROPIC``          ``*CONDUCTIVITY, TYPE=ANISO``
calculix   ``*ELASTIC, TYPE=ANISO``                ``*CONDUCTIVITY, TYPE=ANISO``
ansys      ``TB,ANEL`` in stiffness form           ``MP,KXX`` …
nastran    ``MAT9``                                ``MAT5``
lsdyna     ``*MAT_ANISOTROPIC_ELASTIC`` (002)      ``*MAT_THERMAL_ORTHOTROPIC``
========== ======================================= ==========================
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.study.results import read_results
from scalebridge.tensors import stiffness_to_voigt

Floats = NDArray[np.float64]
_SMALL = 1e-6  # of the largest entry: off-diagonals that a format without them may drop

# Where 11, 22, 33 and the program's shear components stand in Voigt's 11, 22, 33, 23, 13, 12.
_ORDER = {
    "abaqus": [0, 1, 2, 5, 4, 3],  # 12, 13, 23
    "calculix": [0, 1, 2, 5, 4, 3],
    "ansys": [0, 1, 2, 5, 3, 4],  # xy, yz, xz
    "nastran": [0, 1, 2, 5, 3, 4],
    "lsdyna": [0, 1, 2, 5, 3, 4],
}
FORMATS = tuple(_ORDER)


def material_card(
    tensor: ArrayLike,
    format: str,
    *,
    kind: str = "stiffness",
    name: str = "effective",
    number: int = 1,
    density: float | None = None,
) -> str:
    """Return a material card.

    Parameters
    ----------
    tensor : (6, 6) or (3, 3)
        Stiffness in Mandel components, or conductivity, in three dimensions.
    format : "abaqus", "calculix", "ansys", "nastran" or "lsdyna"
    kind : "stiffness" or "conductivity"
    name : str
        Of the material, for programs that name them: one line without commas that does not
        begin like a comment or a keyword, by ``*``, ``$`` or ``!``.
    number : int
        Of the material, for programs that number them; 1 or more.
    density : float, optional
        Positive. Written where the format has a place for it. LS-DYNA asks for one.

    Raises
    ------
    InputError
        An unknown format, a name, number or density that no card can hold; a tensor of another
        shape, or not positive definite; off-diagonal
        conductivities, beyond 1e-6 of the largest entry, for Ansys and LS-DYNA, which have
        no place for them: turn the material to its principal axes.

    Notes
    -----
    Units are those of the tensor.

    Examples
    --------
    >>> import numpy as np
    >>> print(material_card(np.diag([1.0, 2.0, 3.0]), "nastran", kind="conductivity"))
    $ conductivity of effective
    MAT5*                  1  1.00000000E+00  0.00000000E+00  0.00000000E+00
    *         2.00000000E+00  0.00000000E+00  3.00000000E+00
    <BLANKLINE>
    """
    if format not in FORMATS:
        raise InputError(
            f"`format` must be one of {list(FORMATS)}, but is {format!r}"
            f"{did_you_mean(format, FORMATS)}"
        )
    if kind not in ("stiffness", "conductivity"):
        raise InputError(f"`kind` must be 'stiffness' or 'conductivity', but is {kind!r}")
    number = _check_words(name, number, density)
    size = 6 if kind == "stiffness" else 3
    matrix = _numbers(tensor)
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise InputError(
            f"a card needs a finite {kind} of shape ({size}, {size}), but the tensor has shape "
            f"{matrix.shape}; in 2D take plane='generalized', or a 3D image"
        )
    matrix = 0.5 * (matrix + matrix.T)
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        raise InputError(
            f"a card needs a positive definite {kind}, but the smallest eigenvalue is "
            f"{np.linalg.eigvalsh(matrix)[0]:.3g}; a medium that does not percolate has no card"
        )
    if kind == "conductivity":
        return _CONDUCTIVITY[format](matrix, name, number)
    order = _ORDER[format]
    voigt = np.asarray(stiffness_to_voigt(matrix))[np.ix_(order, order)]
    return _STIFFNESS[format](voigt, name, number, density)


def _check_words(name: Any, number: Any, density: Any) -> int:
    """Refuse what would make another card of it; return the number."""
    line = name.strip() if isinstance(name, str) else ""
    if not line or len(name.splitlines()) > 1 or "," in line or line[0] in "*$!":
        raise InputError(
            "`name` must be one line without commas that does not begin with *, $ or !, but is "
            f"{name!r}; e.g. 'effective'"
        )
    try:
        whole = 0 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        whole = 0
    if whole < 1:
        raise InputError(f"`number` must be a whole number ≥ 1, but is {number!r}; e.g. 1")
    try:
        mass = 1.0 if density is None else float(density)
    except (TypeError, ValueError):
        mass = math.nan
    if isinstance(density, str | bool) or not 0 < mass < math.inf:
        raise InputError(
            f"`density` must be a number > 0, but is {density!r}; give it in the units of the model"
        )
    return whole


def _numbers(tensor: Any) -> Floats:
    try:
        values = np.asarray(tensor)
    except ValueError:
        values = np.asarray(None)  # rows of different length
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"`tensor` must be a matrix of real numbers, but is {type(tensor).__name__} of "
            f"{values.dtype}; give e.g. sb.effective(cell).tensor"
        )
    return values.astype(float)


def cards_of_results(
    path: str | Path, format: str, *, result: str | None = None, **options: Any
) -> str:
    """Return the cards of the effective tensors in a folder of results, or in its file.

    Parameters
    ----------
    path : str or Path
        A folder that a run has written, or its ``results.vtkhdf``.
    format : str
    result : str, optional
        Which of its tensors; all by default.
    **options
        Of `material_card`: name, number, density.

    Raises
    ------
    InputError
        No results there, a result that is not known, or one without a card.
    """
    place = Path(path)
    provenance = read_results(place / "results.vtkhdf" if place.is_dir() else place).provenance
    found = provenance.get("results", {})
    if result is not None and result not in found:
        raise InputError(
            f"`result` must be one of {list(found)}, but is {result!r}{did_you_mean(result, found)}"
        )
    cards = []
    for name in [result] if result is not None else found:
        told = found[name]
        if not (told["evidence"]["complete"] and told["evidence"]["converged"]):
            raise InputError(f"result {name!r} is not complete and converged; solve it again")
        kind = "conductivity" if told["components"][0] == "1" else "stiffness"
        cards.append(material_card(told["tensor"], format, kind=kind, **options))
    return "".join(cards)


def _lines(values: Sequence[float], count: int) -> str:
    """Return numbers, `count` in a line, with commas between them."""
    words = [f"{value:.9E}" for value in values]
    rows = [", ".join(words[i : i + count]) for i in range(0, len(words), count)]
    return ",\n".join(rows) + "\n"


def _upper_by_columns(C: Floats) -> list[float]:
    """Return C11, C12, C22, C13, C23, C33, …: the upper triangle column by column."""
    return [float(C[i, j]) for j in range(len(C)) for i in range(j + 1)]


def _abaqus(word: str) -> Callable[[Floats, str, int, float | None], str]:
    def card(C: Floats, name: str, number: int, density: float | None) -> str:
        mass = "" if density is None else f"*DENSITY\n{density:.9E}\n"
        return (
            f"** stiffness, shear order 12 13 23\n*MATERIAL, NAME={name}\n{mass}"
            f"*ELASTIC, TYPE={word}\n{_lines(_upper_by_columns(C), 8)}"
        )

    return card


def _abaqus_conductivity(k: Floats, name: str, number: int) -> str:
    return (
        f"** conductivity 11 12 22 13 23 33\n*MATERIAL, NAME={name}\n"
        f"*CONDUCTIVITY, TYPE=ANISO\n{_lines(_upper_by_columns(k), 6)}"
    )


def _ansys(C: Floats, name: str, number: int, density: float | None) -> str:
    values = [float(C[i, j]) for j in range(6) for i in range(j, 6)]  # the lower triangle
    rows = [
        f"TBDATA,{start + 1}," + ",".join(f"{v:.9E}" for v in values[start : start + 6])
        for start in range(0, 21, 6)
    ]
    mass = [] if density is None else [f"MP,DENS,{number},{density:.9E}"]
    head = f"! stiffness of {name}, shear order xy yz xz"
    return "\n".join([head, *mass, f"TB,ANEL,{number},1,21,0", *rows, ""])


def _ansys_conductivity(k: Floats, name: str, number: int) -> str:
    values = _principal(k)
    rows = [f"MP,K{a}{a},{number},{v:.9E}" for a, v in zip("XYZ", values, strict=True)]
    return "\n".join([f"! conductivity of {name}", *rows, ""])


def _nastran_fields(keyword: str, number: int, values: Sequence[float | None]) -> str:
    """Return a bulk data entry in large fields of sixteen characters, four in a line."""
    words = [f"{number:16d}", *(" " * 16 if v is None else f"{v:16.8E}" for v in values)]
    lines = ["".join(words[i : i + 4]).rstrip() for i in range(0, len(words), 4)]
    return "\n".join(
        [f"{keyword + '*':8}{lines[0]}", *(f"{'*':8}{line}" for line in lines[1:]), ""]
    )


def _nastran(C: Floats, name: str, number: int, density: float | None) -> str:
    values: list[float | None] = [float(C[i, j]) for i in range(6) for j in range(i, 6)]
    head = f"$ stiffness of {name}, shear order xy yz zx\n"
    return head + _nastran_fields("MAT9", number, [*values, density])


def _nastran_conductivity(k: Floats, name: str, number: int) -> str:
    values = [float(k[i, j]) for i in range(3) for j in range(i, 3)]
    return f"$ conductivity of {name}\n" + _nastran_fields("MAT5", number, values)


def _lsdyna(C: Floats, name: str, number: int, density: float | None) -> str:
    if density is None:
        raise InputError("`density` must be given for LS-DYNA, whose materials have mass")
    # With commas, since ten characters a field hold four digits; AOPT = 2 with the global axes.
    words = [str(number), *(f"{v:.9E}" for v in (density, *_upper_by_columns(C))), "2.0"]
    rows = [",".join(words[i : i + 8]) for i in range(0, 24, 8)]
    head = ["$ stiffness, shear order xy yz zx", "*MAT_ANISOTROPIC_ELASTIC_TITLE", name]
    return "\n".join([*head, *rows, "0,0,0,1,0,0", "0,0,0,0,1,0", ""])


def _lsdyna_conductivity(k: Floats, name: str, number: int) -> str:
    values = ",".join(f"{v:.9E}" for v in _principal(k))
    return "\n".join(
        [
            f"$ conductivity of {name}; density (field 2) and heat capacity (1.0 here) are yours",
            "*MAT_THERMAL_ORTHOTROPIC_TITLE",
            name,
            f"{number},0.0,0.0,0.0,2.0",
            f"1.0,{values}",
            "0,0,0,1,0,0",
            "0,1,0",
            "",
        ]
    )


def _principal(k: Floats) -> Floats:
    """Return the diagonal, refusing off-diagonals for which a format has no place."""
    off = np.abs(k - np.diag(np.diag(k))).max()
    if off > _SMALL * k.max():
        raise InputError(
            f"this format has no place for off-diagonal conductivities, but one is {off:.3g} "
            f"(largest entry {k.max():.3g}); turn the image to its principal axes, or take "
            "abaqus, calculix or nastran"
        )
    return np.diag(k)


_STIFFNESS: dict[str, Callable[[Floats, str, int, float | None], str]] = {
    "abaqus": _abaqus("ANISOTROPIC"),
    "calculix": _abaqus("ANISO"),
    "ansys": _ansys,
    "nastran": _nastran,
    "lsdyna": _lsdyna,
}
_CONDUCTIVITY: dict[str, Callable[[Floats, str, int], str]] = {
    "abaqus": _abaqus_conductivity,
    "calculix": _abaqus_conductivity,
    "ansys": _ansys_conductivity,
    "nastran": _nastran_conductivity,
    "lsdyna": _lsdyna_conductivity,
}
