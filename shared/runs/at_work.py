"""The workflow that a component of a configuration is made for."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from ..errors import UserError, chain_of, in_short, user_error_behind
from .knobs import check_knobs
from .options import PATHS

__all__ = ["config_at_work", "take_paths_as_given", "workflow_at_work"]

LITERAL = re.compile(r"\$(['\"]).*\1", flags=re.DOTALL)


def workflow_at_work() -> ConfigWorkflow | None:
    """The workflow behind the call; None if there is none.

    MONAI hands it to nothing that it makes, so it is looked for among those who called.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(owner := frame.f_locals.get("self"), ConfigWorkflow):
            return owner
        frame = frame.f_back
    return None


def config_at_work() -> dict[str, Any] | None:
    """The configuration of the workflow at work as JSON can say it, paths as they were given; None if there is none."""
    workflow = workflow_at_work()
    if workflow is None:
        return None
    config = {name: value for name, value in workflow.parser.get().items() if name != ConfigParser.meta_key}
    config |= {name: _plain(config[name]) for name in PATHS if name in config}
    return json.loads(json.dumps(config, default=str))


def take_paths_as_given(parser: ConfigParser, config: Mapping[str, Any] | None = None) -> None:
    """Give the knobs that name files and folders the very names that were given.

    MONAI turns each ``#`` into ``::``; a name written as an expression it lets through.

    Args:
        parser: nothing of which has been made yet.
        config: as it was before MONAI has parsed it; None if that is not known, as from Python.

    Raises:
        UserError: a name reads as something else, ``@`` as a reference, ``$`` as an expression, ``~`` as a home, or it
            cannot be told what was given.
    """
    given = {name: (config or parser)[name] for name in PATHS if name in parser}
    for name, value in given.items():
        if config is None and "::" in str(value) and not str(value).startswith(("@", "$")) and isinstance(value, str):
            raise UserError(
                f"{name}: MONAI reads # as ::, so what {value!r} was is not known; give it as pathlib.Path(...)"
            )
    written = {name: _written(name, value) for name, value in given.items()}
    if changed := {name: value for name, value in written.items() if value != parser[name]}:
        parser.update(changed)
        parser.parse(reset=True)
    for name, value in written.items():
        if not isinstance(value, dict | list):
            check_knobs({name: value} if name != "checkpoints" else {})
        if isinstance(value, str) and value.startswith(("@", "$")):
            _follow(parser, name, value)


def _written(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_written(name, each) for each in value]
    text = str(value) if isinstance(value, PurePath) else value
    if not isinstance(text, str) or (text is value and text.startswith(("@", "$"))):
        return value
    if text.startswith("~"):
        raise UserError(f"{name}: {text} reads as somebody's home; write ./{text}, or the path in full")
    plain = "#" not in text and not text.startswith(("@", "$", "%"))
    return text if plain else "$" + repr(text).replace("#", r"\x23").replace("@", r"\x40")


def _follow(parser: ConfigParser, name: str, value: str) -> None:
    """Refuse a reference or an expression that leads nowhere: it may be meant as a name."""
    try:
        parser.get_parsed_content(name)
    except Exception as error:
        if mistake := user_error_behind(error):
            raise mistake from error
        what = "a reference" if value[0] == "@" else "an expression"
        *_, first = chain_of(error)
        why = "" if value[0] == "@" else f" ({in_short(first)})"
        raise UserError(
            f"{name}: {value} reads as {what} of MONAI's, and it leads nowhere{why}; to name a file or folder write "
            f"./{value}"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return ast.literal_eval(value[1:]) if isinstance(value, str) and LITERAL.fullmatch(value) else value
