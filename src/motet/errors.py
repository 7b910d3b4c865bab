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
        A sentence that offers the nearest name, or lists all where none is near.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(repr(n) for n in near)}? (all: {', '.join(names)})"
    else:
        hint = f"choose one of: {', '.join(names)}"
    return InputError(f"unknown {what} {name!r}: {hint}")
