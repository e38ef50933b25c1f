import numpy as np
import pytest

from shared.metrics.pooled_iou import pooled_iou


def reference(truths, founds, batch):
    """Batches one after the other, as the reference program goes."""
    total = count = 0
    for start in range(0, len(truths), batch):
        truth, found = np.stack(truths[start : start + batch]), np.stack(founds[start : start + batch])
        value = ((truth & found).sum() + 1e-5) / ((truth | found).sum() + 1e-5)
        total, count = total + value * len(truth), count + len(truth)
    return total / count


@pytest.mark.parametrize("pictures", [1, 15, 16, 17, 37])
def test_it_is_the_batch_wise_figure_of_the_reference(pictures):
    generator = np.random.default_rng(pictures)
    truths, founds = ([generator.random((7, 5)) > 0.5 for _ in range(pictures)] for _ in range(2))
    both = np.array([(t & f).sum() for t, f in zip(truths, founds, strict=True)])
    either = np.array([(t | f).sum() for t, f in zip(truths, founds, strict=True)])
    assert pooled_iou(both, either) == pytest.approx(reference(truths, founds, 16), abs=1e-12)


def test_nothing_at_all_counts_as_one():
    assert pooled_iou(np.zeros(3), np.zeros(3)) == 1


def test_no_picture_is_refused():
    with pytest.raises(ValueError, match="a picture and a group of 1 are the least, got 0 and 16"):
        pooled_iou(np.zeros(0), np.zeros(0))
