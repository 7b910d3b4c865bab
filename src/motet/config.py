"""The configuration: one small class of settings per idea, and the flat list of keys that a user types.

Every key is an option of the command line (``--missing-rate``), a key of the TOML file (``missing_rate`` or
``missing-rate``) and an argument in Python (``missing_rate=``). Code is handed the class it needs, never the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from motet.errors import InputError, unknown
from motet.values import AtLeastOne, Attack, Count, Levels, Names, NotNegative, Pattern, Positive, Rate, Rounds, Samples


class Settings(BaseModel):
    """A group of settings; unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Settings):
    """Which samples, and how they are encoded."""

    data: str = Field("wearables", description="built-in or fetched data set by name, or an archive (.npz)")
    modalities: Names | None = Field(None, description="use only these modalities, such as acc,gyro")
    noise: Levels = Field({}, description="noise added to the data itself, train and test: m=SIGMA,... in deviations")
    encoder: str = Field(
        "auto", description="encoder of every modality: auto (by kind), conv, lstm, gru, mlp, summary, fixed"
    )
    features: Count = Field(64, description="width d of every encoder's feature")
    validation: bool = Field(
        False, description="hold out part of the training split as validation, where the data have no such split"
    )


class RecipeSettings(Settings):
    """The row of choices that makes a method; what is not named comes from the recipe."""

    recipe: str = Field("qqr", description="the method, by name (see `motet recipes`)")
    objective: str = Field(
        "joint", description="what a device minimises: joint, late, late-unimodal, chain, infiltrate, ogm"
    )
    missing: str = Field(
        "zero", description="what stands in for an absent modality: zero, skip, prototype, infiltration"
    )
    degraded: str = Field(
        "as-is", description="what is done with a degraded modality: as-is, drop, align, blend, replace"
    )
    drift: str = Field(
        "none", description="what holds a client near others: none, proximal, prototype-pull, scaffold, moon"
    )
    aggregate: str = Field(
        "mean",
        description="how the server joins updates: mean, clip[:bound=...], median, trimmed-mean[:trim=...], "
        "krum[:hostile=...,best=...], ssca[:denominator=...], none",
    )
    weights: Literal["equal", "samples"] = Field("equal", description="weight of a client in mean, clip and ssca")
    server_optimizer: Literal["none", "momentum", "adam"] = Field(
        "none", description="what the server makes of the joined update: none, momentum, adam"
    )
    server_lr: Positive = Field(
        1.0, description="rate of the server's step; 1 takes it whole, and adam wants less, such as 0.01"
    )
    server_momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.9, description="momentum of the server's optimizer; beta 1 of adam"
    )
    fusion: Literal["equal", "validation"] = Field(
        "equal", description="weights of summed scores at prediction (late fusion): equal, or fitted on validation"
    )
    upload: str = Field(
        "dense",
        description="encoding of a client's update: dense, q1 to q16, topk or topk+memory, or steps in a chain such as "
        "topk+memory+q8+deflate[:share=0.2]; ternary[+deflate][:gradient=exact] trains and sends ternary weights, both "
        "ways",
    )
    prototype_bits: int = Field(32, ge=1, le=32, description="bits per number of a prototype; 32 is exact")
    prototype_average: Literal["ema", "cumulative"] = Field("ema", description="how prototypes persist over rounds")
    prototype_weights: Literal["equal", "samples"] = Field("equal", description="weight of a client in a prototype")
    prototype_delay: Count = Field(1, description="rounds between two updates of the prototypes")
    prototype_reject: AtLeastOne | None = Field(
        None,
        description="leave out a client's prototype that lies farther from the clients' median than so many median "
        "distances, such as 3; unset, none is left out",
    )
    prototype_temperature: Positive = Field(0.25, description="tau of soft prototypes at prediction")
    impaired: bool = Field(True, description="false: training sees data that nothing happened to (recipe full)")


class AssessmentSettings(Settings):
    """Where quality flags come from."""

    flags: Literal["assessed", "oracle", "none"] = Field(
        "assessed", description="quality flags: assessed, oracle (the truth) or none (every sample counts as good)"
    )
    calibration_rounds: int = Field(0, ge=0, description="first rounds in which sensors are known to be good")


class ClientSettings(Settings):
    """Who takes part and with which samples."""

    clients: Count | None = Field(None, description="number of clients [default: all of a natural partition, else 10]")
    partition: Literal["dirichlet", "iid", "natural"] | None = Field(
        None,
        description="how samples are shared out: dirichlet, iid, natural [default: natural where clients are known, "
        "else dirichlet]",
    )
    alpha: Positive = Field(1.0, description="Dirichlet concentration; smaller is more skewed")
    participation: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="share of the clients in each round")
    sampling: Literal["fixed", "poisson"] = Field(
        "fixed", description="who takes part: fixed (so many clients) or poisson (each with that probability)"
    )
    client_dropout: Rate = Field(
        0.0, description="probability that a client of a round drops out: it hears the server and sends nothing"
    )
    unimodal_share: Rate = Field(
        0.0, description="share of the clients whose devices have one modality only, for ever and whatever the recipe"
    )


