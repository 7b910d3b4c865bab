"""Studies from design to page, in folders that begin, go on, and are not mixed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made import design, study

from motet.engine.watch import Watch
from motet.errors import InputError, Interrupted
from motet.study import folder, prepared
from motet.study.carry_out import check_all, choose
from motet.study.data import Found, load
from motet.study.design import Search, Study, Variant
from motet.study.page import page


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """Return the folder of a study that is over, and what it found."""
    here = tmp_path_factory.mktemp("study")
    return here / "out", carry_out(here / "out", here / "kept")


def carry_out(out: Path, kept: Path, own: Study | None = None, watch: Watch | None = None) -> Found:
    own = own or study(name="missing-rate")
    return folder.run(own, "small", own.small, "motet study tiny", out, kept, watch or Watch())


def test_a_study_leaves_data_picture_and_page(done: tuple[Path, Found]) -> None:
    out, found = done
    assert sorted(path.name for path in out.iterdir()) == [
        "figure.svg",
        "lock",
        "study.json",
        "study.jsonl",
        "study.md",
    ]
    assert [line.cell for line in found.lines] == list(design().cells())
    again = load(out / "study.jsonl")
    assert (again.header, again.lines) == (found.header, found.lines)
    assert (out / "study.md").read_text() == page(study(name="missing-rate"), again)


def test_the_page_shows_the_figures_of_the_runs(done: tuple[Path, Found]) -> None:
    out, found = done
    text = (out / "study.md").read_text()
    for row in found.rows:
        assert f"{100 * found.mean('digits', '0.5', row):.1f} ±" in text
    assert "motet study tiny" in text
    assert "(figure.svg)" in text


def test_begun_again_it_gives_the_same_and_runs_nothing(done: tuple[Path, Found]) -> None:
    out, found = done

    class Busy(Watch):
        def round(self, number: int, accuracy: float | None, title: str = "") -> None:
            raise AssertionError("nothing is left to run")

    before = (out / "study.jsonl").read_bytes()
    assert carry_out(out, out.parent / "kept", watch=Busy()).lines == found.lines
    assert (out / "study.jsonl").read_bytes() == before


@pytest.mark.slow
def test_what_was_run_before_a_stop_is_not_run_again(tmp_path: Path) -> None:
    class Impatient(Watch):
        def round(self, number: int, accuracy: float | None, title: str = "") -> None:
            if number >= 5:  # of 8 in all
                raise Interrupted("enough")

    with pytest.raises(Interrupted):
        carry_out(tmp_path / "out", tmp_path / "kept", watch=Impatient())
    assert not (tmp_path / "out" / "study.jsonl").exists()
    finished = list((tmp_path / "kept").glob("*.json"))
    assert finished
    carry_out(tmp_path / "out", tmp_path / "kept")
    assert (tmp_path / "out" / "study.md").exists()


def test_another_study_is_not_written_over_it(done: tuple[Path, Found]) -> None:
    out, _ = done
    before = (out / "study.jsonl").read_bytes()
    with pytest.raises(InputError, match="holds another study, or other settings"):
        carry_out(out, out.parent / "kept", study(replace(design(), seeds=1), name="missing-rate"))
    assert (out / "study.jsonl").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        carry_out(tmp_path, tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_settings_are_chosen_on_validation_and_controls_take_those_of_their_row(tmp_path: Path) -> None:
    rows = (*design().rows, Variant("like partial", {"recipe": "partial", "upload": "q8"}, like="partial"))
    search = Search({"lr": (1e-6, 0.1), "local_epochs": (1, 2)}, seeds=1, at="0.5")
    own = design(settings={**design().settings, "rounds": 4}, rows=rows, search=search)
    own = replace(own, settings={key: value for key, value in own.settings.items() if key != "lr"})
    chosen, tried = choose(own, tmp_path, Watch())
    assert chosen["digits"]["partial"]["lr"] == 0.1, "a rate of one in a million learns nothing"
    assert chosen["digits"]["like partial"] == chosen["digits"]["partial"]
    assert len(tried) == 2 * 3, "two rates, and another number of epochs at the better one; no row is tried twice"
    best = max((t for t in tried if t.row == "fedavg"), key=lambda t: t.accuracy)
    assert chosen["digits"]["fedavg"] == best.settings


def test_what_cannot_be_run_is_refused_before_anything_runs() -> None:
    wrong = design(rows=(Variant("fedavg", {"recipe": "fedavg", "missing_modality": "sound"}),))
    with pytest.raises(InputError, match=r"digits, 0\.5, fedavg: .*sound"):
        check_all(wrong)


def test_a_study_of_an_archive_of_ones_own_has_the_modalities_of_that() -> None:
    own = folder.plan(prepared.STUDIES["modalities"], "small", 1, {"data": "digits", "encoder": "mlp"})
    names = [point.name for point in own.points]
    assert names == ["upper", "lower", "all", "upper mostly missing", "lower mostly missing"]
    assert [panel.name for panel in own.panels] == ["digits"]
    assert own.seeds == 1


@pytest.mark.parametrize(
    "content", ["", "{}\n", '{"format": "motet-study/1"}\n', "nonsense"], ids=["empty", "none", "bare", "nonsense"]
)
def test_damaged_data_are_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "study.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match="holds no study of this version"):
        load(path)


def test_data_that_lack_a_run_are_refused(done: tuple[Path, Found], tmp_path: Path) -> None:
    lines = (done[0] / "study.jsonl").read_text().splitlines()
    (tmp_path / "study.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match=r"lacks the run of partial at 0\.5 on digits with seed 1"):
        load(tmp_path / "study.jsonl")


def test_figure_and_page_can_be_written_again(done: tuple[Path, Found], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prepared.STUDIES, "missing-rate", study(name="missing-rate"))
    out, _ = done
    before = {name: (out / name).read_text() for name in (folder.FIGURE, folder.PAGE)}
    for name in before:
        (out / name).unlink()
    assert folder.report(out) == out / folder.PAGE
    assert {name: (out / name).read_text() for name in before} == before


def test_a_study_that_is_not_over_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / folder.PLAN).write_text('{"command": "motet study skew"}')
    with pytest.raises(InputError, match="go on with `motet study skew`"):
        folder.report(tmp_path)
    (tmp_path / folder.PLAN).write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        folder.report(tmp_path)
