import errno
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.transforms import Compose, Lambdad, RandLambdad

from shared.datasets import DiskCacheDataset
from shared.errors import UserError, message_behind

PREPARED: list[int] = []


def prepare(case: int) -> MetaTensor:
    PREPARED.append(case)
    return MetaTensor(torch.full((1, 4, 4), 2.0 * case), affine=np.diag([2.0, 2, 2, 1]), meta={"who": case})


def shift(image: torch.Tensor) -> torch.Tensor:
    return image + torch.rand(1)


def of(folder: Path, images: tuple[int, ...] = (1, 2)) -> DiskCacheDataset:
    """These cases; ``PREPARED`` tells from here on which of them are prepared."""
    PREPARED.clear()
    steps = [Lambdad("image", prepare), RandLambdad("image", prob=1.0, func=shift)]
    cases = [{"image": image, "index": index} for index, image in enumerate(images)]
    return DiskCacheDataset(cases, Compose(steps), folder)


def test_what_is_before_the_first_random_transform_is_kept(tmp_path: Path) -> None:
    first = of(tmp_path / "cache")
    drawn = [first[number]["image"] for number in (0, 1, 0, 1)]
    assert PREPARED == [1, 2]
    image = of(tmp_path / "cache")[1]["image"]
    assert PREPARED == []
    assert (image.meta["who"], image.affine[0, 0].item()) == (2, 2.0)
    assert all(4 <= each.min() <= 5 for each in (image, drawn[1], drawn[3]))
    assert not torch.equal(drawn[1], drawn[3])
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_folds_share_what_is_kept(tmp_path: Path) -> None:
    assert [of(tmp_path)[number]["index"] for number in (0, 1)] == [0, 1]
    (item,) = of(tmp_path, (2,))
    assert (item["index"], item["image"].meta["who"], PREPARED) == (0, 2, [])


@pytest.mark.parametrize("left", [0, 1, 100, -100, None])
def test_a_file_cut_short_or_zeroed_is_made_anew(
    tmp_path: Path, left: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    of(tmp_path)[0]
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(bytes(len(whole)) if left is None else whole[:left])
    assert 2 <= of(tmp_path)[0]["image"].min() <= 3 and PREPARED == [1]
    assert f"{file} cannot be read and is made anew" in caplog.text
    assert of(tmp_path)[0]["image"].meta["who"] == 1 and len(list(tmp_path.iterdir())) == 1


class Payload:
    """What pickle makes of it runs code."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def test_code_in_a_file_does_not_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache, trace = tmp_path / "cache", tmp_path / "trace"
    of(cache)[0]
    (file,) = cache.iterdir()
    for content in (Payload(trace), {"image": Payload(trace)}):
        torch.save(content, file)
        assert 2 <= of(cache)[0]["image"].min() <= 3 and PREPARED == [1]
        assert f"{file} cannot be read and is made anew" in caplog.text
        caplog.clear()
    assert not trace.exists()
    torch.load(file, weights_only=True)


def test_another_transform_or_code_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def size(*steps: object) -> int:
        DiskCacheDataset([{"image": 1}], Compose([*steps]), tmp_path)[0]
        return len(list(tmp_path.iterdir()))

    assert size(Lambdad("image", lambda x: torch.tensor([2 * x]))) == 1
    assert size(Lambdad("image", lambda x: torch.tensor([2 * x]))) == 1
    assert size(Lambdad("image", lambda x: torch.tensor([3 * x]))) == 2
    monkeypatch.setattr("shared.source_code._rooms", lambda: "edited")
    assert size(Lambdad("image", lambda x: torch.tensor([2 * x]))) == 3


def write_until_full(item: object, stream: BinaryIO) -> None:
    stream.write(b"part of it")
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    one = of(tmp_path, images=(1,))  # or a worker would write the next meanwhile
    loader = DataLoader(one, num_workers=num_workers, multiprocessing_context="fork" if num_workers else None)
    monkeypatch.setattr(torch, "save", write_until_full)
    with pytest.raises(UserError) as caught:
        next(iter(loader))
    message = message_behind(caught.value)
    assert message is not None and f"{tmp_path}/" in message
    assert "No space left on device; free some space, or name a place on another disk" in message
    assert list(tmp_path.iterdir()) == []
