"""What was run, in words: data, clients, training, impairment, engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, TypeGuard

from motet.record.report import circumstances
from motet.record.report.subsets import modalities
from motet.record.result import Result
from motet.record.table import guarantee
from motet.record.verdict import is_upper_bound
from motet.record.wording import count, listed, number, percent

Settings = Mapping[str, Any]
MOST_NAMED = 10
_OPTIMISERS = {"sgd": "SGD", "adam": "Adam"}
_SAMPLES = {
    "train_samples": "training samples",
    "validation_samples": "validation samples",
    "test_samples": "test samples",
}


def setting(results: Sequence[Result], config: Settings) -> list[tuple[str, str]]:
    """Describe a run, or several that share their setting.

    Parameters
    ----------
    results : sequence of Result
    config : mapping
        What they share; keys that it lacks are left out of the words.

    Returns
    -------
    list of (str, str)
        A heading and a sentence or two each.
    """
    first = results[0]
    impaired = [result for result in results if not is_upper_bound(str(result.recipe.get("name")), [result])]
    seeds = list(dict.fromkeys(result.seed for result in results))
    found = [
        ("Data", _data(first, config)),
        ("Clients", _clients(first, config)),
        ("Devices", _devices((impaired or results)[0])),
        ("Simulated privacy", _privacy(results)),
        ("Hostile", _hostile(results)),
        ("Stream", _stream(config)),
        ("Labels", circumstances.labels(config, bool(impaired))),
        ("Late uploads", circumstances.late_uploads(config)),
        ("Link", circumstances.link(config)),
        ("Network", _network(first, config)),
        ("Training", _training(first, config)),
        ("Missing", _imbalance(config, "missing", bool(impaired))),
        ("Degraded", _imbalance(config, "degraded", bool(impaired))),
        ("Test split", _test(config)),
        ("Seeds" if len(seeds) > 1 else "Seed", listed(str(seed) for seed in seeds)),
        ("Engine", "; ".join(dict.fromkeys(_engine(result) for result in results))),
        ("Versions", ", ".join(f"{name} {version}" for name, version in first.versions.items())),
    ]
    return [(heading, text) for heading, text in found if text]


def _data(result: Result, config: Settings) -> str:
    names = modalities(result)
    classes = result.data.get("classes")
    amount = len(classes) if isinstance(classes, list | tuple | Mapping) else classes
    parts = [count(len(names), "modality", "modalities") + f" ({', '.join(names)})"] if names else []
    parts += [count(amount, "class", "classes")] if isinstance(amount, int) else []
    parts += [
        f"{number(result.data[key])} {what}"
        for key, what in _SAMPLES.items()
        if _real(result.data.get(key)) and result.data[key]
    ]
    noise = config.get("noise")
    if isinstance(noise, Mapping) and noise:
        added = listed(f"{level} on {name}" for name, level in noise.items())
        parts += [f"noise added to train and test ({added} deviations)"]
    return f"{result.data.get('name', config.get('data', 'unnamed'))}: {', '.join(parts)}."


def _network(result: Result, config: Settings) -> str:
    encoders = result.data.get("modalities")
    parts = []
    if isinstance(encoders, Mapping) and all(
        isinstance(one, Mapping) and "encoder" in one for one in encoders.values()
    ):
        kinds = [str(one["encoder"]) for one in encoders.values()]
        named = [f"{kind} for {name}" for kind, name in zip(kinds, encoders, strict=True)]
        alike = len(set(kinds)) == 1
        parts.append(f"encoder {kinds[0]} for every modality" if alike else f"encoders: {listed(named)}")
    if _real(config.get("features")):
        parts.append(f"features of width {number(config['features'])}")
    if _real(result.data.get("parameters")):
        parts.append(f"{number(result.data['parameters'])} parameters")
    return f"{'; '.join(parts)}." if parts else ""


def _clients(result: Result, config: Settings) -> str:
    known = result.data.get("clients", config.get("clients"))
    if not isinstance(known, int):
        known = max((line.clients for line in result.history), default=0)
    kind = result.data.get("partition", config.get("partition"))
    shared = {
        "natural": ", each with the samples that are its own",
        "iid": ", samples shared out at random",
        "dirichlet": f", classes shared out unevenly (Dirichlet, alpha {number(config.get('alpha'))})",
    }.get(str(kind), "")
    ends = result.data.get("samples_min"), result.data.get("samples_max")
    span = number(ends[0]) + (f" to {number(ends[1])}" if ends[0] != ends[1] else "") if all(map(_real, ends)) else ""
    sizes = f", {span} samples each" if span else ""
    share = config.get("participation")
    part = f"; {percent(share, 0)} take part in each round" if _real(share) and share < 1 else ""
    dropout = config.get("client_dropout")
    gone = f"; {percent(dropout, 0)} of those who take part drop out" if _real(dropout) and dropout else ""
    return f"{count(known, 'client')}{shared}{sizes}{part}{gone}."


def _devices(result: Result) -> str:
    """Say who owns what, where some clients own one modality only."""
    unimodal, owners = result.data.get("unimodal"), result.data.get("owners")
    if not unimodal or not isinstance(owners, Mapping):
        return ""
    rounds = [line.participation for line in result.history]
    mean = {m: fmean(line.get(m, 0) for line in rounds) for m in owners} if any(rounds) else {}
    own = listed(f"{number(clients)} own {m}" for m, clients in owners.items())
    part = listed(f"{number(clients)} with {m}" for m, clients in mean.items())
    on_average = f"; in a round {part} take part on average" if mean else ""
    dropped = result.data.get("dropped")
    left = f" {count(dropped, 'sample')} without the only modality of their client left out." if dropped else ""
    return f"{count(len(unimodal), 'client')} with one modality only: {own}{on_average}.{left}"


def _privacy(results: Sequence[Result]) -> str:
    """Say what clients are protected by; each recipe may have a budget of its own."""
    said = dict.fromkeys(guarantee(result.privacy) for result in results if result.privacy)
    if not said:
        return ""
    return f"{'; '.join(said)}. A seed draws the noise, so this shows what privacy costs and protects nobody."


def _hostile(results: Sequence[Result]) -> str:
    """Say who was hostile and how; each seed draws other clients."""
    attacked = [result for result in results if result.attack]
    if not attacked:
        return ""
    said = dict.fromkeys(f"{attack.name} by {_named(attack.clients)}" for r in attacked if (attack := r.attack))
    whose = "" if len(attacked) == len(results) else f" ({count(len(attacked), 'run')} of {len(results)})"
    return f"{'; '.join(said)}{whose}."


def _named(clients: Sequence[str]) -> str:
    if len(clients) > MOST_NAMED:
        return count(len(clients), "client")
    return f"{'client' if len(clients) == 1 else 'clients'} {listed(clients)}"


def _stream(config: Settings) -> str:
    buffer = config.get("buffer")
    if buffer is None:
        return ""
    if buffer == "all":
        return "None: every client trains on its whole share in each round."
    arrivals = f", {number(config['arrivals'])} arrive in each round" if _real(config.get("arrivals")) else ""
    kept = f"A client keeps its {number(buffer)} latest samples{arrivals}; each is predicted before it is learnt from."
    return f"{kept}{circumstances.drift(config)}"


def _training(result: Result, config: Settings) -> str:
    parts = [count(result.bytes.rounds, "round")]
    if _real(config.get("local_epochs")):
        parts.append(f"{count(config['local_epochs'], 'local epoch')} in batches of {number(config.get('batch_size'))}")
    if _real(config.get("local_cycles")) and config["local_cycles"] > 1:
        parts.append(f"{count(config['local_cycles'], 'cycle')} between synchronisations")
    if config.get("optimizer"):
        name = str(config["optimizer"])
        momentum = config.get("momentum")
        momentum_text = f" with momentum {number(momentum)}" if name == "sgd" and _real(momentum) and momentum else ""
        parts.append(_OPTIMISERS.get(name, name) + momentum_text)
    if _real(config.get("lr")):
        decay = config.get("lr_decay")
        falls = f", times {number(decay)} per round" if _real(decay) and decay != 1 else ""
        if config.get("lr_schedule") == "sqrt":
            falls = ", divided by the root of the round"
        floor = f", at least {number(config.get('lr_min'))}" if falls and _real(config.get("lr_min")) else ""
        parts.append(f"learning rate {number(config['lr'])}{falls}{floor}")
    return "; ".join(parts) + "."


def _imbalance(config: Settings, kind: str, impaired: bool) -> str:
    rate = config.get(f"{kind}_rate")
    if not _real(rate):
        return ""
    if rate == 0 or not impaired:
        return "Never." if impaired else "Never: this recipe sees data that nothing happened to."
    sample = config.get(f"{kind}_granularity") == "sample"
    target = config.get(f"{kind}_modality")
    which = f", {percent(config.get(f'{kind}_bias', 1.0), 0)} of the time {target}" if target else ""
    what = f" ({config['degradation']}, strength {number(config.get('degradation_strength'))})"
    how = what if kind == "degraded" and config.get("degradation") else ""
    pattern = config.get(f"{kind}_pattern", "independent")
    place = "samples" if sample else "client-rounds"
    return f"One modality is {kind} in {percent(rate, 0)} of {place}{which}; pattern: {pattern}{how}."


def _test(config: Settings) -> str:
    parts = [f"{listed(map(str, config['test_missing']))} missing"] if config.get("test_missing") else []
    parts += [f"degraded by {config['test_degradation']}"] if config.get("test_degradation") else []
    return f"Evaluated with {listed(parts)}." if parts else "Evaluated unimpaired."


def _engine(result: Result) -> str:
    engine = result.engine
    chunk = "" if engine.chunk is None else f", chunks of {count(engine.chunk, 'client')}"
    reason = f" ({engine.why})" if engine.why else ""
    return f"{engine.name}{chunk}, {count(engine.threads, 'thread')}{reason}"


def _real(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
