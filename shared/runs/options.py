"""What was asked for on the command line of ``python -m monai.bundle run``."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser
from monai.bundle import run as monai_run

from ..errors import UserError

__all__ = ["check_options", "is_command_line", "merged_config", "parse_options"]

RUN_OPTIONS = frozenset(inspect.signature(monai_run).parameters) - {"override"}


def is_command_line() -> bool:
    """Whether this process is ``python -m monai.bundle``; a caller from Python has no command line to look at."""
    return Path(sys.argv[0]).parts[-3:] == ("monai", "bundle", "__main__.py")


def parse_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Option names and values as Fire reads them, those of ``--args_file`` included.

    >>> parse_options(["run", "training", "--epochs", "3", "--amp=False", "--resume"])
    {'epochs': 3, 'amp': False, 'resume': True}
    """
    options: dict[str, Any] = {}
    for position, word in enumerate(arguments):
        if not _is_option(word):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        following = arguments[position + 1 : position + 2]
        if not equals:
            value = following[0] if following and not _is_option(following[0]) else "True"
        options[name.replace("-", "_")] = DefaultParseValue(value)
    if "args_file" in options:
        options = ConfigParser.load_config_file(options["args_file"]) | options
    return options


def _is_option(word: str) -> bool:
    return word.startswith("--") or (word.startswith("-") and word[1:2].isalpha())


def _config_files(options: dict[str, Any]) -> dict[str, Any]:
    """Content of the configuration files, merged as MONAI merges them."""
    named = options.get("config_file", [])
    return ConfigParser.load_config_files(list(named) if isinstance(named, (list, tuple)) else named)


def merged_config(options: dict[str, Any]) -> dict[str, Any]:
    """The configuration of this run: its files with the options laid over them."""
    parser = ConfigParser(_config_files(options))
    for name, value in options.items():
        if name not in RUN_OPTIONS and value is not None:
            parser[name] = value
    return parser.get()


def _is_component(files: ConfigParser, name: str) -> bool:
    return name != "" and name in files and isinstance(files[name], dict) and "_target_" in files[name]


def check_options(options: dict[str, Any]) -> None:
    """Refuse an option that no configuration file has; MONAI would take it in silence and change nothing.

    A new argument of a component that exists passes (``--train::optimizer::amsgrad True``): the component itself
    refuses one that it does not know.

    Raises:
        UserError: naming the option and the nearest that exists.
    """
    files = ConfigParser(_config_files(options))
    known = sorted(RUN_OPTIONS | set(files.get()))
    for name in options:
        plain = name.removeprefix("+").replace("#", "::")
        if plain in RUN_OPTIONS or plain in files or _is_component(files, plain.rpartition("::")[0]):
            continue
        near = difflib.get_close_matches(plain, known, n=1, cutoff=0.0)[0]
        raise UserError(f"--{name}: no such option; did you mean --{near}? Knobs stand at the top of the config file")
