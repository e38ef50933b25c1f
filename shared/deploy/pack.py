"""A bundle and the code it needs as one archive that runs alone."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic import atomic_path
from ..errors import UserError
from ..staged import complete_release
from .knob import set_knob
from .vendored import names_below, package_files, package_name, renamed

__all__ = ["pack_bundle"]

REQUIRED = ("LICENSE", "configs/metadata.json", "configs/inference.json", "docs/data_license.txt", "models/model.pt")
PARTS = frozenset(name.partition("/")[0] for name in REQUIRED)
MANIFEST, PACKAGES = "SHA256SUMS", "requirements.txt"
YAML_ROOT = re.compile(rb"^(?:\{\s*)?[\"']?bundle_root\b", flags=re.MULTILINE)  # at the top; deeper an argument
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold


def pack_bundle(bundle: str | Path, output: str | Path = "dist", overwrite: bool = False) -> str:
    """Write ``<output>/<bundle>.zip``, which runs wherever the packages named in its ``metadata.json`` are installed.

    It holds licence, configurations, documents and weights of the bundle and a copy of this package. The copy has a
    name of its own, ``<bundle>_shared_<version>``, in which configurations and documents find it: two packed bundles,
    or one beside the installed project, each run their own code. ``bundle_root`` is ``.``, the working directory. The
    checksums are in ``SHA256SUMS``, as ``sha256sum`` writes them. The same files give the same archive, byte for byte:
    names are sorted, dates and permissions fixed, and nothing is compressed, since compressors differ.
    ``requirements.txt`` has the packages that ``metadata.json`` names.

    Args:
        bundle: folder of the bundle.
        output: folder to write to.
        overwrite: whether an archive of another content may be replaced.

    Returns:
        Lines that say what was written and how to use it.

    Raises:
        UserError: the bundle lacks something that an archive needs, a configuration is no JSON or a YAML that names a
            ``bundle_root``, a text is not in UTF-8, there is an archive of another content, or ``output`` names a file.
    """
    bundle = Path(bundle).resolve()
    if Path(output).suffix == ".zip":
        raise UserError(f"output: {output} is to be a folder; the archive in it will be {bundle.name}.zip")
    if missing := [name for name in REQUIRED if not (bundle / name).is_file()]:
        raise UserError(f"bundle: {bundle} has no {', '.join(missing)}; name a bundle that is complete")
    complete_release(bundle)
    try:
        metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
        version, packages = metadata["version"], _requirements(metadata)
    except (ValueError, KeyError) as error:
        fault = f"no {error} in it" if isinstance(error, KeyError) else f"no valid JSON ({error})"
        raise UserError(f"bundle: {bundle}/configs/metadata.json: {fault}; mend it") from error
    package = package_name(bundle.name, version)
    files = {f"{package}/{name}": content for name, content in package_files().items()}
    files |= {name: (bundle / name).read_bytes() for name in names_below(bundle) if name.partition("/")[0] in PARTS}
    files = {name: _at_home(bundle / name, renamed(name, content, package)) for name, content in files.items()}
    files[PACKAGES] = packages.encode()
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    archive = _zipped(
        {f"{bundle.name}/{name}": content for name, content in (files | {MANIFEST: sums.encode()}).items()}
    )

    target = Path(output) / f"{bundle.name}.zip"
    if not (target.is_file() and target.read_bytes() == archive):
        if target.exists() and not overwrite:
            raise UserError(f"output: {target} exists and is another; give --overwrite to replace it, or --output")
        with atomic_path(target) as temporary:
            temporary.write_bytes(archive)
    lines = [f"{target}  {len(archive) / 1e6:.1f} MB, {len(files)} files, version {version}; its code is {package}"]
    known = PARTS | {package, MANIFEST, PACKAGES}  # the last three lie in a bundle that was packed before
    if left := sorted(path.name for path in bundle.iterdir() if path.name not in known and path.name[0] not in "._"):
        lines.append(f"left out  {', '.join(left)}")
    name = bundle.name
    words = f"--config_file {name}/configs/inference.json --bundle_root {name} --dataset_dir my_images --output_dir out"
    lines += [
        f"use it    unzip it, pip install -r {name}/{PACKAGES}, then python -m monai.bundle run {words}",
        f"check it  cd {name} && sha256sum -c {MANIFEST}",
    ]
    return "\n".join(lines)


def _requirements(metadata: Mapping[str, Any]) -> str:
    own = {"torch": "pytorch_version", "monai": "monai_version", "numpy": "numpy_version"}
    versions = {name: metadata[key] for name, key in own.items()} | metadata["required_packages_version"]
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


def _at_home(path: Path, content: bytes) -> bytes:
    """A configuration whose bundle is the working directory, where it says which; any other file as it is."""
    if path.parent.name != "configs" or path.suffix not in (".json", ".yaml", ".yml"):
        return content
    if path.suffix != ".json":
        if YAML_ROOT.search(content):
            raise UserError(f"{path}: bundle_root is set in JSON alone; leave it out there, or make the file JSON")
        return content
    text = content.decode("utf-8")
    try:
        return set_knob(text, "bundle_root", ".").encode() if "bundle_root" in json.loads(text) else content
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: no valid JSON ({error}); mend the file") from error


def _zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system = 3  # Unix; otherwise that of this machine
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)
    return stream.getvalue()
