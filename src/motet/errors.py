"""The errors that a user's input can cause; the command line turns them into one sentence and an exit status."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MotetError(Exception):
    """Something went wrong that one sentence explains (exit status 1)."""


class InputError(MotetError, ValueError):
    """The user's input was wrong; the sentence says what was wrong and how to mend it (exit status 2)."""


class Interrupted(MotetError):
    """The user stopped the run after a checkpoint was written (exit status 3)."""


LEAST_LIKENESS = 0.5
"""Below it (1 is the same) a name is no suggestion."""
AS_NEAR = 0.1
"""So much less like than the nearest, a name is suggested beside it."""
LISTED = 12
"""So many names are listed beside a suggestion; more would hide it."""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that are most like what the user wrote, at most three; none if none is like it."""
    likeness = {n: difflib.SequenceMatcher(None, n.lower(), name.lower()).ratio() for n in known}
    least = max(LEAST_LIKENESS, max(likeness.values(), default=0.0) - AS_NEAR)
    near = [n for n, ratio in likeness.items() if ratio >= least]
    return sorted(near, key=lambda n: (-likeness[n], n))[:3]


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """Build the error for a name that is not in a catalogue.

    Parameters
    ----------
    what : str
        The noun for the thing named, such as ``"recipe"``.
    name : str
        What the user wrote.
    known : iterable of str
        The names that exist.

    Returns
    -------
    InputError
        A sentence that offers the nearest name, beside all where they are few, or lists all where none is near.
    """
    names = sorted(known)
    near = nearest(name, names)
    every = ", ".join(names)
    if near:
        hint = f"did you mean {' or '.join(map(repr, near))}?" + (f" (all: {every})" if len(names) <= LISTED else "")
    else:
        hint = f"choose one of: {every}"
    return InputError(f"unknown {what} {name!r}: {hint}")
