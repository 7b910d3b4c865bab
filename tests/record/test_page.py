"""What a page lets its readers do: read, with any eyes and on any paper, and ask what a point's number is."""

import base64
import hashlib
import itertools
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from parsed import checked
from synthetic import FOUR, comparison, result
from test_audit_figure import ALL

from motet.record.comparison import compare
from motet.record.report import compare_report, page, run_report
from motet.record.report.audit import audit_figure
from motet.record.report.figures import by_modality, by_part, impairment, over_time
from motet.record.report.looks import MODALITY_COLOURS, PALETTE, tracks

FOLDER = Path(page.__file__).parent
COMPARISON = comparison(FOUR, assessed=True)


@cache
def made(name):
    if name == "run":
        return run_report(result("qqr", assessed=True), ALL)
    return compare_report(COMPARISON, "because")


@pytest.fixture(params=["comparison", "run"])
def text(request):
    return made(request.param)


def tagged(text, tag):
    return [own for name, own in checked(text).tags if name == tag]


def test_every_button_hides_what_its_drawing_holds(text):
    buttons = tagged(text, "button")
    assert buttons
    for button in buttons:
        assert button["type"] == "button"
        assert button["aria-pressed"] == "true"
        assert "disabled" in button  # until the script makes it of use
        drawing = text.split(f'id="{button["aria-controls"]}"')[1].split("</svg>")[0]
        assert f'data-series="{button["data-series"]}"' in drawing


def test_a_recipe_is_the_same_series_in_every_figure():
    named = re.findall(r'data-series="([^"]*)"><svg.*?</svg>([^<]*)</button>', made("comparison"), flags=re.DOTALL)
    assert set(named) == {
        ("recipe0", "fedavg"), ("recipe1", "partial"), ("recipe2", "pmm"), ("bound1", "full (upper bound)")
    }  # fmt: skip
    drawn = re.findall(r'class="points" data-series="(\w+)"', made("comparison"))
    assert {drawn.count(series) for series, _ in named} == {4}


def test_bars_are_hidden_with_their_numbers_and_ranges():
    """Three subsets of two modalities; a bar, its number and its range each."""
    (figure,) = [figure for figure in by_part(tracks(COMPARISON)) if figure.key == "present"]
    assert figure.svg.count('class="part" data-series="recipe2"') == 3 * 3


def test_two_upper_bounds_are_two_series():
    runs = {(name, 0): result(name, config={"impaired": False}) for name in ("full", "oracle")}
    bounds = tracks(compare(["full", "oracle"], [0], {}, runs))
    assert [track.bound for track in bounds] == [True, True]
    assert len({track.series for track in bounds}) == 2


def points(svg, series):
    """Give the corners of a series' lines, or the places of its dots."""
    found = []
    for part in ET.fromstring(svg).iter("g"):
        if (part.get("class"), part.get("data-series")) == ("points", series):
            line = part.find("path")
            dots = [(float(dot.get("x", "")), float(dot.get("y", ""))) for dot in part.iter("use")]
            corners = line.get("d", "")[1:].split("L") if line is not None else []
            found += [tuple(map(float, corner.split())) for corner in corners] or dots
    return np.array(found)


def every_figure(rounds):
    whole = comparison(FOUR, rounds=rounds)
    shown = tracks(whole)
    many = tracks(comparison({f"r{place}": [place / 20] for place in range(12)}, rounds=rounds))
    return [
        *over_time(shown), *by_part(shown), *by_modality(shown[0], ["acc", "gyro"]), *by_part(many), audit_figure(ALL)
    ]  # fmt: skip


# 300 is thinned, and more corners than matplotlib leaves alone
@pytest.mark.parametrize("rounds", [1, 60, 300])
def test_every_point_has_its_number(rounds):
    """The script counts on it: the numbers of a column are those of its line's corners, in their order."""
    several = 0
    for figure in every_figure(rounds):
        for place, column in enumerate(figure.readings.columns):
            told = [cells[place] for _, cells in figure.readings.rows if cells[place] != "-"]
            values = [float(re.search(r"-?[\d.]+", cell.rpartition(": ")[2])[0]) for cell in told]
            drawn = points(figure.svg, column.series)
            if not len(drawn) and figure.key in ("present", "classes"):
                continue  # bars have their numbers beside them
            assert len(drawn) == len(values)
            along = drawn[:, 0 if figure.key in ("present", "classes") else 1]
            if np.ptp(along) > 20:
                slope, start = np.polyfit(values, along, 1)
                assert np.abs(slope * np.array(values) + start - along).max() < 1.5
                several += 1
    assert several > 10 or rounds == 1


