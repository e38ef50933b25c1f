import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from monai.transforms import NormalizeIntensity

from shared.inferers import LazyNormalizeIntensityd, TiledInferer, tiled
from shared.inferers.lazy_normalization import Moments
from shared.networks import UNet


def test_every_size_comes_back_whole():
    for size in [(1, 1), (1, 37), (17, 16), (53, 71)]:
        x = torch.rand(1, 2, *size)
        assert torch.allclose(TiledInferer(max_tile=32)(x, lambda tile: 3 * tile), 3 * x, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (5, 90), (90, 5), (33, 64), (71, 53), (20, 37, 33)])
@pytest.mark.parametrize(("overlap", "batch_size"), [(0.125, 1), (0.6, 3)])
def test_it_is_monai_s_sliding_window_to_the_last_bit(monkeypatch, size, overlap, batch_size):
    monkeypatch.setattr(tiled, "STRIP", 100)
    torch.manual_seed(0)
    x = torch.rand(2, 1, *size)
    network = torch.nn.Conv2d(1, 3, 5, padding=2) if len(size) == 2 else torch.nn.Conv3d(1, 3, 3, padding=1)
    ours = TiledInferer(32, 16, overlap, batch_size)
    theirs = SlidingWindowInferer(ours.window(size), batch_size, overlap, mode="gaussian", padding_mode="replicate")
    with torch.inference_mode():
        assert torch.equal(ours(x, network), theirs(x, network))


def test_bits_are_normalised_window_by_window_as_the_whole_is():
    torch.manual_seed(0)
    network = UNet(1, 1, (4, 4, 8, 8, 8)).eval()
    raw = torch.randint(0, 255, (1, 77, 41), dtype=torch.uint8)
    image = NormalizeIntensity()(raw.float())
    lazy = LazyNormalizeIntensityd("image")({"image": MetaTensor(raw)})["image"]
    assert lazy.dtype == torch.uint8 and lazy.data_ptr() == raw.data_ptr()
    with torch.inference_mode():
        found, expected = (TiledInferer(32)(x[None], network) for x in (lazy, image))
    assert isinstance(found, MetaTensor) and found.dtype == torch.float32
    assert torch.equal(found.as_tensor(), expected.as_tensor())


@pytest.mark.parametrize("value", [0.1, 0.3, 201.7, 0.0])
def test_a_blank_picture_becomes_0(value):
    picture = torch.full((1, 77, 41), value)
    lazy = LazyNormalizeIntensityd("image")({"image": MetaTensor(picture)})["image"]
    assert not Moments(lazy[None]).normalize(0, picture).any()


def test_lists_and_dictionaries_of_outputs_are_kept():
    x = torch.rand(1, 2, 50, 40)
    first, more = TiledInferer(max_tile=32)(x, lambda tile: [tile, {"sum": tile.sum(1, keepdim=True)}])
    assert torch.allclose(first, x, atol=1e-5) and torch.allclose(more["sum"], x.sum(1, keepdim=True), atol=1e-5)


def test_small_pictures_are_one_call_and_the_sides_divide():
    sizes = []

    def network(tile):
        sizes.append(tuple(tile.shape))
        return tile

    TiledInferer(max_tile=64)(torch.rand(1, 1, 33, 50), network)
    assert sizes == [(1, 1, 48, 64)]


def test_large_pictures_are_cut_into_tiles_of_the_batch_size():
    shapes = []

    def network(tile):
        shapes.append(tuple(tile.shape))
        return tile

    TiledInferer(max_tile=32, overlap=0.0, batch_size=2)(torch.rand(1, 1, 64, 64), network)
    assert shapes == [(2, 1, 32, 32)] * 2


def test_tiles_of_a_local_network_leave_no_seam():
    x = torch.rand(1, 1, 96, 96)

    def blur(tile):
        return torch.nn.functional.avg_pool2d(tile, 3, 1, 1, count_include_pad=False)

    inner = (..., slice(2, -2), slice(2, -2))
    tiled = TiledInferer(max_tile=48, overlap=0.5)(x, blur)
    assert (tiled - blur(x))[
        inner
    ].abs().max() < 0.12  # the gaussian weight of a tile's outermost pixels is small, not zero
    assert (tiled - blur(x))[inner].abs().mean() < 0.003


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tile": 40}, "multiple of divisor"),
        ({"overlap": 1.0}, r"overlap must lie in \[0, 1\)"),
        ({"batch_size": 0}, "batch_size must be 1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TiledInferer(**arguments)


def test_whole_numbers_that_nobody_normalises_are_refused():
    with pytest.raises(ValueError, match=r"normalised, or have their normalisation put off, got torch\.uint8 without"):
        TiledInferer()(torch.zeros(1, 1, 5, 5, dtype=torch.uint8), lambda tile: tile)
