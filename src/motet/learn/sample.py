"""What flows through a device's step: a batch of samples, and the feature slots that the fusion sees."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

PerModality = dict[str, Tensor]


class Net(Protocol):
    """A network bound to its parameters."""

    def __call__(self, part: str, x: Tensor) -> Tensor:
        """Apply one part."""
        ...

    def frozen(self) -> Net:
        """Return the same network, through which no gradient reaches a parameter."""
        ...


class Batch(NamedTuple):
    """B samples, possibly padded to a rectangle.

    Attributes
    ----------
    x : dict of modality to Tensor (B, ...)
        Standardised, zero where the modality is absent, and as encoders take it (`Network.prepare`).
    y : int64 (B,) or None
        Classes; any where there is no label. None at prediction, so that no member can see a label there.
    mask : bool (B,)
        Whether training counts a row: false where it has no label, or is padding.
    present : dict of modality to bool (B,)
    quality : dict of modality to float (B,)
        1 for a sample that is believed good, down to 0 for one that is useless.
    received, previous : dict of modality to Tensor (B, d)
        Features that the model just received, and the one that the client ended its last round with, make of the
        samples; empty unless a member asks for them.
    """

    x: PerModality
    y: Tensor | None
    mask: Tensor
    present: PerModality
    quality: PerModality
    received: PerModality = {}  # noqa: RUF012
    previous: PerModality = {}  # noqa: RUF012

    def good(self) -> PerModality:
        """Return where a modality is present and not flagged, bool (B,)."""
        return {m: present & (self.quality[m] >= 1) for m, present in self.present.items()}


class Slots(NamedTuple):
    """What the fusion sees of each modality.

    Attributes
    ----------
    encoded : dict of modality to Tensor (B, d)
        The encoder's answer, to zeros where the modality is absent.
    value : dict of modality to Tensor (B, d)
        The feature in the slot.
    used : dict of modality to bool (B,)
        Whether the slot takes part in the fusion.
    """

    encoded: PerModality
    value: PerModality
    used: PerModality

    def own(self, batch: Batch) -> PerModality:
        """Return where a slot holds what its own modality gives, bool (B,): it is there, and was not left out."""
        return {m: present & self.used[m] for m, present in batch.present.items()}
