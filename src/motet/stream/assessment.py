"""Where a device's quality flags come from: the truth, an assessment without labels, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from motet.config import AssessmentSettings
from motet.data.dataset import Modality
from motet.stream import quality
from motet.stream.view import View

State = dict[str, Tensor]
Scores = dict[str, np.ndarray]


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

    def look(self, round: int, view: View, reference: State) -> tuple[Scores, list[State]]:  # noqa: A002
        """Return the scores of clients' samples in a round, and what each client tells the server about them."""
        return self.score(view, reference), [{} for _ in view.sizes]

    def learn(self, round: int, memory: State, messages: list[State]) -> tuple[State, State]:  # noqa: A002
        """Return the server's next memory and the reference for devices, from messages in client order."""
        return {}, {}


class Oracle(Assessor):
    """The generator's truth: 0 for a degraded sample, 1 for any other."""

    def score(self, view: View, reference: State) -> Scores:
        return {m: 1.0 - view.degraded[m] for m in self.modalities}


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
        return {m: found for m, (found, _) in self._assess(view, _arrays(reference)).items()}

    def look(self, round: int, view: View, reference: State) -> tuple[Scores, list[State]]:  # noqa: A002
        known = _arrays(reference)
        calibrating = round <= self.calibration_rounds
        scores: Scores = {}
        told: list[dict[str, np.ndarray]] = [{} for _ in view.sizes]
        ends = np.cumsum(view.sizes)[:-1]
        for m, (found, points) in self._assess(view, known).items():
            scores[m] = np.ones_like(found) if calibrating else found
            if quality.wanted(round, self.calibration_rounds):
                there = view.present[m]
                before = np.cumsum(there)[ends - 1]  # present rows before each client but the first
                pieces = zip(np.split(points, before), np.split(view.y[there], before), told, strict=True)
                for own, y, message in pieces:
                    message |= quality.summarise(self.modalities[m], own, y, known, calibrating=calibrating)
        return scores, [_tensors(message) for message in told]

    def learn(self, round: int, memory: State, messages: list[State]) -> tuple[State, State]:  # noqa: A002
        learnt = quality.join(
            _arrays(memory),
            [_arrays(message) for message in messages],
            self.modalities,
            round=round,
            calibration_rounds=self.calibration_rounds,
        )
        return _tensors(learnt), _tensors(quality.shared(learnt))

    def _assess(self, view: View, reference: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return each modality's scores (n,), and the statistics of the samples that have it (n', S)."""
        found = {}
        for m, spec in self.modalities.items():
            there = view.present[m]
            scores = np.ones(len(there))
            scores[there], _, points = quality.assess(spec, view.x[m][there], reference)
            found[m] = scores, points
        return found


def _arrays(state: State) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in state.items()}


def _tensors(arrays: Mapping[str, np.ndarray]) -> State:
    return {name: torch.from_numpy(np.array(array, order="C")) for name, array in arrays.items()}


def assessor_for(settings: AssessmentSettings, modalities: Mapping[str, Modality], needed: bool) -> Assessor:
    """Return the assessor that a recipe wants; none where quality does not matter to it."""
    if not needed:
        return Assessor(modalities)
    if settings.flags == "oracle":
        return Oracle(modalities)
    return Assessed(modalities, settings.calibration_rounds)
