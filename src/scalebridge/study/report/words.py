"""Numbers, units and symbols as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = {15: "P", 12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p"}
_SPELLED = {
    "W/m/K": "W/(m K)",
    "m^2/s": "m²/s",
    "W/m^2": "W/m²",
    "A/m^2": "A/m²",
    "C/m^2": "C/m²",
    "mol/m^4": "mol/m⁴",
    "mol/m^2/s": "mol/(m² s)",
}
_NO_PREFIX = ("m²/s", "1/s", "s", "K/m")  # the prefix would be squared, or nobody uses it
_STRESSES = re.compile(r"[CEGHKQ]|(?:yield_stress|drag|stress|mu|k1)$")
_KINDS = {"tau": "time", "rate": "rate"}
_DIGITS = 6

Number = float | int | None


class Scale(NamedTuple):
    """Numbers are divided by `factor` and shown with `unit`; empty is the unit of the input."""

    factor: float
    unit: str

    @property
    def brackets(self) -> str:
        """The unit as it stands behind a name: " [GPa]", or nothing."""
        return f" [{self.unit}]" if self.unit else ""


def scale_of(values: ArrayLike, unit: str) -> Scale:
    """Return the prefix or the power of ten that suits the largest of some values."""
    finite = np.abs(np.asarray(values, float))
    finite = finite[np.isfinite(finite)]
    largest = float(finite.max(initial=0.0))
    name = _SPELLED.get(unit, unit)
    if largest == 0.0:
        return Scale(1.0, name)
    power = 3 * math.floor(math.log10(largest) / 3)
    if name and name not in _NO_PREFIX:
        if 0.1 <= largest < 1e4 or power not in _PREFIXES:
            power = 0
        return Scale(10.0**power, _PREFIXES[power] + name)
    if 1e-2 <= largest < 1e5:
        return Scale(1.0, name)
    return Scale(10.0**power, f"{power_of_ten(power)} {name}".rstrip())


def power_of_ten(power: int) -> str:
    return f"10{str(power).translate(_SUPERSCRIPTS)}"


def number(value: Number, digits: int = _DIGITS, pad: bool = False) -> str:
    """Return a number with a true minus sign; a dash for what is not known."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:#.{digits}g}" if pad else f"{value:.{digits}g}"
    mantissa, _, power = text.partition("e")
    mantissa = mantissa.removesuffix(".")  # of as many digits before the point as are shown
    text = f"{mantissa} · {power_of_ten(int(power))}" if power else mantissa
    return text.replace("-", "−")


def full(value: Number) -> str:
    """Return a number with all its six digits, as columns of numbers have them."""
    return number(value) if value is None else number(value, digits=_DIGITS, pad=True)


def small(value: Number) -> str:
    """Return an error or a residual with two digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa} · {power_of_ten(int(power))}"


def matrix(values: ArrayLike, factor: float) -> list[list[str]]:
    """Return the entries of a tensor with common decimals; round-off as 0."""
    entries = np.asarray(values, float) / factor
    finite = np.abs(entries[np.isfinite(entries)])
    largest = float(finite.max(initial=0.0))
    leading = math.floor(math.log10(largest)) if largest else 0
    decimals = min(max(_DIGITS - 1 - leading, 0), 8)

    def told(value: float) -> str:
        if not math.isfinite(value):
            return "–"
        if abs(value) <= 1e-11 * largest:
            return "0"
        if abs(value) < 10.0 ** (1 - decimals):
            return small(value).replace("-", "−")
        return f"{value:.{decimals}f}".replace("-", "−")

    return [[told(value) for value in row] for row in entries]


_SYMBOL = re.compile(r"(E|nu|G|K|C|k)(\d*)(?:_(\w+))?")
_LETTERS = {"nu": "ν"}
_ENDINGS = {"plane_strain": "plane strain", "area": "area"}


def symbol(name: str) -> Markup:
    """Return E1 as E with the index 1, nu12 as ν with the index 12."""
    found = _SYMBOL.fullmatch(name)
    if name == "zener":
        return Markup("Zener ratio")
    if not found:
        return Markup("{}").format(name.replace("_", " "))
    letter, index, ending = found.groups()
    below = ", ".join(part for part in (index, _ENDINGS.get(ending, ending)) if part)
    italic = Markup("<i>{}</i>").format(_LETTERS.get(letter, letter))
    return italic + Markup("<sub>{}</sub>").format(below) if below else italic


def direction(vector: ArrayLike) -> str:
    """Return a direction as its components to three decimals."""
    rounded = np.round(np.asarray(vector, float), 3) + 0.0  # of −0 no sign is left
    return f"({', '.join(number(v) for v in rounded.tolist())})"


def size(counts: Any) -> str:
    return " × ".join(str(n) for n in counts)


def lengths(values: ArrayLike, unit: str) -> str:
    """Return spacings or extents along the axes; one number where all are the same."""
    scale = scale_of(values, unit)
    told = [number(v / scale.factor) for v in np.asarray(values, float)]
    return f"{told[0] if len(set(told)) == 1 else ' × '.join(told)} {scale.unit}".rstrip()


def when(stamp: str) -> str:
    """Return an ISO time as a date with its hour."""
    try:
        time = datetime.fromisoformat(stamp)
    except (TypeError, ValueError):
        return str(stamp)
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def duration(seconds: Number) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{number(seconds, 3)} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def listed(words: list[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def law_in_words(law: Mapping[str, Any], physics: str, units: Mapping[str, str]) -> str:
    """Return a law with its constants: "isotropic, E = 72 GPa, ν = 0.22"."""
    kind = str(law.get("type", ""))
    rest = {key: value for key, value in law.items() if key != "type"}
    constants = [f"{_letter(k)} = {_constant(k, v, physics, units)}" for k, v in rest.items()]
    named = [] if kind == "conduction" or not kind else [kind.replace("_", " ")]
    return ", ".join([*named, *constants])


def _letter(name: str) -> str:
    return name.replace("nu", "ν") if name.startswith("nu") else name.replace("_", " ")


def _constant(name: str, value: Any, physics: str, units: Mapping[str, str]) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | list | dict):
        return str(value)
    if isinstance(value, dict):
        return f"({law_in_words(value, physics, units)})"
    if isinstance(value, list):
        if any(isinstance(item, list) for item in value):
            return f"({len(value)} × {len(value)} matrix)"
        return f"({', '.join(_constant(name, item, physics, units) for item in value)})"
    kind = _KINDS.get(name, "")
    if physics in ("elasticity", "finite_strain") and _STRESSES.match(name):
        kind = "stress"
    elif name == "k":
        kind = physics
    if kind not in units:
        return number(value)
    scale = scale_of(value, units[kind])
    return f"{number(value / scale.factor)} {scale.unit}".rstrip()


def anchor(name: str) -> str:
    """Return a name that an id and a link can have."""
    return re.sub(r"[^\w-]+", "-", name)
