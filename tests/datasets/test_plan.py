import json

import numpy as np
import pytest

from shared.datasets import plan_of
from shared.datasets.plan import describe_plan, join_plans, make_plan, widths_of


def test_the_width_is_that_of_the_thickest_part_of_each_component():
    mask = np.zeros((60, 60), bool)
    mask[5:10, 2:50] = True  # a bar of 5, along the border of none
    mask[20:41, 20:41] = np.hypot(*np.mgrid[-10:11, -10:11]) <= 9.5  # a disc of 19
    mask[50, 50] = mask[51, 51] = True  # joined at a corner
    assert widths_of(mask) == pytest.approx([6, 20, 2], abs=1)
    assert widths_of(np.zeros((3, 3), bool)) == []


@pytest.mark.parametrize(
    ("sizes", "widths", "downscale", "crop"),
    [
        ([(500, 1250)] * 3, [14, 16, 20, 30], 2, 384),
        ([(500, 1250)] * 3, [2, 3, 200, 300], 1, 256),  # half of them are scratches
        ([(500, 1250)] * 3, [2, 90, 200, 200, 300], 2, 384),  # one of five is a speck
        ([(200, 900), (300, 300), (2000, 2000)], [90, 200], 1, 256),
    ],
)
def test_thin_defects_and_small_images_are_seen_pixel_by_pixel(sizes, widths, downscale, crop):
    plan = make_plan(sizes, widths)
    assert (plan["downscale"], plan["patch_size"]) == (downscale, [crop, crop])
    assert plan["reason"] in describe_plan(plan) and f"{crop}x{crop}" in describe_plan(plan)


def test_sets_together_are_seen_as_the_finest_asks():
    coarse, fine = make_plan([(500, 500)], [90]), make_plan([(500, 500)], [2])
    assert join_plans([coarse, fine]) == join_plans([fine, coarse]) == fine


def test_a_plan_is_read_or_that_of_large_defects_taken(tmp_path):
    assert plan_of(tmp_path)["downscale"] == 2  # no data set: MONAI Label hands over the cases
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [], "plan": {"downscale": 1}}))
    assert plan_of(tmp_path)["downscale"] == 1
