"""Class prototypes of each modality: built on devices, joined at the server, used in place of bad or absent features.

Sources: QQR (arXiv 2508.11159) and PMM (arXiv 2505.16138). The shapes: C classes, d features, B samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from motet.config import RecipeSettings
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State

EMA_KEEP = 0.7
SMALLEST_VARIANCE = 1e-6


class Prototypes(NamedTuple):
    """The server's prototypes as devices use them.

    Attributes
    ----------
    mean : dict of modality to Tensor (C, d)
    known : dict of modality to bool (C,)
        Whether any client has contributed to the class.
    variance : dict of modality to Tensor ()
        Mean over features of the variance within classes.
    temperature : Tensor ()
        tau of soft prototypes.
    """

    mean: PerModality
    known: PerModality
    variance: PerModality
    temperature: Tensor


def one_hot(y: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Return (B, C) of zeros and ones; a comparison, so that it vectorises over clients."""
    return (y[:, None] == torch.arange(classes, device=y.device)).to(dtype)


def summarise(encoded: PerModality, batch: Batch, classes: int) -> dict[str, PerModality]:
    """One client's contribution, from features of the network it has just received.

    Returns
    -------
    dict with, per modality
        ``mean`` (C, d): mean feature over the good samples of a class (zero where there is none);
        ``count`` (C,): number of such samples; ``variance`` (): sum of squared deviations from the class means
        over d times the number of samples.
    """
    assert batch.y is not None
    means, counts, variances = {}, {}, {}
    for m, good in batch.good().items():
        z = encoded[m]
        member = one_hot(batch.y, classes, z.dtype) * (good & batch.mask).to(z.dtype)[:, None]
        count = member.sum(0)
        mean = (member.T @ z) / count.clamp(min=1)[:, None]
        deviation = (z - member @ mean) * member.sum(1, keepdim=True)
        means[m], counts[m] = mean, count
        variances[m] = deviation.square().sum() / (z.shape[1] * count.sum().clamp(min=1))
    return {"mean": means, "count": counts, "variance": variances}


def pack(summary: Mapping[str, PerModality]) -> State:
    """Make a client's contribution into a message that holds only the classes and modalities it has."""
    message = {}
    for m, count in summary["count"].items():
        seen = count > 0
        if bool(seen.any()):
            message[f"mean/{m}"] = summary["mean"][m][seen]
            message[f"count/{m}"] = count.to(torch.int32)
            message[f"variance/{m}"] = summary["variance"][m]
    return message


def unpack(message: Mapping[str, Tensor], classes: int) -> State:
    """Undo `pack`: means of all classes, zero where the client has no sample."""
    state = {}
    for name, value in message.items():
        if name.startswith("mean/"):
            seen = message[name.replace("mean/", "count/")] > 0
            rows = value.new_zeros(classes, value.shape[1])
            rows[seen] = value
            value = rows
        state[name] = value
    return state


def initial(modalities: list[str], classes: int, features: int, dtype: torch.dtype) -> State:
    """Return the server's state before any client has contributed."""
    state = {}
    for m in modalities:
        state[f"mean/{m}"] = torch.zeros(classes, features, dtype=dtype)
        state[f"updates/{m}"] = torch.zeros(classes, dtype=torch.int32)
        state[f"variance/{m}"] = torch.ones((), dtype=dtype)
        state[f"variance_updates/{m}"] = torch.zeros((), dtype=torch.int32)
    return state


def from_state(state: Mapping[str, Tensor], temperature: float) -> Prototypes:
    """Read the server's (or a broadcast) state as `Prototypes`."""
    modalities = [name.removeprefix("mean/") for name in state if name.startswith("mean/")]
    mean = {m: state[f"mean/{m}"] for m in modalities}
    return Prototypes(
        mean=mean,
        known={m: state[f"updates/{m}"] > 0 for m in modalities},
        variance={m: state[f"variance/{m}"] for m in modalities},
        temperature=torch.tensor(temperature, dtype=next(iter(mean.values())).dtype),
    )


class Joiner:
    """The server's fold over contributions, in client order.

    Parameters
    ----------
    state : mapping
        The server's prototypes before this round (see `initial`).
    settings : RecipeSettings
        `prototype_weights`: every contributing client counts alike, or by its samples of the class.
        `prototype_average`: ``ema`` P <- .7 P + .3 p, the first value as it is (QQR); ``cumulative``
        P <- (N P + p) / (N + 1), N the updates so far (PMM). Both per modality and class.
    """

    def __init__(self, state: Mapping[str, Tensor], settings: RecipeSettings) -> None:
        self.state = dict(state)
        self.settings = settings
        self.sums: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self.variances: dict[str, list[Tensor]] = {}

    def add(self, content: Mapping[str, Tensor]) -> None:
        """Add what K clients contribute: ``mean/m`` (K, C, d), ``count/m`` (K, C), ``variance/m`` (K,)."""
        for name, count in content.items():
            if not name.startswith("count/"):
                continue
            m = name.removeprefix("count/")
            some = count.any(1)
            if not bool(some.any()):
                continue
            weight = count.double() if self.settings.prototype_weights == "samples" else (count > 0).double()
            rows = (content[f"mean/{m}"].double() * weight[..., None]).sum(0)
            self.sums[m] = self.sums.get(m, 0) + rows
            self.weights[m] = self.weights.get(m, 0) + weight.sum(0)
            self.variances.setdefault(m, []).append(content[f"variance/{m}"][some].double())

    def finish(self) -> State:
        """Return the server's prototypes after this round."""
        state = dict(self.state)
        for m, weight in self.weights.items():
            old, updates = state[f"mean/{m}"], state[f"updates/{m}"]
            now = self.sums[m] / weight.clamp(min=1e-300)[:, None]
            keep = self._keep(updates).double()
            joined = torch.where((updates > 0)[:, None], keep[:, None] * old + (1 - keep[:, None]) * now, now)
            seen = weight > 0
            state[f"mean/{m}"] = torch.where(seen[:, None], joined.to(old.dtype), old)
            state[f"updates/{m}"] = updates + seen.to(updates.dtype)
            state |= self._variance(m)
        return state

    def _variance(self, m: str) -> State:
        """Return a modality's variance after this round, averaged over rounds as the prototypes are."""
        old, updates = self.state[f"variance/{m}"], self.state[f"variance_updates/{m}"]
        now = torch.cat(self.variances[m]).mean()
        keep = self._keep(updates)
        mixed = torch.where(updates > 0, keep * old.double() + (1 - keep) * now, now)
        return {f"variance/{m}": mixed.to(old.dtype), f"variance_updates/{m}": updates + 1}

    def _keep(self, updates: Tensor) -> Tensor:
        if self.settings.prototype_average == "ema":
            return torch.full(updates.shape, EMA_KEEP, dtype=torch.float64)
        return updates.double() / (updates.double() + 1)


