"""Every law has its page, with every parameter, and a curve; every law is in a table of tests."""

from __future__ import annotations

import inspect
import re
import runpy
from pathlib import Path

import pytest

import law_members
import test_laws
from scalebridge import laws

FOLDER = Path(__file__).parents[1] / "docs/laws"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in FOLDER.glob("*.md")}
PUBLIC = [getattr(laws, name) for name in laws.__all__]
CLASSES = [
    c
    for c in PUBLIC
    if isinstance(c, type)
    and issubclass(c, laws.Law | laws.IsotropicHardening | laws.KinematicHardening)
]
# What a user derives from, and does not make.
BASES = {
    laws.Law,
    laws.LinearLaw,
    laws.StandardMaterial,
    laws.Hyperelastic,
    laws.IsotropicHardening,
    laws.KinematicHardening,
}
LAWS = sorted(set(CLASSES) - BASES, key=lambda c: c.__name__)
WITHOUT_CURVE = {"index", "plane-states", "limits"}


@pytest.mark.parametrize("law", LAWS, ids=lambda c: c.__name__)
def test_a_law_has_its_page(law):
    (page,) = [text for text in PAGES.values() if f"`sb.laws.{law.__name__}(" in text]
    for parameter in inspect.signature(law).parameters:
        assert f"| `{parameter}` |" in page, f"{law.__name__}: no meaning of {parameter}"
    assert "## Range of validity" in page
    assert "## Source" in page


def test_a_page_has_its_curve():
    drawn = runpy.run_path(str(FOLDER / "curves.py"))["CURVES"]
    assert set(drawn) == set(PAGES) - WITHOUT_CURVE
    shown = {n for text in PAGES.values() for n in re.findall(r"_build/laws/(\S+)\.png", text)}
    assert shown == set(drawn)


def test_the_index_leads_to_every_page():
    assert set(re.findall(r"\]\(([\w-]+)\.md\)", PAGES["index"])) == set(PAGES) - {"index"}


def test_a_law_is_in_a_table_of_tests():
    linear = {type(law) for law, _ in test_laws.MEMBERS.values()}
    members = [m.law for m in law_members.MEMBERS.values()]
    parts = [part for law in members for part in vars(law).values()]
    tested = linear | {type(each) for each in [*members, *parts]}
    assert set(LAWS) <= tested
