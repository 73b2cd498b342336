"""A phase on the command line: its name, where it is in the image, and its constants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scalebridge.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from scalebridge.laws import Law

_EXAMPLE = "--phase void=0:89,k=0.026 or --phase steel=1,E=210e9,nu=0.3"
_PHYSICS = {"k": "conduction", "E": "elasticity", "nu": "elasticity"}
_LOWEST = {"k": "k = 0 is a perfect insulator", "E": "E = 0 is void"}


@dataclass(frozen=True)
class Phase:
    """A named phase: a label or an inclusive range of grey values, and its constants."""

    name: str
    where: int | tuple[float, float]
    constants: dict[str, float] = field(default_factory=dict)

    @property
    def physics(self) -> set[str]:
        """The physics for which this phase has constants."""
        return {_PHYSICS[key] for key in self.constants}


def parse_phase(text: str) -> Phase:
    """Read ``NAME=LABEL`` or ``NAME=LOW:HIGH``, then ``,key=value`` for each constant.

    Keys are `k` (conductivity ≥ 0), `E` (Young's modulus ≥ 0, 0 is void) and `nu`
    (Poisson's ratio, −1 < nu < ½; may be left out where E = 0).

    Examples
    --------
    >>> parse_phase("void=0:89,k=0.026")
    Phase(name='void', where=(0, 89), constants={'k': 0.026})
    """
    first, *rest = text.split(",")
    name, sign, where = (part.strip() for part in first.partition("="))
    if not (name and sign and where):
        raise InputError(
            f"a phase must read NAME=LABEL or NAME=LOW:HIGH and its constants, but is {text!r}; "
            f"write e.g. {_EXAMPLE}"
        )
    constants: dict[str, float] = {}
    for item in rest:
        key, value = _constant(name, item)
        if key in constants:
            raise InputError(f"phase {name!r}: {key} is given twice; leave one out")
        constants[key] = value
    if "nu" in constants and "E" not in constants:
        raise InputError(f"phase {name!r}: nu needs E beside it; add E=… or leave nu out")
    if constants.get("E", 0.0) > 0.0 and "nu" not in constants:
        raise InputError(f"phase {name!r}: E needs nu beside it; add e.g. nu=0.3")
    return Phase(name, _where(name, where), constants)


def _constant(name: str, item: str) -> tuple[str, float]:
    key, sign, text = (part.strip() for part in item.partition("="))
    if not sign or not text:
        raise InputError(f"phase {name!r}: a constant must read key=value, but is {item!r}")
    if key not in _PHYSICS:
        spelt = {known.lower(): known for known in _PHYSICS}.get(key.lower(), key)
        raise InputError(
            f"phase {name!r}: unknown constant {key!r}{did_you_mean(spelt, _PHYSICS)}; "
            "known are k, E and nu"
        )
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"phase {name!r}: {key} must be a number, but is {text!r}") from None
    if not math.isfinite(value):
        raise InputError(f"phase {name!r}: {key} must be a finite number, but is {text}")
    if key == "nu" and not -1.0 < value < 0.5:
        raise InputError(
            f"phase {name!r}: nu must lie in -1 < nu < 0.5, but is {value:g}; for a nearly "
            "incompressible material take nu=0.499 and --element bbar"
        )
    if key in _LOWEST and value < 0:
        raise InputError(f"phase {name!r}: {key} must be ≥ 0, but is {value:g}; {_LOWEST[key]}")
    return key, value


def _where(name: str, text: str) -> int | tuple[float, float]:
    """Read a label or an inclusive range."""
    low, colon, high = text.partition(":")
    try:
        if not colon:
            return int(text)
        return _number(low), _number(high)
    except ValueError:
        raise InputError(
            f"phase {name!r} must have a whole-number label (void=0) or a range of grey values "
            f"(void=0:89), but has {text!r}"
        ) from None


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def parse_phases(texts: Sequence[str]) -> tuple[Phase, ...]:
    """Read several phases; names must differ and each physics must have all its constants."""
    if not texts:
        raise InputError(f"no phase is given; add one for each material, e.g. {_EXAMPLE}")
    phases = tuple(parse_phase(text) for text in texts)
    names = [phase.name for phase in phases]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"phase {name!r} is given twice; give each phase its own name")
    physics_of(phases)
    return phases


def physics_of(phases: Sequence[Phase]) -> tuple[str, ...]:
    """Return the physics the phases have constants for, and check that none lacks its law."""
    wanted = sorted(set().union(*(phase.physics for phase in phases)))
    for physics in wanted or ["conduction"]:
        for phase in phases:
            if physics not in phase.physics:
                needs = "k=…" if physics == "conduction" else "E=…,nu=…"
                void = "k=0 insulates" if physics == "conduction" else "E=0 is void"
                other = "" if wanted else " (conduction) or E=…,nu=… (elasticity)"
                raise InputError(
                    f"phase {phase.name!r} has no law for {physics if wanted else 'anything'}; "
                    f"add {needs}{other} to its --phase ({void})"
                )
    return tuple(wanted)


def laws_of(phases: Sequence[Phase], physics: str) -> dict[str, Law]:
    """Return the law of each phase for one physics."""
    from scalebridge import laws

    def law(constants: dict[str, float]) -> Any:
        if physics == "conduction":
            return laws.Conduction(constants["k"])
        return laws.IsotropicElastic(E=constants["E"], nu=constants.get("nu", 0.0))

    return {phase.name: law(phase.constants) for phase in phases}
