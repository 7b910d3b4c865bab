"""What every prepared study must be, automatically."""

from __future__ import annotations

import os

import pytest

from motet.config import keys
from motet.learn.recipe import resolve
from motet.study import folder
from motet.study.design import Design, Study
from motet.study.measures import MEASURES
from motet.study.prepared import STUDIES
from motet.study.standing import BEST

DATA = os.environ.get("MOTET_DATA")
BUDGET = {"lr": 3}
"""What is tried for every row alike, in every study."""
DESIGNS = [(study, preset) for study in STUDIES.values() for preset in ("small", "full")]


def check_names(design: Design) -> None:
    """A name stands for one thing: cells are told apart by it."""
    for variants in (design.panels, design.points, design.rows):
        names = [variant.name for variant in variants]
        assert len(set(names)) == len(names)
        assert len({repr(variant.settings) for variant in variants}) == len(names), "two names for the same runs"


@pytest.mark.parametrize(("study", "preset"), DESIGNS, ids=lambda value: getattr(value, "name", value))
def test_a_design_refers_to_what_it_has(study: Study, preset: str) -> None:
    design = study.design(preset)
    check_names(design)
    rows, points = {row.name: row for row in design.rows}, {point.name for point in design.points}
    for pair in study.pairs:
        assert set(pair) <= {*rows, BEST}
    assert study.reference is None or study.reference in points
    assert set(study.figures) <= set(MEASURES)
    for row in design.rows:
        assert row.like is None or rows[row.like].like is None, "a row takes over settings that were searched"
    if design.search:
        assert design.search.at in points
        searched = set(design.search.grid)
        varied = {key for variant in (*design.panels, *design.points) for key in variant.settings}
        assert not searched & varied, "what is searched is not set"
        assert all({k: len(v) for k, v in (row.grid or design.search.grid).items()} == BUDGET for row in design.rows)
        assert searched <= {key for key, *_ in keys()}


@pytest.mark.parametrize(("study", "preset"), DESIGNS, ids=lambda value: getattr(value, "name", value))
def test_every_cell_is_a_configuration_of_its_own(study: Study, preset: str) -> None:
    design = study.design(preset)
    configs = [
        repr(resolve({**design.at(cell.panel, cell.point, cell.row), "seed": cell.seed}).flat())
        for cell in design.cells()
    ]
    at_edges = study.name in ("bits", "quality-at-test", "unimodal-share")  # where two rows, or kinds, come to the same
    assert len(set(configs)) == len(configs) or at_edges


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_small_presets_need_no_file_and_little_time(study: Study) -> None:
    design = study.small
    assert {panel.settings["data"] for panel in design.panels} == {"wearables"}
    assert len(list(design.cells())) <= 100
    assert design.seeds >= 3


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_every_cell_of_a_small_preset_fits_its_data(study: Study) -> None:
    folder.plan(study, "small", None, {})


@pytest.mark.skipif(DATA is None, reason="MOTET_DATA is not set")
@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_every_cell_of_a_full_preset_fits_its_data(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTET_HOME", str(DATA))
    folder.plan(study, "full", None, {})
