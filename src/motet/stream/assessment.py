"""Where a device's quality flags come from: the truth, an assessment without labels, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.config import AssessmentSettings
from motet.data.dataset import Flags, Modality
from motet.stream import quality
from motet.stream.message import Summary
from motet.stream.view import View

State = dict[str, Tensor]
Floats = NDArray[np.float64]
Scores = dict[str, Floats]
Summaries = dict[str, Summary]
"""Of each modality, what clients tell of its samples; empty where nothing is assessed."""


class Assessor:
    """Nothing is assessed: every sample counts as good.

    Parameters
    ----------
    modalities : mapping of str to Modality
    """

    def __init__(self, modalities: Mapping[str, Modality]) -> None:
        self.modalities = modalities

    def score(self, view: View, reference: State) -> Scores:
        """Return the quality of each sample and modality, float64 (n,); 1 where it is absent."""
        return {m: np.ones(len(view.y)) for m in self.modalities}

    def look(self, round: int, view: View, reference: State) -> tuple[Scores, Summaries]:  # noqa: A002
        """Return the scores of clients' samples in a round, and what the clients tell the server about them."""
        return self.score(view, reference), {}

    def learn(self, round: int, memory: State, told: list[Summaries]) -> tuple[State, State]:  # noqa: A002
        """Return the server's next memory and the reference for devices, from what was told in client order."""
        return {}, {}


class Oracle(Assessor):
    """The generator's truth: 0 for a degraded sample, 1 for any other."""

    def score(self, view: View, reference: State) -> Scores:
        return {m: np.where(view.degraded[m], 0.0, 1.0) for m in self.modalities}


class Assessed(Assessor):
    """The assessment of `motet.stream.quality`, against a reference that devices and server learn together.

    Parameters
    ----------
    modalities : mapping of str to Modality
    calibration_rounds : int
        First rounds that are declared clean; no sample is flagged in them.
    """

    def __init__(self, modalities: Mapping[str, Modality], calibration_rounds: int) -> None:
        super().__init__(modalities)
        self.calibration_rounds = calibration_rounds

    def score(self, view: View, reference: State) -> Scores:
        assessed = self._assess(view, _arrays(reference))
        return {m: self._everywhere(view.present[m], own.quality) for m, own in assessed.items()}

    def look(self, round: int, view: View, reference: State) -> tuple[Scores, Summaries]:  # noqa: A002
        calibrating, clients = round <= self.calibration_rounds, len(view.sizes)
        owner = np.repeat(np.arange(clients), view.sizes)
        scores: Scores = {}
        told: Summaries = {}
        for m, assessed in self._assess(view, _arrays(reference)).items():
            there = view.present[m]
            scores[m] = np.ones(len(there)) if calibrating else self._everywhere(there, assessed.quality)
            if quality.wanted(round, self.calibration_rounds):
                told[m] = quality.summarise(
                    assessed, view.labels[there], owner[there], clients, calibrating=calibrating
                )
        return scores, told

    def learn(self, round: int, memory: State, told: list[Summaries]) -> tuple[State, State]:  # noqa: A002
        learnt = quality.join(
            _arrays(memory), told, self.modalities, round=round, calibration_rounds=self.calibration_rounds
        )
        return _tensors(learnt), _tensors(quality.shared(learnt))

    def _assess(self, view: View, reference: dict[str, np.ndarray]) -> dict[str, quality.Assessment]:
        """Return the assessment of the samples that have each modality."""
        return {m: quality.assess(spec, view.x[m][view.present[m]], reference) for m, spec in self.modalities.items()}

    @staticmethod
    def _everywhere(there: Flags, found: Floats) -> Floats:
        """Return the scores of all samples, (n,), from those of the samples that have a modality."""
        scores = np.ones(len(there))
        scores[there] = found
        return scores


def _arrays(state: State) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in state.items()}


def _tensors(arrays: Mapping[str, np.ndarray]) -> State:
    return {name: torch.from_numpy(np.array(array, order="C")) for name, array in arrays.items()}


def assessor_for(settings: AssessmentSettings, modalities: Mapping[str, Modality], needed: bool) -> Assessor:
    """Return the assessor that a recipe wants; one that finds all good where quality does not matter to it."""
    if not needed or settings.flags == "none":
        return Assessor(modalities)
    if settings.flags == "oracle":
        return Oracle(modalities)
    return Assessed(modalities, settings.calibration_rounds)
