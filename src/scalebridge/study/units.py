"""Quantities at the door of a study: numbers as they are, words such as ``3.5 GPa`` in SI."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

from scalebridge.errors import did_you_mean

#: Kind → unit in SI, how it is called, an example, and other usual units.
KINDS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "length": ("m", "a length", "1.3 um", ("nm", "µm", "mm", "cm", "inch")),
    "stress": ("Pa", "a stress", "3.5 GPa", ("kPa", "MPa", "N/mm^2", "psi", "ksi", "bar")),
    "time": ("s", "a time", "10 s", ("ms", "min", "hour", "day")),
    "rate": ("1/s", "a rate", "1e-3 1/s", ("1/min", "1/hour", "1/day")),
    "angle": ("rad", "an angle", "30 deg", ("degree",)),
    "conduction": ("W/m/K", "a thermal conductivity", "80 W/m/K", ("mW/m/K", "W/cm/K")),
    "diffusion": ("m^2/s", "a diffusivity", "1e-9 m^2/s", ("cm^2/s", "um^2/s", "mm^2/s")),
    "electric": ("S/m", "an electric conductivity", "2 S/m", ("S/cm", "mS/cm", "MS/m")),
    "dielectric": ("F/m", "a permittivity", "8.85 pF/m", ("nF/m", "uF/m")),
    "conduction gradient": ("K/m", "a temperature gradient", "100 K/m", ("K/mm", "K/cm")),
    "diffusion gradient": ("mol/m^4", "a gradient of concentration", "5 mol/m^4", ()),
    "electric gradient": ("V/m", "a gradient of potential", "10 V/m", ("V/mm", "kV/m")),
    "dielectric gradient": ("V/m", "a gradient of potential", "10 V/m", ("V/mm", "kV/m")),
    "conduction flux": ("W/m^2", "a heat flux", "5 kW/m^2", ("W/cm^2", "W/mm^2")),
    "diffusion flux": ("mol/m^2/s", "a flux of matter", "2 mol/m^2/s", ()),
    "electric flux": ("A/m^2", "a current density", "3 A/m^2", ("A/cm^2", "A/mm^2")),
    "dielectric flux": ("C/m^2", "an electric displacement", "1 uC/m^2", ()),
    # Of structures, whose size has nothing to do with that of their cells.
    "size": ("m", "a length", "10 mm", ("um", "mm", "cm", "inch")),
    "force": ("N", "a force", "2 kN", ("mN", "MN", "lbf")),
    "force density": ("N/m^3", "a force by volume", "77 kN/m^3", ("N/mm^3", "MN/m^3")),
    "conduction value": ("K", "a difference of temperature", "20 K", ("mK",)),
    "diffusion value": ("mol/m^3", "a concentration", "5 mol/m^3", ("mol/l", "mmol/l")),
    "electric value": ("V", "a potential", "2 V", ("mV", "kV")),
    "dielectric value": ("V", "a potential", "2 V", ("mV", "kV")),
    "conduction source": ("W/m^3", "a heat source", "3 kW/m^3", ("W/cm^3", "MW/m^3")),
    "diffusion source": ("mol/m^3/s", "a source of matter", "2 mol/m^3/s", ()),
    "electric source": ("A/m^3", "a source of current", "5 A/m^3", ()),
    "dielectric source": ("C/m^3", "a charge by volume", "1 uC/m^3", ()),
    "conduction flow": ("W", "a flow of heat", "5 W", ("mW", "kW")),
    "diffusion flow": ("mol/s", "a flow of matter", "1 mmol/s", ()),
    "electric flow": ("A", "a current", "3 A", ("mA", "kA")),
    "dielectric flow": ("C", "a charge", "1 uC", ("nC",)),
}
CONDUCTIVITIES = ("conduction", "diffusion", "electric", "dielectric")
GRADIENTS = tuple(f"{physics} gradient" for physics in CONDUCTIVITIES)
FLUXES = tuple(f"{physics} flux" for physics in CONDUCTIVITIES)
VALUES = tuple(f"{physics} value" for physics in CONDUCTIVITIES)
SOURCES = tuple(f"{physics} source" for physics in CONDUCTIVITIES)
FLOWS = tuple(f"{physics} flow" for physics in CONDUCTIVITIES)
_LARGEST = 1e60
_UNITED = re.compile(r"\s*([-+]?(?:\.\d+|\d+\.?\d*)(?:[eE][-+]?\d+)?)\s*(\S.*?)\s*")
_UNIT = re.compile(
    r"(?!.*\d\d)(?:1/)?[^\W\d_][\w\s*/^()·.-]{0,39}|°"
)  # pint evaluates what it is given


class Quantity(float):
    """A number in SI where it was given with a unit, else as it was given.

    Attributes
    ----------
    kind : str
        One of `KINDS`; of conductivities without a unit the first.
    unit : str
        As given; empty without one.
    """

    kind: str
    unit: str

    def __new__(cls, value: float, kind: str, unit: str = "") -> Quantity:
        self = super().__new__(cls, value)
        self.kind, self.unit = kind, unit
        return self


def parse_quantity(value: Any, kinds: tuple[str, ...]) -> Quantity:
    """Return a quantity of one of the kinds from a number or from words.

    Examples
    --------
    >>> parse_quantity("3.5 GPa", ("stress",)), parse_quantity(210e9, ("stress",))
    (3500000000.0, 210000000000.0)

    Raises
    ------
    ValueError
        What is neither, or of another kind.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Quantity(checked(value), kinds[0])
    names = " or ".join(KINDS[kind][1] for kind in kinds[:1])
    wanted = f"must be {names}, a number or e.g. {KINDS[kinds[0]][2]!r}"
    found = _UNITED.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{wanted}, but is {tell(value)}")
    factor, kind = _factor(found[2], kinds, wanted, value)
    number = float(Decimal(found[1]) * Decimal(repr(factor)))
    return Quantity(checked(number), kind, found[2])


