"""Write docs/evidence.md from the data of full studies: what to use when, what is claimed, and what was seen.

    python benchmarks/evidence.py [FOLDER ...]

Each FOLDER is one of a finished study (`motet study NAME --preset full`); its data are taken over to docs/evidence.
Without any the page is made of the data that lie there. Every number of the page is filled in from them, as are
those of the README's small table.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from advice import advice, brief, chart, told
from claims import figures, no_help, summary
from open_questions import answers

from motet.record.files import write_atomic
from motet.record.wording import listed
from motet.study.data import Found, load
from motet.study.folder import DATA
from motet.study.page import differences, tables, wins
from motet.study.picture import picture
from motet.study.prepared import STUDIES
from motet.study.words import how_sure

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "evidence"
CHART = "what_to_use.svg"
README = DOCS.parent / "README.md"
BEGIN, END = "<!-- table of evidence -->", "<!-- end of the table -->"
"""Between these the README has its small table."""


def page(studies: Mapping[str, Found]) -> str:
    """Return the page."""
    return "\n\n".join([*_introduction(), *_advice(studies), *_claims(studies), *_studies(studies)]) + "\n"


def readme(text: str, studies: Mapping[str, Found]) -> str:
    """Return the README with its small table filled in anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{brief(advice(studies))}\n\n{END}{after}"


def _introduction() -> Iterator[str]:
    yield "# Evidence"
    yield (
        "Which method to use when sensors are missing this often, this way, on this kind of data, and which of the "
        "papers' claims were seen here. Every number below is filled in from the data in `docs/evidence`, by "
        "`python benchmarks/evidence.py`; each study is one command, which stands above its tables, and "
        "[Studies](studies.md) says how it is done. Learning rates are chosen on samples held out of training, from as "
        "many values for every method."
    )


def _advice(studies: Mapping[str, Found]) -> Iterator[str]:
    every = advice(studies)
    if every:
        yield "## What to use when"
        yield f"![Points of accuracy above fedavg, by recipe and circumstances](evidence/{CHART})"
        yield (
            "Points of accuracy above `fedavg` on the same data, mean over seeds and over the study's archives; bold "
            "is the best, a star marks what is not surely below it (the paired 95 % interval reaches zero). The best "
            "is chosen with the same runs, which is to its advantage."
        )
        yield "\n".join(told(*one) for one in every)


def _claims(studies: Mapping[str, Found]) -> Iterator[str]:
    yield "## What is claimed, and what was seen"
    yield (
        "A claim is *seen* on a panel where the paired 95 % interval of the mean over the study's axis lies above "
        "zero, each interval for itself (or as it says)."
    )
    yield summary(studies)
    below = list(no_help(studies))
    if below:
        yield "## Where a method does not help"
        yield "The mean over the axis is surely below zero, or single places are, corrected for how many there are:"
        yield "\n".join(below)
    yield "## What the papers leave open"
    yield from answers(studies)
    yield "## The claims' figures"
    yield from figures(studies)


def _studies(studies: Mapping[str, Found]) -> Iterator[str]:
    for name, found in studies.items():
        study = STUDIES[name]
        yield f"## {name}"
        yield study.question
        yield f"```\n{found.header.command}\n```"
        yield f"![{study.question}](evidence/{name}.svg)"
        yield how_sure(found)
        for part in [*tables(study, found), *differences(study, found), *wins(study, found)]:
            yield part.replace("## ", "#### ", 1)


def main() -> None:
    """Take over the data of studies, and write page and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of finished studies")
    FOLDER.mkdir(exist_ok=True)
    for folder in parser.parse_args().folders:
        found = load(folder / DATA)
        own = {panel.name for panel in STUDIES[found.header.study].full.panels}
        if found.header.preset != "full" or set(found.header.panels) != own:
            parser.error(f"{folder} holds no full preset on the study's own archives")
        shutil.copy(folder / DATA, FOLDER / f"{found.header.study}.jsonl")
    studies = {name: load(path) for name in STUDIES if (path := FOLDER / f"{name}.jsonl").is_file()}
    for name, found in studies.items():
        write_atomic(FOLDER / f"{name}.svg", picture(STUDIES[name], found))
    if every := advice(studies):
        write_atomic(FOLDER / CHART, chart(every))
    write_atomic(DOCS / "evidence.md", page(studies))
    write_atomic(README, readme(README.read_text(encoding="utf-8"), studies))
    print(f"wrote evidence.md, of {listed(studies)}")


if __name__ == "__main__":
    main()
