"""Everything that a configuration stands for: data, clients with their streams, and the method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from motet.config import Config, LabelSettings
from motet.data.dataset import TEST, VALIDATION, Dataset, Flags, Indices
from motet.data.holdout import hold_out_validation
from motet.data.ownership import own
from motet.data.partition import Partition, partition
from motet.data.standardise import Floats, Scale, with_noise
from motet.data.standardise import Mapped as MappedDataset
from motet.engine.budget import Budget
from motet.engine.fit import check_attack, check_fusion, check_presence, check_privacy, check_settings, check_values
from motet.engine.late import check_late
from motet.engine.population import Population, population_of
from motet.engine.privacy import Privacy, budget_for
from motet.engine.standardisation import read_sums, scale_of, write_scale, write_sums
from motet.engine.watch import Watch
from motet.learn.method import Method, build_method
from motet.stream.arrivals import Stream, arrival_order
from motet.stream.drift import Gains, changes, favoured, measured
from motet.stream.imbalance import Imbalance
from motet.stream.labels import Labels
from motet.stream.view import View, Views, impair_test
from motet.wire.codec import parse
from motet.wire.ledger import Ledger


@dataclass(frozen=True)
class Federation:
    """What a server works on; it never changes.

    Attributes
    ----------
    config : Config
    dataset : Dataset
        Standardised.
    population : Population
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
    population: Population
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
        return Privacy(self.config, self.method, self.budget.multiplier, self.owners, self.clients)

    @property
    def clients(self) -> int:
        """The number of clients."""
        return len(self.population)

    @property
    def owners(self) -> dict[str, int]:
        """How many clients have a sample with each modality."""
        return dict(zip(self.dataset.modalities, self.population.owned.sum(axis=0).tolist(), strict=True))


@dataclass(frozen=True)
class Simulation(Federation):
    """A federation whose clients are here too; it follows from the configuration and the data alone.

    Attributes
    ----------
    partition : Partition
        Of the dataset, in which present is what clients own.
    views : Views
    """

    partition: Partition
    views: Views


class Fitted(NamedTuple):
    """A configuration and data that fit each other.

    Attributes
    ----------
    dataset : Dataset
        As it was recorded; present is what clients own.
    partition : Partition
    method : Method
    """

    dataset: Dataset
    partition: Partition
    method: Method


def build_federation(config: Config, dataset: Dataset, watch: Watch) -> Simulation:
    """Put a federation together.

    Raises
    ------
    InputError
        If the configuration does not fit the data.
    """
    fitted = fit(config, dataset)
    setup = Ledger()
    scaler = _standardisation(fitted.dataset, fitted.partition, setup, watch)
    streams = streams_of(fitted.dataset, dict(enumerate(fitted.partition.shares)), config)
    population = population_of(fitted.dataset, fitted.partition, list(streams.values()))
    federation = federate(config, fitted.dataset, fitted.method, population, scaler, setup)
    views = views_of(config, federation.dataset, streams, population.owned)
    base = {field.name: getattr(federation, field.name) for field in fields(federation)}
    return Simulation(**base, partition=fitted.partition, views=views)


def federate(
    config: Config, dataset: Dataset, method: Method, population: Population, scaler: Scale, setup: Ledger
) -> Federation:
    """Put together what a server works on.

    Parameters
    ----------
    config : Config
    dataset : Dataset
        Of which the splits for test and validation are looked at, and no client's samples.
    method : Method
    population : Population
    scaler : Scale
        What the clients have been told to standardise by.
    setup : Ledger
        Bytes of that.

    Raises
    ------
    InputError
        If privacy is asked for that does not last for one round.
    """
    budget = budget_for(config, len(population))
    if budget is not None:
        setup = Ledger()  # means and deviations are known beforehand: to be told them would spend some of the budget
    dataset = standardised(config, dataset, scaler)
    _, degraded = imbalances(config, list(dataset.modalities), len(population))
    test, held = (np.flatnonzero(dataset.split == part) for part in (TEST, VALIDATION))

    def impaired(samples: Indices, split: str) -> View:
        missing = config.degradation.test_missing
        return impair_test(dataset, samples, missing, degraded, config.degradation, config.run.seed, split)

    return Federation(
        config=config,
        dataset=dataset,
        population=population,
        test=impaired(test, "test"),
        validation=impaired(held, "validation") if len(held) else None,
        test_client=None if dataset.client is None else dataset.client[test],
        method=method,
        scale=scaler,
        setup=setup,
        budget=budget,
    )