class TrainingSettings(Settings):
    """What one round trains."""

    rounds: Count = Field(100, description="rounds of training (T)")
    local_epochs: Count = Field(1, description="passes over the buffer, per phase")
    local_cycles: Count = Field(1, description="repetitions of the whole cycle of phases between synchronisations")
    batch_size: Count = Field(64, description="samples per minibatch")
    optimizer: Literal["sgd", "adam"] = Field("sgd", description="local optimiser, fresh each round")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="momentum of sgd")
    lr: Positive = Field(0.1, description="learning rate of the first round")
    lr_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.98, description="factor on the rate per round, where it falls exponentially"
    )
    lr_schedule: Literal["exponential", "sqrt"] = Field(
        "exponential", description="how the rate falls: exponential (by lr-decay) or sqrt (lr / sqrt(round))"
    )
    lr_min: NotNegative = Field(0.001, description="floor of the learning rate")
    proximal: NotNegative | None = Field(None, description="MU of FedProx, short for --drift proximal:mu=MU")


class StreamSettings(Settings):
    """How samples arrive at a device."""

    buffer: Samples = Field("all", description="samples a device keeps, or all: its whole share, no arrivals")
    arrivals: Count = Field(20, description="samples that arrive per round")
    order: Literal["time", "shuffled"] = Field(
        "time", description="order of arrival: time (where the data has it), or shuffled"
    )
    drift_at: Rounds = Field([], description="rounds in which what arrives changes, such as 10,20")
    drift_kind: Literal["gain", "classes"] = Field(
        "gain", description="what changes: gain (of a sensor of each client) or classes (which half comes first)"
    )


class LabelSettings(Settings):
    """Which samples have a label on their device, from when on, and whether it is right."""

    rate: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="share of the samples that ever get a label")
    delay: int = Field(0, ge=0, description="rounds from a sample's arrival until its label is there")
    noise: Rate = Field(0.0, description="share of the labels that name another class, for training alone")


class ImbalanceSettings(Settings):
    """When and where a modality is missing, or degraded."""

    rate: Rate = Field(0.0, description="probability, per client and round, that one modality is {}")
    pattern: Pattern = Field(
        "independent", description="how it comes to be {}: independent, correlated, persistent, bursty, alternating"
    )
    modality: str | None = Field(None, description="the modality that tends to be {} [default: any]")
    bias: Rate = Field(
        1.0, description="probability that it is this one, given that one is {}; where a client has it not, another"
    )
    length: Annotated[float, Field(ge=1, allow_inf_nan=False)] = Field(
        5.0, description="mean rounds of a burst, where --{}-pattern is bursty"
    )
    period: Count = Field(10, description="rounds until another modality is hit, where --{}-pattern is alternating")
    granularity: Literal["round", "sample"] = Field(
        "round", description="what is {} at once: a client's whole view (round), or a sample"
    )


class DegradationSettings(Settings):
    """What degrading does, and what happens to the test split."""

    degradation: str = Field("noise", description="kind of degradation, such as noise, flatline, spikes, drift")
    degradation_strength: NotNegative = Field(3.0, description="strength; 1 is one training deviation per channel")
    test_missing: Names = Field([], description="modalities missing from the whole test split, m,...")
    test_degradation: str | None = Field(
        None, description="degrade one modality of each test sample: --degraded-modality, or any"
    )


LEAST_NOISE = 0.1
"""In clips; with less a single round of everybody spends an epsilon of 90 and more, which protects nobody."""


class PrivacySettings(Settings):
    """What keeps a client from showing in what is learnt."""

    privacy: Literal["none", "server", "device"] = Field(
        "none", description="who adds noise that hides a client: none, the server (which is trusted) or each device"
    )
    epsilon: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="budget: the run stops before it spends more [default: none, and --noise-multiplier decides]"
    )
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(1e-5, description="delta of the budget; below 1 / clients")
    noise_multiplier: Annotated[float, Field(ge=LEAST_NOISE, allow_inf_nan=False)] | None = Field(
        None, description="deviation of the noise, in clips [default: what spends --epsilon in all --rounds]"
    )
    update_clip: Positive = Field(1.0, description="norm to which a client's update is clipped")
    prototype_clip: Positive = Field(10.0, description="norm to which a client's prototypes, with counts, are clipped")


class HostileSettings(Settings):
    """What is expected of devices that are broken, or hostile."""

    norm_bound: Positive = Field(
        1000.0, description="norm beyond which an update or a prototype is refused, in norms of the model (at least 1)"
    )
    hostile_share: Rate = Field(
        0.0, description="share of the clients that are hostile, for the whole run; see --attack"
    )
    attack: Attack | None = Field(
        None,
        description="what hostile clients do: sign-flip, scaled, label-flip, prototype-poisoning, colluding, noise",
    )


