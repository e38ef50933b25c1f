from typing import Any

import pytest
from monai.data import DataLoader, Dataset
from monai.transforms import Compose

from shared.errors import UserError, user_error_behind


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
