"""Links: broken syntax, targets that lead nowhere, texts that say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import mapping, phrases
from degraders.registry import CorruptFunction, Fault, Place, Subtype, degrader, regions, register_degrader
from degraders.rules.markup import Option, choose, line_start, next_line, slip
from degraders.text.document import Region, Unit

_URL_WORD = re.compile(r"(?<![A-Za-z%])[A-Za-z]{5,}(?![A-Za-z])")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")
_KNOWN_HOST_WORDS = frozenset(
    "github google gitlab python wikipedia readthedocs stackoverflow mozilla kubernetes".split()
)
_PUNCTUATION = re.compile(r"[^\w\s-]")
_SPACE = re.compile(r"\s")
_SCHEME = re.compile(r"https?://")
_MARKDOWN_URL = re.compile(r"\(\s*<?([^()\s<>]+(?:\([^()\s<>]*\)[^()\s<>]*)*)")
_RST_URL = re.compile(r"<([^<>]+)>")
_MARKDOWN_DEFINITION = re.compile(r"\[([^\]\n]+)\]:[ \t]*(?:\n[ \t]*)?(\S+)")
_RST_DEFINITION = re.compile(r"\.\. _((?:[^:\\\n]|\\.|:(?=\S))+):(?:[ \t]+(\S+))?")
_LINK_TEXTS = phrases("link_texts")
_ASIDES = [text for text in _LINK_TEXTS if text[0].islower() and not re.match(r"the |this|there|above|below", text)]
_AFTER_VERB = ("here", "this page", "this link", "this", "this guide", "this document", "here", "this article")
_ENDING = re.compile(r"\.(?:md|html|rst)(?=#|\Z)")
_SEEKING = re.compile(r"\b(?:[Ss]ee|[Rr]ead|[Vv]isit|[Cc]heck out|[Gg]o to|[Rr]efer to|at|in|on|[Ff]ollow)[ \n]\Z")
_ARTICLE = re.compile(r"\b(?:the|a|an|our|your|its|this|that|these)[ \n]\Z", re.IGNORECASE)


def _unnested(unit: Unit, link: Region) -> bool:
    return not unit.doc.regions_within("image", link.inner_start, link.inner_end)


@degrader(
    "markup.link_syntax",
    where=regions("link", "image", "reference", "definition", when=lambda unit, region: _unnested(unit, region)),
    does="spoils the brackets or marks of a link, the URL kept",
    example=("See the [guide](guide.md).", "See the [guide] (guide.md)."),
    recoverable="A",
    severity=2,
    touches={"target", "url"},
    weight=4,
    english=False,
)
def link_syntax(place: Place, draw: Draw) -> Fault | None:
    region, text = place.data, place.unit.doc.text
    rst = place.unit.doc.format == "rst"
    if region.kind == "definition":
        return choose(draw, _definition_spoilt(text, region))
    if region.kind == "reference":
        return choose(draw, (_rst_reference if rst else _short_reference)(place.unit, region))
    if region.kind == "image":
        return choose(draw, _image_spoilt(text, region))
    return choose(draw, (_rst_link if rst else _markdown_link)(text, region))


def _markdown_link(text: str, link: Region) -> Iterator[Option]:
    """`[text](url)` or `[text][label]` with a bracket too few, too many or of the wrong shape."""
    start, middle, end = link.start, link.inner_end, link.end
    words, target = text[link.inner_start : middle], text[middle + 2 : end - 1]
    opener = text[middle + 1 : middle + 2]
    if text[start] != "[" or text[middle] != "]" or opener not in ("(", "["):
        return
    yield Option(2, start, start + 1, "")
    yield Option(1.2, middle, middle + 1, "")
    yield Option(0.8, middle + 1, middle + 2, "")
    yield Option(1.2, middle + 1, middle + 1, " ")
    yield Option(1, start, start, "[")
    yield Option(0.8, middle, middle, "]")
    if text[end : end + 1] not in (")", "]"):
        yield Option(1, end - 1, end, "")
        yield Option(0.2, end, end, text[end - 1])
    if opener == "(":
        yield Option(1, start, end, f"({words})[{target}]")
        yield Option(0.3, end - 1, end, "]")
    elif target:
        yield Option(0.8, middle + 1, end, f"({target})")


def _image_spoilt(text: str, image: Region) -> Iterator[Option]:
    start, middle, end = image.start, image.inner_end, image.end
    if text[start : start + 2] != "![" or text[middle : middle + 2] not in ("](", "]["):
        return
    yield Option(2, start, start + 1, "")
    yield Option(1, start + 1, start + 1, " ")
    yield Option(1, start, start + 2, "[!")
    yield Option(1, middle + 1, middle + 1, " ")
    yield Option(1, middle, middle + 1, "")
    if text[end : end + 1] not in (")", "]"):
        yield Option(1, end - 1, end, "")


def _short_reference(unit: Unit, link: Region) -> Iterator[Option]:
    """`[text]` and `<https://…>` of Markdown, whose text is the target too."""
    start, end, text = link.start, link.end, unit.doc.text
    if text[start] == "<":
        yield Option(2, end - 1, end, "")
        yield Option(1, start, start + 1, "")
    elif text[start] == "[" and text[end - 1] == "]":
        yield Option(1, start, start + 1, "")
        yield Option(1, end - 1, end, "")
        found = _definition(unit, text[start + 1 : end - 1])
        if found and not text[start:end].endswith("[]"):
            yield Option(3, start, end, text[start + 1 : end - 1], "C", (found.start, found.end))


def _rst_link(text: str, link: Region) -> Iterator[Option]:
    """`text <url>`_ with a mark lost, or written as in Markdown."""
    end = link.end
    tick = text.rfind("`", link.inner_end, end)
    if tick < 0:
        return
    yield Option(3, tick + 1, end, "")
    yield Option(1, tick, tick + 1, "")
    yield Option(1, link.start, link.start + 1, "")
    target = _RST_URL.search(text, link.inner_end, end)
    if target:
        yield Option(2, link.inner_end, target.start(), "")
        yield Option(1, target.end() - 1, target.end(), "")
        yield Option(0.5, tick, tick, " ")
        yield Option(1, link.start, end, f"[{text[link.inner_start : link.inner_end]}]({target[1]})")


def _rst_reference(unit: Unit, link: Region) -> Iterator[Option]:
    """`name`_ and name_ with a mark lost."""
    start, end, text = link.start, link.end, unit.doc.text
    if text[end - 1] != "_":
        return
    marks = end - start - len(text[start:end].rstrip("_"))
    yield Option(3, end - marks, end, "")
    if text[start] == "`" and text[end - marks - 1] == "`":
        yield Option(1, start, start + 1, "")
        yield Option(1, end - marks - 1, end - marks, "")
    elif text[start] != "`":
        yield Option(1, start, end, f"`{text[start : end - marks]}`")


def _definition_spoilt(text: str, region: Region) -> Iterator[Option]:
    start, end = region.start, region.end
    markdown = _MARKDOWN_DEFINITION.match(text, start, end)
    if markdown:
        colon = markdown.end(1) + 1
        yield Option(2, colon, colon + 1, "")
        yield Option(1, start, start + 1, "")
        yield Option(1, colon - 1, colon, "")
        yield Option(1, colon, colon, " ")
    rst = _RST_DEFINITION.match(text, start, end)
    if rst:
        yield Option(2, rst.start(1) - 1, rst.start(1), "")
        yield Option(2, rst.end(1), rst.end(1) + 1, "")
        yield Option(1, start + 2, start + 3, "")
        yield Option(1, start + 1, start + 2, "")


def _definition(unit: Unit, label: str) -> Region | None:
    """The definition of a label that stands in the unit."""
    wanted = _label_key(label)
    for region in unit.regions_of("definition"):
        found = _defined(unit, region)
        if found and _label_key(found[1]) == wanted:
            return region
    return None


def _defined(unit: Unit, region: Region) -> re.Match[str] | None:
    pattern = _RST_DEFINITION if unit.doc.format == "rst" else _MARKDOWN_DEFINITION
    return pattern.match(unit.doc.text, region.start, region.end)


def _label_key(label: str) -> str:
    return " ".join(label.strip("`").casefold().split())


def _label_wrong(place: Place, draw: Draw) -> Fault | None:
    label, _ = _target(place.unit, place.data)
    return choose(draw, _label_slips(place.unit, label, place.data, draw)) if label else None


def _url_way(options: Callable[[Unit, int, int, Region, Draw], Iterable[Option]]) -> CorruptFunction:
    """What goes wrong with the address of a link, one of the options."""

    def what(place: Place, draw: Draw) -> Fault | None:
        _, url = _target(place.unit, place.data)
        return choose(draw, options(place.unit, *url, place.data, draw)) if url else None

    return what


def _anchors(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    at = unit.doc.text.find("#", start, end)
    if at == start:
        yield from _anchor_slips(unit, start + 1, end, link, draw)
    elif at > 0:
        wrong = draw.choice([*_wrong_anchors(unit.doc.text[at + 1 : end], draw), ""])
        yield Option(1, at if not wrong else at + 1, end, wrong, "D")


def _slips(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    yield from _address_slips(unit, start, end, draw)


def _lost(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    yield from _addresses_lost(unit.doc.text[start:end], start, end, draw)


_SEGMENT = re.compile(r"(?:(?<=/)|\A)[\w%-]+(?=[/#.]|\Z)")
_RELATED = mapping("related_words")
_FOLDERS = tuple(
    "docs guide reference en latest stable main master usage api tutorials examples src blob tree book wiki pages"
    " static images assets current topics user dev concepts how-to getting-started".split()
)


def _moved(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    """An address as it was before the pages moved: a step of the path more, less, or of another name."""
    url = unit.doc.text[start:end].partition("#")[0]
    scheme = _SCHEME.match(url)
    host = url.find("/", scheme.end()) if scheme else 0
    steps = [match.span() for match in _SEGMENT.finditer(url, host)] if host >= 0 else []
    if not steps:
        return
    first, last = draw.choice(steps)
    step = url[first:last]
    words = step.split("-")
    if len(words) > 1:
        yield Option(2, start + first, start + last, "-".join(words[:-1] if draw.chance(0.5) else words[1:]), "D")
        yield Option(1, start + first, start + last, step.replace("-", "_"), "D")
    for at, word in enumerate(words):
        if word in _RELATED:
            yield Option(
                2,
                start + first,
                start + last,
                "-".join([*words[:at], draw.choice(_RELATED[word]), *words[at + 1 :]]),
                "D",
            )
            break
    if "/" in url[first:]:
        yield Option(2, start + first, start + url.index("/", first) + 1, "", "D")
    yield Option(1.5, start + first, start + first, draw.choice(_FOLDERS) + "/", "D")
    yield Option(1.5, start + first, start + last, draw.choice(_FOLDERS), "D")
    if step.isdigit():
        yield Option(3, start + first, start + last, str(max(1, int(step) + draw.choice((-1, 1, -2, 10)))), "D")
    version = re.fullmatch(r"v?\d+(?:\.\d+)*", step)
    if version:
        yield Option(
            2, start + first, start + last, draw.choice(("latest", "master", "v1", "stable", step[:-1] + "0")), "D"
        )


def _ends(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    """The marks of an address: a slash, dots, an ending, `http`, brackets."""
    url = unit.doc.text[start:end]
    path = url.partition("#")[0]
    stop = start + len(path)
    yield Option(1, stop, stop, "/") if not path.endswith("/") else Option(2, stop - 1, stop, "")
    if path.startswith("/"):
        yield Option(2, start, start + 1, draw.choice(("", "./", "../")), "D")
    elif path.startswith("./"):
        yield Option(2, start, start + 2, draw.choice(("", "../", "/")), "D")
    elif path.startswith("../"):
        yield Option(3, start, start + 3, draw.choice(("./", "", "../../", "/")), "D")
    elif not _SCHEME.match(path) and path:
        yield Option(2, start, start, draw.choice(("./", "../", "/", "docs/")), "D")
    ending = _ENDING.search(path)
    if ending:
        yield Option(
            3, start + ending.start(), start + ending.end(), draw.choice(("", ".html", ".md", ".htm", "/")), "D"
        )
    elif path and not path.endswith("/") and not _SCHEME.match(path):
        yield Option(1.5, stop, stop, draw.choice((".html", ".md")), "D")
    if path.startswith("https://"):
        yield Option(2, start + 4, start + 5, "", "A")
        if path.startswith("https://www."):
            yield Option(1, start + 8, start + 12, "", "D")
    if "#" in url:
        yield Option(1, stop, stop + 1, draw.choice(("/#", "", "#/")), "D")
        yield Option(1, stop, end, "", "D")


def _other_address(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    """The address of another link of the unit, as copying leaves it, or the front page of the site."""
    url = unit.doc.text[start:end]
    for other in unit.regions_of("link", "definition"):
        _, place = _target(unit, other)
        if place and place[0] != start and unit.doc.text[slice(*place)] != url:
            yield Option(1, start, end, unit.doc.text[slice(*place)], "D")
    host = url.find("/", 8)
    if _SCHEME.match(url) and 0 < host < len(url) - 1:
        yield Option(2, start + host + 1, end, "", "D")
        cut = url.rfind("/", host + 1, len(url) - 1)
        if cut > 0:
            yield Option(2, start + cut + 1, end, "", "D")


def _definition_lost(place: Place, draw: Draw) -> Fault | None:
    """`[guide]: guide.md` gone, and with it what `[guide]` means."""
    region, text = place.data, place.unit.doc.text
    start, end = line_start(text, region.start), next_line(text, region.end - 1)
    if text[start : region.start].strip() or start < place.unit.start or end > place.unit.end:
        return None
    return Fault((Edit(start, end, ""),), recoverable="D")


def _link_lost(place: Place, draw: Draw) -> Fault | None:
    """`[text](url)` → `text`."""
    link = place.data
    words = place.unit.doc.text[link.inner_start : link.inner_end]
    return Fault((Edit(link.start, link.end, words),), recoverable="D") if words.strip() else None


def _target(unit: Unit, region: Region) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Where the label and the URL of a link, image, reference or definition stand."""
    text = unit.doc.text
    if region.kind == "definition":
        found = _defined(unit, region)
        return (found.span(1), found.span(2) if found[2] else None) if found else (None, None)
    if region.kind == "reference":
        autolink = text[region.start] == "<"
        inner = (region.start + 1, region.end - 1) if unit.doc.format == "markdown" else region[3:5]
        return (None, inner) if autolink else (inner, None)
    if unit.doc.format == "rst":
        found = _RST_URL.search(text, region.inner_end, region.end)
        return None, found.span(1) if found else None
    if text[region.inner_end : region.inner_end + 2] == "][":
        return (region.inner_end + 2, region.end - 1), None
    found = _MARKDOWN_URL.match(text, region.inner_end + 1, region.end)
    return None, found.span(1) if found else None


