"""Recipes: each method of the field as one row of choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from motet.config import Config, RecipeSettings, configure, option
from motet.errors import InputError, unknown
from motet.learn.family import FAMILIES, check_name


@dataclass(frozen=True)
class Recipe:
    """A row of choices.

    Attributes
    ----------
    name : str
    summary : str
        What it does, in one line.
    source : str
        Where it comes from.
    choices : mapping of str to value
        Keys of `motet.config.RecipeSettings`; the rest is default.
    control_of : str, optional
        The recipe whose idea this row leaves out, or half of it: what both gain, the idea does not explain.
    """

    name: str
    summary: str
    source: str
    choices: Mapping[str, Any] = field(default_factory=dict)
    control_of: str | None = None

    def but(self, **changes: Any) -> Recipe:
        """Return the row with some choices changed, such as ``but(missing="skip")``.

        Raises
        ------
        InputError
            If a key is no choice of a recipe.
        """
        for key in changes:
            if key not in RecipeSettings.model_fields or key == "recipe":
                raise unknown("choice of a recipe", key, set(RecipeSettings.model_fields) - {"recipe"})
        return replace(self, choices={**self.choices, **changes})

    def control(self, name: str, summary: str, **changes: Any) -> Recipe:
        """Return a control: the row with some choices changed, under a name of its own."""
        return replace(self.but(**changes), name=f"{self.name}-{name}", summary=summary, control_of=self.name)


_FEDAVG = "McMahan et al. 2017, arXiv 1602.05629; zero imputation"
_QQR = Recipe(
    "qqr",
    "prototypes stand in for absent and mend bad modalities",
    "QQR, arXiv 2508.11159",
    {"missing": "prototype", "degraded": "blend", "prototype_bits": 4},
)
_FEDCMI = Recipe(
    "fedcmi",
    "the dominant modality teaches the others and fills in for them",
    "FedCMI, arXiv 2401.00894",
    {"objective": "infiltrate", "missing": "infiltration", "drift": "proximal", "weights": "samples"},
)
_FEDMCHAIN = Recipe(
    "fedmchain",
    "one modality after another, sparse uploads merged by sign",
    "FedMChain, arXiv 2606.01856",
    {"objective": "chain", "missing": "skip", "aggregate": "ssca", "weights": "samples", "upload": "topk"},
)
_ROWS = [
    Recipe("fedavg", "absent modalities are zeros, and encoded", _FEDAVG),
    Recipe("full", "fedavg on data that nothing happened to: an upper bound", _FEDAVG, {"impaired": False}),
    Recipe(
        "partial",
        "absent and bad modalities are left out",
        "the strong simple baseline",
        {"missing": "skip", "degraded": "drop"},
    ),
    Recipe(
        "local",
        "every client alone",
        "the lower bound of any cooperation",
        {"missing": "skip", "aggregate": "none"},
    ),
    Recipe("late", "late fusion: summed logits", "late fusion", {"objective": "late", "missing": "skip"}),
    Recipe(
        "late-unimodal",
        "late fusion, and each modality's own loss",
        "late fusion with unimodal losses",
        {"objective": "late-unimodal", "missing": "skip"},
    ),
    Recipe("ogm-ge", "the modality that is ahead learns more slowly", "Peng et al. 2022, CVPR", {"objective": "ogm"}),
    Recipe("fedprox", "fedavg held near the global model", "Li et al. 2020, arXiv 1812.06127", {"drift": "proximal"}),
    Recipe(
        "fedproto",
        "fedavg, features held near global prototypes",
        "after Tan et al. 2022, arXiv 2105.00243",
        {"drift": "prototype-pull"},
    ),
    Recipe(
        "scaffold", "fedavg with control variates", "Karimireddy et al. 2020, arXiv 1910.06378", {"drift": "scaffold"}
    ),
    Recipe("moon", "fedavg held near the global features", "Li et al. 2021, arXiv 2103.16257", {"drift": "moon"}),
    Recipe(
        "t-fedavg",
        "fedavg with ternary weights, up and down",
        "T-FedAvg, arXiv 2003.03564",
        {"weights": "samples", "upload": "ternary"},
    ),
    Recipe(
        "pmm",
        "prototypes stand in for absent modalities",
        "PMM, arXiv 2505.16138",
        {"missing": "prototype"},
    ),
    _QQR,
    _QQR.control("quantity", "its first half: bad modalities as they are", degraded="as-is"),
    _QQR.control("quality", "its second half: absent modalities are zeros", missing="zero"),
    _FEDCMI,
    _FEDCMI.control("untaught", "without infiltration: lambda_2 = 0", objective="infiltrate:infiltration_weight=0"),
    _FEDCMI.control("plain", "without temperatures of classes", objective="infiltrate:temperature=none"),
    _FEDMCHAIN,
    _FEDMCHAIN.control("alone", "without the error that the chain leaves: gamma = 0", objective="chain:gamma=0"),
    _FEDMCHAIN.control("mean", "the plain mean of the same uploads", aggregate="mean"),
    _FEDMCHAIN.control("late", "all modalities at once: late fusion", objective="late"),
    _FEDMCHAIN.control("late-unimodal", "late fusion with each modality's own loss", objective="late-unimodal"),
    Recipe(
        "motet",
        "every modality answers for itself, prototypes stand in, little is sent",
        "ours, see docs/own_recipe.md",
        {
            "objective": "late-unimodal",
            "missing": "prototype",
            "upload": "q8",
            "prototype_bits": 4,
        },
    ),
]
RECIPES: dict[str, Recipe] = {row.name: row for row in _ROWS}


def controls(names: Iterable[str], given: Mapping[str, Any]) -> list[str]:
    """Return the controls of recipes, by name.

    Raises
    ------
    InputError
        If what is given for all recipes takes the place of what a control leaves out.
    """
    wanted = list(names)
    rows = [row for row in _ROWS if row.control_of in wanted]
    for row in rows:
        whole = RECIPES[row.control_of or ""]
        for key, value in row.choices.items():
            if value != whole.choices.get(key) and key in given:
                raise InputError(
                    f"--controls: {row.name} is {whole.name} with another {key}, so {option(key)} cannot be given for "
                    "all: leave it out, or name the recipes to compare"
                )
    return [row.name for row in rows]


def recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises
    ------
    InputError
        If there is none; the nearest name is offered.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def resolve(given: Mapping[str, Any]) -> Config:
    """Build the configuration from what the user gave; the recipe fills its choices, the defaults the rest.

    Parameters
    ----------
    given : mapping of flat keys to values
        ``recipe`` may be a name or a `Recipe`.

    Raises
    ------
    InputError
        If a key, a name or a value is wrong.
    """
    given = {key.replace("-", "_"): value for key, value in given.items() if value is not None}
    row = given.get("recipe", RecipeSettings().recipe)
    row = row if isinstance(row, Recipe) else recipe(str(row))
    config = configure({**row.choices, **_proximal(given, row), "recipe": row.name})
    for family in FAMILIES:
        check_name(family, getattr(config.recipe, family))
    return config


def _proximal(given: dict[str, Any], row: Recipe) -> dict[str, Any]:
    """Put the drift that --proximal MU is short for in its place."""
    if "proximal" not in given:
        return given
    asked: dict[str, Any] = {key: given[key] for key in ("proximal", "drift") if key in given}
    weight = configure(asked).training.proximal  # wrong ones are refused under their own names
    drift = given.get("drift", row.choices.get("drift", "proximal"))
    if drift.partition(":")[0] not in ("proximal", "none") or given.get("drift", "proximal") != "proximal":
        raise InputError(f"--proximal does not go with --drift {drift}: leave one of them out")
    rest = {key: value for key, value in given.items() if key != "proximal"}
    return {**rest, "drift": f"proximal:mu={weight}"}