def standardised(config: Config, dataset: Dataset, scaler: Scale) -> Dataset:
    """Return a dataset as networks see it: standardised, with the noise that is part of it."""
    return with_noise(MappedDataset(dataset, lambda x, _: scaler(x)), config.data.noise, config.run.seed)


def streams_of(dataset: Dataset, shares: Mapping[int, Indices], config: Config) -> dict[int, Stream]:
    """Return the streams of clients, from the samples that each has."""
    seed, settings, classes = config.run.seed, config.stream, len(dataset.classes)
    orders = {k: arrival_order(dataset, share, settings, seed, k) for k, share in shares.items()}
    return {
        k: Stream(order, settings, seed, k, favoured(settings, dataset.y[order], classes, seed))
        for k, order in orders.items()
    }


def views_of(config: Config, dataset: Dataset, streams: dict[int, Stream], owned: Flags) -> Views:
    """Return what makes clients' views, of a standardised dataset; `owned` is that of all clients, (K, M)."""
    missing, degraded = imbalances(config, list(dataset.modalities), len(owned))
    clean, seed = config.assessment.calibration_rounds, config.run.seed
    labels = Labels(config.labels if config.recipe.impaired else LabelSettings(), len(dataset.classes), seed)
    gains = Gains(changes(config.stream, "gain") if config.recipe.impaired else [], owned & measured(dataset), seed)
    return Views(dataset, streams, owned, missing, degraded, config.degradation, labels, gains, clean, seed)


def check(config: Config, dataset: Dataset) -> None:
    """Refuse a configuration or a dataset that `build_federation` cannot use, before anything is written.

    Raises
    ------
    InputError
    """
    check_values(dataset)
    budget_for(config, len(fit(config, dataset).partition.shares))


def fit(config: Config, dataset: Dataset) -> Fitted:
    """Make everything that can fail because the configuration does not fit the data.

    Raises
    ------
    InputError
    """
    dataset, method = prepared(config, dataset)
    shared_out = partition(dataset, config.clients, config.run.seed)
    check_presence(dataset, shared_out)
    dataset, shared_out = own(dataset, shared_out, config.clients.unimodal_share, config.run.seed)
    imbalances(config, list(dataset.modalities), len(shared_out.shares))
    return Fitted(dataset, shared_out, method)


def prepared(config: Config, dataset: Dataset) -> tuple[Dataset, Method]:
    """Return a dataset with the modalities and splits that a configuration asks for, and the method for it.

    Raises
    ------
    InputError
        If they do not go together.
    """
    if config.data.modalities is not None:
        dataset = dataset.only(config.data.modalities)
    if config.data.validation:
        dataset = hold_out_validation(dataset, config.run.seed)
    check_settings(config, dataset)
    method = method_of(config, dataset)
    check_fusion(config, method, dataset)
    return dataset, method


def method_of(config: Config, dataset: Dataset) -> Method:
    """Return the method that a configuration describes, for a dataset.

    Raises
    ------
    InputError
        If its parts do not go together.
    """
    gradient = parse(config.recipe.upload).gradient
    seed, classes = config.run.seed, len(dataset.classes)
    method = build_method(config.data, config.recipe, dataset.modalities, classes, seed, gradient)
    check_attack(config, method)
    check_late(config, method)
    check_privacy(config, method)
    return method


def imbalances(config: Config, modalities: list[str], clients: int) -> tuple[Imbalance, Imbalance]:
    """Return what goes missing, and what is degraded, at so many clients."""
    off = {} if config.recipe.impaired else {"rate": 0.0}
    missing, degraded = (
        Imbalance(purpose, settings.model_copy(update=off), modalities, clients, config.run.seed)
        for purpose, settings in (("missing", config.missing), ("degraded", config.degraded))
    )
    return missing, degraded


def _standardisation(dataset: Dataset, shared_out: Partition, ledger: Ledger, watch: Watch) -> Scale:
    """Carry out round 0."""

    def sent() -> Iterator[dict[str, Floats]]:
        for share in watch.over(shared_out.shares, "standardising"):
            message = write_sums(dataset, share)
            ledger.count("up", "scale", len(message))
            yield read_sums(message, dataset.modalities)

    found = scale_of(sent())
    ledger.count("down", "scale", len(write_scale(found)), times=len(shared_out.shares))
    return found
