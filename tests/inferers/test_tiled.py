import pytest
import torch

from shared.inferers import TiledInferer


def test_every_size_comes_back_whole():
    for size in [(1, 1), (1, 37), (17, 16), (53, 71)]:
        x = torch.rand(1, 2, *size)
        assert torch.allclose(TiledInferer(max_tile=32)(x, lambda tile: 3 * tile), 3 * x, atol=1e-5)


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
