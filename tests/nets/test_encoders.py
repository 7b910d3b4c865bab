"""Encoders of every kind of modality, in odd shapes too."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from motet.data.dataset import KINDS, Kind, Modality
from motet.errors import InputError
from motet.nets.encoder import ENCODERS, build, choose
from motet.nets.network import Network, make_part

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "signal": [(1, 1), (1, 2), (3, 2), (2, 3), (6, 128)],
    "image": [(1, 1, 1), (1, 3, 3), (3, 5, 8), (1, 1, 9), (2, 2, 1), (1, 28, 28)],
    "tokens": [(1,), (2,), (7,)],
    "vector": [(1,), (2,), (50,)],
}
CASES = [(kind, name, shape) for kind, names in ENCODERS.items() for name in names for shape in SHAPES[kind]]
every_encoder = pytest.mark.parametrize(("kind", "name", "shape"), CASES, ids=str)
FEATURES = 60


def looks(kind: Kind, shape: tuple[int, ...]) -> Modality:
    return Modality("m", kind, shape, vocabulary=11 if kind == "tokens" else 0)


class FromSamples(nn.Module):
    """An encoder of samples that nothing has prepared."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.network, self.encoder = Network({"encoder.m": encoder}), encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(self.network.prepare({"m": x})["m"])  # type: ignore[no-any-return]


