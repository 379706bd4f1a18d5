"""The manifest of a run: what made its files, written last, so that its presence says that all of them are there."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from degraders import __version__


def build_manifest(tool: str, content: Mapping[str, Any], *, packages: Iterable[str] = ()) -> dict[str, Any]:
    """The content between the tool with its version and the time, the packages of these names, Python and platform."""
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
    """The versions of those packages that are installed."""
    versions = {}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
