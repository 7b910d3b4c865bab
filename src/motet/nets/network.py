"""A network as named parts and a flat mapping of names to tensors, so that it can be sent, saved and compared."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

State = dict[str, Tensor]


def as_wide(numbers: Tensor, like: Tensor) -> Tensor:
    """Return numbers (K, ...) of clients with as many dimensions as their tensors (K, ..., *shape)."""
    return numbers.reshape(*numbers.shape, *[1] * (like.dim() - numbers.dim()))


class Network:
    """Parts without state of their own: parameters are passed in at every call.

    Parameters
    ----------
    parts : mapping of str to nn.Module
        Such as ``encoder.acc`` and ``head``.

    Attributes
    ----------
    names : dict of part to list of str
        Each part's parameters; a name is the part's name, a dot and the name in the part.
    part_of : dict of parameter name, or scale, to part
    blocks : dict of block to dict of parameter name to int
        How many numbers each parameter of a block has.
    block_of : dict of parameter name to block
        A modality's parts (``encoder.acc``, ``head.acc``) are one block, ``acc``; any other part is one
        by itself, with a dot behind its name, so that a modality may be called ``head``.
    scales : dict of parameter name to str
        What the scale of a matrix is called where it is trained with one (`motet.learn.ternary`). It belongs to the
        same part, and is none of its parameters.
    dimensions : dict of parameter name, or scale, to int
        Of one client's tensor.
    """

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        self.parts = dict(parts)
        self._short = {part: [name for name, _ in module.named_parameters()] for part, module in self.parts.items()}
        self.names = {part: [f"{part}.{name}" for name in names] for part, names in self._short.items()}
        self.part_of = {name: part for part, names in self.names.items() for name in names}
        self.block_of = {name: part.partition(".")[2] or f"{part}." for name, part in self.part_of.items()}
        self.blocks: dict[str, dict[str, int]] = {}
        for name, value in self.state().items():
            self.blocks.setdefault(self.block_of[name], {})[name] = value.numel()
        self.dimensions = {
            name: self.parts[part].get_parameter(short).dim()
            for part, names in self.names.items()
            for short, name in zip(self._short[part], names, strict=True)
        }
        self.scales = {name: f"{name}.scale" for name, count in self.dimensions.items() if count > 1}
        self.part_of |= {scale: self.part_of[name] for name, scale in self.scales.items()}
        self.dimensions |= dict.fromkeys(self.scales.values(), 0)

    @property
    def recurrent(self) -> str | None:
        """The name of a recurrent part; None if there is none."""
        cells = (name for name, part in self.parts.items() if any(isinstance(m, nn.RNNBase) for m in part.modules()))
        return next(cells, None)

    def __call__(self, params: Mapping[str, Tensor], part: str, x: Tensor) -> Tensor:
        """Apply one part with the given parameters."""
        own = {short: params[name] for short, name in zip(self._short[part], self.names[part], strict=True)}
        return functional_call(self.parts[part], own, (x,), tie_weights=False)  # type: ignore[no-any-return]

    def prepare(self, samples: Mapping[str, Tensor]) -> State:
        """Return samples as encoders take them: what an encoder computes without weights (its `prepare`) is done.

        Parameters
        ----------
        samples : mapping of modality to Tensor (B, *shape)
        """
        prepares = {m: getattr(self.parts[f"encoder.{m}"], "prepare", None) for m in samples}
        return {m: x if (prepare := prepares[m]) is None else prepare(x) for m, x in samples.items()}

    def widest(self, samples: Mapping[str, Tensor]) -> int:
        """Return the numbers of the largest tensor that encoders make of a prepared sample on its way to a feature.

        Parameters
        ----------
        samples : mapping of modality to Tensor (1, ...)
        """
        sizes = [x.numel() for x in samples.values()]

        def note(module: nn.Module, inputs: object, output: object) -> None:
            sizes.extend([output.numel()] if isinstance(output, Tensor) else [])

        for m, x in samples.items():
            encoder = copy.deepcopy(self.parts[f"encoder.{m}"])
            for module in encoder.modules():
                module.register_forward_hook(note)
            with torch.no_grad():
                encoder(x)
        return max(sizes)

    def bind(self, params: Mapping[str, Tensor]) -> BoundNetwork:
        """Return the network with these parameters."""
        return BoundNetwork(self, params)

    def state(self) -> State:
        """Return the parameters that the parts begin with."""
        return {
            name: self.parts[part].get_parameter(short).detach().clone()
            for part, names in self.names.items()
            for short, name in zip(self._short[part], names, strict=True)
        }

    @torch.no_grad()
    def begin(self, state: State) -> None:
        """Let the parts begin with other parameters than those that they were made with."""
        for part, names in self.names.items():
            for short, name in zip(self._short[part], names, strict=True):
                self.parts[part].get_parameter(short).copy_(state[name])


@dataclass(frozen=True)
class BoundNetwork:
    """A network and the parameters to call it with."""

    network: Network
    params: Mapping[str, Tensor]

    def __call__(self, part: str, x: Tensor) -> Tensor:
        """Apply one part."""
        return self.network(self.params, part, x)

    def frozen(self) -> BoundNetwork:
        """Return the same network, through which no gradient reaches a parameter."""
        return BoundNetwork(self.network, {name: value.detach() for name, value in self.params.items()})


def make_part(seed: int, name: str, build: Callable[[], nn.Module]) -> nn.Module:
    """Build a part with weights that depend on the seed and its name alone.

    So equal parts start equal in every recipe, whatever else the network holds.
    """
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest, "little") >> 1)
        module = build()
    return module
