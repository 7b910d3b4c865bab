"""The figures of a report page, each with its words for those who read and those who listen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from motet.record.report import charts, curves
from motet.record.report.charts import Axis, Value
from motet.record.report.curves import Curve
from motet.record.report.looks import LegendItem, Look, Sense, Track, line_legend, modality_colour, patch_legend
from motet.record.report.raster import Kind, raster
from motet.record.report.readings import Readings, of_lines, of_raster, of_rows
from motet.record.report.subsets import modalities, short
from motet.record.result import Result, Round
from motet.record.wording import count, listed, percent

MOST_CLASSES = 40
Drawn = list[tuple[Look, Curve]]


@dataclass(frozen=True)
class Figure:
    """A drawing and what stands around it.

    Attributes
    ----------
    key, title : str
    svg : str
    note : str
        What the reader must know to read it.
    legend : list of LegendItem
    readings : Readings
        What is drawn, as a table.
    """

    key: str
    title: str
    svg: str
    note: str
    legend: list[LegendItem]
    readings: Readings


def over_time(tracks: Sequence[Track]) -> list[Figure]:
    """Draw what changes as the rounds go by."""
    found = [_accuracy(tracks), _bytes(tracks), _online(tracks), _meaning(tracks)]
    return [figure for figure in found if figure]


def by_part(tracks: Sequence[Track]) -> list[Figure]:
    """Draw where recipes differ: by modalities present, by client, by class."""
    found = [_present(tracks), _clients(tracks), _classes(tracks)]
    return [figure for figure in found if figure]


def by_modality(track: Track, names: Sequence[str]) -> list[Figure]:
    """Draw how a recipe's modalities fare as the rounds go by."""
    found = [_dominance(track, names), _updates(track, names)]
    return [figure for figure in found if figure]


def impairment(tracks: Sequence[Track]) -> list[Figure]:
    """Draw which client lacked, or had degraded, which modality when; the same for every recipe that is impaired."""
    track = next((track for track in tracks if not track.bound), tracks[0])
    found = [_raster(track, "missing", len(tracks)), _raster(track, "degraded", len(tracks))]
    return [figure for figure in found if figure]


def _accuracy(tracks: Sequence[Track]) -> Figure | None:
    drawn, note = _history(tracks, lambda line: line.accuracy)
    return _line_figure("accuracy", "Accuracy over rounds", drawn, charts.ROUNDS, charts.ACCURACY, note)


def _online(tracks: Sequence[Track]) -> Figure | None:
    drawn, note = _history(tracks, lambda line: line.online_loss)
    meaning = "Arrivals are predicted before they are learnt from; lower is better. " + note
    title = "Online (prequential) loss over rounds"
    return _line_figure("online", title, drawn, charts.ROUNDS, charts.LOSS, meaning)


def _meaning(tracks: Sequence[Track]) -> Figure | None:
    drawn, note = _history(tracks, curves.lowest_agreement)
    meaning = (
        "Rank correlation of the distances between class prototypes in two modalities, for the two that agree least: "
        "at 1 the same classes are near each other in both, at 0 one tells nothing of the other. " + note
    )
    title = "Do prototypes mean the same across modalities?"
    return _line_figure("meaning", title, drawn, charts.ROUNDS, charts.AGREEMENT, meaning)


def _dominance(track: Track, names: Sequence[str]) -> Figure | None:
    drawn, note = _senses(track, names, lambda line: line.dominance)
    title = "Which modality the model leans on"
    return _line_figure("dominance", title, drawn, charts.ROUNDS, charts.SHARE, note)


def _updates(track: Track, names: Sequence[str]) -> Figure | None:
    drawn, note = _senses(track, names, lambda line: line.update_norm)
    title = "How much each modality's part still changes"
    return _line_figure("updates", title, drawn, charts.ROUNDS, charts.NORM, note)


def _senses(
    track: Track, names: Sequence[str], figures: Callable[[Round], Mapping[str, float | None] | None]
) -> tuple[Drawn, str]:
    """Give a line for each modality that has one."""

    def curve(m: str) -> Curve | None:
        return curves.over_rounds(track.runs, lambda line: (figures(line) or {}).get(m))

    found = [(Sense(m, place), curve(m)) for place, m in enumerate(names)]
    return _noted([(sense, own) for sense, own in found if own], len(track.runs))


