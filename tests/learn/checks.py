"""Tools of these tests: every case to check, small federations, and methods whose features are known by heart.

`CASES` lists all recipes, and for each member of each family (with each of its named options) the recipe qqr with that
member put in. A new recipe or member is in the list by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor, nn

from motet.config import Config
from motet.data.dataset import TEST, TRAIN, ArrayDataset, Kind, Modality
from motet.engine.federation import Federation, build_federation
from motet.engine.outcome import Outcome
from motet.engine.private import section
from motet.engine.run import Finished, Runner, run
from motet.engine.state import ServerState, initial_state
from motet.engine.trainer import Trainer
from motet.engine.watch import Watch
from motet.learn import prototypes as proto
from motet.learn.family import FAMILIES, create
from motet.learn.method import Method, build_method
from motet.learn.objective import Objective, Parts, Phase
from motet.learn.recipe import RECIPES, resolve
from motet.learn.sample import Batch, Net, Slots
from motet.nets.network import Network, State
from motet.record.folder import Memory

Choices = dict[str, Any]

SMALL: Choices = {
    "features": 8,
    "rounds": 2,
    "batch_size": 8,
    "flags": "oracle",
    "dtype": "float64",
    "threads": 1,
    "engine": "loop",
}
"""Settings of a small federation."""

ROUGH: Choices = {"missing_rate": 0.5, "degraded_rate": 0.5}
"""Sensors that drop out and degrade."""

_LOOKS: list[tuple[Kind, tuple[int, ...], str]] = [
    ("signal", (2, 6), "conv"),
    ("vector", (3,), "mlp"),
    ("signal", (1, 9), "summary"),
    ("image", (1, 5, 4), "conv"),
    ("tokens", (4,), "mlp"),
    ("image", (2, 3, 3), "mlp"),
]


def _variants(family: str, member: str) -> Iterator[str]:
    """Spell a member, and each of its named options."""
    made = create(family, member)
    yield member
    hints = get_type_hints(type(made))
    for parameter in dataclasses.fields(made):
        if get_origin(hints[parameter.name]) is Literal:
            for option in get_args(hints[parameter.name]):
                if option != parameter.default:
                    yield f"{member}:{parameter.name}={option}"


def _cases() -> dict[str, Choices]:
    cases: dict[str, Choices] = {name: {"recipe": name} for name in RECIPES}
    for family, members in FAMILIES.items():
        for member in members:
            for choice in _variants(family, member):
                cases[f"{family} {choice}"] = {"recipe": "qqr", family: choice}
    both = {"missing": "prototype:match=cross", "degraded": "align:by=cross"}
    cases["ternary chain"] = {"recipe": "fedmchain", "upload": "ternary:gradient=exact"}
    cases["cross twice"] = {"recipe": "qqr", **both}
    return cases


CASES = _cases()


def looks(count: int) -> dict[str, Modality]:
    """Return modalities m0, m1, ... of as many kinds as there are."""
    return {
        f"m{i}": Modality(f"m{i}", kind, shape, vocabulary=7 if kind == "tokens" else 0)
        for i, (kind, shape, _) in enumerate(_LOOKS[:count])
    }


def encoders(count: int) -> str:
    """Return an encoder for each of `looks` that can run under vmap."""
    return ",".join(f"m{i}={encoder}" for i, (_, _, encoder) in enumerate(_LOOKS[:count]))


def vectors(count: int, width: int = 3) -> dict[str, Modality]:
    """Return modalities m0, m1, ... that are plain vectors."""
    return {f"m{i}": Modality(f"m{i}", "vector", (width,)) for i in range(count)}


def random_samples(spec: Modality, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return samples of a modality, float32, or int64 for tokens."""
    if spec.kind == "tokens":
        return rng.integers(0, spec.vocabulary, (count, *spec.shape))
    return rng.normal(size=(count, *spec.shape)).astype(np.float32)


