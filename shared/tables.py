"""CSV files as people and programs hand them over."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import UserError

__all__ = ["read_table", "six_digits"]


def six_digits(value: float) -> str:
    """A measured number as a table holds it, to six significant digits: its scale is that of the data.

    Example:
        >>> six_digits(0.00012345678), six_digits(54321.12), six_digits(3.0)
        ('0.000123457', '54321.1', '3')
    """
    return f"{value:.6g}"


def read_table(
    path: str | Path, rename: Callable[[str], str] = str
) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    """Read a CSV file in UTF-8, with or without a byte order mark, whose first line names the columns.

    Args:
        path: the file.
        rename: gives the name by which a column is known.

    Returns:
        The columns, and each row with the number of its last line. A row with more fields than there are columns has
        the key None, one with fewer the value None.

    Raises:
        UserError: the file cannot be read, is none, or has columns of one name; those without one do not count.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            names = table.fieldnames or ()
            table.fieldnames = columns = [rename(name) for name in names]
            count = Counter(filter(str.strip, columns))
            if same := [repr(name) for name, column in zip(names, columns, strict=True) if count[column] > 1]:
                raise UserError(f"{path}: columns of one name ({', '.join(same)}) -> keep one, or rename the others")
            return columns, [(table.line_num, row) for row in table]
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}) -> name a file that you may read") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: no CSV in UTF-8 ({error}) -> save it as such") from error
