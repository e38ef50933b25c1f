"""What the tests of packed bundles share."""

from __future__ import annotations

import json

from running import ROOT

BUNDLES = sorted(file.parts[-3] for file in ROOT.glob("bundles/*/models/model.pt"))


def package_of(name):
    """What a packed bundle calls the copy of this package that it carries."""
    version = json.loads((ROOT / "bundles" / name / "configs" / "metadata.json").read_text())["version"]
    return f"{name}_shared_{version.replace('.', '_')}"
