"""Whether a configuration and data fit each other; what does not is refused before anything is written."""

from __future__ import annotations

import numpy as np
import torch

from motet.config import Config, RecipeSettings
from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Dataset
from motet.data.partition import Partition
from motet.engine.link import check_link
from motet.errors import InputError, unknown
from motet.learn.family import check_name
from motet.learn.method import Method
from motet.stream.degradation import degradations
from motet.stream.drift import changes, measured
from motet.wire.codec import parse


def check_settings(config: Config, dataset: Dataset) -> None:
    """Refuse settings that do not fit the data or each other.

    Raises
    ------
    InputError
    """
    _check_upload(config.recipe)
    _check_drift(config)
    names = dataset.modalities
    for key, named in (("--noise", config.data.noise), ("--test-missing", config.degradation.test_missing)):
        for m in named:
            if m not in names:
                raise unknown(f"modality in {key}", m, names)
    for m in config.data.noise:
        if names[m].kind == "tokens":
            raise InputError(f"--noise {m}: tokens have no noise; name a signal, an image or a vector")
    if set(config.degradation.test_missing) >= set(names):
        raise InputError(f"--test-missing names every modality of {dataset.name}: leave at least one")
    if config.stream.buffer != "all" and config.stream.arrivals > config.stream.buffer:
        raise InputError(
            f"--arrivals {config.stream.arrivals} is more than --buffer {config.stream.buffer} holds: "
            "arrivals must not exceed the buffer"
        )
    if config.stream.buffer == "all" and config.labels.delay:
        raise InputError(
            f"--label-delay {config.labels.delay} counts rounds from a sample's arrival, and with --buffer all none "
            "arrives: give a buffer of so many samples, or leave the delay out"
        )
    if config.stream.buffer == "all" and config.stream.drift_at:
        raise InputError(
            "--drift-at changes what arrives, and with --buffer all nothing does: give a buffer of so many samples"
        )
    if changes(config.stream, "gain") and not measured(dataset).any():
        raise InputError(f"--drift-kind gain needs a sensor, and {dataset.name} has tokens alone: use classes")
    if (
        config.stream.buffer == "all"
        and config.degraded.granularity == "sample"
        and config.assessment.calibration_rounds
    ):
        raise InputError(
            "with --buffer all every sample is there from the start, so --degraded-granularity sample would degrade "
            "nothing after --calibration-rounds: use --degraded-granularity round, or a buffer"
        )
    _check_server(config.recipe)
    check_link(config)
    _check_degradation(config, dataset)
    if config.run.device != "cpu":
        _check_device(config.run.device)


def _check_upload(recipe: RecipeSettings) -> None:
    """Refuse ternary weights where something counts on changes smaller than those that they can make."""
    if not parse(recipe.upload).ternary:
        return
    if check_name("drift", recipe.drift) == "scaffold":
        raise InputError(
            f"--upload {recipe.upload} does not go with --drift scaffold, which takes the change of weights for a sum "
            "of gradients: use another --drift, or another --upload"
        )
    if (recipe.server_optimizer, recipe.server_lr) != ("none", 1):
        raise InputError(
            f"--upload {recipe.upload} makes the server's model ternary, in which its own small steps are lost: leave "
            "out --server-optimizer and --server-lr, or choose another --upload"
        )


def _check_drift(config: Config) -> None:
    """Refuse a drift that the optimiser or the aggregate leaves without a meaning."""
    drift = config.recipe.drift.partition(":")[0]
    plain = config.training.optimizer == "sgd" and config.training.momentum == 0
    if drift == "scaffold" and not plain:
        raise InputError(
            "--drift scaffold goes with plain SGD, whose steps add up to a mean gradient: use --optimizer sgd and "
            "--momentum 0"
        )
    if drift in ("scaffold", "moon") and config.recipe.aggregate.partition(":")[0] == "none":
        raise InputError(f"--drift {drift} needs a model that clients share: use another --aggregate than none")