def _label_slips(unit: Unit, label: tuple[int, int], region: Region, draw: Draw) -> Iterator[Option]:
    """A label that no definition has, where the unit holds both the link and its definition."""
    start, end = label
    name = unit.doc.text[start:end]
    if region.kind == "definition":
        holder = next((r for r in unit.regions_of("link", "reference") if _uses(unit, r, name)), None)
    else:
        holder = _definition(unit, name)
    if not holder or "\n" in name:
        return
    evidence = holder.start, holder.end
    for at, word in _long_words(name, start):
        yield Option(3, at, at + len(word), slip(word, draw), "C", evidence)
    if "-" in name:
        yield Option(2, start, end, name.replace("-", draw.choice(("_", " ", ""))), "C", evidence)
    if name.endswith("s") and len(name) > 4:
        yield Option(1, end - 1, end, "", "C", evidence)
    elif name[-1:].isalpha() and len(name) > 3:
        yield Option(1, end, end, "s", "C", evidence)


def _uses(unit: Unit, region: Region, name: str) -> bool:
    label, _ = _target(unit, region)
    return label is not None and _label_key(unit.doc.text[slice(*label)]) == _label_key(name)


def _long_words(text: str, offset: int) -> list[tuple[int, str]]:
    return [(offset + match.start(), match[0]) for match in _URL_WORD.finditer(text)]


