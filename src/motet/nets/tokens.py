"""Encoders of token sequences: (batch, length) of integers to (batch, d)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from motet.data.dataset import Modality
from motet.nets.layers import Embedding, LayerNorm, Linear


def _mean_of_words(states: Tensor, tokens: Tensor, pad: int) -> Tensor:
    """Average over the positions that hold a word; zero where none does."""
    words = (tokens != pad).to(states.dtype)[..., None]
    return (states * words).sum(1) / words.sum(1).clamp(min=1)


class TokenRecurrence(nn.Module):
    """An embedding, a recurrent network, the mean of its states over the words; linear."""

    def __init__(self, modality: Modality, features: int, cell: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.pad = modality.pad
        self.embedding = Embedding(modality.vocabulary, 64)
        self.recurrence = cell(64, 64, batch_first=True)
        self.out = Linear(64, features)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.recurrence(self.embedding(x))
        return self.out(_mean_of_words(states, x, self.pad))  # type: ignore[no-any-return]


class TokenAverage(nn.Module):
    """The mean embedding of the words into a two-layer perceptron."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__()
        self.pad = modality.pad
        self.embedding = Embedding(modality.vocabulary, 64)
        self.hidden = Linear(64, 64)
        self.norm = LayerNorm(64)
        self.out = Linear(64, features)

    def forward(self, x: Tensor) -> Tensor:
        mean = _mean_of_words(self.embedding(x), x, self.pad)
        return self.out(F.relu(self.norm(self.hidden(mean))))  # type: ignore[no-any-return]
