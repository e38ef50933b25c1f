"""What was asked for, on the command line of ``python -m monai.bundle run`` or from Python."""

from __future__ import annotations

import difflib
import inspect
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser
from monai.bundle import run as monai_run
from monai.bundle.properties import InferProperties, MetaProperties, TrainProperties
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS
from monai.utils import BundlePropertyConfig

from ..errors import UserError

__all__ = ["PATHS", "check_options", "config_folders", "is_command_line", "merged_config", "parse_options"]

PATHS = ("bundle_root", "dataset_dir", "output_dir", "checkpoint", "checkpoints", "pretrained", "cache_dir")
RUN_OPTIONS = frozenset(inspect.signature(monai_run).parameters) - {"override"}
# Parts of a configuration that are for MONAI, and programs of this project's; nothing in it need refer to them.
PROPERTIES: Any = chain.from_iterable(known.values() for known in (TrainProperties, InferProperties, MetaProperties))
TRACKING: Any = DEFAULT_MLFLOW_SETTINGS["configs"]
ENTRIES = frozenset(facts[BundlePropertyConfig.ID] for facts in PROPERTIES) | TRACKING.keys()
ENTRIES |= {"initialize", "run", "finalize", "training", "monai_label"}
REFERENCE = re.compile(r"[@%]((?:\w|::)+)")


def is_command_line() -> bool:
    """Whether this process is ``python -m monai.bundle``; a caller from Python has no command line to look at."""
    return Path(sys.argv[0]).parts[-3:] == ("monai", "bundle", "__main__.py")


def parse_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Option names and values as Fire reads them, but paths as they are given; those of ``--args_file`` included.

    Fire takes what follows a ``#`` for a comment, and a folder called 2018 for a number.

    >>> parse_options(["run", "training", "--epochs", "3", "--amp=False", "--resume", "--dataset_dir", "set#2"])
    {'epochs': 3, 'amp': False, 'resume': True, 'dataset_dir': 'set#2'}
    """
    options: dict[str, Any] = {}
    for position, word in enumerate(arguments):
        if not _is_option(word):
            continue
        name, equals, text = word.lstrip("-").partition("=")
        name = name.replace("-", "_")
        following = arguments[position + 1 : position + 2]
        if equals or (following and not _is_option(following[0])):
            text = text if equals else following[0]
            options[name] = _as_given(name, text) if name in PATHS else DefaultParseValue(text)
        else:
            options[name] = True
    if "args_file" in options:
        options = ConfigParser.load_config_file(options["args_file"]) | options
    return options


def _is_option(word: str) -> bool:
    return word.startswith("--") or (word.startswith("-") and word[1:2].isalpha())


def _as_given(name: str, text: str) -> Any:
    value = DefaultParseValue(text)
    if value is None or (isinstance(value, list | tuple) and name == "checkpoints"):
        return value
    return value if isinstance(value, str) and ("#" in value or "#" not in text) else text


def _config_files(options: Mapping[str, Any]) -> list[str]:
    named = options.get("config_file", [])
    return list(named) if isinstance(named, (list, tuple)) else [named]


def config_folders(options: Mapping[str, Any]) -> list[Path]:
    """Folders of the configuration files that options name."""
    return [Path(file).parent for file in _config_files(options)]


def merged_config(options: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of this run: its files, merged as MONAI merges them, with the options laid over them."""
    parser = ConfigParser(ConfigParser.load_config_files(_config_files(options)))
    for name, value in options.items():
        if name not in RUN_OPTIONS and value is not None:
            parser[name] = value
    return parser.get()


def check_options(
    config: Mapping[str, Any], folders: Collection[Path], options: Collection[str] = (), entries: Collection[str] = ()
) -> None:
    """Refuse what nothing in the configuration uses; MONAI would take it in silence and change nothing.

    Used is what the configuration or any other in the same folders refers to (an overlay may do without a knob of the
    file below it), and what is there for MONAI itself. Arguments of a component pass (``--train::optimizer::amsgrad
    True``): the component itself refuses one that it does not know. So do names that begin with ``_``.

    Args:
        config: the merged configuration.
        folders: of the configuration files, and of the bundle's.
        options: names given on the command line, for the message.
        entries: what is run, besides the usual.

    Raises:
        UserError: naming the option and the nearest that exists.
    """
    files = (
        file for folder in folders for file in sorted(folder.glob("*")) if file.suffix[1:] in ConfigParser.suffixes
    )
    texts = [json.dumps(config, default=str), *(file.read_text(encoding="utf-8", errors="replace") for file in files)]
    used = {name for text in texts for name in REFERENCE.findall(text.replace("#", "::"))} | ENTRIES | set(entries)
    used = {name.replace("#", "::") for name in used}
    for name in _unused(config, "", used):
        near = difflib.get_close_matches(name, sorted(used | RUN_OPTIONS), n=1, cutoff=0.0)[0]
        dashes = "--" if name in options or name.replace("::", "#") in options else ""
        raise UserError(
            f"{dashes}{name}: no such option; did you mean {dashes}{near}? Knobs stand at the top of the config file"
        )


def _unused(section: Mapping[str, Any], path: str, used: Collection[str]) -> Iterator[str]:
    for key, value in section.items():
        name = f"{path}{key}"
        if key.startswith("_") or name in used or _is_program(value):
            continue
        if not any(other.startswith(f"{name}::") for other in used):
            yield name
        elif isinstance(value, dict) and "_target_" not in value:
            yield from _unused(value, f"{name}::", used)


def _is_program(value: Any) -> bool:
    """Whether something may be named as ``run_id``."""
    if not isinstance(value, list) or not value:
        return False
    return all("_target_" in each if isinstance(each, dict) else str(each).startswith(("$", "@")) for each in value)