def encoder(kind: Kind, name: str, shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    return FromSamples(make_part(seed, "encoder.m", lambda: build(looks(kind, shape), name, FEATURES)).double())


def samples(kind: Kind, shape: tuple[int, ...], count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    if kind == "tokens":
        return torch.randint(1, 11, (count, *shape), generator=generator)
    return torch.randn((count, *shape), generator=generator, dtype=torch.float64)


def test_every_kind_has_an_encoder() -> None:
    assert set(ENCODERS) == set(KINDS)


@every_encoder
def test_a_sample_becomes_a_finite_feature_through_which_every_parameter_learns(
    kind: Kind, name: str, shape: tuple[int, ...]
) -> None:
    module = encoder(kind, name, shape)
    features = module(samples(kind, shape))
    assert features.shape == (4, FEATURES)
    assert features.dtype == torch.float64
    assert bool(torch.isfinite(features).all())
    if name == "fixed":
        assert not list(module.parameters()), "nothing is trained"
        return
    gradients = torch.autograd.grad(features.square().sum(), list(module.parameters()))
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    assert bool(gradients[0].any())
    assert bool(gradients[-1].any())


@every_encoder
def test_a_feature_does_not_depend_on_the_rest_of_the_batch(kind: Kind, name: str, shape: tuple[int, ...]) -> None:
    module = encoder(kind, name, shape)
    x = samples(kind, shape)
    together = module(x)
    for row in range(len(x)):
        torch.testing.assert_close(module(x[row : row + 1])[0], together[row], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(module(x.flip(0)).flip(0), together, rtol=1e-12, atol=1e-12)
    others = x.clone()
    others[1:] = 1 if kind == "tokens" else 1e3
    torch.testing.assert_close(module(others)[0], together[0], rtol=1e-12, atol=1e-12)


@every_encoder
def test_samples_of_nothing_have_a_finite_feature(kind: Kind, name: str, shape: tuple[int, ...]) -> None:
    """What an absent modality looks like: zeros, for tokens padding alone."""
    module = encoder(kind, name, shape)
    x = torch.zeros_like(samples(kind, shape))
    features = module(x)
    assert bool(torch.isfinite(features).all())
    if name == "fixed":
        return
    gradients = torch.autograd.grad(features.sum(), list(module.parameters()), materialize_grads=True)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@every_encoder
def test_no_samples_have_no_features(kind: Kind, name: str, shape: tuple[int, ...]) -> None:
    """A client encodes its arrivals, and there may be none."""
    assert encoder(kind, name, shape)(samples(kind, shape)[:0]).shape == (0, FEATURES)


@every_encoder
def test_no_encoder_keeps_figures_of_what_it_has_seen(kind: Kind, name: str, shape: tuple[int, ...]) -> None:
    """Nor does it draw: training and evaluation are the same, as they must be with shared normalisation."""
    module = encoder(kind, name, shape)
    before = {key: value.clone() for key, value in (*module.named_parameters(), *module.named_buffers())}
    x = samples(kind, shape)
    first = module.train()(x)
    assert torch.equal(module.train()(x), first)
    assert torch.equal(module.eval()(x), first)
    for key, value in (*module.named_parameters(), *module.named_buffers()):
        assert torch.equal(value, before[key])


@every_encoder
def test_float32_and_float64_agree(kind: Kind, name: str, shape: tuple[int, ...]) -> None:
    x = samples(kind, shape)
    exact = encoder(kind, name, shape)(x)
    rough = encoder(kind, name, shape).float()(x if kind == "tokens" else x.float())
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough.double(), exact, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in ENCODERS.items() for name in names])
def test_a_feature_depends_on_every_part_of_the_sample(kind: Kind, name: str) -> None:
    shape = {"signal": (2, 6), "image": (2, 4, 4), "tokens": (5,), "vector": (3,)}[kind]
    module = encoder(kind, name, shape)
    x = samples(kind, shape, count=1)
    for place in range(x.numel()):
        other = x.clone()
        other.view(-1)[place] = (x.view(-1)[place] + 1) % 10 + 1 if kind == "tokens" else 5.0
        assert not torch.allclose(module(other), module(x), rtol=1e-9, atol=1e-9), place


# --- Particular kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENCODERS["tokens"])
def test_padding_after_the_words_changes_nothing(name: str) -> None:
    module = encoder("tokens", name, (6,))
    short, long = torch.tensor([[3, 5, 2]]), torch.tensor([[3, 5, 2, 0, 0, 0]])
    torch.testing.assert_close(module(long), module(short), rtol=1e-12, atol=1e-12)
    assert not torch.equal(module(torch.tensor([[3, 5, 4, 0, 0, 0]])), module(long))


def test_the_id_of_padding_is_the_modality_s() -> None:
    spec = Modality("m", "tokens", (3,), vocabulary=11, pad=7)
    module = make_part(0, "encoder.m", lambda: build(spec, "mlp", FEATURES)).double()
    padded, other = torch.tensor([[3, 7, 7]]), torch.tensor([[3, 0, 0]])
    torch.testing.assert_close(module(padded), module(torch.tensor([[3]])), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(module(other), module(padded))


def test_mean_embedding_does_not_care_for_order_and_recurrence_does() -> None:
    words, turned = torch.tensor([[3, 5, 2]]), torch.tensor([[2, 5, 3]])
    mean, recurrent = encoder("tokens", "mlp", (3,)), encoder("tokens", "lstm", (3,))
    torch.testing.assert_close(mean(words), mean(turned), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(recurrent(words), recurrent(turned))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400))
def test_every_frequency_of_a_signal_falls_into_exactly_one_bin(length: int) -> None:
    average = build(looks("signal", (1, length)), "summary", FEATURES).get_buffer("average")
    assert average.shape == (min(8, length // 2 + 1), length // 2 + 1)
    torch.testing.assert_close(average.sum(1), torch.ones(len(average)))
    assert bool(((average > 0).sum(0) == 1).all())


def test_summary_tells_a_slow_from_a_fast_signal_and_a_constant_from_another() -> None:
    module = encoder("signal", "summary", (1, 32))
    time = torch.arange(32, dtype=torch.float64)
    slow, fast = torch.sin(2 * torch.pi * time / 32), torch.sin(2 * torch.pi * time * 12 / 32)
    features = module(torch.stack([slow, fast, torch.zeros(32).double(), torch.ones(32).double()])[:, None])
    assert torch.pdist(features).min() > 1e-3


def test_summary_does_not_care_when_a_wave_begins() -> None:
    module = encoder("signal", "summary", (1, 32))
    wave = torch.sin(2 * torch.pi * 3 * torch.arange(32, dtype=torch.float64) / 32)
    shifted = wave.roll(5)
    features = module(torch.stack([wave, shifted])[:, None])
    torch.testing.assert_close(features[0], features[1], rtol=1e-9, atol=1e-9)


# --- Which one ---------------------------------------------------------------------------------------------------

MODALITIES = {
    "acc": looks("signal", (3, 8)),
    "picture": looks("image", (1, 5, 5)),
    "text": looks("tokens", (4,)),
    "meta": looks("vector", (2,)),
}


def test_auto_takes_the_first_of_each_kind() -> None:
    assert choose(MODALITIES, "auto") == {"acc": "conv", "picture": "conv", "text": "lstm", "meta": "mlp"}


def test_one_name_goes_wherever_the_kind_has_it() -> None:
    assert choose(MODALITIES, "gru") == {"acc": "gru", "picture": "conv", "text": "gru", "meta": "mlp"}
    assert set(choose(MODALITIES, "mlp").values()) == {"mlp"}


def test_each_modality_may_be_named() -> None:
    found = choose(MODALITIES, "acc=summary, text = mlp")
    assert found == {"acc": "summary", "picture": "conv", "text": "mlp", "meta": "mlp"}


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("convv", ["unknown encoder 'convv'", "did you mean 'conv'"]),
        ("acc=convv", ["encoder of a modality of kind signal", "did you mean 'conv'"]),
        ("ac=conv", ["unknown modality", "did you mean 'acc'"]),
        ("meta=lstm", ["kind vector", "'lstm'", "mlp"]),
        ("acc=", ["kind signal", "conv"]),
        ("acc=conv,", ["unknown modality"]),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(wish: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        choose(MODALITIES, wish)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_name_that_no_modality_here_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="no modality here has a summary encoder: they are of kind image, vector"):
        choose({"picture": MODALITIES["picture"], "meta": MODALITIES["meta"]}, "summary")


def test_fixed_features_are_centred_of_unit_length_and_filled_up() -> None:
    module = build(looks("signal", (3, 32)), "fixed", 40)
    summary = torch.tensor([[float(place) for place in range(30)]])
    feature = module(summary)
    assert feature[0, 30:].tolist() == [0] * 10
    assert float(feature.norm()) == pytest.approx(1)
    assert float(feature.sum()) == pytest.approx(0, abs=1e-5)
    assert float(feature[0, 1] - feature[0, 0]) == pytest.approx(1 / (30 * (30**2 - 1) / 12) ** 0.5)


def test_fixed_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="--encoder fixed makes 30 numbers of m: set --features 30 or more"):
        build(looks("signal", (3, 32)), "fixed", 29)
