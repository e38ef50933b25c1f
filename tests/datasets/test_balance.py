import pytest

from shared.datasets import balanced_weights

CASES = [{"type": "rare"}, *[{"type": "common"}] * 9, {"id": "untyped"}]


@pytest.mark.parametrize(("power", "share"), [(0, 9 / 11), (0.5, 3 / 5), (1, 1 / 3)])
def test_the_common_type_is_drawn_as_often_as_the_power_says(power, share):
    weights = balanced_weights(CASES, power)
    assert sum(weights[1:10]) / sum(weights) == pytest.approx(share)


def test_a_power_beyond_one_is_refused():
    with pytest.raises(ValueError, match="power must lie in"):
        balanced_weights(CASES, 1.5)
