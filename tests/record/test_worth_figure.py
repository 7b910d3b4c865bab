"""The figure and the table of what modalities are worth."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from motet.record.report.worth import MOST_CLASSES, worth_figure
from motet.record.table import MOST_SHARES, worth_table
from motet.record.worth import Share, Worth

SVG = "{http://www.w3.org/2000/svg}"


def share(accuracy: float, **worth: float) -> Share:
    return Share(samples=10, accuracy=accuracy, worth=worth)


def made(classes: int = 3, clients: int = 2, names: tuple[str, ...] = ("acc", "gyro")) -> Worth:
    def own(place: int) -> Share:
        return share(0.5 + place / 1000, **{m: (0.2 - place / 100) * (-1) ** i for i, m in enumerate(names)})

    return Worth(
        recipe="qqr",
        seed=0,
        data="people",
        chance=0.25,
        reached=dict.fromkeys(names, 0.5),
        overall=share(0.75, **{m: 0.4 - 0.3 * i for i, m in enumerate(names)}),
        by_class={f"class {place}": own(place) for place in range(classes)},
        by_client={str(place): own(place) for place in range(clients)},
    )


def drawn(found: Worth) -> list[str]:
    root = ET.fromstring(worth_figure(found))
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_every_number_stands_in_the_figure() -> None:
    texts = drawn(made())
    assert {"acc", "gyro", "accuracy", "all samples", "class 0", "class 2", "+40.0", "+10.0", "75.0"} <= set(texts)
    assert "\N{MINUS SIGN}20.0" in texts
    assert any("chance (25.0)" in text for text in texts)


def test_the_figure_is_a_file_of_its_own_and_always_the_same() -> None:
    text = worth_figure(made())
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["width"] == "700"
    assert "class 1: acc +19.0 and gyro -19.0" in root.attrib["aria-label"]
    assert "var(" not in text
    assert not re.search(r"(href|url\()[^#]*http", text)
    assert worth_figure(made()) == text


def colours(found: Worth) -> list[str]:
    cells = re.findall(r'style="fill: (#[0-9a-f]{6})"', worth_figure(found))
    return [colour for colour in cells if colour != "#ffffff"]


def test_more_is_darker_and_less_than_nothing_is_another_colour() -> None:
    found = made(classes=1)
    rows = {"one": share(0.5, acc=0.4, gyro=-0.4), "two": share(0.5, acc=0.1, gyro=0.0)}
    cells = colours(found.model_copy(update={"overall": share(0.5, acc=0.2, gyro=0.2), "by_class": rows}))
    # in the order in which they are drawn: .2, .2, .4, -.4, .1; nothing is as white as the paper
    assert cells[0] == cells[1]
    assert cells[2] == "#1f62b5"
    assert cells[3] == "#b4540a"
    light = [sum(int(cell[i : i + 2], 16) for i in (1, 3, 5)) for cell in cells]
    assert light[2] < light[0] < light[4]


def test_of_many_classes_the_worst_are_drawn() -> None:
    texts = drawn(made(classes=MOST_CLASSES + 5))
    assert f"class {MOST_CLASSES - 1}" in texts
    assert f"class {MOST_CLASSES}" not in texts
    assert any(f"the {MOST_CLASSES} of {MOST_CLASSES + 5} classes" in text for text in texts)


@pytest.mark.parametrize("names", [("x",), tuple(f"sensor on the left arm {i}" for i in range(8)), ("<b>", "$a_b$")])
def test_any_modalities_can_be_drawn(names: tuple[str, ...]) -> None:
    assert drawn(made(names=names))


def test_where_nothing_is_worth_anything() -> None:
    nothing = share(0.25, acc=0.0, gyro=0.0)
    assert drawn(made(classes=0).model_copy(update={"overall": nothing}))


def printed(found: Worth) -> list[str]:
    console = Console(width=100, file=io.StringIO())
    console.print(worth_table(found))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_the_table_has_a_row_for_all_for_classes_and_for_clients() -> None:
    lines = printed(made())
    assert "all +40.0 +10.0 75.0 %" in lines
    assert "class 1 +19.0 -19.0 50.1 %" in lines
    assert "client 1 +19.0 -19.0 50.1 %" in lines


def test_a_long_table_is_cut() -> None:
    lines = printed(made(clients=MOST_SHARES + 7))
    assert "and 7 more in worth.json" in lines
    assert f"client {MOST_SHARES - 1} +1.0 -1.0 51.9 %" in lines
    assert not any(line.startswith(f"client {MOST_SHARES} ") for line in lines)
