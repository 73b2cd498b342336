"""What the parts of a study are made of: numbers, words, quantities, and mappings of known keys.

Every check here raises ``ValueError`` with "must be …, but is …"; `studyfile` puts the file,
the line and the key before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from scalebridge.errors import did_you_mean
from scalebridge.study.units import (
    CONDUCTIVITIES,
    FLOWS,
    FLUXES,
    GRADIENTS,
    KINDS,
    SOURCES,
    VALUES,
    checked,
    parse_quantity,
    tell,
)

_NUMBER = {"type": "number"}
_WHOLE = {"type": "integer"}


class Part(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = list(cls.model_fields)
            for key in data:
                if key not in cls.model_fields:
                    raise PydanticCustomError("unknown", "unknown", {"key": key, "known": known})
            for key, field in cls.model_fields.items():
                if field.is_required() and key not in data:
                    raise PydanticCustomError("absent", "absent", {"key": key})
        return data


def _leaf(check: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    return Annotated[Any, PlainValidator(check), WithJsonSchema(schema)]


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return checked(value)
    remedy = "; fractions and numbers of voxels have no unit" if isinstance(value, str) else ""
    raise ValueError(f"must be a number, but is {tell(value)}{remedy}")


def _whole(value: Any, low: int = 0) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not low <= value < 1 << 62:
        raise ValueError(f"must be a whole number ≥ {low}, but is {tell(value)}")
    return int(value)


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 400:
        quote = f"; write '{value}'" if isinstance(value, int | float) else ""
        raise ValueError(f"must be a word, but is {tell(value)}{quote}")
    return value


def _list(value: Any, item: Callable[[Any], Any], count: int | None = None) -> list[Any]:
    if not isinstance(value, list) or not value or (count and len(value) != count):
        raise ValueError(f"must be a list{f' of {count}' if count else ''}, but is {tell(value)}")
    return [item(v) for v in value]


def _one_or_each(item: Callable[[Any], Any], value: Any) -> Any:
    """Return one value, or one for each axis."""
    return _list(value, item) if isinstance(value, list) else item(value)


def _matrix(item: Callable[[Any], Any], sizes: tuple[int, ...], value: Any) -> list[list[Any]]:
    size = len(value) if isinstance(value, list) else 0
    if size not in sizes or any(not isinstance(r, list) or len(r) != size for r in value):
        words = " or ".join(f"{n} × {n}" for n in sizes)
        raise ValueError(f"must be a matrix {words}, as a list of rows, but is {tell(value)}")
    return [[item(v) for v in row] for row in value]


def _range(value: Any) -> Any:
    """Return a label, an inclusive range ``LOW:HIGH`` as a tuple, or a list of these."""
    if isinstance(value, list) and value:
        return [_range(v) for v in value if not isinstance(v, list)] or _range(None)
    if isinstance(value, str) and ":" in value:
        low, _, high = value.partition(":")
        try:
            ends = tuple(_end(text) for text in (low, high))
        except ValueError:
            ends = ()
        if len(ends) == 2 and all(map(math.isfinite, ends)):
            return ends
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62:
        return value
    raise ValueError(
        f"must be a label such as 0, a range such as 0:89 (ends included) or a list of these, "
        f"but is {tell(value)}"
    )


def _end(text: str) -> float:
    return int(text) if re.fullmatch(r"\s*[-+]?\d{1,18}\s*", text) else float(text)


def _phases(value: Any) -> Any:
    if isinstance(value, list):
        return _list(value, _word)
    if not isinstance(value, dict) or not value:
        raise ValueError(
            "must map names to labels or ranges (void: 0:89), or list names for threshold and "
            f"method, but is {tell(value)}"
        )
    return {_word(name): _named(name, _range, where) for name, where in value.items()}


def _named(name: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"[{name}] {error}") from None


def _slices(value: Any) -> dict[str, tuple[int | None, int | None]]:
    found: dict[str, tuple[int | None, int | None]] = {}
    for axis, text in (value if isinstance(value, dict) else {}).items():
        ends = re.fullmatch(r"\s*(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*", str(text))
        if axis not in {"x", "y", "z"} or ends is None:
            found.clear()
            break
        found[axis] = (int(ends[1]) if ends[1] else None, int(ends[2]) if ends[2] else None)
    if not found:
        raise ValueError(
            "must give START:STOP in voxels by axis, such as {x: 0:50, z: 10:60}, but is "
            f"{dict(value) if isinstance(value, dict) else tell(value)}"[:160]
        )
    return found


def _boundary(value: Any) -> Any:
    if isinstance(value, dict) and value:
        return {
            axis: _list(kind, _word) if isinstance(kind, list) else _word(kind)
            for axis, kind in value.items()
        }
    if isinstance(value, str):
        return value
    raise ValueError(
        "must be a word such as periodic, or one for each axis such as "
        f"{{x: free, y: free, z: kinematic}}, but is {tell(value)}"
    )


def _cases(value: Any) -> bool | list[str]:
    if isinstance(value, bool):
        return value
    listed = value if isinstance(value, list) else [value]
    words = [str(v) for v in listed if isinstance(v, str | int) and not isinstance(v, bool)]
    if not words or len(words) != len(listed):
        raise ValueError(
            "must be true (the first load case), false, all, or a list of load cases such as "
            f"[11, 12] or [x, y], but is {tell(value)}"
        )
    return words


def _ratio(value: Any) -> float:
    return value if value == math.inf else _number(value)


def _direction(value: Any) -> Any:
    return _list(value, _number) if isinstance(value, list) else _axis(value)


def _axis(value: Any) -> str:
    if value not in ("x", "y", "z"):
        raise ValueError(f"must be x, y or z, but is {tell(value)}")
    return str(value)


def _turns(value: Any) -> Any:
    """Return how fibres lie: a word, a direction, or an orientation tensor."""
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, list) and any(isinstance(row, list) for row in value):
        return _matrix(_number, (3,), value)
    if isinstance(value, list):
        return _list(value, _number, 3)
    raise ValueError(
        "must be x, y, z, random, planar, a direction such as [1, 1, 0] or an orientation tensor "
        f"3 × 3, but is {tell(value)}"
    )


def _directions(value: Any) -> Any:
    """Return a direction, or a list of these."""
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        return [_list(row, _number, 3) for row in value]
    return _list(value, _number, 3)


def _zero(value: Any) -> float:
    if _number(value) == 0:
        return 0.0
    raise ValueError(f"must be 0, but is {tell(value)}; name the components that are not 0")


def _curve(item: Callable[[Any], Any], value: Any) -> Any:
    """Return a value that holds throughout, or one for each turning point, None where free."""
    if not isinstance(value, list):
        return item(value)
    if not value:
        raise ValueError("must have a value at each turning point, but is an empty list")
    return [None if v is None else item(v) for v in value]


def _rows(value: Any) -> Any:
    if value in ("none", "last", "all") and isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return [_time(v) for v in value]
    raise ValueError(
        f"must be none, last, all, or a list of times such as [1, 2], but is {tell(value)}"
    )


def _over_time(item: Callable[[Any], Any], value: Any) -> Any:
    """Return a value that a ramp reaches, or a table of it over time."""
    if not isinstance(value, dict):
        return item(value)
    if set(value) != {"times", "values"}:
        raise ValueError(
            "must be a value, or a table {times: [0, 1], values: [0, 5]}, but is a mapping with "
            f"{', '.join(map(str, value)) or 'nothing in it'}"
        )
    return {
        "times": _named("times", partial(_list, item=_time), value["times"]),
        "values": _named("values", partial(_list, item=item), value["values"]),
    }


def _support(value: Any) -> Any:
    """Return a word, displacements by axis, or what a conducted quantity is held at."""
    if isinstance(value, str) and value in ("fixed", "symmetry"):
        return value
    if isinstance(value, dict) and not {"times", "values"} & set(value):
        return {
            str(axis): _named(str(axis), partial(_over_time, _size), at)
            for axis, at in value.items()
        }
    try:
        return _over_time(_field, value)
    except ValueError as error:
        if isinstance(value, str) and not any(letter.isdigit() for letter in value):
            raise ValueError(
                "must be fixed, symmetry, displacements by axis such as {x: 0.1 mm}, or in "
                f"conduction a value, but is {tell(value)}"
                f"{did_you_mean(value, ('fixed', 'symmetry'))}"
            ) from None
        raise error


def _order(value: Any) -> int:
    if isinstance(value, bool) or value not in (1, 2):
        raise ValueError(f"must be 1 or 2, but is {tell(value)}")
    return int(value)


def _file_unit(value: Any) -> Any:
    """Return how long the unit of a mesh is."""
    bare = isinstance(value, str) and not any(letter.isdigit() for letter in value)
    return _size(f"1 {value}" if bare else value)


def _pairs(value: Any) -> list[list[str]]:
    return _list(value, partial(_list, item=_word, count=2))


def _places(value: Any) -> list[list[Any]]:
    return _list(value, partial(_list, item=_size))


def _quantity(*kinds: str) -> tuple[Callable[[Any], Any], dict[str, Any]]:
    schema = {
        "anyOf": [_NUMBER, {"type": "string"}],
        "description": f"a number, or e.g. {KINDS[kinds[0]][2]}",
    }
    return partial(parse_quantity, kinds=kinds), schema


def _array(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _or_array(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, _array(item)]}


_STRING = {"type": "string"}
_length, _length_schema = _quantity("length")
_stress, _stress_schema = _quantity("stress")
_angle, _angle_schema = _quantity("angle")
_k, _k_schema = _quantity(*CONDUCTIVITIES)
_time, _time_schema = _quantity("time")
_rate, _rate_schema = _quantity("rate")
_gradient, _gradient_schema = _quantity(*GRADIENTS)
_flux, _flux_schema = _quantity(*FLUXES)
_size, _size_schema = _quantity("size")
_force, _force_schema = _quantity("force")
_body, _body_schema = _quantity("force density")
_field, _field_schema = _quantity(*VALUES)
_source, _source_schema = _quantity(*SOURCES)
_flow, _flow_schema = _quantity(*FLOWS)


def _conductivity(value: Any) -> Any:
    return _matrix(_k, (2, 3), value) if isinstance(value, list) else _k(value)


def _curves(item: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    empty = {"anyOf": [schema, {"type": "null"}]}
    return _leaf(partial(_curve, item), {"anyOf": [schema, _array(empty)]})


def _table(schema: dict[str, Any]) -> dict[str, Any]:
    columns = {"times": _array(_time_schema), "values": _array(schema)}
    return {
        "type": "object",
        "properties": columns,
        "required": list(columns),
        "additionalProperties": False,
    }


def _scalar(item: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    return _leaf(partial(_over_time, item), {"anyOf": [schema, _table(schema)]})


def _vector(item: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    own = _array(schema)
    return _leaf(partial(_over_time, partial(_list, item=item)), {"anyOf": [own, _table(own)]})


Flag = StrictBool
Number = _leaf(_number, _NUMBER)
Numbers = _leaf(partial(_list, item=_number), _array(_NUMBER))
NumberOrNumbers = _leaf(partial(_one_or_each, _number), _or_array(_NUMBER))
Three = _leaf(partial(_list, item=_number, count=3), _array(_NUMBER))
Matrix3 = _leaf(partial(_matrix, _number, (3,)), _array(_array(_NUMBER)))
SemiAxes = _leaf(partial(_list, item=_ratio), _array(_NUMBER))
Whole = _leaf(_whole, _WHOLE)
Count = _leaf(partial(_whole, low=1), _WHOLE)
Shape = _leaf(partial(_list, item=partial(_whole, low=1)), _array(_WHOLE))
Counts = _leaf(partial(_one_or_each, partial(_whole, low=1)), _or_array(_WHOLE))
Word = _leaf(_word, _STRING)
Words = _leaf(partial(_list, item=_word), _array(_STRING))
Axis = _leaf(_axis, {"enum": ["x", "y", "z"]})
Direction = _leaf(_direction, {"anyOf": [{"enum": ["x", "y", "z"]}, _array(_NUMBER)]})
FibreOrientation = _leaf(_turns, {"anyOf": [_STRING, _array({})]})
Length = _leaf(_length, _length_schema)
Spacing = _leaf(partial(_one_or_each, _length), _or_array(_length_schema))
Stress = _leaf(_stress, _stress_schema)
Stresses = _leaf(partial(_list, item=_stress, count=3), _array(_stress_schema))
Stiffness = _leaf(partial(_matrix, _stress, (6,)), _array(_array(_stress_schema)))
Conductivity = _leaf(_conductivity, {"anyOf": [_k_schema, _array(_array(_k_schema))]})
Angle = _leaf(_angle, _angle_schema)
Angles = _leaf(partial(_list, item=_angle, count=3), _array(_angle_schema))
Directions = _leaf(_directions, _array({"anyOf": [_NUMBER, _array(_NUMBER)]}))
StressOrStresses = _leaf(partial(_one_or_each, _stress), _or_array(_stress_schema))
Rate = _leaf(_rate, _rate_schema)
Durations = _leaf(partial(_one_or_each, _time), _or_array(_time_schema))
Times = _leaf(partial(_list, item=_time), _array(_time_schema))
Rows = _leaf(_rows, {"anyOf": [{"enum": ["none", "last", "all"]}, _array(_time_schema)]})
Zero = _leaf(_zero, {"const": 0})
Curve = _curves(_number, _NUMBER)
StressCurve = _curves(_stress, _stress_schema)
GradientCurve = _curves(_gradient, _gradient_schema)
FluxCurve = _curves(_flux, _flux_schema)
_WHERE = {"anyOf": [_WHOLE, _STRING, _array({"anyOf": [_WHOLE, _STRING]})]}
Phases = _leaf(
    _phases,
    {"anyOf": [{"type": "object", "additionalProperties": _WHERE}, _array(_STRING)]},
)
Slices = _leaf(
    _slices,
    {
        "type": "object",
        "properties": dict.fromkeys("xyz", _STRING),
        "additionalProperties": False,
    },
)
Boundary = _leaf(
    _boundary,
    {"anyOf": [_STRING, {"type": "object", "additionalProperties": _or_array(_STRING)}]},
)
Cases = _leaf(
    _cases,
    {"anyOf": [{"type": "boolean"}, _STRING, _WHOLE, _array({"anyOf": [_STRING, _WHOLE]})]},
)

# ---- structures

Size = _leaf(_size, _size_schema)
Sizes = _leaf(partial(_list, item=_size), _array(_size_schema))
FileUnit = _leaf(_file_unit, _size_schema)
Order = _leaf(_order, {"enum": [1, 2]})
Pairs = _leaf(_pairs, _array(_array(_STRING)))
Places = _leaf(_places, _array(_array(_size_schema)))
_BY_AXIS = {"anyOf": [_size_schema, _table(_size_schema)]}
Support = _leaf(
    _support,
    {
        "anyOf": [
            _field_schema,
            _table(_field_schema),
            {
                "type": "object",
                "properties": dict.fromkeys("xyz", _BY_AXIS),
                "additionalProperties": False,
            },
        ]
    },
)
Traction = _vector(_stress, _stress_schema)
Pressure = _scalar(_stress, _stress_schema)
BodyForce = _vector(_body, _body_schema)
Force = _vector(_force, _force_schema)
Inflow = _scalar(_flux, _flux_schema)
Source = _scalar(_source, _source_schema)
PointSource = _scalar(_flow, _flow_schema)
