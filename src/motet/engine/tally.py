"""Figures of a round, gathered while the clients' outcomes pass by on their way to the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from motet.engine.outcome import Outcome
from motet.measure.flags import FlagScores
from motet.measure.meaning import agreement, separation
from motet.measure.update import update_norms
from motet.nets.network import State
from motet.record.result import Meaning, Round
from motet.wire.ledger import Ledger
from motet.wire.upload import Upload


class Tally:
    """Sums over the participants of one round.

    Parameters
    ----------
    flags : FlagScores
        Counts so far; this round's are added.
    scored : bool
        Whether they are: not in calibration, where nothing is flagged and nothing is degraded.
    blocks : mapping of modality to list of str
        The parameters that belong to it.
    """

    def __init__(self, flags: FlagScores, scored: bool, blocks: Mapping[str, list[str]]) -> None:
        self.flags, self.scored, self.blocks = flags, scored, blocks
        self.clients, self.learners, self.loss, self.trained = 0, 0, 0.0, 0
        self.samples, self.labelled = 0, 0
        self.hits, self.online_loss, self.arrivals = 0, 0.0, 0
        self.missing: dict[str, dict[str, float]] = {}
        self.degraded: dict[str, dict[str, float]] = {}
        self.flagged: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.participation: Counter[str] = Counter()
        self.top: Counter[str] = Counter()
        self.norms = dict.fromkeys(blocks, 0.0)
        self.senders: Counter[str] = Counter()

    def over(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        """Pass outcomes through and take note."""
        for outcome in outcomes:
            self._note(outcome)
            yield outcome

    def _note(self, outcome: Outcome) -> None:
        account = outcome.account
        self.clients += len(outcome.clients)
        self.learners += int((account.labelled > 0).sum())
        self.loss += float(account.loss.sum())
        self.samples += int(account.samples.sum())
        self.labelled += int(account.labelled.sum())
        self.trained += int(account.trained.sum())
        self.hits += int(account.hits.sum())
        self.online_loss += float(account.online_loss.sum())
        self.arrivals += int(account.arrivals.sum())
        self.participation.update(account.holders())
        for every, into in ((account.missing, self.missing), (account.degraded, self.degraded)):
            for m, shares in every.items():
                own = into.setdefault(m, {})
                for place in shares.nonzero()[0]:
                    own[str(outcome.clients[place])] = round(float(shares[place]), 6)
        for m, present in account.present.items():
            if self.scored:
                self.flags.add(m, account.scores[m])
            self.flagged[m] += int(account.flagged[m].sum())
            self.present[m] += int(present.sum())
        if outcome.model is not None:
            self._note_update(outcome.model)
        sizes = {
            "buffer": int(account.buffer_bytes.max()),
            "prototypes": 0 if outcome.prototypes is None else int(outcome.prototypes.lengths.max()),
            "private": int(account.private_bytes.max()),
        }
        self.top |= Counter(sizes)

    def _note_update(self, update: Upload) -> None:
        for m, names in self.blocks.items():
            norms = update_norms(update, names)
            self.norms[m] += float(norms.sum())
            self.senders[m] += len(norms)

    def largest(self, before: Counter[str]) -> Counter[str]:
        """Return the largest sizes of any device so far, and all samples trained."""
        found = before | self.top
        found["trained"] = before["trained"] + self.trained
        return found

    def line(
        self,
        number: int,
        found: dict[str, Any],
        ledger: Ledger,
        before: Ledger,
        prototypes: State | None,
        refused: Mapping[str, Mapping[str, int]],
    ) -> Round:
        """Return the round's line of the history."""
        (up, down), (up_before, down_before) = ledger.totals(), before.totals()
        return Round(
            round=number,
            accuracy=found.get("accuracy"),
            loss=found.get("loss"),
            balanced_accuracy=found.get("balanced_accuracy"),
            online_accuracy=self.hits / self.arrivals if self.arrivals else None,
            online_loss=self.online_loss / self.arrivals if self.arrivals else None,
            train_loss=self.loss / self.learners if self.learners else None,
            bytes_up=up - up_before,
            bytes_down=down - down_before,
            clients=self.clients,
            labelled=self.labelled / self.samples if self.samples else None,
            participation=dict(self.participation),
            missing=self.missing,
            degraded=self.degraded,
            flagged={m: self.flagged[m] / self.present[m] for m in self.present if self.present[m]},
            meaning=_meaning(prototypes, found.get("rounding", {})),
            accuracy_alone=found.get("accuracy_alone"),
            dominance=found.get("dominance"),
            broadcast=found.get("broadcast"),
            epsilon=found.get("epsilon"),
            update_norm={m: total / self.senders[m] for m, total in self.norms.items() if self.senders[m]},
            link_s=found.get("link_s"),
            late=found.get("late", 0),
            refused={reason: dict(clients) for reason, clients in refused.items()},
        )


def _meaning(prototypes: State | None, rounded: dict[str, float | None]) -> Meaning | None:
    if prototypes is None:
        return None
    return Meaning(agreement=agreement(prototypes), separation=separation(prototypes), rounding=rounded)