def check_presence(dataset: Dataset, shared_out: Partition) -> None:
    """Refuse a modality that no client has: nothing could be learnt for it.

    Raises
    ------
    InputError
    """
    held = np.concatenate(shared_out.shares)
    absent = [m for m in dataset.modalities if not dataset.present[m][held].any()]
    if absent:
        rest = ",".join(m for m in dataset.modalities if m not in absent)
        raise InputError(
            f"no client has {absent[0]}: every training sample of {dataset.name} lacks it; "
            f"leave it out with --modalities {rest}"
        )


def check_fusion(config: Config, method: Method, dataset: Dataset) -> None:
    """Refuse fusion weights that there is nothing to weight with, or nothing to fit on.

    Raises
    ------
    InputError
    """
    if config.recipe.fusion == "equal":
        return
    if not method.objective.sums:
        raise InputError(
            f"--fusion {config.recipe.fusion} weights scores that are summed, which --objective "
            f"{config.recipe.objective} does not do: use an objective of late fusion, such as late, or --fusion equal"
        )
    if not (dataset.split == VALIDATION).any():
        raise InputError(
            f"--fusion {config.recipe.fusion} is fitted on a validation split, which {dataset.name} does not have: "
            "hold one out with --validation true"
        )


def check_attack(config: Config, method: Method) -> None:
    """Refuse hostile clients that do nothing.

    Raises
    ------
    InputError
    """
    attack = config.hostile.attack
    if config.hostile.hostile_share > 0 and attack is None:
        raise InputError("--hostile-share says how many are hostile, not what they do: name an --attack as well")
    if attack == "prototype-poisoning" and not method.uses_prototypes:
        raise InputError(
            "--attack prototype-poisoning needs a recipe whose clients send prototypes: use one such as qqr or pmm, or "
            "another --attack"
        )
    if attack not in (None, "label-flip", "prototype-poisoning") and method.aggregate.personal:
        raise InputError(f"--attack {attack} changes updates, and --aggregate none joins none: use another of the two")
    if attack not in (None, "label-flip", "prototype-poisoning") and method.ternary.scales:
        raise InputError(
            f"--attack {attack} changes updates, and --upload {config.recipe.upload} sends weights: use another of "
            "the two"
        )


def check_privacy(config: Config, method: Method) -> None:
    """Refuse what tells of clients besides what is clipped and noised, or what noise does not go with.

    Raises
    ------
    InputError
    """
    privacy, recipe = config.privacy, config.recipe
    if privacy.privacy == "none":
        if privacy.epsilon is not None or privacy.noise_multiplier is not None:
            raise InputError("--epsilon and --noise-multiplier need --privacy server, or device")
        return
    if privacy.epsilon is None and privacy.noise_multiplier is None:
        raise InputError(f"--privacy {privacy.privacy} needs an --epsilon to stay within, or a --noise-multiplier")
    with_it = f"with --privacy {privacy.privacy}"
    coding = parse(recipe.upload)
    by_devices = privacy.privacy == "device"
    refused = {
        f"clients weigh the same {with_it}: use --weights equal": recipe.weights != "equal",
        f"clients weigh the same {with_it}: use --prototype-weights equal": (
            method.uses_prototypes and recipe.prototype_weights != "equal"
        ),
        f"--fusion {recipe.fusion} would tell of samples held out {with_it}: use --fusion equal": (
            recipe.fusion != "equal"
        ),
        f"updates are averaged {with_it}: use --aggregate mean": check_name("aggregate", recipe.aggregate) != "mean",
        f"--drift {recipe.drift} would tell of clients besides {with_it}: use another": method.drift.shares,
        f"--objective {recipe.objective} would tell how sure clients are of each modality {with_it}: use another, or "
        "its setting that tells nothing": method.objective.shares_scores,
        f"--flags assessed would tell of the quality of clients' samples {with_it}: use --flags none": (
            method.uses_quality and config.assessment.flags == "assessed"
        ),
        f"--prototype-reject compares single clients, who do not show {with_it}: leave it out": (
            method.uses_prototypes and recipe.prototype_reject is not None
        ),
        f"--upload {recipe.upload} sends later what was clipped {with_it}: leave out the memory": coding.memory,
        f"--upload {recipe.upload} sends weights, which noise does not go with: use another {with_it}": coding.ternary,
        f"--upload {recipe.upload} shows by its choice what noise hides {with_it}: use dense or q8": (
            by_devices and coding.sparse
        ),
        f"{with_it} clients are drawn independently of each other: use --sampling poisson": (
            not by_devices and config.clients.participation < 1 and config.clients.sampling != "poisson"
        ),
    }
    for sentence, so in refused.items():
        if so:
            raise InputError(sentence)