def _bytes(tracks: Sequence[Track]) -> Figure | None:
    found = [(track, curves.over_bytes(track.runs)) for track in tracks]
    kept: Drawn = [(track, curve) for track, curve in found if curve]
    drawn, note = _thinned(kept)
    totals = [curve.x[-1] for _, curve in drawn]
    log = bool(totals) and max(totals) > 8 * min(totals)
    log = log and min(curve.x[0] for _, curve in drawn) > 0
    silent = [
        track.label
        for track, curve in found
        if curve is None and curves.over_rounds(track.runs, lambda line: line.accuracy)
    ]
    words = ["Further left is cheaper." + (" The axis is logarithmic." if log else "")]
    words += [f"{listed(silent)} {'sends' if len(silent) == 1 else 'send'} nothing."] if silent else []
    title = "Accuracy over bytes sent"
    axis = charts.bytes_axis(log)
    return _line_figure("bytes", title, drawn, axis, charts.ACCURACY, " ".join([*words, note]).strip())


def _clients(tracks: Sequence[Track]) -> Figure | None:
    found = [(track, curves.over_clients(track.runs)) for track in tracks]
    drawn: Drawn = [(track, curve) for track, curve in found if curve]
    axis = charts.CLIENTS
    note = "Clients of the test split; the left end is the worst served, a flat line treats all alike."
    if drawn and any(len(track.runs) > 1 for track in tracks):
        note += " Those of all seeds together."
    return _line_figure("clients", "Spread over clients", drawn, axis, charts.ACCURACY, note, along=axis)


def _history(tracks: Sequence[Track], figure: Callable[[Round], float | None]) -> tuple[Drawn, str]:
    found = [(track, curves.over_rounds(track.runs, figure)) for track in tracks]
    return _noted([(track, curve) for track, curve in found if curve], max(len(track.runs) for track in tracks))


def _noted(lines: Drawn, seeds: int) -> tuple[Drawn, str]:
    """Thin lines out, and say what they and their bands are."""
    drawn, note = _thinned(lines)
    if drawn and seeds > 1:
        note = f"Line: mean over seeds; band: lowest to highest seed. {note}"
    return drawn, note.strip()


def _thinned(drawn: Drawn) -> tuple[Drawn, str]:
    pairs = [(track, *curves.thinned(curve)) for track, curve in drawn]
    per_point = max((width for _, _, width in pairs), default=1)
    note = f"Each point is the mean of {per_point} evaluations." if per_point > 1 else ""
    return [(track, curve) for track, curve, _ in pairs], note


def _line_figure(
    key: str, title: str, drawn: Drawn, x: Axis, y: Axis, note: str, along: Axis = charts.ROUNDS
) -> Figure | None:
    if not drawn:
        return None
    ends = listed(f"{track.label} from {y.tell(curve.mean[0])} to {y.tell(curve.mean[-1])}" for track, curve in drawn)
    alike = _coinciding(drawn)
    svg = charts.lines(key, f"{title}, as lines: {ends}.", drawn, x, y)
    legend = _legend(line_legend, [track for track, _ in drawn])
    return Figure(key, title, svg, f"{note} {alike}".strip(), legend, of_lines(drawn, along, x, y))


def _coinciding(drawn: Drawn) -> str:
    """Say which lines hide others; the later one is dashed."""
    pairs = []
    for place, (track, curve) in enumerate(drawn):
        under = [earlier.name for earlier, other in drawn[:place] if curve.same_as(other)]
        pairs += [f"{track.name} lies on {under[0]}"] if under else []
    return f"{listed(pairs)} (dashed).".strip() if pairs else ""


def _present(tracks: Sequence[Track]) -> Figure | None:
    first = tracks[0].runs[0]
    subsets = list(dict.fromkeys(name for track in tracks for name in track.runs[0].tail.accuracy_by_present))
    note = "The model is tested with only these modalities."
    names = [short(subset, first) for subset in subsets]

    def values(run: Result) -> list[float | None]:
        return [run.tail.accuracy_by_present.get(subset) for subset in subsets]

    return _row_figure("present", "Accuracy with only some modalities", "present", tracks, names, values, note)


