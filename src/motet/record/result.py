"""The shape of `result.json` and `compare.json`; their published JSON schemas are made from these models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.errors import InputError

RESULT_FORMAT: Literal["motet-result/1"] = "motet-result/1"
COMPARE_FORMAT: Literal["motet-compare/1"] = "motet-compare/1"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metrics(_Record):
    """How well the model predicts the test split (fractions of 1; the loss in nats)."""

    accuracy: float
    balanced_accuracy: float = Field(description="mean recall over the classes that the test split holds")
    macro_f1: float
    loss: float = Field(description="mean cross-entropy")
    accuracy_by_class: list[float | None] = Field(description="recall per class; null where the test split has none")
    worst_class: float
    accuracy_by_client: dict[str, float] = Field(description="per client of the test split; empty where unknown")
    accuracy_by_present: dict[str, float] = Field(
        description="accuracy with only the named modalities: every subset for up to 4 modalities, "
        "else all, each alone and each left out"
    )
    accuracy_alone: dict[str, float | None] | None = Field(
        default=None,
        description="modality -> accuracy with it alone, over the samples that have it; null: none has",
    )
    dominance: dict[str, float | None] | None = Field(
        default=None, description="modality -> its share of the true-class score, each modality alone"
    )
    complementarity: float | None = Field(default=None, description="accuracy minus that of the best modality alone")
    strong_weak_gap: float | None = Field(default=None, description="best modality alone minus the worst")
    double_fault: dict[str, float | None] | None = Field(
        default=None, description="a~b -> share of the samples with both that each of the two gets wrong alone"
    )


class Validation(_Record):
    """How well the model predicts the validation split, mean over the evaluations of the last 10 rounds."""

    accuracy: float
    balanced_accuracy: float
    loss: float
    worst_class: float
    fusion: dict[str, float] = Field(
        default={}, description="modality -> weight of its scores after the last round, where it was fitted"
    )


class Online(_Record):
    """Prequential figures: each arrival predicted before it is learnt from, cumulative over rounds and clients."""

    accuracy: float
    loss: float
    samples: int


class Assessment(_Record):
    """How well the quality score finds degraded samples, against the generator's truth."""

    auroc: dict[str, float | None] = Field(description="per modality; null where nothing was degraded")
    precision: float | None
    recall: float | None


class Bytes(_Record):
    """Length of the encoded messages of all clients over all rounds."""

    up: int
    down: int
    up_by_kind: dict[str, int]
    down_by_kind: dict[str, int]
    rounds: int


class Device(_Record):
    """What the run asks of one device, at most."""

    buffer_bytes: int
    prototype_bytes: int
    private_state_bytes: int
    train_flops: int = Field(description="multiply-adds counted twice, forward and backward, over the whole run, mean")


class Time(_Record):
    """Wall-clock time, the only part of a result that differs between two identical runs; and that of a link."""

    train_s: float
    evaluate_s: float
    samples_per_s: float | None = Field(description="training samples x epochs / train_s, the first round left out")
    link_s: float | None = Field(
        default=None, description="on the devices' link, by the lengths of messages, over all rounds; null without one"
    )


class Engine(_Record):
    """What the promise of identical bits depends on."""

    name: str
    chunk: int | None
    threads: int
    why: str


class Attack(_Record):
    """Who was hostile in a run that was attacked on purpose."""

    name: str = Field(description="what hostile clients did, as --attack names it")
    clients: list[str] = Field(description="who they were, in all rounds")


class Privacy(_Record):
    """What a client of the run is protected by: simulated, for noise that a seed decides hides nothing.

    It is about the model and the prototypes that are shared, not about this record. Two sets of clients' data are
    neighbours where one client holds nothing in the one (by the server), or anything else (by devices); how many
    clients there are, and how many have each modality, is no secret.
    """

    by: Literal["server", "device"] = Field(description="who adds the noise; the server, if it does, is trusted")
    simulated: Literal[True] = True
    epsilon: float = Field(description="spent in all rounds")
    delta: float
    noise_multiplier: float = Field(description="deviation of the noise, in bounds of what a client sends in a round")
    deviations: dict[str, float] = Field(description="kind -> deviation of the noise in each number")
    rounds_asked: int = Field(description="more than there were, where the budget ended before")


class Meaning(_Record):
    """Whether the server's prototypes still mean something after a round; null where too few classes are known."""

    agreement: dict[str, float | None] = Field(
        description="a~b -> rank correlation of the distances between classes in two modalities"
    )
    separation: dict[str, float | None] = Field(
        description="modality -> silhouette of its classes, from prototypes and variance"
    )
    rounding: dict[str, float | None] = Field(
        default={},
        description="modality -> what was rounded off its prototypes on the way to devices in this round, over their "
        "spread between classes; null where too few were known before it",
    )


