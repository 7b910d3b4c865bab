"""How large the updates are that clients send for one block of the network."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from motet.wire.upload import Upload


def update_norms(update: Upload, names: Iterable[str]) -> Tensor:
    """Return the Euclidean norm of what each client sent of a block, float64 (senders,), in client order.

    Parameters
    ----------
    update : Upload
        Of K clients.
    names : iterable of str
        The block's parameters; a client that sent none of them is left out.
    """
    sent = [name for name in names if name in update.content]
    if not sent:
        return torch.zeros(0, dtype=torch.float64)
    rows = [update.content[name].reshape(len(update.content[name]), -1) for name in sent]
    norms = torch.stack([torch.linalg.vector_norm(row, dim=1) for row in rows]).double()
    senders = torch.stack([update.held[name] for name in sent]).any(0)
    whole: Tensor = torch.linalg.vector_norm(norms, dim=0)
    return whole[senders]