def check_values(dataset: Dataset) -> None:
    """Refuse samples in memory of a wrong shape, NaN among them, or labels and splits that mean nothing.

    Archives are checked when they are read.

    Raises
    ------
    InputError
    """
    if not isinstance(dataset, ArrayDataset):
        return
    name, n = dataset.name, len(dataset.y)
    for m, spec in dataset.modalities.items():
        wanted, x = (n, *spec.shape), dataset.x[m]
        if x.shape != wanted or x.dtype.kind not in "fiu":
            raise InputError(f"{name}: {m} must hold numbers in shape {wanted}, not {x.dtype} in {x.shape}")
        wrong = np.flatnonzero(~np.isfinite(x[dataset.present[m]]).reshape(int(dataset.present[m].sum()), -1).all(1))
        if len(wrong):
            first = np.flatnonzero(dataset.present[m])[wrong[0]]
            raise InputError(
                f"{name}: {m} has {len(wrong)} samples with NaN or infinite values, the first at {first}: "
                "remove them, or mark them as not present"
            )
    if len(dataset.split) != n or not all((dataset.split == part).any() for part in (TRAIN, TEST)):
        raise InputError(f"{name}: split must name samples for training ({TRAIN}) and for test ({TEST}), {n} in all")
    if dataset.y.dtype.kind not in "iu" or dataset.y.min() < 0 or dataset.y.max() >= len(dataset.classes):
        raise InputError(f"{name}: y must hold integers from 0 to {len(dataset.classes) - 1}, one for each class")


def _check_server(recipe: RecipeSettings) -> None:
    """Refuse a step of the server where it joins nothing."""
    if check_name("aggregate", recipe.aggregate) == "none" and (recipe.server_optimizer, recipe.server_lr) != (
        "none",
        1,
    ):
        raise InputError(
            "with --aggregate none the server has nothing to step by: leave out --server-optimizer and --server-lr, "
            "or choose another --aggregate"
        )


def _check_degradation(config: Config, dataset: Dataset) -> None:
    """Refuse a degradation that a modality which it may hit does not have."""
    wanted = []
    if config.degraded.rate > 0 and config.recipe.impaired:
        wanted.append(config.degradation.degradation)
    if config.degradation.test_degradation is not None:
        wanted.append(config.degradation.test_degradation)
    named = config.degraded.modality
    certain = named in dataset.modalities and config.degraded.bias == 1
    hit = [named] if certain else list(dataset.modalities)
    for name in wanted:
        for m in hit:
            kind = dataset.modalities[m or ""].kind
            if name in degradations(kind):
                continue
            everywhere = {other for spec in dataset.modalities.values() for other in degradations(spec.kind)}
            if name not in everywhere:
                raise unknown("degradation", name, everywhere)
            raise InputError(
                f"degradation {name!r} makes no sense for {m}, which is of kind {kind}: use one of "
                f"{', '.join(degradations(kind))}, or name the modality with --degraded-modality"
            )


def _check_device(device: str) -> None:
    if device.partition(":")[0] != "cuda":
        raise unknown("device", device, ["cpu", "cuda"])
    if not torch.cuda.is_available():
        raise InputError("--device cuda: PyTorch sees no CUDA device here; use --device cpu")
