"""The manifest of a run. It is written last, so its presence means that all files of the run are complete."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from degraders import __version__


def build_manifest(tool: str, content: Mapping[str, Any], *, packages: Iterable[str] = ()) -> dict[str, Any]:
    """The manifest: the tool and its version, then the content, then packages, time, Python version and platform.

    `packages` are names of distributions; the manifest holds the versions of those that are installed.
    """
    return {
        "tool": tool,
        "version": __version__,
        **content,
        "packages": _versions(packages),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that are installed, by name."""
    versions = {}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
