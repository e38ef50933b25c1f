from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose

from shared.errors import UserError, message_behind, user_error_behind


def refuse(item: Any) -> Any:
    raise UserError("a.png: damaged; save it again")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_mistake_is_found_behind_errors_of_libraries_and_of_processes(num_workers: int) -> None:
    loader = DataLoader(Dataset([1], Compose([refuse])), num_workers=num_workers)
    with pytest.raises(RuntimeError) as raised:
        next(iter(loader))
    assert str(user_error_behind(raised.value)) == "a.png: damaged; save it again"


def test_what_is_nobody_s_mistake_is_none() -> None:
    assert user_error_behind(RuntimeError("UserErrors: none")) is None
    assert user_error_behind(None) is None


def test_too_little_memory_is_one_line() -> None:
    for ask in (lambda: torch.empty(2**60), lambda: bytearray(2**60)):
        with pytest.raises((RuntimeError, MemoryError)) as raised:
            ask()
        assert str(message_behind(raised.value)).startswith("memory: too little is free; take a smaller --batch_size")


def test_a_link_to_itself_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for go in (Path.resolve, Path.stat):
        with pytest.raises((RuntimeError, OSError)) as raised:
            go(tmp_path / "loop")
        told = f"{tmp_path / 'loop'}: Too many levels of symbolic links; name a place that can be written and read"
        assert message_behind(raised.value) == told
