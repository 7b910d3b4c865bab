"""Quality assessment without an oracle: what a device sends, what the server learns from it, how samples are scored.

Source: Motet's specification of quality assessment. Each round a client scores its samples against the reference it was
sent, and sends numbers, means and scatters of their statistics, by class; never a sample. With R calibration rounds the
first R rounds are declared clean: the reference is everything received in them. It is then frozen, so that no fault can
creep into it (adding trusted samples later was measured to gain nothing), and nothing more is sent. With R = 0 the
server keeps the latest client-rounds and trusts those that go together (`motet.stream.trust`); inside a trusted one,
samples far from the last reference are left out, which copes with a few bad samples in a good view.

What the server holds is one flat mapping; the entries whose names start with ``reference/`` are for the clients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import Modality
from motet.stream.bank import FADE, Bank, accumulate, deposit, recall_bank, recall_declared, store
from motet.stream.message import Summary, as_sent, of_those_who_have_it
from motet.stream.moments import join as join_moments
from motet.stream.moments import medians, moments
from motet.stream.reference import (
    BOUNDS,
    UNLABELLED,
    Reference,
    build,
    distance,
    edge_of,
    histograms,
    key,
    knows,
    quality,
)
from motet.stream.statistics import statistics
from motet.stream.trust import trusted

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Memory = dict[str, NDArray[Any]]

BEYOND = 1.2  # times the edge: a sample farther off is left out of the next reference


def wanted(round: int, calibration_rounds: int) -> bool:  # noqa: A002
    """Say whether clients send summaries in a round (from 1): after a calibration they do not."""
    return calibration_rounds == 0 or round <= calibration_rounds


class Assessment(NamedTuple):
    """How samples of one modality look.

    Attributes
    ----------
    quality : float64 (n,)
        1 for a sample like the reference's, down to 0; 1 for all while the reference does not know the modality.
    distance : float64 (n,)
        From the reference; 0 while it does not know the modality.
    points : float64 (n, S)
        Their statistics.
    edge : float, optional
        The distance up to which q = 1; it is 0 from twice that on. None while there is no reference.
    """

    quality: Floats
    distance: Floats
    points: Floats
    edge: float | None


def assess(modality: Modality, x: Array, reference: Reference) -> Assessment:
    """Score samples against a reference.

    Parameters
    ----------
    modality : Modality
    x : array (n, *modality.shape)
        Samples that are present, standardised.
    reference : Reference
        What the server sent; may be empty.
    """
    points = statistics(modality, x)
    if not knows(reference, modality.name):
        return Assessment(np.ones(len(x)), np.zeros(len(x)), points, None)
    edge = float(reference[key(modality.name, "edge")])
    far = distance(reference, modality.name, points)
    return Assessment(quality(far, edge), far, points, edge)


def summarise(assessment: Assessment, y: Integers, client: Integers, clients: int, *, calibrating: bool) -> Summary:
    """Summarise the samples of one modality that clients received in a round, each by itself.

    Where there is no reference yet and the round is not declared clean, medians stand in for means.

    Parameters
    ----------
    assessment : Assessment
        Of the samples that are present.
    y : int64 (n,)
        Their classes, -1 where a label is not known.
    client : int64 (n,)
        Whose they are, 0..K-1, ascending.
    clients : int
        K; some may have no sample.
    calibrating : bool
        Whether the round is declared clean.
    """
    _, far, points, edge = assessment
    good = np.ones(len(points), dtype=bool)
    distances = np.zeros((clients, len(BOUNDS) + 1), dtype=np.int64)
    if edge is not None:
        distances = histograms(far, client, clients)
        if not calibrating:
            good = far <= BEYOND * edge
    classes = y.max(initial=UNLABELLED) + 2  # with that of samples without a label
    code = 2 * (classes * client + y + 1) + good
    codes = np.unique(code)
    parts = (medians if edge is None and not calibrating else moments)(points, code, codes)
    group, label = np.divmod(codes >> 1, classes)
    return Summary(label - 1, (codes & 1).astype(bool), as_sent(parts), group, distances)


def join(
    memory: Memory,
    told: Sequence[Mapping[str, Summary]],
    modalities: Iterable[str],
    *,
    round: int,  # noqa: A002
    calibration_rounds: int = 0,
) -> Memory:
    """Learn from what clients told in a round.

    Parameters
    ----------
    memory : dict of str to array
        What the last call returned; empty at first. Not changed.
    told : sequence of mapping of modality to Summary
        In client order, whatever order it came in.
    modalities : iterable of str
    round : int, from 1
    calibration_rounds : int
        So many first rounds are declared clean; 0: none is.

    Returns
    -------
    dict of str to array
        The server's new memory, to be checkpointed; `shared` gives the part that the clients need.
    """
    new = dict(memory)
    if not wanted(round, calibration_rounds):
        return new
    for modality in modalities:
        summaries = [own[modality] for own in told if modality in own]
        if any(len(summary.label) for summary in summaries):
            learn = _learn_declared if calibration_rounds else _learn_trusted
            new |= learn(memory, modality, of_those_who_have_it(summaries), round)
    return new


def shared(memory: Mapping[str, Array]) -> Reference:
    """Return the part of the server's memory that clients need: the reference."""
    return {name: value for name, value in memory.items() if name.startswith("reference/")}


def _learn_declared(memory: Memory, modality: str, told: Summary, now: int) -> Memory:
    declared = accumulate(recall_declared(memory, modality), told)
    edge = edge_of(declared.distances, declared.parts.mean.shape[1], clean=True)
    reference = build(modality, declared.label, declared.parts, declared.distinct, edge)
    return {**store("declared", modality, declared), **reference}


def _learn_trusted(memory: Memory, modality: str, told: Summary, now: int) -> Memory:
    bank = deposit(recall_bank(memory, modality), told, now)
    return {**store("bank", modality, bank), **_reference_of(bank, modality, now)}


def _reference_of(bank: Bank, modality: str, now: int) -> Reference:
    """Build the reference from the good samples of the trusted client-rounds."""
    labels, label = np.unique(bank.label, return_inverse=True)
    believed = trusted(bank.parts, label, bank.group)
    good_share = np.bincount(bank.group, bank.parts.number * bank.good) / np.bincount(bank.group, bank.parts.number)
    # where most samples of a trusted client-round lie far from the last reference, it is the reference that was wrong
    used = believed[bank.group] & (bank.good | (good_share < 0.5)[bank.group])
    member = (np.arange(len(labels))[:, None] == label) & used
    known = join_moments(bank.parts, member.astype(np.float64))
    recent = believed * FADE ** (now - bank.round).astype(np.float64)
    edge = edge_of(recent @ bank.distances, known.mean.shape[1], clean=False)
    return build(modality, labels, known, _distinct(bank, member), edge)


def _distinct(bank: Bank, member: NDArray[np.bool_]) -> Floats:
    """Most samples of each class in any one round: successive views overlap, those of one round do not."""
    rounds, when = np.unique(bank.round, return_inverse=True)
    count = np.zeros((len(rounds), len(bank.label)))
    count[when[bank.group], np.arange(len(bank.label))] = bank.parts.number
    return np.asarray((count @ member.T).max(axis=0))
