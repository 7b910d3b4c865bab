"""Make docs/performance.md and its figure from what the other scripts of this folder measured.

    python benchmarks/performance.py

The text is filled from the files in docs/performance, so a figure can't disagree with the run that it comes from.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "performance"
SHAPES = {"benchmark": "convolution", "mlp": "perceptron", "lstm": "LSTM"}


def read(name: str) -> Any:
    """Return a measurement; None if it was not made."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def milliseconds(seconds: list[float]) -> str:
    """Return the median and the range."""
    values = [1e3 * value for value in seconds]
    digits = 0 if statistics.median(values) >= 100 else 1
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def speed(measured: dict[str, Any]) -> str:
    """Return the table of throughput."""
    rows = [
        "| encoder | clients x samples | floor, ms | vector, ms | of the floor | loop, ms | of the floor | `auto` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for work in measured["work"]:
        seconds = work["s"]
        floor = statistics.median(seconds["floor"])
        cells = [SHAPES[work["encoder"]], f"{work['clients']:,} x {work['samples']}", milliseconds(seconds["floor"])]
        for engine in ("vector", "loop"):
            if engine in seconds:
                cells += [milliseconds(seconds[engine]), f"{floor / statistics.median(seconds[engine]):.2f}"]
            else:
                cells += ["-", "-"]
        rows.append(f"| {' | '.join([*cells, work['auto']])} |")
    return "\n".join(rows)


def rivals(measured: list[dict[str, Any]]) -> str:
    """Return the table of rivals: who is how many times as slow as Motet in the same run."""
    rows = ["| clients x samples | Motet, s | rival | rival, s | times as long |", "|---|---|---|---|---|"]
    for work in measured:
        ours = statistics.median(work["motet"])
        for name, seconds in work["rivals"].items():
            theirs = statistics.median(seconds)
            size = f"{work['clients']:,} x {work['samples']}"
            rows.append(f"| {size} | {ours:.3f} | {name} | {theirs:.2f} | {theirs / ours:.1f} |")
    return "\n".join(rows)


def methods(measured: dict[str, Any]) -> str:
    """Return the table of recipes against fedavg, and the cost of a client-round whose model does nothing."""
    rows = ["| recipe | flags by the oracle, of fedavg | assessed, of fedavg |", "|---|---|---|"]
    for recipe in measured["recipes"]["oracle"]:
        cells = []
        for flags in ("oracle", "assessed"):
            seconds = measured["recipes"][flags]
            cells.append(f"{statistics.median(seconds[recipe]) / statistics.median(seconds['fedavg']):.2f}")
        rows.append(f"| `{recipe}` | {' | '.join(cells)} |")
    rows += ["", "| recipe | of fedavg |", "|---|---|"]
    for recipe, seconds in measured["more"].items():
        rows.append(
            f"| `{recipe}` | {statistics.median(seconds) / statistics.median(measured['more']['fedavg']):.2f} |"
        )
    uploads = measured["uploads"]
    heads = [f"{epochs} local {'epoch' if epochs == '1' else 'epochs'}, of dense" for epochs in uploads]
    rows += ["", f"| upload of `fedavg` | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for upload in next(iter(uploads.values())):
        ratios = [statistics.median(own[upload]) / statistics.median(own["dense"]) for own in uploads.values()]
        rows.append(f"| `{upload}` | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    nothing = [
        f"{statistics.median(seconds) / int(clients) * 1e3:.3f} ms in the {engine} at {int(clients):,} clients"
        for clients, engines in measured["nothing"].items()
        for engine, seconds in engines.items()
    ]
    return "\n".join(rows) + f"\n\nWith a model that does nothing a client-round takes {', '.join(nothing)}."


def growth(measured: list[dict[str, Any]]) -> str:
    """Return the table of cost and memory against clients, parameters and rounds."""
    rows = ["| clients x samples | parameters | rounds | ms a client-round | peak memory above the start, MB |"]
    rows.append("|---|---|---|---|---|")
    for found in measured:
        work = f"{found['clients']:,} x {found['samples']} | {found['parameters']:,} | {found['rounds']}"
        cost = f"{found['ms']:.3f} ({found['lowest_ms']:.3f} to {found['highest_ms']:.3f})"
        rows.append(f"| {work} | {cost} | {found['megabytes']:,.0f} |")
    return "\n".join(rows)


def curves(measured: list[dict[str, Any]]) -> None:
    """Draw cost and memory against clients."""
    pyplot = plain_pyplot()
    drawing, (cost, memory) = pyplot.subplots(1, 2, figsize=(9, 3), layout="constrained")
    fewest = min(found["parameters"] for found in measured)
    for samples, colour in ((20, "#0b6e99"), (4, "#c4561a")):
        own = [f for f in measured if (f["samples"], f["parameters"]) == (samples, fewest) and f["rounds"] < 30]
        clients = [found["clients"] for found in own]
        cost.plot(clients, [found["ms"] for found in own], "o-", color=colour, label=f"{samples} samples a client")
        memory.plot(clients, [found["megabytes"] for found in own], "o-", color=colour)
    for axes, title in ((cost, "ms a client-round"), (memory, "peak memory above the start, MB")):
        axes.set(xscale="log", xlabel="clients", title=title, ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    cost.legend(frameon=False)
    drawing.savefig(FOLDER / "growth.svg", metadata={"Date": None})


def plain_pyplot() -> Any:
    """Return matplotlib set to draw the same bytes every time."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "motet"
    from matplotlib import pyplot

    return pyplot


def figure(measured: dict[str, Any]) -> None:
    """Draw how much of the floor's throughput each engine reaches."""
    pyplot = plain_pyplot()
    work = [w for w in measured["work"] if {"vector", "loop"} <= set(w["s"])]
    names = [f"{SHAPES[w['encoder']]}\n{w['clients']:,} x {w['samples']}" for w in work]
    drawing, axes = pyplot.subplots(figsize=(9, 0.42 * len(work) + 1.2), layout="constrained")
    for shift, engine, colour in ((-0.2, "vector", "#0b6e99"), (0.2, "loop", "#b8b8b8")):
        shares = [statistics.median(w["s"]["floor"]) / statistics.median(w["s"][engine]) for w in work]
        places = [place + shift for place in range(len(work))]
        axes.barh(places, shares, 0.38, color=colour, label=engine)
        for place, share in zip(places, shares, strict=True):
            axes.text(share + 0.01, place, f"{share:.2f}", va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(work)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("throughput, in units of one central model over the same samples")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(FOLDER / "throughput.svg", metadata={"Date": None})


ADVICE = """**In one sentence:** leave `--engine auto` as it is; give it many clients with few samples rather than the
other way round, and as many threads as there are cores."""

HOW = """Measured on a shared machine with two cores ({}); medians, in brackets the range over rounds. Everything in one
row was measured in turns, round by round, in one run, so ratios mean more than times. `make bench` makes this page."""

WORK = """The work: two signals (3 x 128), an encoder each, a head on both, one step of SGD for each client, fedavg, no
evaluation. The convolution has kernels of 5, 32 and 64 channels, GroupNorm, pooling by 4 and the mean over time. The
floor is one model in plain PyTorch that sees the same samples once, forward and backward, in the best of four batch
sizes: nothing is sent, joined, drawn or recorded."""

LIMITS = """What keeps the vector engine from the floor: every client's gradient is written out and joined, where the
floor adds them up as it goes, so that with four samples a client, or with a perceptron, a round is bound by memory; a
grouped convolution's gradient takes up to twice a plain one's; and a block has a fixed cost, mostly of the functions
under `vmap`, which small rounds feel. What helps it: pooling whose forward pass does not look for places, a block of
clients for each thread, and memory that is kept when it is freed. Recurrent encoders are trained client by client, each
thread with one; so are clients that fill a block by themselves, by the loop."""

OTHERS = """The same work, written as a user of each would, each in an environment of its own (`benchmarks/rivals`); in
turns, evaluation left out on both sides."""


GROWTH = """`qqr` with assessed flags, sensors missing half of the time, each row in a process of its own. What a round
costs whatever the number of clients weighs on the first rows of each size."""


def main() -> None:
    """Write the page."""
    measured = read("throughput")
    figure(measured)
    versions = f"python {measured['python']}, torch {measured['torch']}, {measured['machine']}"
    parts = ["# Performance", ADVICE, HOW.format(f"{versions}, {measured['threads']} threads")]
    parts += ["## How near to the floor", WORK, "![Share of the floor's throughput](performance/throughput.svg)"]
    parts += [speed(measured), LIMITS]
    if found := read("rivals"):
        parts += ["## Against other simulators", OTHERS, rivals(found)]
    if found := read("methods"):
        rounds = len(found["recipes"]["oracle"]["fedavg"])
        setting = "100 clients with 20 samples, sensors missing and degraded half of the time; "
        setting += f"medians of {rounds} rounds. "
        setting += "A round of fedmchain goes over the samples once for each of the two modalities."
        parts += ["## What methods cost", setting, methods(found)]
    if found := read("growth"):
        curves(found)
        parts += ["## Growth", GROWTH, "![Cost and memory against clients](performance/growth.svg)", growth(found)]
    (DOCS / "performance.md").write_text("\n\n".join(parts) + "\n")
    print("wrote performance.md")


if __name__ == "__main__":
    main()
