"""What each modality is worth to a trained model: the Shapley value of its accuracy on the test split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.engine.client import Client
from motet.engine.encoded import Encoded
from motet.engine.evaluate import Evaluator
from motet.engine.federation import Federation
from motet.engine.state import ServerState
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.measure.shapley import MOST, every_subset, shapley
from motet.record.worth import Share, Worth
from motet.stream.assessment import assessor_for

Floats = NDArray[np.float64]


def modality_worth(federation: Federation, state: ServerState, watch: Watch) -> Worth:
    """Return the exact Shapley value of accuracy over all subsets of the modalities, overall, by class and by client.

    A sample counts 1 where a subset recognises it and 0 where it does not. Where it has none of its modalities, and so
    for the empty subset, it counts as chance, 1 / number of classes: nothing is left but to guess. So the values add up
    to accuracy minus chance. That chance is our choice; the values are those of `motet.measure.shapley`. Where there is
    no global model (recipe `local`), the mean over the clients' models.

    Raises
    ------
    InputError
        If there are more than 8 modalities.
    """
    names, y = federation.method.modalities, federation.test.y
    if len(names) > MOST:
        raise InputError(
            f"{len(names)} modalities have {2 ** len(names):,} subsets, and exact Shapley values need them all: "
            f"train with {MOST} at most, chosen by --modalities"
        )
    reached = _reached(federation, state, watch)
    values = shapley(names, reached)
    every = reached[frozenset(names)]

    def share(rows: NDArray[np.bool_]) -> Share:
        worth = {m: float(value[rows].mean()) for m, value in values.items()}
        return Share(samples=int(rows.sum()), accuracy=float(every[rows].mean()), worth=worth)

    clients = federation.test_client
    return Worth(
        recipe=federation.config.recipe.recipe,
        seed=federation.config.run.seed,
        data=federation.dataset.name,
        chance=_chance(federation),
        reached={"+".join(m for m in names if m in kept): float(own.mean()) for kept, own in reached.items() if kept},
        overall=share(np.ones(len(y), dtype=bool)),
        by_class={name: share(y == c) for c, name in enumerate(federation.dataset.classes) if (y == c).any()},
        by_client={} if clients is None else {str(k): share(clients == k) for k in np.unique(clients)},
    )


def _chance(federation: Federation) -> float:
    return 1 / len(federation.dataset.classes)


def _reached(federation: Federation, state: ServerState, watch: Watch) -> dict[frozenset[str], Floats]:
    """Return what each subset reaches on each sample, (n,), mean over models."""
    method, y = federation.method, federation.test.y
    assessor = assessor_for(federation.config.assessment, federation.dataset.modalities, method.uses_quality)
    evaluator = Evaluator(federation, Client(federation.config, method, assessor))
    total = {kept: np.zeros(len(y)) for kept in every_subset(method.modalities)}
    models = 0
    for encoded in evaluator.encoded(state):
        for kept in watch.over(list(total), "predicting"):
            total[kept] += _hits(encoded, kept, y, _chance(federation))
        models += 1
    return {kept: hits / models for kept, hits in total.items()}


def _hits(encoded: Encoded, kept: frozenset[str], y: NDArray[np.int64], chance: float) -> Floats:
    there = encoded.there(kept)
    if not there.any():
        return np.full(len(y), chance)
    return np.where(there, encoded.logits(kept).argmax(axis=1) == y, chance)
