import re

import pytest

from shared.errors import UserError
from shared.runs.knobs import check_knobs


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("epochs", [1, 300], [0, -1, 1.5, True, None, "3"]),
        ("early_stop", [1, None], [0]),
        ("seed", [0, 7, 2**32 - 1], [-1, 0.5, 2**32]),
        ("batch_size", [1, 64], [99999999999999999999]),
        ("num_workers", [0, 32], [-1, 100_000]),
        ("learning_rate", [1, 1e-4], [0, -1.0, "fast", None, float("inf"), float("nan")]),
        ("clip_gradient", [0.5, None], [0]),
        ("cache_rate", [0, 1, 0.5], [1.1, -0.1]),
        ("channels", [1, 3], [2, True, "3"]),
        ("colour_channels", [3], [1]),
        ("fixed_spacing", [[1, 1, 1], [1.0, 1.0, 1.0]], [[2, 2, 2]]),
        (
            "spacing",
            [[1, 1, 1], (0.5, 1.0, 3.5)],
            [1, [1, 1], [1, 1, 0], [1, 1, -1], [1, 1, float("nan")], [1, 1, 51], None],
        ),
        ("patch_size", [[96, 96, 96], (32, 64, 128), [256, 256]], [96, [96], [100, 96, 96], [0, 32, 32], None]),
        ("overlap", [0, 0.5], [1, -0.1, "half"]),
        ("channel_order", [None, ["flair", "t1"]], ["flair", [1, 2]]),
        ("missing", [["t2"], ["t1", "flair"], []], ["t2", ["t3"], ["t1", "t1ce", "t2", "flair"]]),
        ("label_convention", [2019, "2023", "decathlon"], ["2015", 2021]),
        ("amp", ["auto", True, False], ["bf16", 1, None]),
        ("engine", ["auto", "eager", "compile", "openvino"], ["onnx", True, None]),
        ("resume", [True, False], [1, "yes"]),
        ("lone_oedema", [True, False], ["keep", None]),
        ("output_dir", ["runs/x"], [20261121, None]),
        ("unknown", [object()], []),
    ],
)
def test_each_rule(name, good, bad):
    for value in good:
        check_knobs({name: value})
    for value in bad:
        with pytest.raises(UserError, match=re.escape(f"{name}: {value!r} will not do; take ")):
            check_knobs({"epochs": 1, name: value})


def test_of_a_huge_value_the_beginning_is_told():
    with pytest.raises(UserError, match=r"^epochs: 1000+\.\.\.0+ will not do; take a whole number of 1 or more$"):
        check_knobs({"epochs": 10**400})
