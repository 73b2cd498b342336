"""The study file as pydantic models; `Study` is the whole."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from scalebridge.study import schema_parts as p
from scalebridge.study.schema_laws import PhaseLaws
from scalebridge.study.schema_loads import LoadSpec
from scalebridge.study.schema_microstructure import Microstructure
from scalebridge.study.schema_parts import Part
from scalebridge.study.schema_structures import StructureSpec

CellPhysics = Literal["conduction", "diffusion", "electric", "dielectric", "elasticity"]
CELL_PHYSICS: tuple[CellPhysics, ...] = get_args(CellPhysics)


class CellSpec(Part):
    """One cell and what is asked of it; see `scalebridge.Cell` and `scalebridge.effective`."""

    physics: CellPhysics
    boundary: p.Boundary = "periodic"
    element: Literal["reduced", "full", "bbar", "volume"] | None = None
    plane: Literal["strain", "stress", "generalized"] | None = None
    tolerance: p.Number = 1e-6
    measure: Literal["tensor", "residual"] = "tensor"
    fields: p.Cases = True
    field_tolerance: p.Number = 1e-4
    max_iterations: p.Count = 1000


class Sweep(Part):
    """Dotted paths into the study and the values to put there, one run for each point."""

    parameters: dict[str, list[Any]]
    mode: Literal["product", "zip"] = "product"


class Output(Part):
    """Where results go; the folder is relative to the study file."""

    folder: p.Word = "out"


class Study(Part):
    """A study: microstructure, laws, cells, loads, structures, sweep, output."""

    title: p.Word | None = None
    microstructure: Microstructure | None = None
    laws: dict[str, PhaseLaws] = Field(default_factory=dict)
    cells: dict[str, CellSpec] = Field(default_factory=dict)
    loads: dict[str, LoadSpec] = Field(default_factory=dict)
    structures: dict[str, StructureSpec] = Field(default_factory=dict)
    sweep: Sweep | None = None
    output: Output = Output()