def checked(value: float) -> float:
    """Return a number whose squares and products neither overflow nor vanish."""
    if value == 0 or 1 / _LARGEST <= abs(value) <= _LARGEST:
        return float(value)
    raise ValueError(f"must be a finite number of sensible size, but is {tell(value)}")


def tell(value: Any) -> str:
    """Return what a value is, short enough for one line."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, bool):
        return str(value).lower()
    try:
        text = repr(value)
    except ValueError:  # whole numbers of thousands of digits
        return "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _factor(unit: str, kinds: tuple[str, ...], wanted: str, value: str) -> tuple[float, str]:
    """Return what the unit is in SI, and its kind."""
    import pint

    if not _UNIT.fullmatch(unit):
        raise ValueError(f"{wanted}, but is {tell(value)}")
    registry = _registry()
    try:
        one = registry.Quantity(1.0, registry.parse_units(unit.replace("·", "*")))
    except pint.UndefinedUnitError:
        guess = _guess(unit, kinds) or did_you_mean(unit, _usual(kinds))
        raise ValueError(f"{wanted}, but the unit {unit!r} is not known{guess}") from None
    except Exception:  # pint fails in many ways on what is no unit
        raise ValueError(f"{wanted}, but is {tell(value)}") from None
    for kind in kinds:
        target = registry.parse_units(KINDS[kind][0])
        if one.is_compatible_with(target):
            if registry.Quantity(0.0, one.units).to(target).magnitude:
                raise ValueError(
                    f"{wanted}, but is {value!r}, which counts from another zero; give "
                    f"differences in {KINDS[kind][0]}"
                )
            return float(one.to(target).magnitude), kind
    what = next(
        (f", {KINDS[k][1]}" for k in KINDS if one.is_compatible_with(registry(KINDS[k][0]))), ""
    )
    raise ValueError(f"{wanted}, but is {value!r}{what}{_guess(unit, kinds)}")


def _guess(unit: str, kinds: tuple[str, ...]) -> str:
    """Return the usual unit that differs in case only: in K and k, M and m lie real mistakes."""
    close = {u.lower(): u for u in _usual(kinds)}.get(unit.lower())
    return f" (did you mean {close!r}?)" if close else ""


def _usual(kinds: tuple[str, ...]) -> list[str]:
    return [
        unit
        for si, _, example, more in (KINDS[kind] for kind in kinds)
        for unit in (si, example.partition(" ")[2], *more)
    ]


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(on_redefinition="ignore")