def _anchor_slips(unit: Unit, start: int, end: int, link: Region, draw: Draw) -> Iterator[Option]:
    """An anchor that no heading has; the heading, or the text of the link, tells the right one."""
    anchor = unit.doc.text[start:end]
    wrong = [other for other in _wrong_anchors(anchor, draw) if other]
    if not wrong:
        return
    drawn = draw.choice(wrong)
    titles = unit.doc.regions.get("heading", ())
    if not any(_slug(unit.doc.text[title.inner_start : title.inner_end]) == drawn for title in titles):
        evidence = _spelled_out(unit, anchor, link)
        yield Option(1, start, end, drawn, "C" if evidence else "D", evidence)


def _wrong_anchors(anchor: str, draw: Draw) -> Iterator[str]:
    words = anchor.split("-")
    if len(words) > 1:
        yield anchor.replace("-", "_")
        yield "-".join(words[:-1])
        yield "-".join(words[1:])
        yield "-".join(word[:1].upper() + word[1:] for word in words)
        yield anchor.replace("-", "")
    elif anchor[:1].islower():
        yield anchor[0].upper() + anchor[1:]
    longest = max(words, key=len)
    if len(longest) > 4:
        yield anchor.replace(longest, slip(longest, draw), 1)
        yield anchor.replace(longest, longest[:-1] if longest.endswith("s") else longest + "s", 1)


