"""Load histories in a study file: what is prescribed when, and what is asked of the history."""

from __future__ import annotations

from typing import Literal

from scalebridge.study import schema_parts as p
from scalebridge.study.schema_laws import Physics
from scalebridge.study.schema_parts import Part


class Rest(Part):
    """What holds of all components that the path does not name, throughout."""

    strain: p.Zero | None = None
    stress: p.Zero | None = None
    F: Literal["identity"] | None = None
    P: p.Zero | None = None
    gradient: p.Zero | None = None
    flux: p.Zero | None = None


class PathSpec(Part):
    """Turning points of a load path: each component a value at each of them, or one throughout.

    Components of strain and stress are **tensor components**: 12 is ε₁₂ = γ₁₂/2 and σ₁₂. An
    empty value (null) leaves the component to the other quantity on the way to that point.
    With `file` the rows of a table stand in place of turning points and steps.
    """

    file: p.Word | None = None
    time: p.Times | None = None
    strain: dict[str, p.Curve] | None = None
    stress: dict[str, p.StressCurve] | None = None
    F: dict[str, p.Curve] | None = None
    P: dict[str, p.StressCurve] | None = None
    gradient: dict[str, p.GradientCurve] | None = None
    flux: dict[str, p.FluxCurve] | None = None
    rest: Rest | None = None
    steps: p.Counts | None = None


class LoadSpec(Part):
    """A cell that is driven along a path; see `scalebridge.Cell` and `scalebridge.load`."""

    physics: Physics
    boundary: p.Boundary = "periodic"
    element: Literal["reduced", "full", "bbar"] | None = None
    plane: Literal["strain", "stress", "generalized"] | None = None
    path: PathSpec
    tolerance: p.Number = 1e-5
    tangents: p.Flag = False
    fields: p.Rows = "last"
    max_newton: p.Count = 20
    cuts: p.Whole = 8
