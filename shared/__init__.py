"""What the bundles have in common: data preparation, transforms, networks, metrics and handlers."""

__version__ = "0.1.0"
