"""The configurations of a bundle, laid over one another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from .errors import UserError, in_short, user_error_behind
from .staged import complete_release

__all__ = ["content_of", "read_bundle", "run_entries"]


def read_bundle(bundle: str | Path, name: str, overlays: Sequence[str] = ()) -> ConfigParser:
    """Read a bundle's metadata and one of its configurations, with others over it.

    Args:
        bundle: folder of the bundle.
        name: of the configuration, such as ``train.json``.
        overlays: what is laid over it, in this order: files, or names of the bundle's, such as ``tta``.

    Returns:
        The parser, whose ``bundle_root`` is ``bundle``.

    Raises:
        UserError: one of the files is missing, cannot be read, or is not for this configuration.
    """
    configs = Path(bundle) / "configs"
    if not (configs / name).is_file():
        raise UserError(f"bundle: {bundle} has no configs/{name}; name the folder of a bundle")
    complete_release(bundle)
    files = [configs / name]
    for overlay in overlays:
        is_name = Path(overlay).name == overlay and not Path(overlay).is_file()
        files.append(configs / f"{overlay.removesuffix('.json')}.json" if is_name else Path(overlay))
        if not files[-1].is_file():
            raise UserError(f"overlay: {overlay} is neither a file nor one in {configs}; see there what is")
    metadata = configs / "metadata.json"
    parser = ConfigParser()
    try:
        parser.read_config([str(file) for file in files])
        parser.read_meta(str(metadata))
    except Exception as error:  # JSON's, YAML's, MONAI's of another suffix, or the system's
        _name_unreadable([*files, metadata])
        if not isinstance(error, KeyError):
            raise
        which = ", ".join(overlays)
        raise UserError(f"overlay: {which} changes what {name} does not have; take overlays made for it") from error
    parser["bundle_root"] = str(bundle)
    return parser


def content_of(parser: ConfigParser, name: str) -> Any:
    """What a part of a configuration makes.

    Args:
        parser: of the configuration.
        name: of the part, such as ``dataset``.

    Raises:
        UserError: a person's mistake, which MONAI wraps in errors of its own.
    """
    try:
        return parser.get_parsed_content(name)
    except Exception as error:
        if mistake := user_error_behind(error):
            raise UserError(str(mistake)) from error
        raise


def run_entries(parser: ConfigParser, names: Collection[str]) -> None:
    """Run those entries of a configuration's ``begin`` that call functions of these names, and leave out the others.

    Args:
        parser: of the configuration.
        names: such as ``check_weights``.

    Raises:
        UserError: a person's mistake.
    """
    parser["begin"] = [entry for entry in parser["begin"] if entry["_target_"].rpartition(".")[2] in names]
    content_of(parser, "begin")


def _name_unreadable(files: Sequence[Path]) -> None:
    """Name the first file that cannot be read; of several MONAI does not say which."""
    for file in files:
        try:
            ConfigParser.load_config_file(str(file))
        except Exception as error:
            reason = in_short(error)
            raise UserError(
                f"{file}: not read as a configuration ({reason}); mend it, in JSON (.json) or YAML (.yaml)"
            ) from error