Refused = dict[str, dict[str, int]]


class Round(_Record):
    """One line of the history; figures that this round did not compute are null."""

    round: int
    accuracy: float | None
    loss: float | None
    balanced_accuracy: float | None
    online_accuracy: float | None = Field(description="of this round's arrivals, before learning from them")
    online_loss: float | None
    train_loss: float | None = Field(
        description="null where nobody took part with a label, or all uploads were refused"
    )
    bytes_up: int
    bytes_down: int
    clients: int = Field(description="clients that trained, without those that were refused")
    labelled: float | None = Field(
        default=None, description="share of the samples in the buffers of those clients that have a label"
    )
    participation: dict[str, int] = Field(default={}, description="modality -> clients that trained and had it")
    missing: dict[str, dict[str, float]] = Field(
        description="modality -> client -> share of its samples that lack it, where above 0"
    )
    degraded: dict[str, dict[str, float]]
    flagged: dict[str, float] = Field(description="modality -> share of the present samples with quality below 1")
    meaning: Meaning | None = Field(description="null for recipes without prototypes")
    accuracy_alone: dict[str, float | None] | None = Field(default=None, description="as in the metrics")
    dominance: dict[str, float | None] | None = Field(default=None, description="as in the metrics")
    broadcast: Literal["ternary", "dense"] | None = Field(
        default=None,
        description="the model that the round ends with: ternary, or dense where that would lose more than 3 points on "
        "validation; null where weights are never ternary",
    )
    epsilon: float | None = Field(default=None, description="spent by the end of the round; null without privacy")
    update_norm: dict[str, float] | None = Field(
        default=None,
        description="modality -> Euclidean norm of the update sent for it, mean over the clients that sent one",
    )
    link_s: float | None = Field(
        default=None, description="seconds that the round takes on the devices' link; null without one"
    )
    late: int = Field(default=0, description="uploads of earlier rounds that came in this one")
    refused: Refused = Field(default={}, description="as in the result, in this round")


class Result(_Record):
    """Everything about one run."""

    format: Literal["motet-result/1"] = RESULT_FORMAT
    recipe: dict[str, Any]
    config: dict[str, Any]
    seed: int
    engine: Engine
    versions: dict[str, str]
    data: dict[str, Any] = Field(description="name, modalities, classes, samples, and how they were shared out")
    final: Metrics
    tail: Metrics = Field(description="mean over the evaluations of the last 10 rounds")
    validation: Validation | None = Field(default=None, description="null where the data have no such split")
    online: Online | None
    assessment: Assessment | None
    bytes: Bytes
    device: Device
    time: Time
    attack: Attack | None = Field(default=None, description="null where nobody was hostile on purpose")
    privacy: Privacy | None = Field(default=None, description="null where no noise was added")
    refused: Refused = Field(
        default={},
        description="reason -> client -> uploads that were refused; they count nowhere else but in the bytes sent "
        "down, and those that came too late in the bytes sent up and among the clients that trained",
    )
    history: list[Round]


class Summary(_Record):
    """One recipe over all seeds."""

    recipe: str
    accuracy_mean: float
    accuracy_sd: float | None = Field(description="sample standard deviation; null for one seed")
    balanced_accuracy_mean: float
    macro_f1_mean: float
    worst_class_mean: float
    online_accuracy_mean: float | None
    bytes_up_mean: float
    train_s_mean: float
    reached: int = Field(default=0, description="seeds on which it reaches what the first recipe ends with")
    bytes_up_to_reach_mean: float | None = Field(
        default=None, description="sent until then, mean over those seeds; null for none"
    )


class Paired(_Record):
    """A recipe against the first one named, seed by seed."""

    recipe: str
    against: str
    difference_mean: float
    ci95: tuple[float, float] | None = Field(description="Student's t over paired seeds; null for one seed")
    p_value: float | None
    wins: int
    ties: int
    losses: int


class Comparison(_Record):
    """Several recipes over the same seeds; accuracies are the runs' `tail` figures."""

    format: Literal["motet-compare/1"] = COMPARE_FORMAT
    recipes: list[str]
    seeds: list[int]
    config: dict[str, Any]
    runs: list[Result]
    summary: list[Summary]
    paired: list[Paired]


R = TypeVar("R", bound=BaseModel)


def read(path: Path, kind: type[R]) -> R:
    """Read a record.

    Raises
    ------
    InputError
        If the file holds no such record.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        what = error.errors(include_url=False)[0]
        where = ".".join(map(str, what["loc"]))
        raise InputError(f"{path} is no {kind.__name__.lower()} of this version: {where} {what['msg']}") from None


def to_json(record: BaseModel) -> str:
    """Serialise with keys in the declared order, so that equal records give equal bytes."""
    return json.dumps(record.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"