def toy(
    modalities: int | dict[str, Modality] = 2,
    clients: int = 3,
    each: int = 16,
    test: int = 12,
    classes: int = 3,
    trained: int | None = None,
    easy: bool = False,
    seed: int = 0,
) -> ArrayDataset:
    """Make a small dataset whose clients are known; a sample's time is its place.

    Parameters
    ----------
    modalities : int or dict
        How many vectors, or which.
    each, test : int
        Training samples of each client, and test samples.
    classes, trained : int
        How many classes there are, and how many of them are in the training split.
    easy : bool
        Whether a sample shows its class.
    """
    rng = np.random.default_rng(seed)
    specs = vectors(modalities) if isinstance(modalities, int) else modalities
    split = np.array([TRAIN] * (clients * each) + [TEST] * test, dtype=np.uint8)
    y = np.arange(len(split)) % classes
    y[split == TRAIN] %= trained or classes
    x = {m: random_samples(spec, len(y), rng) for m, spec in specs.items()}
    if easy:
        x = {m: values + 4 * np.eye(classes, values.shape[1], dtype=np.float32)[y] for m, values in x.items()}
    return ArrayDataset(
        name="toy",
        modalities=specs,
        classes=tuple("abcdefg"[:classes]),
        y=y.astype(np.int64),
        split=split,
        x=x,
        client=np.concatenate([np.repeat(np.arange(clients), each), np.zeros(test, dtype=np.int64)]),
        time=np.arange(len(y), dtype=np.float64),
    )


def ragged(sizes: list[int], modalities: int | dict[str, Modality] = 2, **changes: Any) -> ArrayDataset:
    """Make a `toy` whose clients have samples of these numbers each; a client of less than 8 is merged with another."""
    data = toy(modalities, clients=1, each=sum(sizes), **changes)
    assert data.client is not None
    data.client[: sum(sizes)] = np.repeat(np.arange(len(sizes)), sizes)
    return data


def settings(**choices: Any) -> Config:
    """Return the configuration of a small federation."""
    return resolve({**SMALL, **choices})


def finish(dataset: ArrayDataset, **choices: Any) -> Finished:
    """Carry out a small run."""
    return run(settings(**choices), dataset)


def trained(finished: Finished) -> State:
    """Return the model that a run ends with: the global one, or the first client's own."""
    state, aggregate = finished.state, finished.federation.method.aggregate
    privates = [section(state.private.get(k, {}), "model") for k in range(finished.federation.clients)]
    return aggregate.models(state.shared["model"], privates)[0]


class States(Memory):
    """Remembers the state after every round."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[State] = []

    def add(self, line: Any, snapshot: Any) -> None:
        super().add(line, snapshot)
        self.states.append({name: value.clone() for name, value in snapshot()[0].items()})


class Overheard:
    """An engine that remembers what clients send, and may work on the last client first."""

    def __init__(self, trainer: Trainer, backwards: bool) -> None:
        self.trainer, self.backwards = trainer, backwards
        self.outcomes: list[Outcome] = []

    def train(self, round: int, participants: list[int], shared: Any, private: Any) -> Iterator[Outcome]:  # noqa: A002
        """Yield outcomes in client order, whatever the order of work."""
        order = reversed(participants) if self.backwards else participants
        outcomes = {k: list(self.trainer.train(round, [k], shared, private)) for k in order}
        for k in participants:
            self.outcomes += outcomes[k]
            yield from outcomes[k]


@dataclass
class Story:
    """A run with all that it went through."""

    federation: Federation
    end: ServerState
    states: list[State]
    outcomes: list[Outcome]


def story(dataset: ArrayDataset, backwards: bool = False, **choices: Any) -> Story:
    """Carry out a small run and keep the state after each round."""
    federation = build_federation(settings(**choices), dataset, Watch())
    runner = Runner(federation, Watch())
    trainer = Overheard(runner.trainer, backwards)
    runner.trainer = trainer
    keep = States()
    end = runner.go(initial_state(federation), keep)
    assert trainer.outcomes  # or whoever looks at them would see nothing wrong
    return Story(federation, end, keep.states, trainer.outcomes)


def assert_same_bits(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Fail unless two states hold the same names and bits."""
    assert list(found) == list(expected)
    different = [name for name in found if not torch.equal(found[name], expected[name])]
    assert not different, f"not the same bits: {different}"