def _spelled_out(unit: Unit, anchor: str, link: Region) -> tuple[int, int] | None:
    """The heading of the unit whose anchor this is, or the link's own text if it says the same."""
    text = unit.doc.text
    for title in unit.regions_of("heading"):
        if _slug(text[title.inner_start : title.inner_end]) == anchor:
            return title.inner_start, title.inner_end
    if link.kind == "link" and _slug(text[link.inner_start : link.inner_end]) == anchor:
        return link.inner_start, link.inner_end
    return None


@lru_cache(maxsize=1024)
def _slug(title: str) -> str:
    """The anchor that GitHub, mdBook and most others give a heading."""
    return _SPACE.sub("-", _PUNCTUATION.sub("", title.lower()).strip())


def _address_slips(unit: Unit, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """A slip in an address that its own form, or the same word elsewhere in the unit, gives away."""
    scheme = _SCHEME.match(unit.doc.text, start, end)
    words = _long_words(unit.doc.text[scheme.end() if scheme else start : end], scheme.end() if scheme else start)
    for at, word in draw.shuffled(words):
        evidence = _elsewhere(unit, word, at)
        if evidence or word in _KNOWN_HOST_WORDS:
            class_ = "C" if evidence else "A"
            yield Option(2, at, at + len(word), slip(word, draw), class_, evidence)
            if evidence and word.islower():
                yield Option(0.7, at, at + len(word), word[:-1] if word.endswith("s") else word + "s", class_, evidence)
            break
    if scheme and draw.chance(0.35):
        name = scheme[0][:-3]
        wrong = draw.choice(
            (f"h{name}://", f"{name[1:]}://", *(name + mark for mark in (":/", "//", "//:", ":///", ":")))
        )
        yield Option(1, start, scheme.end(), wrong, "A")
        yield Option(0.6, end, end, draw.choice((".", ",", "'", ">", '"', ";", "%20")), "A")


def _elsewhere(unit: Unit, word: str, at: int) -> tuple[int, int] | None:
    """Another place of the unit where a word of an address stands."""
    other = next((found for found in unit.find_token(word) if found != at), None)
    return None if other is None else (other, other + len(word))


def _addresses_lost(url: str, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """Addresses that nothing in the text repairs: a step of the path gone, another ending, a stand-in."""
    cut = url.rfind("/", 0, len(url) - 1)
    if cut > 8:
        yield Option(2, start + cut, end, "" if draw.chance(0.5) else "/", "D")
    first = url.find("/", 8)
    if 0 < first < cut:
        yield Option(2, start + first, start + url.find("/", first + 1), "", "D")
    if url.startswith("../"):
        yield Option(3, start, start + 3, draw.choice(("./", "", "../../")), "D")
    ending = _ENDING.search(url)
    if ending:
        yield Option(3, start + ending.start(), start + ending.end(), draw.choice(("", ".htm", ".txt")), "D")
    yield Option(0.5, start, end, draw.choice(("#", "/", "TODO", "https://example.com")), "D")


_ADDRESSED = regions("link", "image", "reference", "definition")

register_degrader(
    "markup.link_target",
    Subtype("label", 3, _ADDRESSED, _label_wrong),
    Subtype("anchor", 3, _ADDRESSED, _url_way(_anchors)),
    Subtype("slip", 3, _ADDRESSED, _url_way(_slips)),
    Subtype("cut", 2, _ADDRESSED, _url_way(_lost), "D"),
    Subtype("moved", 5, _ADDRESSED, _url_way(_moved), "D"),
    Subtype("ends", 3, _ADDRESSED, _url_way(_ends), "D"),
    Subtype("other", 3, _ADDRESSED, _url_way(_other_address), "D"),
    Subtype("definition_lost", 1, regions("definition"), _definition_lost, "D"),
    Subtype("link_lost", 2, regions("link"), _link_lost, "D"),
    does="points a link to an anchor, label or address that does not exist, or that is another",
    example=("## Set up\n\nRun it.\n\nSee [above](#set-up).\n", "## Set up\n\nRun it.\n\nSee [above](#set_up).\n"),
    recoverable="C",
    severity=2,
    touches={"target", "url"},
    weight=4.5,
    english=False,
)


@degrader(
    "markup.link_text",
    where=regions("link", "image"),
    does="gives a link a text that says nothing, a bare URL for its text, or takes an image's alternative text",
    example=("See [the install guide](install.md).", "See [here](install.md)."),
    recoverable="B",
    severity=1,
    touches={"target"},
    weight=1.5,
)
def link_text(place: Place, draw: Draw) -> Fault | None:
    unit, link, text = place.unit, place.data, place.unit.doc.text
    if link.kind == "image":
        return choose(draw, _alternative_lost(text, link))
    words = text[link.inner_start : link.inner_end]
    _, url = _target(unit, link)
    shown = unit.doc.body[link.inner_start : link.inner_end]
    if not words.strip() or "\x01" in shown or words in _LINK_TEXTS or words.startswith(("http", "www.")):
        return None
    options = list(_pointing(unit, link, words, draw)) if "\x00" not in shown else []
    address = text[slice(*url)] if url else ""
    if _SCHEME.match(address) and "\n" not in words:
        told = _told_by(words, address)
        tail = "" if text[link.end : link.end + 1] in ("", " ", "\n", "\r", ".", ",", ")") else " "
        options.append(Option(1 if told else 0, link.start, link.end, address + tail, "B"))
        options.append(Option(1.5, link.start, link.end, f"{words} ({address})", "A"))
    return choose(draw, [option for option in options if option[0]])


def _pointing(unit: Unit, link: Region, words: str, draw: Draw) -> Iterator[Option]:
    """Click here: in place of the text, or behind it."""
    text, start, end = unit.doc.text, link.inner_start, link.inner_end
    before = text[max(unit.start, link.start - 14) : link.start]
    class_ = "B" if _told_by(words, text[end : link.end]) else "D"
    if _SEEKING.search(before):
        yield Option(3, start, end, draw.choice(_AFTER_VERB), class_)
    elif before.endswith(("\n\n", "* ", "- ")) and text[link.end : link.end + 1] in ("", "\n", ":", "."):
        yield Option(1, start, end, draw.choice(("Click here", "Here", "Link", "Read more", "More info")), class_)
    if words[0].islower() or _ARTICLE.search(before):
        opening = text[link.start : start]
        pointer = draw.choice(_ASIDES)
        yield Option(2, link.start, link.end, f"{words} ({opening}{pointer}{text[end : link.end]})", "A")


def _told_by(words: str, target: str) -> bool:
    """Whether the target of a link says what its text said."""
    return any(word.lower()[:5] in target.lower() for word in _LONG_WORD.findall(words))


def _alternative_lost(text: str, image: Region) -> Iterator[Option]:
    if image.inner_end > image.inner_start and text[image.start] == "!":
        for wrong in ("", "image", "screenshot", "img"):
            yield Option(3 if not wrong else 1, image.inner_start, image.inner_end, wrong, "D")
