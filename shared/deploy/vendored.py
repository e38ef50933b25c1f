"""This package under another name, so that a bundle can carry its own copy of it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ..errors import UserError

__all__ = ["names_below", "package_files", "package_name", "renamed"]

PACKAGE = __name__.partition(".")[0]  # in a copy that is the copy's name, and a copy can be copied again
FOLDER = Path(__file__).resolve().parents[1]
TEXTS = frozenset({".py", ".json", ".yaml", ".yml", ".conf", ".md", ".txt"})


def package_name(bundle: str, version: str) -> str:
    """Name of the copy that a version of a bundle carries.

    Raises:
        UserError: Python takes no such name.

    Example:
        >>> package_name("unet", "0.2.0")
        'unet_shared_0_2_0'
    """
    name = re.sub(r"\W", "_", f"{bundle}_shared_{version}")
    if not name.isidentifier():
        raise UserError(f"bundle: its code would be called {name}, which Python cannot import; rename {bundle}")
    return name


def renamed(path: str, content: bytes, name: str) -> bytes:
    """Content of a file in which the package goes by another name.

    Changed are the names of its modules, as configurations and messages write them, and ``python -m`` with the
    package; imports need no change, since inside the package they are relative. Line ends stay.

    Args:
        path: of the file; what its suffix does not tell to be a text stays as it is.
        content: of the file.
        name: the other name.

    Raises:
        UserError: it is a text, and not in UTF-8.

    Example:
        >>> line = f'"_target_": "{PACKAGE}.errors.UserError"'.encode()
        >>> renamed("train.json", line, "other"), renamed("model.pt", line, "other") == line
        (b'"_target_": "other.errors.UserError"', True)
    """
    if Path(path).suffix not in TEXTS:
        return content
    try:
        return _mentions().sub(name, content.decode("utf-8")).encode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: no text in UTF-8 ({error}); save it as one") from error


def package_files() -> dict[str, bytes]:
    """Files of the package by their paths inside it."""
    return {name: (FOLDER / name).read_bytes() for name in names_below(FOLDER)}


def names_below(folder: Path) -> list[str]:
    """Paths of the files below a folder, without hidden ones and caches of Python."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return sorted(
        name.as_posix()
        for name in names
        if not any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    )


@cache
def _mentions() -> re.Pattern[str]:
    """Where a text means the package and not the word."""
    modules = "|".join(sorted(path.stem for path in FOLDER.iterdir() if not path.name.startswith((".", "_"))))
    return re.compile(rf"(?<![\w.]){PACKAGE}(?=\.(?:{modules})\b)|(?<=python -m ){PACKAGE}\b")
