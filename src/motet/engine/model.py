"""A trained model that predicts from any subset of the modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from motet.data.dataset import Arrays, Flags, Modality
from motet.engine.client import Client
from motet.engine.federation import Federation
from motet.engine.state import ServerState
from motet.errors import InputError, unknown
from motet.stream.assessment import assessor_for
from motet.stream.view import View, whole


class Model:
    """The global model of a finished run; where there is none (recipe `local`), the clients' own models, averaged.

    Parameters
    ----------
    federation : Federation
    state : ServerState
    """

    def __init__(self, federation: Federation, state: ServerState) -> None:
        self._federation, self._state = federation, state
        self._method = federation.method
        assessor = assessor_for(federation.config.assessment, federation.dataset.modalities, self._method.uses_quality)
        self._client = Client(federation.config, self._method, assessor)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self._federation.dataset.classes

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """The global model's parameters by name; what every client began with, where there is none."""
        return dict(self._state.shared["model"])

    def predict(self, x: Mapping[str, ArrayLike]) -> NDArray[np.int64]:
        """Return the most likely class of each sample, int64 (n,) (see `probabilities`)."""
        return np.asarray(self.probabilities(x).argmax(axis=1))

    @torch.inference_mode()
    def probabilities(self, x: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Return class probabilities, float64 (n, C).

        Parameters
        ----------
        x : mapping of modality to array (n, *shape)
            Samples as in the dataset, before standardisation, for one or more of the modalities; one left out counts
            as missing, and is filled the way the recipe does.

        Raises
        ------
        InputError
            If a modality is unknown, none is given, a shape is wrong, or a value is no finite number.
        """
        view = self._view(x)
        batch = self._client.batch(view, self._client.assessor.score(view, self._state.shared["quality"]))
        shared = self._client.receive(self._state.shared)
        aux = self._method.aux(shared)
        found = []
        for model in self._client.models(shared["model"], self._state.private, self._federation.clients):
            logits = self._method.logits(model, aux, self._method.encode(model, batch.x), batch)
            found.append(torch.softmax(logits.double(), dim=1))
        return np.asarray(torch.stack(found).mean(0).cpu().numpy())

    def _view(self, x: Mapping[str, ArrayLike]) -> View:
        modalities = self._federation.dataset.modalities
        given: dict[str, NDArray[Any]] = {}
        for m, values in x.items():
            if m not in modalities:
                raise unknown("modality", m, modalities)
            given[m] = _numbers(modalities[m], values)
        sizes = {len(values) for values in given.values()}
        if len(sizes) != 1 or sizes == {0}:
            raise InputError("give at least one modality and one sample, and the same number of samples for each")
        n = sizes.pop()
        full: Arrays = {}
        present: dict[str, Flags] = {}
        for m, spec in modalities.items():
            values = given.get(m, np.full((n, *spec.shape), spec.pad))
            full[m] = values.astype(np.int64) if spec.kind == "tokens" else values.astype(np.float32)
            present[m] = np.full(n, m in given)
        standard = self._federation.scale(full)
        x_seen = {m: standard[m] if m in given else full[m] for m in modalities}
        return whole(x_seen, np.zeros(n, dtype=np.int64), present, {m: np.zeros(n, dtype=bool) for m in modalities})


def _numbers(spec: Modality, values: ArrayLike) -> NDArray[Any]:
    """Return one modality's samples as an array that an encoder can take."""
    wanted = ", ".join(map(str, ("n", *spec.shape)))
    try:
        found = np.asarray(values)
    except ValueError:  # rows of unequal lengths
        raise InputError(f"{spec.name} must have shape ({wanted}), not rows of unequal lengths") from None
    if found.shape[1:] != spec.shape or found.ndim == 0:
        raise InputError(f"{spec.name} must have shape ({wanted}), not {found.shape}")
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise InputError(f"{spec.name} must hold numbers, none of them NaN or infinite")
    if spec.kind == "tokens" and found.size and not 0 <= found.min() <= found.max() < spec.vocabulary:
        raise InputError(f"{spec.name} must hold ids from 0 to {spec.vocabulary - 1}")
    return found
