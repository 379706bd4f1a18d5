"""What the tests of HTML pages share: a page as a browser would have it, and a real browser to open it."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

NASTY = "<script>alert(1)</script> & \"x\" 'y' </mark></div></article> {{cards}} &amp; <!-- <img src=x onerror=x>"
"""Text that would do harm if it were not escaped."""
_VOID = {"meta", "link", "input", "br", "img"}
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --dump-dom"
)
needs_browser = pytest.mark.skipif(_CHROMIUM is None, reason="no chromium on PATH")


class Reader(HTMLParser):
    """The texts of each card's sections, and their marks as classes and text; fails on elements that do not nest."""

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

    def where(self) -> tuple[str, str] | None:
        card = next((its["id"] for tag, its in self.open if tag == "article"), None)
        side = next((its.get("class") or "good" for tag, its in self.open if tag == "section"), None)
        inside = any(its.get("class") == "text" for _, its in self.open)
        return (card, side) if card and side and inside else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        its = dict(attrs)
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset", "data"}]
        assert not any(name.startswith("on") for name in its)
        if tag not in _VOID:
            self.open.append((tag, its))
        if tag == "mark" and (place := self.where()):
            self.marks.setdefault(place, []).append((its["class"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if place := self.where():
            self.texts[place] = self.texts.get(place, "") + data
            if any(tag == "mark" for tag, _ in self.open):
                classes, text = self.marks[place][-1]
                self.marks[place][-1] = classes, text + data


def assert_loads_nothing(source: str) -> None:
    assert Reader(source).loads == ["data:,"]
    assert "default-src 'none'" in source
    assert not re.search(r"https?:|//\w+\.|url\(|@import|fetch\(|XMLHttp|WebSocket", source)


def in_browser(source: str, folder: Path, address: str = "", clicks: str = "") -> str:
    """The page's elements after its script ran; `clicks` selects what is clicked on first, in turn, with commas."""
    if clicks:
        # The page's policy lets no foreign script run.
        source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
        click = f"for (const part of {clicks.split(',')}) document.querySelector(part).click()"
        source = source.replace("</body>", f"<script>{click}</script></body>")
    path = folder / "page.html"
    path.write_text(source, encoding="utf-8", newline="")
    command = [str(_CHROMIUM), *_FLAGS.split(), f"--user-data-dir={folder / 'profile'}", path.as_uri() + address]
    return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode("utf-8")
