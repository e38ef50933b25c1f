import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from skimage.measure import label

from shared.transforms import DropLoneOedemad

DROP = DropLoneOedemad("pred")


def plainly(labels):
    """Piece by piece with scikit-image."""
    pieces, result = label(labels > 0, connectivity=labels.ndim, return_num=True)[0], labels.copy()
    kinds = {piece: set(labels[pieces == piece]) for piece in range(1, pieces.max() + 1)}
    largest = max(((pieces == piece).sum() for piece, kind in kinds.items() if kind != {2}), default=0)
    for piece, kind in kinds.items():
        if kind == {2} and (pieces == piece).sum() < largest:
            result[pieces == piece] = 0
    return result


@pytest.mark.parametrize("seed", range(4))
def test_as_piece_by_piece(seed):
    random = np.random.default_rng(seed)
    labels = random.choice(4, (9, 7, 8), p=[0.93, 0.01, 0.05, 0.01]).astype(np.uint8)
    item = DROP({"pred": torch.from_numpy(labels[None]), "id": "a"})
    expected = plainly(labels)
    assert np.array_equal(item["pred"][0].numpy(), expected) and item["pred"].dtype == torch.uint8
    assert item["pred_left_out"] == (labels > 0).sum() - (expected > 0).sum() > 0
    assert item["id"] == "a"


def test_pieces_touch_by_a_corner_and_either_kind_of_core_counts():
    labels = np.zeros((1, 5, 5, 5), np.uint8)
    labels[0, 0, 0, 0], labels[0, 1, 1, 1] = 1, 2  # one piece
    labels[0, 4, 4, 4], labels[0, 4, 4, 3] = 3, 2  # another
    labels[0, 4, 0, 0] = 2  # alone
    found = DROP({"pred": labels})
    assert isinstance(found["pred"], np.ndarray) and found["pred_left_out"] == 1
    labels[0, 4, 0, 0] = 0
    assert np.array_equal(found["pred"], labels)


@pytest.mark.parametrize("value", [0, 2])
def test_without_any_core_all_is_kept(value):
    labels = MetaTensor(torch.full((1, 3, 3, 3), value, dtype=torch.uint8), meta={"name": "x"})
    labels[0, 1] = 0
    found = DROP({"pred": labels})
    assert torch.equal(found["pred"], labels) and found["pred"].meta["name"] == "x" and not found["pred_left_out"]


def test_a_stray_voxel_of_core_takes_no_large_oedema_away():
    labels = np.zeros((1, 9, 9, 9), np.uint8)
    labels[0, :4, :4, :4], labels[0, 8, 8, 8], labels[0, 8, 0, 0] = 2, 3, 2
    found = DROP({"pred": labels})
    assert np.array_equal(found["pred"], labels) and found["pred_left_out"] == 0
    labels[0, 8, 8, 7] = 2  # the piece with core has two voxels, that at the third corner one
    found = DROP({"pred": labels})
    assert found["pred_left_out"] == 1 and found["pred"][0, 8, 0, 0] == 0 and found["pred"][0, 0, 0, 0] == 2


def test_several_channels_are_refused():
    with pytest.raises(ValueError, match=r"pred must have one channel of labels, got the shape \(3, 2, 2\)"):
        DROP({"pred": torch.zeros(3, 2, 2)})
