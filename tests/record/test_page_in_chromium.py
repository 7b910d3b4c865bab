"""A page in a browser: asked by mouse and keys, with series hidden, on a phone, on paper, and without scripts."""

import pytest
from chromium import PROGRAM, browser
from synthetic import FOUR, comparison, result
from test_audit_figure import ALL

from motet.record.report import compare_report, run_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed"),
]
PLOT = "document.querySelector('#drawing-accuracy')"
TIP = f"({PLOT}.querySelector('.tip:not([hidden])')?.textContent ?? null)"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    long = {"modalities": [f"modality-{place}" for place in range(5)], "classes": ["a-long-name-of-a-class" * 2] * 9}
    written = {
        "comparison": compare_report(comparison(FOUR, assessed=True), "because"),
        "run": run_report(result("qqr", assessed=True), ALL),
        "long": compare_report(comparison({"x" * 80: [0.5, 0.6], "fedavg": [0.4, 0.5]}, **long), None),
    }
    for name, text in written.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in written}


def cell(tab, round_, column):
    """Give what the table of accuracies says."""
    rows = f"{PLOT}.parentElement.querySelector('tbody').rows"
    return tab.ask(f"[...{rows}].find((row) => row.cells[0].textContent === '{round_}').cells[{column}].textContent")


def focus(tab):
    """Reach the first drawing by the keyboard."""
    tab.ask(f"{PLOT}.closest('section').querySelector('h2').tabIndex = -1")
    tab.ask(f"{PLOT}.closest('section').querySelector('h2').focus()")
    tab.press("Tab")
    assert tab.ask(f"document.activeElement === {PLOT}")


def test_keys_lead_from_point_to_point(tab, pages):
    tab.open(pages["comparison"])
    focus(tab)
    assert tab.ask(TIP) == f"full (upper bound)\nround: 60\naccuracy (%): {cell(tab, 60, 4)}"
    tab.press("ArrowUp", "ArrowLeft")
    assert tab.ask(TIP) == f"pmm\nround: 59\naccuracy (%): {cell(tab, 59, 3)}"
    tab.press("Home", "ArrowLeft", "ArrowDown", "ArrowDown")
    assert tab.ask(TIP) == f"fedavg\nround: 1\naccuracy (%): {cell(tab, 1, 1)}"
    tab.press("Escape")
    assert tab.ask(TIP) is None
    tab.press("ArrowRight", "Tab")
    assert tab.ask(TIP) is None


def test_the_mouse_finds_the_nearest_point(tab, pages):
    tab.open(pages["comparison"])
    tab.ask(f"{PLOT}.scrollIntoView({{block: 'center'}})")
    place = """(() => {
        const box = document.querySelector('#drawing-accuracy svg');
        const line = box.querySelector('.points[data-series=recipe1] path').getAttribute('d').slice(1).split('L');
        const corner = new DOMPoint(...line[29].split(' ').map(Number)).matrixTransform(box.getScreenCTM());
        return [corner.x, corner.y];
    })()"""
    x, y = tab.ask(place)
    tab.point(x, y)
    told = tab.ask(TIP)
    assert told == f"partial\nround: 30\naccuracy (%): {cell(tab, 30, 2)}"
    assert " to " in told
    ring = tab.ask(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({PLOT}.querySelector('.ring')"
                   ".getBoundingClientRect())")  # fmt: skip
    assert ring == pytest.approx([x, y], abs=1)
    tab.point(5, 5)
    assert tab.ask(TIP) is None


def test_dots_and_both_axes_of_an_audit_can_be_asked(tab, pages):
    tab.open(pages["run"])
    counted = "pointsOf(document.querySelector('#drawing-audit').parentElement).map((point) => point.text)"
    told = tab.ask(counted)
    assert len(told) == 3 * 8
    assert told[4] == "nearest sample\nprotection: noise 0\nAUROC or recovery: 0.90±0.02"


def test_a_recipe_is_hidden_in_all_figures(tab, pages):
    tab.open(pages["comparison"])
    shown = (
        "[...document.querySelectorAll('svg [data-series=recipe2]')]"
        ".filter((part) => part.getBoundingClientRect().width).length"
    )
    others = shown.replace("recipe2", "recipe1")
    before, rest = tab.ask(shown), tab.ask(others)
    assert before > 20
    tab.ask("document.querySelectorAll('.legend button')[2].focus()")
    tab.press("Enter")
    assert (tab.ask(shown), tab.ask(others)) == (0, rest)
    pressed = "[...document.querySelectorAll('.legend [data-series=recipe2]')].map((button) => button.ariaPressed)"
    assert set(tab.ask(pressed)) == {"false"}
    focus(tab)
    tab.press("ArrowUp")
    assert tab.ask(TIP).startswith("partial")
    tab.ask("document.querySelectorAll('.legend [data-series=recipe2]')[3].click()")
    assert tab.ask(shown) == before
    assert set(tab.ask(pressed)) == {"true"}


@pytest.mark.parametrize("name", ["comparison", "run", "long"])
def test_a_phone_never_scrolls_sideways(tab, pages, name):
    tab.open(pages[name], width=390)
    tab.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    focus(tab)
    for key in ("Home", "End"):
        tab.press(key)
        assert tab.ask(f"{PLOT}.querySelector('.tip').getBoundingClientRect().right") <= 390
        assert tab.ask("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("name", ["comparison", "run"])
def test_nothing_is_fetched_and_nothing_goes_wrong(tab, pages, name):
    tab.open(pages[name])
    asked = [event["params"]["request"]["url"] for event in tab.heard if event["method"] == "Network.requestWillBeSent"]
    assert asked[0].startswith("file:")
    assert all(url.startswith("data:") for url in asked[1:])
    assert not [event for event in tab.heard if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    tab.ask("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.bad = 1\">')")
    assert tab.ask("window.bad ?? null") is None


def test_paper_is_light_has_no_buttons_and_shows_every_seed(tab, pages):
    tab.open(pages["comparison"], dark=True)
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    tab.open(pages["comparison"], dark=True, paper=True)
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    seen = tab.ask("[...document.querySelectorAll('details table')].map((table) => table.checkVisibility())")
    assert seen == [True] + [False] * (len(seen) - 1)
    uncut = "[...document.querySelectorAll('figure')].every((one) => getComputedStyle(one).breakInside === 'avoid')"
    assert tab.ask(uncut)
    tab.ask("document.querySelector('.legend button').click()")
    assert tab.ask("getComputedStyle(document.querySelector('.legend button')).display") == "none"
    tab.open(pages["comparison"])
    assert tab.paper().startswith(b"%PDF")


def test_without_scripts_everything_can_be_read(tab, pages):
    tab.open(pages["comparison"], scripts=False)
    document = tab.call("DOM.getDocument", depth=0)["root"]["nodeId"]

    def found(selector):
        return tab.call("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"]

    assert found(".legend button") == found(".legend button:disabled") != []
    assert found(".plot[tabindex]") == found(".tip") == []
    assert len(found("figure details table")) == len(found("figure"))
