"""Objectives: what a device minimises, in which phases; each owns the network's heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from motet.learn.sample import Batch, Net, PerModality, Slots
from motet.nets.network import State

Parts = dict[str, Callable[[], nn.Module]]
"""Names of parts and how to build each."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training in which some parts learn.

    Attributes
    ----------
    name : str
    parts : frozenset of str or None
        The parts that learn; None for all.
    sees : tuple of str or None
        The modalities that the loss looks at, the one that learns last; None for all.
    """

    name: str = "all"
    parts: frozenset[str] | None = None
    sees: tuple[str, ...] | None = None

    def holds(self, part: str) -> bool:
        """Return whether a part learns."""
        return self.parts is None or part in self.parts


class Objective:
    """The family's interface, with the usual answers.

    Attributes
    ----------
    uses_received : bool
        Whether the loss asks for the received model's features of a sample (`Batch.received`).
    """

    uses_received: ClassVar[bool] = False

    @property
    def noisy(self) -> bool:
        """Whether `correct` adds noise to gradients."""
        return False

    @property
    def surveys(self) -> bool:
        """Whether clients take a `survey` of their samples."""
        return False

    @property
    def shares_scores(self) -> bool:
        """Whether the server is told of the survey, and answers with the mean score of each modality."""
        return False

    sums = False
    """Whether class scores are a sum of the modalities' own, so that they can be weighted (`--fusion validation`)."""

    def parts(self, modalities: list[str], features: int, classes: int) -> Parts:
        """Return the heads to build behind encoders of `features` width."""
        raise NotImplementedError

    def phases(self, modalities: list[str], round: int, scores: Mapping[str, float]) -> tuple[Phase, ...]:  # noqa: A002
        """Return the phases of a cycle, the same for every client and as many in every round.

        Parameters
        ----------
        modalities : list of str
        round : int, from 1
        scores : mapping of modality to float
            What the server knows of them; empty before the first round.
        """
        return (Phase(),)

    def survey(self, net: Net, encoded: PerModality, batch: Batch) -> State:
        """Return what a client finds in its samples with the model just received, for ``aux["survey"]``."""
        return {}

    def project(self, net: Net, slots: Slots) -> Slots:
        """Return the slots in the space that the fusion works in."""
        return slots

    def counts(self, slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        """Return the rows that the loss is a mean over, bool (B,)."""
        return batch.mask

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        """Return the loss of each sample, (B,)."""
        raise NotImplementedError

    def logits(self, net: Net, slots: Slots) -> Tensor:
        """Return the class scores, (B, C)."""
        raise NotImplementedError

    def correct(self, gradients: State, noise: State) -> State:
        """Return the gradients to step by; `noise` holds standard normal numbers for each, where `noisy`."""
        return gradients

    def own_logits(self, net: Net, slots: Slots) -> PerModality:
        """Return the terms, (B, C) for each modality, whose sum `logits` is; only where `sums`."""
        raise NotImplementedError
