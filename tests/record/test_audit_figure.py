"""The figure and the table of what an eavesdropper recovers."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

from rich.console import Console
from synthetic import result

from motet.record.audit import GRADIENT, NEAREST, PROTOTYPE, Attempt, Audit, Leak
from motet.record.report import run_report
from motet.record.report.audit import audit_figure
from motet.record.table import audit_table

WAYS = [(32, 0.0), (8, 0.0), (4, 0.0), (2, 0.0), (32, 0.01), (32, 0.1), (32, 1.0)]


def made(*names: str, clients: int = 3) -> Audit:
    def attempt(name: str) -> Attempt:
        place = names.index(name)

        def leak(way: int) -> Leak:
            mean = 0.9 - 0.1 * place - 0.05 * way
            sd = 0.02 if clients > 1 else None
            bits, noise = WAYS[way]
            return Leak(bits=bits, noise=noise, mean=mean, sd=sd, near=None, by_client={}, by_modality={})

        scale = "auroc" if name == NEAREST else "recovery"
        return Attempt(scale=scale, samples=4 if GRADIENT in name else None, held=None, leaks=list(map(leak, range(7))))

    return Audit(
        recipe="qqr",
        seed=0,
        data="people",
        round=5,
        clients=list(range(clients)),
        held=10,
        steps=3,
        attempts={name: attempt(name) for name in names},
        notes=["Text is tokens."],
    )


ALL = made(NEAREST, PROTOTYPE, f"{GRADIENT}, 4")


def drawn(found: Audit) -> list[str]:
    figure = audit_figure(found)
    assert figure is not None
    return [node.text or "" for node in ET.fromstring(figure.svg).iter() if node.tag.endswith("text")]


def test_bits_and_noise_stand_side_by_side() -> None:
    texts = drawn(ALL)
    assert texts.count("32") == texts.count("2") == texts.count("0.01") == 2  # in both rows
    assert {"bits per number", "noise", "recovery of samples", "AUROC, own samples from others"} <= set(texts)
    assert "recovery of samples" not in drawn(made(NEAREST))
    assert "AUROC, own samples from others" not in drawn(made(f"{GRADIENT}, 4"))


def test_what_is_drawn_is_told_and_named() -> None:
    figure = audit_figure(ALL)
    assert figure is not None
    assert "nearest sample: 0.90, 0.85 with 8 bits, 0.80 with 4 bits" in figure.svg
    assert [item.label for item in figure.legend] == list(ALL.attempts)
    assert len({(item.colour, item.mark) for item in figure.legend}) == 3
    assert "Text is tokens." in figure.note
    assert "over 3 clients" in figure.note
    assert audit_figure(ALL) == figure


def test_the_report_has_it_where_there_is_an_audit() -> None:
    page = run_report(result("qqr"), ALL)
    assert "What messages give away" in page
    plain = run_report(result("qqr"))
    assert "What messages give away" not in plain
    assert audit_figure(made()) is None
    assert run_report(result("qqr"), made()) == plain


def printed(found: Audit) -> list[str]:
    console = Console(width=80, file=io.StringIO())
    console.print(audit_table(found))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_the_table_has_a_row_for_each_protection_and_fits_a_terminal() -> None:
    lines = printed(made(NEAREST, PROTOTYPE, *(f"{GRADIENT}, {n}" for n in (1, 4, 8))))
    assert "as it is 0.90±0.02 0.80±0.02 0.70±0.02 0.60±0.02 0.50±0.02" in lines
    assert "noise 1 0.60±0.02 0.50±0.02 0.40±0.02 0.30±0.02 0.20±0.02" in lines
    assert "message sample inversion inversion 1 inversion 4 inversion 8" in lines
    assert not any("…" in line for line in lines)


def test_one_client_has_no_spread() -> None:
    text = " ".join(printed(made(NEAREST, clients=1)))
    assert "2 bits 0.75" in text
    assert "±" not in text
    assert "Mean over 1 client." in text
