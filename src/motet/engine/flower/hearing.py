"""A round that is under way: who was asked, who has answered, and why nobody waits for the others."""

from __future__ import annotations

from dataclasses import dataclass, field

from motet.engine.flower.letter import Letter
from motet.engine.flower.mail import Sent
from motet.engine.outcome import Outcome

NO_ANSWER = "no answer in time"
AWAY = "its node is away"
FAILED = "its node could not answer"
BUSY = "its node is still at work for an earlier round"


@dataclass
class Hearing:
    """A round, for as long as nodes are heard.

    Attributes
    ----------
    number : int
    wanted : dict of node's name to list of int
        Clients that take part.
    letters : dict of node's name to Letter
    under_way : dict of Sent to node's name
        Letters that have no answer yet.
    outcomes : dict of client to Outcome
    given_up : dict of node's name to str
        Why nobody waits for it any more.
    broken : dict of node's name to str
        Those of them that could not train, and why.
    busy : set of node's name
        Those that still owe an answer to an earlier round.
    """

    number: int
    wanted: dict[str, list[int]]
    letters: dict[str, Letter]
    under_way: dict[Sent, str] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    given_up: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)

    def reason(self, name: str) -> str:
        """Return why a node's clients were not heard, in words that the record knows."""
        if name in self.given_up:
            return AWAY if self.given_up[name] == AWAY else FAILED
        return BUSY if name in self.busy else NO_ANSWER

    def waits_for(self, name: str) -> bool:
        """Return whether a node was asked, or is to be, and may still answer."""
        return name in self.wanted and name not in self.given_up and self.wanted[name][0] not in self.outcomes

    @property
    def over(self) -> bool:
        """Whether nobody is waited for any more."""
        return not any(self.waits_for(name) for name in self.wanted)