class NetworkSettings(Settings):
    """What lies between devices and server."""

    upload_delay: int = Field(0, ge=0, description="rounds that late uploads are under way")
    late_share: Rate = Field(1.0, description="share of the uploads that are late, where --upload-delay is given")
    late_uploads: Literal["weigh", "drop"] = Field(
        "weigh", description="what late uploads are for: weigh (they count 1 / (1 + delay)) or drop (nothing)"
    )
    link_rate: Positive | None = Field(
        None, description="kB/s of every device's link, each way; adds up its time and slows nothing [default: no link]"
    )
    link_latency: NotNegative = Field(0.0, description="seconds that a message takes on the link besides")


class RunSettings(Settings):
    """How the run is carried out."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="seed of every random draw")
    engine: Literal["auto", "loop", "vector", "measure"] = Field(
        "auto",
        description="loop (one client after another), vector (blocks of clients at once), auto (by a fixed rule) or "
        "measure (by the clock, so that another run may choose otherwise)",
    )
    chunk: Count | None = Field(None, description="clients in a block of engine vector [default: what memory allows]")
    device: str = Field("cpu", description="what trains: cpu or cuda")
    threads: Count | None = Field(None, description="threads of PyTorch [default: PyTorch's own choice]")
    dtype: Literal["float32", "float64"] = Field("float32", description="number type of the model")
    evaluate_every: Count = Field(1, description="rounds between evaluations; always in the last ten rounds")


class Config(Settings):
    """All settings, by group."""

    data: DataSettings = DataSettings()
    recipe: RecipeSettings = RecipeSettings()
    assessment: AssessmentSettings = AssessmentSettings()
    clients: ClientSettings = ClientSettings()
    training: TrainingSettings = TrainingSettings()
    stream: StreamSettings = StreamSettings()
    labels: LabelSettings = LabelSettings()
    missing: ImbalanceSettings = ImbalanceSettings()
    degraded: ImbalanceSettings = ImbalanceSettings()
    degradation: DegradationSettings = DegradationSettings()
    privacy: PrivacySettings = PrivacySettings()
    hostile: HostileSettings = HostileSettings()
    network: NetworkSettings = NetworkSettings()
    run: RunSettings = RunSettings()

    def flat(self) -> dict[str, Any]:
        """Return every key with its value, as a user would type it and as `result.json` records it."""
        nested = self.model_dump(mode="json")
        return {key: nested[group][name] for key, group, name, _ in keys()}

    def but(self, **changes: Any) -> Config:
        """Return a copy with some keys changed.

        Raises
        ------
        InputError
            If a key is unknown or a value is not allowed.
        """
        return configure({**self.flat(), **changes})


_PREFIXES = {"labels": "label_", "missing": "missing_", "degraded": "degraded_"}


def keys() -> Iterator[tuple[str, str, str, FieldInfo]]:
    """Yield every key: its flat name, its group, its name in the group, and its field."""
    for group, settings in Config.model_fields.items():
        model = settings.annotation
        assert isinstance(model, type)
        assert issubclass(model, Settings)
        for name, field in model.model_fields.items():
            yield _PREFIXES.get(group, "") + name, group, name, field


def option(key: str) -> str:
    """Return a key as the command line spells it."""
    return "--" + key.replace("_", "-")


def configure(given: Mapping[str, Any]) -> Config:
    """Build a configuration from flat keys.

    Parameters
    ----------
    given : mapping of str to value
        Keys with underscores or hyphens; values as text or typed. The rest is default.

    Raises
    ------
    InputError
        If a key is unknown (the nearest is offered) or a value is of the wrong type or out of its range.
    """
    places = {key: (group, name) for key, group, name, _ in keys()}
    nested: dict[str, dict[str, Any]] = {}
    for written, value in given.items():
        key = written.replace("-", "_")
        if key not in places:
            raise unknown("setting", written, places)
        group, name = places[key]
        nested.setdefault(group, {})[name] = value
    try:
        return Config.model_validate(nested)
    except ValidationError as error:
        raise _sentence(error) from None


def _sentence(error: ValidationError) -> InputError:
    """Turn the first of pydantic's complaints into one sentence in the user's words."""
    first = error.errors(include_url=False)[0]
    group, name = str(first["loc"][0]), str(first["loc"][1])
    key = _PREFIXES.get(group, "") + name
    value = first["input"]
    if first["type"] == "literal_error" and name != "buffer":
        expected = str(first["ctx"]["expected"]).replace(" or ", ", ").split(", ")
        return unknown(f"value of {option(key)}", str(value), [choice.strip("'") for choice in expected])
    if name == "buffer":
        return InputError(f"{option(key)} must be a whole number of samples (at least 1) or 'all', not {value!r}")
    return InputError(f"{option(key)} {_wanted(first)}, not {value!r}")


def _wanted(error: Any) -> str:
    message: str = error["msg"].removeprefix("Value error, ")
    return message.replace("Input should be", "must be").replace("Input", "it")