def _classes(tracks: Sequence[Track]) -> Figure | None:
    first = tracks[0].runs[0]
    total = max(len(track.runs[0].tail.accuracy_by_class) for track in tracks)
    declared = first.data.get("classes")
    given = [str(name) for name in declared] if isinstance(declared, list | tuple) else []
    names = [given[place] if place < len(given) else f"class {place}" for place in range(total)]
    kept = _worst_classes(tracks, total)
    note = "Share of each class that is recognised."
    if len(kept) < total:
        note += f" The {len(kept)} worst of {total} classes."

    def values(run: Result) -> list[float | None]:
        recalls = run.tail.accuracy_by_class
        return [recalls[place] if place < len(recalls) else None for place in kept]

    return _row_figure("classes", "Accuracy by class", "class", tracks, [names[place] for place in kept], values, note)


def _worst_classes(tracks: Sequence[Track], total: int) -> list[int]:
    if total <= MOST_CLASSES:
        return list(range(total))

    def mean(place: int) -> float:
        recalls = [run.tail.accuracy_by_class for track in tracks for run in track.runs]
        known = [recall[place] for recall in recalls if place < len(recall)]
        return fmean([value for value in known if value is not None] or [2.0])

    return sorted(sorted(range(total), key=mean)[:MOST_CLASSES])


def _row_figure(
    key: str,
    title: str,
    corner: str,
    tracks: Sequence[Track],
    names: Sequence[str],
    values: Callable[[Result], list[float | None]],
    note: str,
) -> Figure | None:
    drawn = [(track, _over_seeds([values(run) for run in track.runs])) for track in tracks]
    if not any(value for _, column in drawn for value in column):
        return None
    told = [
        f"{name}: {listed(f'{track.label} {percent(value.mean)}' for track, value in found)}"
        for row, name in enumerate(names)
        if (found := [(track, value) for track, column in drawn if (value := column[row])])
    ]
    bars = len(names) * len(drawn) <= charts.MOST_BARS
    if any(len(track.runs) > 1 for track in tracks) and (bars or len(tracks) == 1):
        note += " Mean over seeds; thin lines: lowest to highest seed."
    svg = charts.rows(key, f"{title}. {'; '.join(told)}.", names, drawn)
    legend = _legend(patch_legend if bars else line_legend, tracks)
    return Figure(key, title, svg, note, legend, of_rows(drawn, names, corner))


def _legend(make: Callable[[Sequence[Look]], list[LegendItem]], tracks: Sequence[Look]) -> list[LegendItem]:
    """Name what is drawn, unless it is the one recipe of the page; an upper bound is always named."""
    return make(tracks) if len(tracks) > 1 or tracks[0].bound else []


def _over_seeds(columns: Sequence[Sequence[float | None]]) -> list[Value | None]:
    found: list[Value | None] = []
    for over_seeds in zip(*columns, strict=True):
        known = [value for value in over_seeds if value is not None]
        found.append(Value(fmean(known), min(known), max(known)) if known else None)
    return found


def _raster(track: Track, kind: Kind, recipes: int) -> Figure | None:
    run = track.runs[0]
    picture = raster(run, kind, modalities(run))
    if picture is None:
        return None
    verb = "lacked" if kind == "missing" else "had degraded"
    title = f"Which client {verb} which modality, and when"
    words = ["Paler: only some of the client's samples."] if 0 < picture.shares[picture.shares > 0].min() < 1 else []
    words += [f"Each column is the mean of {picture.per_column} rounds."] if picture.per_column > 1 else []
    if picture.clients_in_all > len(picture.clients):
        words.append(f"The first {len(picture.clients)} of {count(picture.clients_in_all, 'client')}.")
    if recipes > 1:
        words.append(f"Seed {run.seed}; the same for every recipe that trains on impaired data.")
    told = [
        f"{name} in {percent(float((lane > 0).mean()), 0)}"
        for name, lane in zip(picture.modalities, picture.shares, strict=True)
    ]
    label = f"{title}, as a grid of clients and rounds: {listed(told)} of the cells."
    legend = [LegendItem(name, modality_colour(place)) for place, name in enumerate(picture.modalities)]
    return Figure(kind, title, charts.raster(kind, label, picture), " ".join(words), legend, of_raster(picture, kind))
