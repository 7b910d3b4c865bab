"""The report page: one HTML file that holds everything it shows, for one run or for a comparison."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from motet.record.audit import Audit
from motet.record.comparison import mean_known, runs_by_recipe
from motet.record.report import figures
from motet.record.report.audit import audit_figure
from motet.record.report.figures import Figure
from motet.record.report.headline import comparison_headline, run_headline
from motet.record.report.looks import PALETTE, Track, single, tracks
from motet.record.report.modalities import brought
from motet.record.report.setting import setting
from motet.record.result import Assessment, Comparison, Result
from motet.record.table import BOUND_NOTE, refusals, rows, run_rows
from motet.record.warnings import comparison_warnings, run_warnings
from motet.record.wording import NONE, count, percent

FAMILIES = ("objective", "missing", "degraded", "drift", "aggregate", "upload")
LONGEST_LIST = 50
_DESCRIPTION = {"name", "summary", "source", "upper_bound"}


def compare_report(comparison: Comparison, why: str | None) -> str:
    """Make the page of a comparison.

    Parameters
    ----------
    comparison : Comparison
    why : str or None
        The paragraph that explains the finding.

    Returns
    -------
    str
        HTML that needs no other file and no network.
    """
    shown = tracks(comparison)
    return _page(
        kind="Comparison",
        title=f"{count(len(comparison.recipes), 'recipe')} on {_data_name(comparison.runs[0])}",
        headline=comparison_headline(comparison),
        why=why,
        shown=shown,
        seeds=comparison.seeds,
        rows=rows(comparison),
        warnings=comparison_warnings(comparison),
        baseline=comparison.recipes[0],
        setting=setting(comparison.runs, _shared(comparison)) + _refused(comparison),
        config=_shared(comparison),
    )


def run_report(result: Result, audit: Audit | None = None) -> str:
    """Make the page of one run.

    Parameters
    ----------
    result : Result
    audit : Audit, optional
        What an eavesdropper recovers, where that was asked.

    Returns
    -------
    str
        HTML that needs no other file and no network.
    """
    shown = [single(result)]
    return _page(
        kind="Run",
        title=f"{shown[0].name} on {_data_name(result)}",
        headline=run_headline(result),
        why=None,
        shown=shown,
        seeds=[result.seed],
        run_rows=run_rows(result),
        warnings=run_warnings(result),
        setting=setting([result], result.config),
        config=result.config,
        audit=audit,
    )


def typeset(text: str) -> str:
    """Turn hyphens before numbers into minus signs, lone hyphens into dashes, and keep numbers with their units."""
    if text == NONE:
        return "–"
    text = re.sub(r"(?<![\w.)-])-(?=\d)", "\N{MINUS SIGN}", text)
    text = text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    return re.sub(r"(?<=\d) (?=(?:%|bytes|[kMGT]B|s|min|h)(?:\W|$))", "\N{NO-BREAK SPACE}", text)


def options(text: str) -> Markup:
    """Set options of the command line, such as ``--missing skip``, in a type that no line breaks."""
    return Markup(re.sub(r"--[a-z-]+ \w+", r"<code>\g<0></code>", str(escape(text))))


def _page(shown: Sequence[Track], config: Mapping[str, Any], audit: Audit | None = None, **content: Any) -> str:
    keys = _choice_keys(shown)
    defaults: dict[str, Any] = {"rows": None, "run_rows": None, "baseline": None}
    environment = _environment()
    script = environment.get_template("page.js").render()
    return environment.get_template("page.html").render(
        {
            **defaults,
            **content,
            "palette": PALETTE,
            "bound_note": BOUND_NOTE,
            "tracks": shown,
            "groups": _groups(shown, audit),
            "brought": brought(shown),
            "choice_keys": keys,
            "choices": [[_compact(_choices(track).get(key)) for key in keys] for track in shown],
            "assessment": _assessments(shown),
            "config": _pretty(config),
            "data": _pretty(shown[0].runs[0].data),
            "percent": percent,
            "script": Markup(script),
            "script_hash": f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
        }
    )


def _groups(shown: Sequence[Track], audit: Audit | None) -> list[tuple[str, list[Figure]]]:
    overheard = audit_figure(audit) if audit else None
    groups = [
        ("Over time", figures.over_time(shown)),
        ("Where it does well and badly" if len(shown) == 1 else "Where they differ", figures.by_part(shown)),
        ("What training had to cope with", figures.impairment(shown)),
        ("What messages give away", [overheard] if overheard else []),
    ]
    return [(heading, drawn) for heading, drawn in groups if drawn]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("motet.record", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["typeset"] = typeset
    environment.filters["options"] = options
    # Only what matplotlib has written, and escaped, is let through as it is.
    environment.filters["drawing"] = Markup
    return environment


def _shared(comparison: Comparison) -> dict[str, Any]:
    """Give the settings that all runs agree on; what a recipe or a seed decides stands elsewhere on the page."""
    configs = [run.config for run in comparison.runs]
    alike = {
        key: value
        for key, value in configs[0].items()
        if all(key in other and other[key] == value for other in configs)
    }
    return alike or comparison.config


def _data_name(result: Result) -> str:
    return str(result.data.get("name", "unnamed data"))


def _choices(track: Track) -> dict[str, Any]:
    return {key: value for key, value in track.runs[0].recipe.items() if key not in _DESCRIPTION}


def _choice_keys(shown: Sequence[Track]) -> list[str]:
    """Name the families, and whatever else sets the recipes apart."""
    every = [_choices(track) for track in shown]
    keys = dict.fromkeys(key for choices in every for key in choices)
    differs = [key for key in keys if key not in FAMILIES and len({_compact(row.get(key)) for row in every}) > 1]
    return [key for key in FAMILIES if key in keys] + differs


def _compact(value: Any) -> str:
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _refused(comparison: Comparison) -> list[tuple[str, str]]:
    """Say, for each recipe whose server refused uploads, how many and why."""
    every = runs_by_recipe(comparison).items()
    return [(f"Refused ({recipe})", refusals(runs)) for recipe, runs in every if any(run.refused for run in runs)]


def _assessments(shown: Sequence[Track]) -> list[dict[str, Any]]:
    """Write out how well quality was judged, per recipe that judged it, as means over seeds."""
    found = []
    for track in shown:
        judged = [run.assessment for run in track.runs if run.assessment]
        if judged:
            found.append(
                {
                    "track": track,
                    "auroc": _auroc(judged),
                    "precision": percent(mean_known([one.precision for one in judged])),
                    "recall": percent(mean_known([one.recall for one in judged])),
                }
            )
    return found


def _auroc(judged: Sequence[Assessment]) -> dict[str, str]:
    names = dict.fromkeys(name for one in judged for name in one.auroc)
    means = {name: mean_known([one.auroc.get(name) for one in judged]) for name in names}
    return {name: NONE if mean is None else f"{mean:.3f}" for name, mean in means.items()}


def _pretty(value: Any) -> str:
    return json.dumps(_shortened(value), indent=2, ensure_ascii=False, default=str)


def _shortened(value: Any) -> Any:
    """Cut long lists and mappings: a page with ten thousand clients' shares helps nobody."""
    if isinstance(value, Mapping):
        kept = {str(key): _shortened(item) for key, item in list(value.items())[:LONGEST_LIST]}
        more = len(value) - len(kept)
        return {**kept, "...": f"and {more:,} more"} if more > 0 else kept
    if isinstance(value, list | tuple):
        more = len(value) - LONGEST_LIST
        return [_shortened(item) for item in value[:LONGEST_LIST]] + ([f"... and {more:,} more"] if more > 0 else [])
    return value
