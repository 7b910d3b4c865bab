"""Designs: which runs they are, and what a user may change."""

from __future__ import annotations

import pytest
from made import design

from motet.errors import InputError
from motet.study.archives import points
from motet.study.design import Cell, Search, Study, Variant
from motet.study.prepared import STUDIES, modalities


def test_settings_of_a_row_win_over_a_point_over_a_panel_over_the_common() -> None:
    own = design(
        settings={"a": 0, "b": 0, "c": 0, "d": 0},
        panels=(Variant("p", {"b": 1, "c": 1, "d": 1}),),
        points=(Variant("x", {"c": 2, "d": 2}),),
        rows=(Variant("r", {"d": 3}),),
    )
    assert own.at("p", "x", "r") == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_cells_are_every_row_at_every_point_of_every_panel_with_every_seed() -> None:
    own = design(points=points("missing_rate", 0.1, 0.5), seeds=2)
    assert list(own.cells())[:3] == [
        Cell("digits", "0.1", "fedavg", 0),
        Cell("digits", "0.1", "fedavg", 1),
        Cell("digits", "0.1", "partial", 0),
    ]
    assert len(list(own.cells())) == 8


def test_an_archive_of_the_user_takes_the_place_of_all_archives() -> None:
    panels = (
        Variant("ucihar, bursty", {"data": "ucihar", "modalities": ["acc"], "missing_pattern": "bursty"}),
        Variant("ucihar, alternating", {"data": "ucihar", "clients": 5, "missing_pattern": "alternating"}),
        Variant("phonewatch, bursty", {"data": "phonewatch", "noise": "a=1", "missing_pattern": "bursty"}),
    )
    own = design(panels=panels).given({"data": "there/mine.npz", "encoder": "mlp"})
    assert [(panel.name, panel.settings) for panel in own.panels] == [
        ("mine, bursty", {"missing_pattern": "bursty"}),
        ("mine, alternating", {"missing_pattern": "alternating"}),
    ]
    assert own.settings["data"] == "there/mine.npz"
    assert own.settings["encoder"] == "mlp"


def test_settings_of_the_user_win_over_those_of_a_panel_that_is_alone() -> None:
    own = design(panels=(Variant("ucihar", {"data": "ucihar", "rounds": 60}),)).given({"rounds": 5})
    assert own.at("ucihar", "0.5", "fedavg")["rounds"] == 5


def test_what_tells_panels_or_recipes_apart_cannot_be_given() -> None:
    panels = tuple(Variant(kind, {"data": "digits", "missing_pattern": kind}) for kind in ("bursty", "independent"))
    with pytest.raises(InputError, match="--missing-pattern is what this study varies"):
        design(panels=panels).given({"missing_pattern": "alternating"})
    with pytest.raises(InputError, match="--missing is what this study varies"):
        design().given({"missing": "skip"})
    assert design().given({"upload": "q8"}).settings["upload"] == "q8", "which both leave at its default"


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_whatever_may_be_given_leaves_panels_points_and_rows_apart(study: Study) -> None:
    own = study.full
    for key in {key for variant in (*own.panels, *own.rows) for key in variant.settings} - {"data", "recipe"}:
        value = next(v.settings[key] for v in (*own.panels, *own.rows) if key in v.settings)
        try:
            given = own.given({key: value})
        except InputError:
            continue
        before, after = (
            len(
                {
                    repr(sorted(d.at(p.name, d.points[0].name, r.name).items(), key=repr))
                    for p in d.panels
                    for r in d.rows
                }
            )
            for d in (own, given)
        )
        assert after == before, key


def test_the_modalities_of_an_archive_are_searched_and_run_whole() -> None:
    for names in (["a"], ["a", "b"], list("abcdefghij")):
        own = modalities.points(STUDIES["modalities"].full, names)
        found = [point.name for point in own.points]
        assert "all" in found
        assert len(set(found)) == len(found)
        assert own.search is not None
        assert own.search.at == "all"


@pytest.mark.parametrize("key", ["missing_rate", "recipe", "lr"])
def test_what_a_study_varies_or_searches_cannot_be_given(key: str) -> None:
    own = design(search=Search({"lr": (0.1, 0.2)}, seeds=1, at="0.5"))
    with pytest.raises(InputError, match=f"--{key.replace('_', '-')} is what this study varies"):
        own.given({key: 1})


def test_what_one_row_has_of_its_own_it_keeps() -> None:
    rows = (Variant("fedavg", {"recipe": "fedavg"}), Variant("scaffold", {"recipe": "scaffold", "lr": 0.1}))
    own = design(rows=rows).given({"lr": 0.2})
    assert own.at("digits", "0.5", "fedavg")["lr"] == 0.2
    assert own.at("digits", "0.5", "scaffold")["lr"] == 0.1