def assert_close(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float) -> None:
    """Fail unless two states hold the same names and nearly the same numbers."""
    assert set(found) == set(expected)
    torch.testing.assert_close(dict(found), dict(expected), rtol=tolerance, atol=tolerance)


def assert_finite(state: Mapping[str, Tensor]) -> None:
    """Fail unless every number is finite."""
    bad = [name for name, value in state.items() if not bool(torch.isfinite(value).all())]
    assert not bad, f"not finite: {bad}"


def method_for(modalities: dict[str, Modality], classes: int, encoder: str = "auto", **choices: Any) -> Method:
    """Put a method together without a federation."""
    config = settings(**{"features": 4, **choices, "encoder": encoder})
    return build_method(config.data, config.recipe, modalities, classes, config.run.seed)


def weights(method: Method) -> State:
    """Return a method's initial parameters in float64, ready to learn."""
    return {name: value.double().requires_grad_() for name, value in method.network.state().items()}


def aux_of(
    method: Method,
    params: State,
    prototypes: Mapping[str, Mapping[int, list[float]]],
    variance: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return what a method needs besides parameters.

    Parameters
    ----------
    prototypes : mapping of modality to class to prototype
        Classes left out have none.
    variance : mapping of modality to float
        1 where left out.
    """
    state = proto.initial(method.modalities, method.classes, method.features, torch.float64)
    for m, by_class in prototypes.items():
        for label, value in by_class.items():
            state[f"mean/{m}"][label] = torch.tensor(value, dtype=torch.float64)
            state[f"updates/{m}"][label] = 1
        state[f"variance/{m}"] = torch.tensor((variance or {}).get(m, 1.0), dtype=torch.float64)
    model = {name: value.detach() for name, value in params.items()}
    shared = {"model": model, "prototypes": state, "scores": {m: torch.tensor(0.5) for m in method.modalities}}
    return method.aux(shared)


def informed(method: Method, aux: dict[str, Any], batch: Batch, params: State) -> tuple[dict[str, Any], Batch]:
    """Return `aux` and a batch with what a client notes before it trains: its survey, and earlier models' features.

    The model before the one received is taken to be `params`.
    """
    with torch.no_grad():
        received, previous = method.encode(aux["model"], batch.x), method.encode(params, batch.x)
        aux = {**aux, "survey": method.survey(aux["model"], received, batch)}
    return aux, batch._replace(received=received, previous=previous)


def every_phase(method: Method) -> list[Phase]:
    """Return the phases that there are in the first two rounds."""
    return list(dict.fromkeys([*method.phases(1), *method.phases(2)]))


def drawn_aux(method: Method, params: State, known: Mapping[str, int], seed: int = 0) -> dict[str, Any]:
    """Return random prototypes of each modality's first `known` classes."""
    rng = np.random.default_rng(seed)
    drawn = {m: {c: rng.normal(size=method.features).tolist() for c in range(known[m])} for m in method.modalities}
    return aux_of(method, params, drawn, dict.fromkeys(method.modalities, 0.5))


def drawn_batch(
    modalities: Mapping[str, Modality],
    y: list[int],
    mask: list[bool] | None = None,
    absent: Mapping[str, list[int]] | None = None,
    bad: Mapping[str, list[int]] | None = None,
    seed: int = 0,
) -> Batch:
    """Return random samples of which some rows lack a modality (`absent`) or have a bad one (`bad`)."""
    rng, count = np.random.default_rng(seed), len(y)
    x, present, quality = {}, {}, {}
    for m, spec in modalities.items():
        there = torch.ones(count, dtype=torch.bool)
        there[(absent or {}).get(m, [])] = False
        score = torch.ones(count, dtype=torch.float64)
        score[(bad or {}).get(m, [])] = 0.25
        sample = torch.from_numpy(random_samples(spec, count, rng))
        sample[~there] = 0
        x[m] = sample if spec.kind == "tokens" else sample.double()
        present[m], quality[m] = there, score
    return Batch(x, torch.tensor(y), torch.tensor(mask or [True] * count), present, quality)


class Gain(nn.Module):
    """An encoder whose feature is the sample itself, times a weight that starts at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


@dataclass(frozen=True)
class Witness(Objective):
    """No objective at all: costs nothing, and remembers the slots that it was shown."""

    seen: list[tuple[Slots, Batch | None]] = field(default_factory=list)

    def parts(self, modalities: list[str], features: int, classes: int) -> Parts:
        return {}

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        self.seen.append((slots, batch))
        return torch.zeros(len(batch.mask), dtype=torch.float64)

    def logits(self, net: Net, slots: Slots) -> Tensor:
        self.seen.append((slots, None))
        return torch.zeros((len(next(iter(slots.value.values()))), 1), dtype=torch.float64)


def known_features(names: str = "ab", classes: int = 3, witness: Witness | None = None, **choices: Any) -> Method:
    """Put a method together whose features are the samples, of two numbers each.

    Parameters
    ----------
    names : str
        One letter for each modality.
    witness : Witness, optional
        Stands in for the objective.
    """
    modalities = {m: Modality(m, "vector", (2,)) for m in names}
    method = method_for(modalities, classes, **{"recipe": "fedavg", **choices, "features": 2})
    parts = {**method.network.parts, **{f"encoder.{m}": Gain() for m in names}}
    return dataclasses.replace(method, network=Network(parts), objective=witness or method.objective)


def rows(
    x: Mapping[str, list[list[float]]],
    y: list[int],
    present: Mapping[str, list[bool]] | None = None,
    quality: Mapping[str, list[float]] | None = None,
    mask: list[bool] | None = None,
) -> Batch:
    """Return a batch by its numbers; present, good and not padded where nothing is said."""
    count = len(y)
    return Batch(
        x={m: torch.tensor(values, dtype=torch.float64) for m, values in x.items()},
        y=torch.tensor(y),
        mask=torch.tensor(mask or [True] * count),
        present={m: torch.tensor((present or {}).get(m, [True] * count)) for m in x},
        quality={m: torch.tensor((quality or {}).get(m, [1.0] * count), dtype=torch.float64) for m in x},
    )


def slots_of(
    batch: Batch,
    prototypes: Mapping[str, Mapping[int, list[float]]] | None = None,
    variance: Mapping[str, float] | None = None,
    training: bool = True,
    projection: list[list[float]] | None = None,
    **choices: Any,
) -> Slots:
    """Return the slots that the fusion sees, in training or at prediction, where features are the samples."""
    witness = Witness()
    method = known_features("".join(batch.x), witness=witness, **choices)
    params = weights(method)
    if projection is not None:
        params["projection.weight"] = torch.tensor(projection, dtype=torch.float64)
    aux = aux_of(method, params, prototypes or {}, variance) if method.uses_prototypes else {"model": params}
    if training:
        method.loss(params, aux, batch, method.phases()[0])
    else:
        method.logits(params, aux, method.encode(params, batch.x), batch)
    return witness.seen[0][0]


def loss_and_gradient(
    method: Method, params: State, aux: dict[str, Any], batch: Batch, phase: Phase | None = None
) -> tuple[Tensor, State]:
    """Return a method's loss in a phase, or the first, and its gradient: zero where a parameter has no part in it."""
    aux, batch = informed(method, aux, batch, params)
    loss = method.loss(params, aux, batch, phase or method.phases()[0])
    if not loss.requires_grad:
        return loss, {name: torch.zeros_like(value) for name, value in params.items()}
    gradients = torch.autograd.grad(loss, list(params.values()), materialize_grads=True)
    return loss.detach(), dict(zip(params, gradients, strict=True))