def test_a_number_stands_with_its_lowest_and_highest_seed():
    """By hand: fedavg recognises 65.5, 67.2 and 66.1 %."""
    row = re.search(r'<th scope="row">all present</th><td>(.*?)</td>', made("comparison"))
    assert row[1] == "66.3 (65.5 to 67.2)"
    assert "<span>accuracy (%)</span>, in brackets the lowest and the highest seed</caption>" in made("comparison")
    assert "in brackets" not in made("run")


def test_bytes_stand_beside_the_accuracy_that_they_bought():
    figure = next(figure for figure in over_time(tracks(COMPARISON)) if figure.key == "bytes")
    heads = [head for head, _ in figure.readings.rows]
    assert heads[:2] == ["1", "2"]
    assert figure.readings.rows[1][1][0].startswith("800 kB: ")  # twice 400 kB


def test_a_raster_is_told_by_client():
    """By hand: a client that lacked acc in one of two rounds."""
    run = result(rounds=2, clients=2)
    lines = [line.model_copy(update={"missing": {}, "degraded": {}}) for line in run.history]
    lines[0] = lines[0].model_copy(update={"missing": {"acc": {"1": 1.0}}})
    (figure,) = impairment(tracks(compare(["a"], [0], {}, {("a", 0): run.model_copy(update={"history": lines})})))
    assert figure.readings.rows == [("0", ["0", "0"]), ("1", ["50", "0"])]
    assert not any(item.series for item in figure.legend)


def test_every_chart_has_a_table_that_can_be_told_from_others(text):
    ends = re.findall(r"</table>\s*</div>\s*</details>\s*</figure>", text)
    assert text.count("<figure>") == len(ends) == text.count("<caption>")
    names = [own["aria-label"] for own in tagged(text, "div") if own.get("role") == "group"]
    assert len(names) == len(set(names)) == text.count("<table")
    assert all("scope" in own for own in tagged(text, "th"))


def test_headings_and_landmarks_lead_through_a_page(text):
    tags = [tag for tag, _ in checked(text).tags]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert tags.count("main") == tags.count("header") == 1
    assert all(own["aria-labelledby"] for own in tagged(text, "section"))
    assert re.search(r'<html lang="en">', text)


def test_browsers_are_told_to_fetch_nothing_and_run_only_our_script(text):
    script = re.search(r"<script>(.*?)</script>", text, flags=re.DOTALL)[1]
    assert script == (FOLDER / "page.js").read_text(encoding="utf-8").rstrip("\n") + "\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [own["content"] for own in tagged(text, "meta") if "http-equiv" in own]
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert script.count("\n") < 150
    assert "innerHTML" not in script


def luminance(colour):
    """Give relative luminance, as the Web Content Accessibility Guidelines 2.2 define it."""
    colour = "".join(2 * digit for digit in colour[1:]) if len(colour) == 4 else colour[1:]
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_what_is_known():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_paper(dark):
    """At least 4.5:1, on both papers and in both schemes; what is only drawn, 3:1."""
    text = made("comparison")
    schemes = re.findall(r":root\s*\{([^}]*)\}", text)
    found = {}
    for scheme in schemes:
        declared = dict(re.findall(r"(--[\w-]+):\s*(#\w+)", scheme))
        if ("color-scheme: dark" in scheme or declared.get("--ink") == PALETTE[0][2]) == dark:
            found |= declared
    assert {"--paper", "--raised", "--ink", "--accent", "--warning", "--recipe-7"} <= set(found)
    for paper in (found.pop("--paper"), found.pop("--raised")):
        faint = {name: contrast(colour, paper) for name, colour in found.items() if name != "--grid"}
        assert {name: ratio for name, ratio in faint.items() if ratio < 4.5} == {}
        assert min(contrast(colour, paper) for colour in MODALITY_COLOURS) >= 3


def test_nothing_moves():
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    assert not re.search("transition|animation|scroll-behavior", style)


def test_a_page_stays_light():
    """Four recipes on three seeds over sixty rounds."""
    assert len(made("comparison").encode()) < 600_000
