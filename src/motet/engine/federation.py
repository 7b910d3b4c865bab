"""Everything that a configuration stands for: data, clients with their streams, and the method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from motet.config import Config
from motet.data.dataset import TEST, VALIDATION, Dataset, Indices
from motet.data.holdout import hold_out_validation
from motet.data.ownership import own
from motet.data.partition import Partition, partition
from motet.data.standardise import Floats, Scale, scale, sums, with_noise
from motet.data.standardise import Mapped as MappedDataset
from motet.engine.budget import Budget
from motet.engine.fit import check_attack, check_fusion, check_presence, check_privacy, check_settings, check_values
from motet.engine.privacy import Privacy, budget_for
from motet.engine.watch import Watch
from motet.learn.method import Method, build_method
from motet.nets.network import State
from motet.stream.arrivals import Stream, arrival_order
from motet.stream.imbalance import Imbalance
from motet.stream.view import View, Views, impair_test
from motet.wire.codec import parse
from motet.wire.ledger import Ledger
from motet.wire.message import encode


@dataclass(frozen=True)
class Federation:
    """What a run works on; it follows from the configuration alone and never changes.

    Attributes
    ----------
    config : Config
    dataset : Dataset
        Standardised; present is what clients own.
    partition : Partition
    views : Views
    test : View
    validation : View or None
        As the test split is; None where the data have no such split.
    test_client : int64 (n,) or None
        The client of each test sample.
    method : Method
    scale : Scale
    setup : Ledger
        Bytes of the federated standardisation.
    budget : Budget or None
        Of privacy; None where the run spends none.
    """

    config: Config
    dataset: Dataset
    partition: Partition
    views: Views
    test: View
    validation: View | None
    test_client: np.ndarray | None
    method: Method
    scale: Scale
    setup: Ledger
    budget: Budget | None

    @property
    def rounds(self) -> int:
        """The number of rounds, fewer than asked for where the budget of privacy ends before."""
        return self.budget.rounds if self.budget else self.config.training.rounds

    @property
    def privacy(self) -> Privacy | None:
        """What keeps a client from showing."""
        if self.budget is None:
            return None
        owners = self.partition.owners(self.dataset)
        return Privacy(self.config, self.method, self.budget.multiplier, owners, self.clients)

    @property
    def clients(self) -> int:
        """The number of clients."""
        return len(self.partition.shares)


def build_federation(config: Config, dataset: Dataset, watch: Watch) -> Federation:
    """Put a federation together.

    Raises
    ------
    InputError
        If the configuration does not fit the data.
    """
    seed, setup = config.run.seed, Ledger()
    dataset, shared_out, missing, degraded, method = _fit(config, dataset)
    budget = budget_for(config, len(shared_out.shares))
    scaler = _standardisation(dataset, shared_out, setup, watch)
    if budget is not None:
        setup = Ledger()  # means and deviations are known beforehand: to be told them would spend some of the budget
    dataset = with_noise(MappedDataset(dataset, lambda x, _: scaler(x)), config.data.noise, seed)
    streams = [
        Stream(arrival_order(dataset, share, config.stream, seed, k), config.stream, seed, k)
        for k, share in enumerate(shared_out.shares)
    ]
    views = Views(dataset, streams, missing, degraded, config.degradation, config.assessment.calibration_rounds, seed)
    test, held = (np.flatnonzero(dataset.split == part) for part in (TEST, VALIDATION))

    def impaired(samples: Indices, split: str) -> View:
        missing = config.degradation.test_missing
        return impair_test(dataset, samples, missing, degraded, config.degradation, seed, split)

    return Federation(
        config=config,
        dataset=dataset,
        partition=shared_out,
        views=views,
        test=impaired(test, "test"),
        validation=impaired(held, "validation") if len(held) else None,
        test_client=None if dataset.client is None else dataset.client[test],
        method=method,
        scale=scaler,
        setup=setup,
        budget=budget,
    )


def check(config: Config, dataset: Dataset) -> None:
    """Refuse a configuration or a dataset that `build_federation` cannot use, before anything is written.

    Raises
    ------
    InputError
    """
    check_values(dataset)
    shared_out = _fit(config, dataset)[1]
    budget_for(config, len(shared_out.shares))


def _fit(config: Config, dataset: Dataset) -> tuple[Dataset, Partition, Imbalance, Imbalance, Method]:
    """Make everything that can fail because the configuration does not fit the data."""
    if config.data.modalities is not None:
        dataset = dataset.only(config.data.modalities)
    if config.data.validation:
        dataset = hold_out_validation(dataset, config.run.seed)
    check_settings(config, dataset)
    seed, names = config.run.seed, list(dataset.modalities)
    gradient = parse(config.recipe.upload).gradient
    method = build_method(config.data, config.recipe, dataset.modalities, len(dataset.classes), seed, gradient)
    check_fusion(config, method, dataset)
    check_attack(config, method)
    check_privacy(config, method)
    shared_out = partition(dataset, config.clients, seed)
    check_presence(dataset, shared_out)
    dataset, shared_out = own(dataset, shared_out, config.clients.unimodal_share, seed)
    clients = len(shared_out.shares)
    off = {} if config.recipe.impaired else {"rate": 0.0}
    missing = Imbalance("missing", config.missing.model_copy(update=off), names, clients, seed)
    degraded = Imbalance("degraded", config.degraded.model_copy(update=off), names, clients, seed)
    return dataset, shared_out, missing, degraded, method


def _standardisation(dataset: Dataset, shared_out: Partition, ledger: Ledger, watch: Watch) -> Scale:
    """Round 0: every client sends sums of its share, the server answers with means and deviations."""
    total: dict[str, Floats] = {}
    for share in watch.over(shared_out.shares, "standardising"):
        present = {m: flags[share] for m, flags in dataset.present.items()}
        message = sums(dataset.modalities, dataset.take(share), present)
        ledger.count("up", "scale", len(encode(_tensors(message))))
        total |= {m: total.get(m, 0) + value for m, value in message.items()}
    found = scale(total)
    answer = _tensors({f"mean/{m}": v for m, v in found.mean.items()} | found.deviation)
    ledger.count("down", "scale", len(encode(answer)), times=len(shared_out.shares))
    return found


def _tensors(arrays: dict[str, Floats]) -> State:
    return {name: torch.from_numpy(value) for name, value in arrays.items()}
