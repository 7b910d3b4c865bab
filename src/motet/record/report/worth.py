"""The figure of what modalities are worth: a table coloured by worth, a row for all samples and one for each class."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle

from motet.record.report.looks import INK, MUTED, RECIPE_COLOURS
from motet.record.report.svg import canvas, standalone, to_svg
from motet.record.wording import listed, percent, points, shortened
from motet.record.worth import Share, Worth

MOST_CLASSES = 30
ABOVE, BELOW = RECIPE_COLOURS[1][0], RECIPE_COLOURS[2][0]
"""Blue and orange: told apart by every eye."""

_ROW, _SPACE = 0.27, 0.35
_STRONG = 0.8
"""White text stands out from here on, 4:1 on either colour; below it, dark text does."""


def worth_figure(found: Worth) -> str:
    """Draw what modalities are worth, as an SVG file.

    Parameters
    ----------
    found : Worth
        Of more classes than fit, those that are recognised worst are shown.
    """
    names = list(found.overall.worth)
    classes = sorted(found.by_class, key=lambda name: found.by_class[name].accuracy)[:MOST_CLASSES]
    shown = {name: found.by_class[name] for name in found.by_class if name in classes}
    rows = [("all samples", found.overall), *shown.items()]
    tops = [place + (_SPACE if place else 0) for place in range(len(rows))]
    largest = max(abs(value) for _, share in rows for value in share.worth.values()) or 1.0
    with canvas(1.0 + _ROW * (len(rows) + _SPACE)) as figure:
        axes = figure.subplots()
        for top, (_, share) in zip(tops, rows, strict=True):
            for place, name in enumerate(names):
                _cell(axes, place, top, share.worth[name], largest)
            whole = percent(share.accuracy).removesuffix(" %")
            axes.text(len(names) + 0.5, top + 0.5, whole, ha="center", va="center_baseline", color=MUTED[0])
        labels = [rows[0][0], *shortened(list(shown), 24)]
        axes.set_yticks([top + 0.5 for top in tops], labels)
        heads = [*shortened(names, 18), "accuracy"]
        tilted = max(map(len, heads)) * len(heads) > 48
        axes.set_xticks(
            [place + 0.5 for place in range(len(heads))],
            heads,
            rotation=30 if tilted else 0,
            ha="left" if tilted else "center",
        )
        axes.xaxis.tick_top()
        axes.set_xlim(0, len(heads))
        axes.set_ylim(tops[-1] + 1, 0)
        axes.tick_params(length=0, labelcolor=INK[0])
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_title("Worth of each modality, in points of accuracy", loc="left", color=INK[0])
        axes.set_xlabel(_note(found, len(shown)))
        return standalone(to_svg(figure, "worth", _label(rows)))


def _cell(axes: Axes, left: int, top: float, value: float, largest: float) -> None:
    strength = abs(value) / largest
    red, green, blue = (1 + strength * (part - 1) for part in to_rgb(ABOVE if value >= 0 else BELOW))
    axes.add_patch(Rectangle((left + 0.02, top + 0.04), 0.96, 0.92, facecolor=to_hex((red, green, blue)), linewidth=0))
    ink = "#ffffff" if strength > _STRONG else INK[0]
    axes.text(
        left + 0.5,
        top + 0.5,
        points(value).replace("-", "\N{MINUS SIGN}"),
        ha="center",
        va="center_baseline",
        color=ink,
    )


def _note(found: Worth, shown: int) -> str:
    more = f"\nthe {shown} of {len(found.by_class)} classes that are recognised worst"
    chance = percent(found.chance).removesuffix(" %")
    return f"a row's points and chance ({chance}) make its accuracy (%)" + (more if shown < len(found.by_class) else "")


def _label(rows: list[tuple[str, Share]]) -> str:
    told = [f"{name}: {listed(f'{m} {points(v)}' for m, v in share.worth.items())}" for name, share in rows]
    return f"Worth of each modality in points of accuracy. {'; '.join(told)}."
