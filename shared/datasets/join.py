"""Several prepared data sets as one, for a network that is to know them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_folder
from ..errors import UserError
from .datalist import PATHS, path_from, read_datalist, write_datalist
from .plan import join_plans

__all__ = ["format_summary", "join"]

SAME = ("kind", "labels", "num_folds")  # what all of them must tell alike


def join(sources: Sequence[str | Path], output: str | Path) -> dict[str, Any]:
    """Make one data set of several; each case keeps its fold, and no file is copied.

    A case of the set ``a`` has its id, group and type behind the name of the set: ``a/17``, ``a: defective``.

    Args:
        sources: two or more folders made by ``python -m shared prepare``, with names of their own.
        output: folder of the data set; must be new or empty.

    Returns:
        What ``format_summary`` tells.

    Raises:
        UserError: fewer than two sources, two of one name, or sets of another kind, other labels or numbers of folds.
    """
    folders, output = [Path(source).resolve() for source in sources], Path(output).resolve()
    if len(folders) < 2:
        raise UserError(f"sources: two data sets or more, got {len(folders)}: --sources data/a,data/b")
    if twice := [name for name, count in Counter(folder.name for folder in folders).items() if count > 1]:
        raise UserError(f"sources: two data sets are called {twice[0]}; rename the folder of one")
    contents = {folder: read_datalist(folder) for folder in folders}
    for folder, content in contents.items():
        for key in SAME:
            if _told(content, key) != (first := _told(contents[folders[0]], key)):
                remedy = "prepare both with the same options" if key == "num_folds" else "only alike ones can be joined"
                raise UserError(
                    f"sources: {key} of {folder} is {_told(content, key)}, of {folders[0]} {first}; {remedy}"
                )
    with atomic_folder(output) as part:
        training, test = (
            [_entry(case, folder.name, output) for folder, content in contents.items() for case in content[section]]
            for section in ("training", "test")
        )
        shown = contents[folders[0]]
        about = {
            "name": " and ".join(folder.name for folder in folders),
            "description": "; ".join(str(content.get("description", "")) for content in contents.values()),
            "licence": "; ".join(sorted({str(content.get("licence", "not stated")) for content in contents.values()})),
            "labels": _told(shown, "labels"),
            "kind": _told(shown, "kind"),
            "num_classes": len(_told(shown, "labels")) - 1,
        }
        if plans := [content["plan"] for content in contents.values() if "plan" in content]:
            about["plan"] = join_plans(plans)
        written = write_datalist(part, output, about, _told(shown, "num_folds"), shown.get("seed", 0), training, test)
    return {"sizes": {folder.name: len(content["training"]) for folder, content in contents.items()}, **written}


def _told(content: Mapping[str, Any], key: str) -> Any:
    """What must be alike; the first label may be called one thing here and another there, if it is the only one."""
    if key == "labels":
        labels = content["labels"]
        return labels if len(labels) > 2 else {"0": "background", "1": "foreground"}
    if key == "num_folds":
        return max(case["fold"] for case in content["training"]) + 1
    return content.get(key, "instances")


def _entry(case: Mapping[str, Any], name: str, output: Path) -> dict[str, Any]:
    """A case of the set ``name`` as seen from ``output``."""
    paths = {
        key: [path_from(output, Path(file)) for file in case[key]]
        if isinstance(case[key], list)
        else path_from(output, Path(case[key]))
        for key in PATHS
        if key in case
    }
    named = {"id": f"{name}/{case['id']}", "group": f"{name}/{case.get('group', case['id'])}"}
    return {**case, **named, "type": f"{name}: {case.get('type', '')}", **paths}


def format_summary(summary: Mapping[str, Any]) -> str:
    """Write the result of ``join`` as lines for the terminal."""
    lines = [
        f"joined     {', '.join(f'{name}: {count}' for name, count in summary['sizes'].items())}",
        f"per fold   {', '.join(map(str, summary['folds']))}",
        f"written    {summary['datalist']}",
    ]
    return "\n".join(lines)
