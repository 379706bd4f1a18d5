"""Shared by the tests of HTML pages: a parser of the pages, and a real browser to open them."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

NASTY = "<script>alert(1)</script> & \"x\" 'y' </mark></div></article> {{cards}} &amp; <!-- <img src=x onerror=x>"
"""Text that would break or attack the page if it were not escaped."""
_VOID = {"meta", "link", "input", "br", "img"}
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --dump-dom"
)
needs_browser = pytest.mark.skipif(_CHROMIUM is None, reason="no chromium on PATH")


class Reader(HTMLParser):
    """The text of each section of each card, and its marks (classes, text); fails on elements that do not nest."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[tuple[str, str], str] = {}
        self.marks: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def current_section(self) -> tuple[str, str] | None:
        """The card and the side whose text is being read."""
        card = next((attributes["id"] for tag, attributes in self.open if tag == "article"), None)
        side = next((attributes.get("class") or "good" for tag, attributes in self.open if tag == "section"), None)
        in_text = any(attributes.get("class") == "text" for _, attributes in self.open)
        return (card, side) if card and side and in_text else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset", "data"}]
        assert not any(name.startswith("on") for name in attributes)
        if tag not in _VOID:
            self.open.append((tag, attributes))
        if tag == "mark" and (section := self.current_section()):
            self.marks.setdefault(section, []).append((attributes["class"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if section := self.current_section():
            self.texts[section] = self.texts.get(section, "") + data
            if any(tag == "mark" for tag, _ in self.open):
                classes, text = self.marks[section][-1]
                self.marks[section][-1] = classes, text + data


def assert_loads_nothing(source: str) -> None:
    assert Reader(source).loads == ["data:,"]
    assert "default-src 'none'" in source
    assert not re.search(r"https?:|//\w+\.|url\(|@import|fetch\(|XMLHttp|WebSocket", source)


def in_browser(source: str, folder: Path, address: str = "", clicks: str = "") -> str:
    """The page's DOM after its script ran; `clicks` are selectors, with commas, of elements to click on first."""
    if clicks:
        # The policy of the page allows no foreign script.
        source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
        click = f"for (const part of {clicks.split(',')}) document.querySelector(part).click()"
        source = source.replace("</body>", f"<script>{click}</script></body>")
    path = folder / "page.html"
    path.write_text(source, encoding="utf-8", newline="")
    command = [str(_CHROMIUM), *_FLAGS.split(), f"--user-data-dir={folder / 'profile'}", path.as_uri() + address]
    return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode("utf-8")
