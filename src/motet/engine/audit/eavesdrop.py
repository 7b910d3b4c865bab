"""The whole audit: every attack that a recipe's messages allow, on a few clients."""

from __future__ import annotations

from collections.abc import Mapping

from motet.engine.audit.eavesdropper import Eavesdropper
from motet.engine.audit.prototypes import nearest_sample, prototype_inversion
from motet.engine.audit.tally import attempt
from motet.engine.audit.updates import gradient_inversion
from motet.engine.federation import Simulation
from motet.engine.state import ServerState
from motet.engine.watch import Watch
from motet.learn.method import Method
from motet.random import permutation
from motet.record.audit import GRADIENT, NEAREST, PROTOTYPE, Attempt, Audit
from motet.record.wording import listed

SIZES = (1, 4, 8)
"""Samples in a minibatch."""
CLIENTS, STEPS = 3, 150


def eavesdrop(
    federation: Simulation, state: ServerState, watch: Watch, clients: int = CLIENTS, steps: int = STEPS
) -> Audit:
    """Return what an eavesdropper with the model and the test split recovers from one message of some clients.

    Parameters
    ----------
    federation : Simulation
    state : ServerState
        After the last round; its model is the one that clients received.
    watch : Watch
    clients : int
        How many to listen to, chosen at random.
    steps : int
        Of gradient descent in an inversion.
    """
    spy = Eavesdropper(federation, state)
    chosen = sorted(permutation(spy.seed, "audit/clients", federation.clients)[:clients].tolist())
    found: dict[str, Attempt | None] = {}
    if spy.method.uses_prototypes:
        found[NEAREST] = attempt(nearest_sample(spy, chosen, watch), "auroc")
        found[PROTOTYPE] = attempt(prototype_inversion(spy, chosen, steps, watch), "recovery")
    if not _without_gradient(spy.method):
        for size in SIZES:
            cells = gradient_inversion(spy, chosen, size, steps, watch)
            found[f"{GRADIENT}, {size}"] = attempt(cells, "recovery", size)
    return Audit(
        recipe=federation.config.recipe.recipe,
        seed=spy.seed,
        data=federation.dataset.name,
        round=state.round,
        clients=chosen,
        held=len(spy.held.batch.mask),
        steps=steps,
        attempts={name: own for name, own in found.items() if own is not None},
        notes=_notes(spy, found),
    )


def _without_gradient(method: Method) -> str | None:
    """Say why no gradient can be read off what clients send, if that is so."""
    if method.aggregate.personal:
        return "Clients keep their models to themselves, so there is no update to invert."
    if method.ternary.scales:
        return "Ternary weights are sent as they are, not as a gradient's step, so no update is inverted."
    return None


def _notes(spy: Eavesdropper, found: Mapping[str, Attempt | None]) -> list[str]:
    """Say what was not attacked, and what the eavesdropper was given."""
    method, notes = spy.method, []
    if not method.uses_prototypes:
        notes.append(f"Recipe {method.settings.recipe} sends no prototypes, so none are attacked.")
    elif method.aggregate.personal:
        notes.append("Models are the clients' own; the eavesdropper is taken to have them, which is the worst case.")
    if why := _without_gradient(method):
        notes.append(why)
    if tokens := [m for m in method.modalities if m not in spy.sensors]:
        one = "is tokens" if len(tokens) == 1 else "are tokens"
        notes.append(f"{listed(tokens).capitalize()} {one}, to which no gradient leads: not reconstructed, and given.")
    notes += [f"{name}: no client that was listened to has the samples." for name, own in found.items() if own is None]
    return notes