def _fallback(prototypes: Prototypes, m: str) -> tuple[Tensor, Tensor]:
    """Return the mean of a modality's known prototypes (d,), and whether there is any ()."""
    known = prototypes.known[m].to(prototypes.mean[m].dtype)
    return (known @ prototypes.mean[m]) / known.sum().clamp(min=1), prototypes.known[m].any()


def weighted(prototypes: Prototypes, m: str, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Average a modality's prototypes with weights per sample.

    Parameters
    ----------
    weights : Tensor (B, C)
        Classes that are not known count nothing; where no weight is left, the modality's mean stands in.

    Returns
    -------
    value : Tensor (B, d)
        Without gradient.
    known : bool (B,)
        Whether the modality has any prototype; `value` is zero where it has none.
    """
    weights = weights * prototypes.known[m].to(weights.dtype)
    total = weights.sum(1, keepdim=True)
    mean, any_known = _fallback(prototypes, m)
    found = (weights @ prototypes.mean[m]) / torch.where(total > 0, total, 1)
    value = torch.where(total > 0, found, mean)
    return value.detach(), any_known.expand(len(weights))


def class_scores(prototypes: Prototypes, encoded: PerModality, batch: Batch) -> Tensor:
    """How near a sample's good features are to each class: higher is nearer, -inf where nothing is known.

    The mean, over the good modalities that have a prototype of the class, of -|z - P|^2 / (d V); where a sample has
    no good modality, over those present.

    Returns
    -------
    Tensor (B, C)
    """
    good = batch.good()
    any_good = torch.stack(list(good.values())).any(0)
    total: Tensor | float = 0.0
    count: Tensor | float = 0.0
    for m, z in encoded.items():
        mean = prototypes.mean[m]
        distance = (z[:, None, :] - mean[None]).square().mean(-1)
        observed = torch.where(any_good, good[m], batch.present[m])
        usable = (observed[:, None] & prototypes.known[m][None]).to(z.dtype)
        total = total - usable * distance / prototypes.variance[m].clamp(min=SMALLEST_VARIANCE)
        count = count + usable
    assert isinstance(total, Tensor)
    assert isinstance(count, Tensor)
    return torch.where(count > 0, total / count.clamp(min=1), -torch.inf)


def _softmax(scores: Tensor) -> Tensor:
    """Softmax over classes; all zero where no class has a score."""
    known = torch.isfinite(scores)
    top = torch.where(known, scores, -torch.inf).amax(1, keepdim=True)
    raised = torch.where(known, torch.exp(scores - torch.where(torch.isfinite(top), top, 0)), 0)
    return raised / raised.sum(1, keepdim=True).clamp(min=1e-30)


def by_label(prototypes: Prototypes, m: str, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the prototype of each sample's own class (see `weighted`)."""
    assert batch.y is not None
    mean = prototypes.mean[m]
    return weighted(prototypes, m, one_hot(batch.y, len(mean), mean.dtype))


def class_known(prototypes: Prototypes, m: str, batch: Batch) -> Tensor:
    """Return whether each sample's own class has a prototype of a modality, bool (B,)."""
    assert batch.y is not None
    known = prototypes.known[m]
    return (one_hot(batch.y, len(known), torch.float32) @ known.float()) > 0


def nearest(prototypes: Prototypes, m: str, encoded: PerModality, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the prototype of the class nearest to each sample's good features (see `weighted`)."""
    scores = class_scores(prototypes, encoded, batch)
    scores = torch.where(prototypes.known[m], scores, -torch.inf)
    best = (scores == scores.amax(1, keepdim=True)) & torch.isfinite(scores)
    first = best & (best.to(torch.int32).cumsum(1) == 1)
    return weighted(prototypes, m, first.to(prototypes.mean[m].dtype))


def soft(prototypes: Prototypes, m: str, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the label-free estimate of a feature (see `weighted`).

    z^m = sum_c pi_c P^{m,c}, pi = softmax_c of the scores / tau over the classes that have a prototype of m.

    Parameters
    ----------
    scores : Tensor (B, C)
        From `class_scores`.
    """
    allowed = torch.where(prototypes.known[m], scores / prototypes.temperature, -torch.inf)
    return weighted(prototypes, m, _softmax(allowed))


def expected(prototypes: Prototypes, encoded: PerModality, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what each modality's feature would be if it were good: by label in training, soft at prediction.

    Returns
    -------
    dict of modality to (value, known)
        See `weighted`.
    """
    if batch.y is not None:
        return {m: by_label(prototypes, m, batch) for m in encoded}
    scores = class_scores(prototypes, encoded, batch)
    return {m: soft(prototypes, m, scores) for m in encoded}
