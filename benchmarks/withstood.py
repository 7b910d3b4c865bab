"""What docs/defences.md says of its tables, filled from what attacks cost with every defence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studies import with_interval

Cell = tuple[str, str]
"""An attack, or `CLEAN`, and a defence; the first of all is `CLEAN` with `PLAIN`."""
Losses = Mapping[Cell, tuple[float, float, float]]
"""How far every cell is from the first, in points, with its interval."""

CLEAN = "nobody hostile"
PLAIN = "mean"
NEAR, FAR = 3.0, 10.0
"""What is asked for: points that the best defence loses, at most, where the plain mean loses more than so many."""


def said(lost: Losses, aimed: tuple[str, ...]) -> list[str]:
    """Return all sentences about a table; `aimed` are the attacks of which something is asked for."""
    return [aim(lost, aimed), unstopped(lost), overrun(lost), borne(lost), cost(lost)]


def attacks(lost: Losses) -> list[str]:
    """Return the attacks of a table."""
    return list(dict.fromkeys(attack for attack, _ in lost if attack != CLEAN))


def defences(lost: Losses) -> list[str]:
    """Return the defences of a table, without the plain mean."""
    return list(dict.fromkeys(defence for _, defence in lost if defence != PLAIN))


def best(lost: Losses, under: tuple[str, ...]) -> str:
    """Return the defence that loses least under the worst of some attacks."""
    return max(defences(lost), key=lambda defence: min(lost[attack, defence][0] for attack in under))


def aim(lost: Losses, aimed: tuple[str, ...]) -> str:
    """Say whether the best defence does what is asked for."""
    name = best(lost, aimed)
    cells = " and ".join(f"{with_interval(lost[attack, name])} under {attack}" for attack in aimed)
    means = " and ".join(with_interval(lost[attack, PLAIN]) for attack in aimed)
    near = all(lost[attack, name][0] >= -NEAR for attack in aimed)
    surely = all(lost[attack, name][1] >= -NEAR for attack in aimed)
    far = all(lost[attack, PLAIN][0] < -FAR for attack in aimed)
    kept = "is met, intervals included" if surely else "is met by the means, but an interval reaches farther"
    return (
        f"Under {listed(aimed)} together, {name} does best: {cells}, against {means} with the mean. The aim, at "
        f"most {NEAR:g} points lost where the mean loses more than {FAR:g}, {kept if near and far else 'is missed'}."
    )


def unstopped(lost: Losses) -> str:
    """Say which attacks no defence stops."""
    nearest = {attack: best(lost, (attack,)) for attack in attacks(lost)}
    through = [
        f"{attack} (the best, {name}: {with_interval(lost[attack, name])})"
        for attack, name in nearest.items()
        if lost[attack, name][0] < -NEAR
    ]
    if not through:
        return f"Against each of the attacks some defence loses at most {NEAR:g} points."
    return f"No defence stays within {NEAR:g} points under {', nor under '.join(through)}."


def overrun(lost: Losses) -> str:
    """Say which defences lose more than they may, attack by attack."""
    lose = {attack: [name for name in defences(lost) if lost[attack, name][0] < -NEAR] for attack in attacks(lost)}
    told = "; ".join(f"{listed(names)} under {attack}" for attack, names in lose.items() if names)
    return f"More than {NEAR:g} points are lost with {told}." if told else f"None loses more than {NEAR:g} points."


def borne(lost: Losses) -> str:
    """Say which attacks the plain mean bears as it is."""
    own = [
        f"{attack} ({with_interval(lost[attack, PLAIN])})"
        for attack in attacks(lost)
        if lost[attack, PLAIN][0] >= -NEAR
    ]
    if not own:
        return f"The mean itself loses more than {NEAR:g} points under every attack."
    return f"The mean itself loses no more than {NEAR:g} points under {listed(own)}."


def cost(lost: Losses) -> str:
    """Say what defences cost where nobody is hostile."""
    dear = [f"{name} {with_interval(lost[CLEAN, name])}" for name in defences(lost) if lost[CLEAN, name][2] < 0]
    if not dear:
        return "Where nobody is hostile, no defence is worse than the mean for certain."
    return f"Where nobody is hostile, accuracy is lower for certain with {listed(dear)}."


def listed(names: Sequence[str]) -> str:
    """Write names as in a sentence."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
