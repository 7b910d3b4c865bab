"""The page of evidence: advice and verdicts by hand, and that the page is what its committed data say."""

from __future__ import annotations

import advice
import claims
import evidence
import pytest
from made import found, line

from motet.study.data import Found, Header, load, names
from motet.study.design import Cell
from motet.study.prepared import STUDIES

ROWS = {name: {"recipe": name} for name in ("fedavg", "partial", "qqr", "full")}
HERE = advice.Circumstances("a sensor fails", "missing-rate", points=("0.9",))


def by_hand(cell: Cell) -> float:
    """At .9 partial is 10 points above fedavg, give or take one, qqr 2 below that on average, but uncertainly."""
    gains = {"fedavg": (0, 0, 0), "partial": (0.09, 0.10, 0.11), "qqr": (0.12, 0.10, 0.02), "full": (0.3, 0.3, 0.3)}
    return 0.5 + (gains[cell.row][cell.seed] if cell.point == "0.9" else 0)


def made_up(name: str) -> Found:
    """Return data for a full study: all its runs, with figures that depend on nothing but row and seed."""
    study = STUDIES[name]
    design = study.full
    header = Header(
        study=name, preset="full", command=f"motet study {name}", versions={}, seeds=design.seeds, settings={},
        panels=names(design.panels), points=names(design.points), rows=names(design.rows), chosen={}, tried=[],
    )  # fmt: skip
    places = {row.name: place for place, row in enumerate(design.rows)}
    lines = []
    for cell in design.cells():
        accuracy = 0.5 + 0.01 * places[cell.row] + 0.001 * ((cell.seed * 7 + places[cell.row]) % 5)
        lines.append(
            line(
                cell,
                accuracy,
                accuracy_at_end=accuracy,
                one_left_out=accuracy,
                prototype_error=0.1,
                regret=100.0,
                regret_slope=accuracy,
                flags_precision=0.5,
                flags_recall=0.5,
                link_s=1.0,
            )
        )
    return Found(header, lines)


def test_advice_by_hand() -> None:
    standings = advice.held(found(by_hand, rows=ROWS), HERE)
    assert standings.level == ["partial", "qqr"], "the upper bound is no advice, fedavg is surely worse"
    assert standings.gains["partial"].mean == pytest.approx(0.10)
    assert standings.gains["qqr"].mean == pytest.approx(0.08)
    assert standings.sent == {"fedavg": 1, "partial": 1, "qqr": 1}
    assert advice.told(HERE, standings) == (
        "- **A sensor fails**: `partial` beside `fedavg`: +10.0 (+7.5 to +12.5) points, 100 % of its upload; not "
        "surely worse: `qqr` (study [missing-rate](#missing-rate))."
    )


def test_where_nothing_is_above_it_fedavg_is_the_advice() -> None:
    data = found(lambda cell: 0.7 if cell.row == "fedavg" else 0.6 + 0.01 * cell.seed)
    said = advice.told(HERE, advice.held(data, HERE))
    assert said.startswith("- **A sensor fails**: `fedavg`, nothing is above it; all others are surely worse")


def test_all_circumstances_are_parts_of_studies() -> None:
    for own in advice.CIRCUMSTANCES:
        full = STUDIES[own.study].full
        assert set(own.points) <= {point.name for point in full.points}
        assert set(own.panels) <= {panel.name for panel in full.panels}
        assert advice.REFERENCE in {row.name for row in full.rows}


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ([], "**Not looked for**"),
        ([("a", True, ""), ("b", True, "")], "**Seen**"),
        ([("a", True, ""), ("b", False, "")], "**Seen only**: a"),
        ([("a", False, "")], "**Not seen**"),
    ],
)
def test_verdicts(seen: list[tuple[str, bool, str]], verdict: str) -> None:
    assert claims.verdict(seen) == verdict


def test_so_many_points_are_asked_for_on_average_and_surely() -> None:
    data = found(by_hand, rows=ROWS)
    for least, row, yes in ((9.9, "partial", True), (10.1, "partial", False), (7, "qqr", False)):
        [(_, seen, _)] = claims.by(least, row, "fedavg", "ucihar", "0.9")(data)
        assert seen is yes, "qqr's interval reaches below zero"


def test_a_method_that_is_surely_worse_is_named() -> None:
    data = found(lambda cell: 0.7 if cell.row == "partial" else 0.5 + 0.001 * cell.seed, rows=ROWS)
    [said] = claims.no_help({"missing-rate": data})
    assert said == (
        "- `qqr` against `partial` on ucihar (study [missing-rate](#missing-rate)): -19.9 (-20.1 to -19.7) points over "
        "the axis; told apart at 0.1 and 0.9."
    )


def test_a_page_of_all_studies() -> None:
    studies = {name: made_up(name) for name in STUDIES}
    text = evidence.page(studies)
    for name in STUDIES:
        assert f"## {name}\n" in text
    for claim in claims.CLAIMS:
        assert f"| {claim.text} | [{claim.study}](#{claim.study}) | **" in text
        assert f"### {claim.text}\n\n- " in text
    assert "nan" not in text
    drawn = advice.chart(advice.advice(studies))
    for own in advice.CIRCUMSTANCES:
        assert own.text in drawn


def test_the_page_is_what_its_data_say() -> None:
    studies = {name: load(path) for name in STUDIES if (path := evidence.FOLDER / f"{name}.jsonl").is_file()}
    if not studies:
        pytest.skip("there are no data of full studies yet")
    assert (evidence.DOCS / "evidence.md").read_text(encoding="utf-8") == evidence.page(studies)
    text = evidence.README.read_text(encoding="utf-8")
    assert text == evidence.readme(text, studies)
