"""Training written without any of Motet's learning: one client, nothing missing, nothing degraded, plain SGD."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.engine.run import Finished
from motet.random import permutation

Parts = dict[str, nn.Module]


def train_plainly(finished: Finished) -> Parts:
    """Do by hand what a run of one client did. An objective or a drift that this does not know needs a line here."""
    federation, config = finished.federation, finished.federation.config
    parts = {
        name: copy.deepcopy(module).double()
        for name, module in federation.method.network.parts.items()
        if name != "projection"  # no sample is missing or degraded, so it has no part in the others' training
    }
    view = federation.views.view(1, 0)
    x = federation.method.network.prepare({m: torch.from_numpy(values).double() for m, values in view.x.items()})
    y = torch.from_numpy(view.y)
    objective, _, option = config.recipe.objective.partition(":")
    learn = _OBJECTIVES[objective]
    proximal = config.recipe.drift.startswith("proximal")
    start = parts
    for number in range(config.training.rounds):
        earlier, start = start, copy.deepcopy(parts)
        rate, orders = 0.2 * 0.9**number, _orders(config, len(y), number + 1)
        first = number % len(x) if option == "order=rotating" else 0
        order = [*list(x)[first:], *list(x)[:first]]
        for phase in [None] if objective != "chain" else order:
            learning = _parameters(parts, phase)
            before = _parameters(start, phase)
            optimiser = torch.optim.SGD(learning, lr=rate)
            for rows in (rows for _ in range(config.training.local_epochs) for rows in next(orders)):
                optimiser.zero_grad()
                taught = (start, earlier) if number else None
                loss = learn(parts, {m: x[m][rows] for m in order}, y[rows], taught, (x, y), option, phase)
                if proximal:
                    pairs = zip(learning, before, strict=True)
                    loss = loss + 0.1 / 2 * torch.stack([(p - s.detach()).pow(2).sum() for p, s in pairs]).sum()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return parts


def _orders(config: Any, count: int, number: int) -> Iterator[list[Tensor]]:
    """Yield the minibatches of each epoch of a round."""
    for epoch in range(100):
        order = torch.from_numpy(permutation(config.run.seed, f"minibatch/{epoch}", count, round=number))
        yield list(torch.split(order, config.training.batch_size))


def _parameters(parts: Parts, phase: str | None) -> list[nn.Parameter]:
    own = [module for name, module in parts.items() if phase is None or name.endswith(f".{phase}")]
    return [p for module in own for p in module.parameters()]


def _features(parts: Parts, x: dict[str, Tensor]) -> dict[str, Tensor]:
    return {m: parts[f"encoder.{m}"](values) for m, values in x.items()}


def _joint(parts: Parts, x: dict[str, Tensor], y: Tensor, *_: Any) -> Tensor:
    return F.cross_entropy(parts["head"](torch.cat(list(_features(parts, x).values()), 1)), y)


def _logits(parts: Parts, x: dict[str, Tensor]) -> dict[str, Tensor]:
    return {m: parts[f"head.{m}"](z) for m, z in _features(parts, x).items()}


def _late(parts: Parts, x: dict[str, Tensor], y: Tensor, *_: Any) -> Tensor:
    return F.cross_entropy(torch.stack(list(_logits(parts, x).values())).sum(0), y)


def _late_unimodal(parts: Parts, x: dict[str, Tensor], y: Tensor, *_: Any) -> Tensor:
    own = [F.cross_entropy(logits, y) for logits in _logits(parts, x).values()]
    return _late(parts, x, y) + torch.stack(own).sum()


def _chain(parts: Parts, x: dict[str, Tensor], y: Tensor, _: Any, __: Any, option: str, phase: str) -> Tensor:
    gamma = float(option.partition("=")[2]) if option.startswith("gamma") else 1.0
    logits, names = _logits(parts, x), list(x)
    before = [logits[m].detach() for m in names[: names.index(phase)]]
    alone = F.cross_entropy(logits[phase], y)
    if not before:
        return alone
    left = F.cross_entropy(sum(before) + logits[phase], y)
    return (alone + gamma * left) / (1 + gamma)


def _ogm(parts: Parts, x: dict[str, Tensor], y: Tensor, *_: Any) -> Tensor:
    z = _features(parts, x)
    scores = {}
    for m in z:
        alone = torch.cat([other if name == m else 0 * other for name, other in z.items()], 1)
        scores[m] = float(torch.softmax(parts["head"](alone), 1)[torch.arange(len(y)), y].sum())
    slots = []
    for m, own in z.items():
        others = [score for name, score in scores.items() if name != m]
        ratio = scores[m] / (sum(others) / len(others))
        factor = 1 - float(torch.tanh(torch.tensor(0.3 * ratio, dtype=torch.float64))) if ratio > 1 else 1.0
        slots.append(factor * own + (1 - factor) * own.detach())
    return F.cross_entropy(parts["head"](torch.cat(slots, 1)), y)


def _infiltrate(
    parts: Parts,
    x: dict[str, Tensor],
    y: Tensor,
    taught: tuple[Parts, Parts] | None,
    all_of_it: Any,
    option: str,
    _: Any,
) -> Tensor:
    z = _features(parts, x)
    own = {m: parts[f"self.{m}"](h) for m, h in z.items()}
    logits = {m: parts[f"classifier.{m}"](s) for m, s in own.items()}
    loss = F.cross_entropy(parts["head"](torch.cat(list(own.values()), 1)), y)
    if len(x) == 1:
        return loss
    loss = loss + 2 * torch.stack([F.cross_entropy(own_logits, y) for own_logits in logits.values()]).sum()
    if taught is None or option == "infiltration_weight=0":
        return loss
    teacher, earlier = taught
    sure = {m: float(torch.softmax(own_logits, 1)[torch.arange(len(y)), y].sum()) for m, own_logits in logits.items()}
    if option == "dominance=global":
        sure = {m: float(own_sure.mean()) for m, own_sure in _sureness_before(earlier, *all_of_it).items()}
    strong = max(sure, key=lambda m: sure[m])
    said = teacher[f"classifier.{strong}"](teacher[f"self.{strong}"](teacher[f"encoder.{strong}"](x[strong]))).detach()
    for weak in x:
        if weak == strong:
            continue
        tau = _temperatures(teacher, strong, weak, *all_of_it) if option != "temperature=none" else torch.ones(99)
        student = parts[f"classifier.{weak}"](parts[f"infiltration.{weak}"](z[weak]))
        each = [
            -(torch.softmax(t / tau[c], 0) * torch.log_softmax(s / tau[c], 0)).sum()
            for t, s, c in zip(said, student, y.tolist(), strict=True)
        ]
        loss = loss + torch.stack(each).mean()
    return loss


def _sureness_before(teacher: Parts, x: dict[str, Tensor], y: Tensor) -> dict[str, Tensor]:
    """Return the model's probability of each sample's class, by each modality."""
    found = {}
    for m, values in x.items():
        logits = teacher[f"classifier.{m}"](teacher[f"self.{m}"](teacher[f"encoder.{m}"](values)))
        found[m] = torch.softmax(logits, 1)[torch.arange(len(y)), y].detach()
    return found


def _temperatures(teacher: Parts, strong: str, weak: str, x: dict[str, Tensor], y: Tensor) -> Tensor:
    sure = _sureness_before(teacher, x, y)
    ratio = {c: float(sure[strong][y == c].mean() / sure[weak][y == c].mean()) for c in sorted(set(y.tolist()))}
    mean = sum(ratio.values()) / len(ratio)
    lead = torch.tensor([max(ratio[c] / mean, 1.0) for c in ratio], dtype=torch.float64)
    return 1 / (1 + 2 * torch.log(lead))


_OBJECTIVES: dict[str, Callable[..., Tensor]] = {
    "joint": _joint,
    "late": _late,
    "late-unimodal": _late_unimodal,
    "chain": _chain,
    "ogm": _ogm,
    "infiltrate": _infiltrate,
}
