"""Links: broken syntax, targets that do not exist, and texts that say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from degraders.draw import Draw
from degraders.edits import Edit
from degraders.lexicon import phrases, word_set
from degraders.registry import CorruptFunction, Fault, Place, Subtype, degrader, regions, register_degrader
from degraders.rules.layout import line_start, next_line
from degraders.rules.names import RELATED_WORDS, first_mention, misspell, write_digits_as
from degraders.rules.options import Option, choose_option
from degraders.text.document import BLOCK, INLINE, Region, Unit

_URL_WORD = re.compile(r"(?<![A-Za-z%])[A-Za-z]{5,}(?![A-Za-z])")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")
_HOST_WORDS = word_set("url_words", "host")
_FOLDERS = phrases("url_words", "folder")
_PUNCTUATION = re.compile(r"[^\w\s-]")
_SPACE = re.compile(r"\s")
_SCHEME = re.compile(r"https?://")
_SEGMENT = re.compile(r"(?:(?<=/)|\A)[\w%-]+(?=[/#.]|\Z)")
_MARKDOWN_URL = re.compile(r"\(\s*<?([^()\s<>]+(?:\([^()\s<>]*\)[^()\s<>]*)*)")
_RST_URL = re.compile(r"<([^<>]+)>")
_MARKDOWN_DEFINITION = re.compile(r"\[([^\]\n]+)\]:[ \t]*(?:\n[ \t]*)?(\S+)")
_RST_DEFINITION = re.compile(r"\.\. _((?:[^:\\\n]|\\.|:(?=\S))+):(?:[ \t]+(\S+))?")
_LINK_TEXTS = phrases("link_texts")
_TEXTS_AFTER_VERB = ("here", "this page", "this link", "this", "this guide", "this document", "here", "this article")
_FILE_ENDING = re.compile(r"\.(?:md|html|rst)(?=#|\Z)")
_VERB_BEFORE = re.compile(r"\b(?:[Ss]ee|[Rr]ead|[Vv]isit|[Cc]heck out|[Gg]o to|[Rr]efer to|at|in|on|[Ff]ollow)[ \n]\Z")


def _holds_no_image(unit: Unit, link: Region) -> bool:
    return not unit.doc.regions_within("image", link.inner_start, link.inner_end)


@degrader(
    "markup.link_syntax",
    where=regions("link", "image", "reference", "definition", when=_holds_no_image),
    does="breaks the brackets or marks of a link; the URL stays",
    example=("See the [guide](guide.md).", "See the [guide] (guide.md)."),
    recoverable="A",
    severity=2,
    touches={"target", "url"},
    weight=4,
    english=False,
)
def break_link(place: Place, draw: Draw) -> Fault | None:
    return choose_option(draw, _syntax_options(place.unit, place.data))


def _syntax_options(unit: Unit, region: Region) -> Iterator[Option]:
    text, rst = unit.doc.text, unit.doc.format == "rst"
    if region.kind == "definition":
        return _definition_options(text, region)
    if region.kind == "reference":
        return _rst_reference_options(unit, region) if rst else _short_reference_options(unit, region)
    if region.kind == "image":
        return _image_options(text, region)
    return _rst_link_options(text, region) if rst else _markdown_link_options(text, region)


def _markdown_link_options(text: str, link: Region) -> Iterator[Option]:
    """`[text](url)` or `[text][label]` with a bracket lost, doubled or of the wrong shape."""
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


def _image_options(text: str, image: Region) -> Iterator[Option]:
    """`![text](url)` with a mark lost, doubled or out of place."""
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


def _short_reference_options(unit: Unit, link: Region) -> Iterator[Option]:
    """`[text]` and `<https://…>` of Markdown, whose text is also their target."""
    start, end, text = link.start, link.end, unit.doc.text
    if text[start] == "<":
        yield Option(2, end - 1, end, "")
        yield Option(1, start, start + 1, "")
    elif text[start] == "[" and text[end - 1] == "]":
        yield Option(1, start, start + 1, "")
        yield Option(1, end - 1, end, "")
        label = text[start + 1 : end - 1]
        definition = _find_definition(unit, label)
        if definition and not text[start:end].endswith("[]"):
            evidence = definition.start, definition.end
            yield Option(3, start, end, label, recoverable="C", evidence=evidence)


def _rst_link_options(text: str, link: Region) -> Iterator[Option]:
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


def _rst_reference_options(unit: Unit, link: Region) -> Iterator[Option]:
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


def _definition_options(text: str, region: Region) -> Iterator[Option]:
    """`[label]: url` or `.. _label: url` with a mark lost or a space added."""
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


def _find_definition(unit: Unit, label: str) -> Region | None:
    """The definition of a label, if it is in the unit."""
    key = _label_key(label)
    for region in unit.regions_of("definition"):
        match = _match_definition(unit, region)
        if match and _label_key(match[1]) == key:
            return region
    return None


def _match_definition(unit: Unit, region: Region) -> re.Match[str] | None:
    """The match of a definition; its groups are the label and the URL."""
    pattern = _RST_DEFINITION if unit.doc.format == "rst" else _MARKDOWN_DEFINITION
    return pattern.match(unit.doc.text, region.start, region.end)


def _label_key(label: str) -> str:
    return " ".join(label.strip("`").casefold().split())


def _change_label(place: Place, draw: Draw) -> Fault | None:
    label, _ = _label_and_url(place.unit, place.data)
    return choose_option(draw, _label_options(place.unit, label, place.data, draw)) if label else None


def _change_url(options: Callable[[Place, int, int, Draw], Iterable[Option]]) -> CorruptFunction:
    """A function that changes the URL of a link by one of the options, which get the link and the range of the URL."""

    def corrupt(place: Place, draw: Draw) -> Fault | None:
        _, url = _label_and_url(place.unit, place.data)
        return choose_option(draw, options(place, *url, draw)) if url else None

    return corrupt


def _anchor_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """A wrong anchor, of a heading of the same page or of another page."""
    at = place.unit.doc.text.find("#", start, end)
    if at == start:
        yield from _same_page_anchor_options(place, start + 1, end, draw)
    elif at > 0:
        wrong = draw.choice([*_wrong_anchors(place.unit.doc.text[at + 1 : end], draw), ""])
        yield Option(1, at if not wrong else at + 1, end, wrong, recoverable="D")


def _moved_page_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """The URL from before the pages moved: a segment of the path missing, added, or with another name."""
    url = place.unit.doc.text[start:end].partition("#")[0]
    scheme = _SCHEME.match(url)
    host_end = url.find("/", scheme.end()) if scheme else 0
    segments = [match.span() for match in _SEGMENT.finditer(url, host_end)] if host_end >= 0 else []
    if not segments:
        return
    first, last = draw.choice(segments)
    segment = url[first:last]
    at, after = start + first, start + last
    words = segment.split("-")
    if len(words) > 1:
        yield Option(2, at, after, "-".join(words[:-1] if draw.chance(0.5) else words[1:]), recoverable="D")
        yield Option(1, at, after, segment.replace("-", "_"), recoverable="D")
    for number, word in enumerate(words):
        if word in RELATED_WORDS:
            other = "-".join([*words[:number], draw.choice(RELATED_WORDS[word]), *words[number + 1 :]])
            yield Option(2, at, after, other, recoverable="D")
            break
    if "/" in url[first:]:
        yield Option(2, at, start + url.index("/", first) + 1, "", recoverable="D")
    yield Option(0.3, at, at, draw.choice(_FOLDERS) + "/", recoverable="D")
    yield Option(0.3, at, after, draw.choice(_FOLDERS), recoverable="D")
    if segment.isdecimal():
        other_number = str(max(1, int(segment) + draw.choice((-1, 1, -2, 10))))
        yield Option(3, at, after, write_digits_as(other_number, segment), recoverable="D")
    if re.fullmatch(r"v?\d+(?:\.\d+)*", segment):
        version = draw.choice(("latest", "master", "v1", "stable", segment[:-1] + "0"))
        yield Option(2, at, after, version, recoverable="D")


def _url_mark_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """A URL with a wrong slash, dot, file ending, scheme or anchor mark."""
    url = place.unit.doc.text[start:end]
    path = url.partition("#")[0]
    stop = start + len(path)
    yield Option(1, stop, stop, "/") if not path.endswith("/") else Option(2, stop - 1, stop, "")
    if path.startswith("/"):
        yield Option(2, start, start + 1, draw.choice(("", "./", "../")), recoverable="D")
    elif path.startswith("./"):
        yield Option(2, start, start + 2, draw.choice(("", "../", "/")), recoverable="D")
    elif path.startswith("../"):
        yield Option(8, start, start + 3, draw.choice(("./", "", "../../", "../../")), recoverable="D")
    elif not _SCHEME.match(path) and path:
        yield Option(2, start, start, draw.choice(("./", "../", "/", "docs/")), recoverable="D")
    ending = _FILE_ENDING.search(path)
    if ending:
        other = draw.choice(("", ".html", ".md", ".htm", "/"))
        yield Option(3, start + ending.start(), start + ending.end(), other, recoverable="D")
    elif path and not path.endswith("/") and not _SCHEME.match(path):
        yield Option(1.5, stop, stop, draw.choice((".html", ".md")), recoverable="D")
    if path.startswith("https://"):
        yield Option(2, start + 4, start + 5, "", recoverable="A")
        if path.startswith("https://www."):
            yield Option(1, start + 8, start + 12, "", recoverable="D")
    if "#" in url:
        yield Option(1, stop, stop + 1, draw.choice(("/#", "", "#/")), recoverable="D")
        yield Option(1, stop, end, "", recoverable="D")


def _other_url_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """The URL of another link of the unit, as after copying, or that of a page above or of the front page."""
    unit = place.unit
    url = unit.doc.text[start:end]
    for other in unit.regions_of("link", "definition"):
        _, span = _label_and_url(unit, other)
        if span and span[0] != start and unit.doc.text[slice(*span)] != url:
            yield Option(1, start, end, unit.doc.text[slice(*span)], recoverable="D")
    host_end = url.find("/", 8)
    if _SCHEME.match(url) and 0 < host_end < len(url) - 1:
        yield Option(0.2, start + host_end + 1, end, "", recoverable="D")
        last_slash = url.rfind("/", host_end + 1, len(url) - 1)
        if last_slash > 0:
            yield Option(2, start + last_slash + 1, end, "", recoverable="D")


def _drop_definition(place: Place, draw: Draw) -> Fault | None:
    """Remove the line `[guide]: guide.md`, so that `[guide]` leads nowhere."""
    region, text = place.data, place.unit.doc.text
    start, end = line_start(text, region.start), next_line(text, region.end - 1)
    if text[start : region.start].strip() or start < place.unit.start or end > place.unit.end:
        return None
    return Fault((Edit(start, end, ""),), recoverable="D")


def _drop_link(place: Place, draw: Draw) -> Fault | None:
    """`[text](url)` → `text`."""
    link = place.data
    words = place.unit.doc.text[link.inner_start : link.inner_end]
    return Fault((Edit(link.start, link.end, words),), recoverable="D") if words.strip() else None


def _label_and_url(unit: Unit, region: Region) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The ranges of the label and of the URL of a link, image, reference or definition; None where it has none."""
    text = unit.doc.text
    if region.kind == "definition":
        match = _match_definition(unit, region)
        return (match.span(1), match.span(2) if match[2] else None) if match else (None, None)
    if region.kind == "reference":
        autolink = text[region.start] == "<"
        inner = (
            (region.start + 1, region.end - 1)
            if unit.doc.format == "markdown"
            else (region.inner_start, region.inner_end)
        )
        return (None, inner) if autolink else (inner, None)
    if unit.doc.format == "rst":
        match = _RST_URL.search(text, region.inner_end, region.end)
        return None, match.span(1) if match else None
    if text[region.inner_end : region.inner_end + 2] == "][":
        return (region.inner_end + 2, region.end - 1), None
    match = _MARKDOWN_URL.match(text, region.inner_end + 1, region.end)
    return None, match.span(1) if match else None


def _label_options(unit: Unit, label: tuple[int, int], region: Region, draw: Draw) -> Iterator[Option]:
    """A label without a definition, where the unit holds both the link and the definition of the right label."""
    start, end = label
    name = unit.doc.text[start:end]
    if region.kind == "definition":
        links = unit.regions_of("link", "reference")
        counterpart = next((link for link in links if _has_label(unit, link, name)), None)
    else:
        counterpart = _find_definition(unit, name)
    if not counterpart or "\n" in name:
        return
    evidence = counterpart.start, counterpart.end
    for at, word in _long_words(name, start):
        yield Option(3, at, at + len(word), misspell(word, draw), recoverable="C", evidence=evidence)
    if "-" in name:
        other = name.replace("-", draw.choice(("_", " ", "")))
        yield Option(2, start, end, other, recoverable="C", evidence=evidence)
    if name.endswith("s") and len(name) > 4:
        yield Option(1, end - 1, end, "", recoverable="C", evidence=evidence)
    elif name[-1:].isalpha() and len(name) > 3:
        yield Option(1, end, end, "s", recoverable="C", evidence=evidence)


def _has_label(unit: Unit, link: Region, name: str) -> bool:
    label, _ = _label_and_url(unit, link)
    return label is not None and _label_key(unit.doc.text[slice(*label)]) == _label_key(name)


def _long_words(text: str, offset: int) -> list[tuple[int, str]]:
    """The longer words of a text that begins at an offset of the document, each with its own offset."""
    return [(offset + match.start(), match[0]) for match in _URL_WORD.finditer(text)]


def _same_page_anchor_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """An anchor that no heading has; the evidence is the heading, or the text of the link."""
    unit, link = place.unit, place.data
    anchor = unit.doc.text[start:end]
    wrong_anchors = [other for other in _wrong_anchors(anchor, draw) if other]
    if not wrong_anchors:
        return
    wrong = draw.choice(wrong_anchors)
    titles = unit.doc.regions.get("heading", ())
    if not any(_slug(unit.doc.text[title.inner_start : title.inner_end]) == wrong for title in titles):
        evidence = _anchor_evidence(unit, anchor, link)
        yield Option(1, start, end, wrong, recoverable="C" if evidence else "D", evidence=evidence)


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
        yield anchor.replace(longest, misspell(longest, draw), 1)
        yield anchor.replace(longest, longest[:-1] if longest.endswith("s") else longest + "s", 1)


def _anchor_evidence(unit: Unit, anchor: str, link: Region) -> tuple[int, int] | None:
    """The heading of the unit that has this anchor, or the text of the link if the anchor follows from it."""
    text = unit.doc.text
    for title in unit.regions_of("heading"):
        if _slug(text[title.inner_start : title.inner_end]) == anchor:
            return title.inner_start, title.inner_end
    if link.kind == "link" and _slug(text[link.inner_start : link.inner_end]) == anchor:
        return link.inner_start, link.inner_end
    return None


@lru_cache(maxsize=1024)
def _slug(title: str) -> str:
    """The anchor that GitHub, mdBook and most other tools give to a heading."""
    return _SPACE.sub("-", _PUNCTUATION.sub("", title.lower()).strip())


def _misspelled_url_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """A misspelled URL, where its form, or the same word elsewhere in the unit, shows the right spelling."""
    unit = place.unit
    scheme = _SCHEME.match(unit.doc.text, start, end)
    words_start = scheme.end() if scheme else start
    for at, word in draw.shuffled(_long_words(unit.doc.text[words_start:end], words_start)):
        stop = at + len(word)
        evidence = first_mention(unit, word, at, stop)
        if evidence or word in _HOST_WORDS:
            class_ = "C" if evidence else "A"
            yield Option(2, at, stop, misspell(word, draw), recoverable=class_, evidence=evidence)
            if evidence and word.islower():
                other = word[:-1] if word.endswith("s") else word + "s"
                yield Option(0.7, at, stop, other, recoverable=class_, evidence=evidence)
            break
    if scheme and draw.chance(0.35):
        name = scheme[0][:-3]
        endings = (":/", "//", "//:", ":///", ":")
        wrong = draw.choice((f"h{name}://", f"{name[1:]}://", *(name + ending for ending in endings)))
        yield Option(1, start, scheme.end(), wrong, recoverable="A")
        yield Option(0.6, end, end, draw.choice((".", ",", "'", ">", '"', ";", "%20")), recoverable="A")


def _cut_url_options(place: Place, start: int, end: int, draw: Draw) -> Iterator[Option]:
    """URLs that nothing in the text repairs: a segment of the path lost, another file ending, or a placeholder."""
    url = place.unit.doc.text[start:end]
    last_slash = url.rfind("/", 0, len(url) - 1)
    if last_slash > 8:
        yield Option(2, start + last_slash, end, "" if draw.chance(0.5) else "/", recoverable="D")
    host_end = url.find("/", 8)
    if 0 < host_end < last_slash:
        yield Option(2, start + host_end, start + url.find("/", host_end + 1), "", recoverable="D")
    if url.startswith("../"):
        yield Option(3, start, start + 3, draw.choice(("./", "", "../../")), recoverable="D")
    ending = _FILE_ENDING.search(url)
    if ending:
        other = draw.choice(("", ".htm", ".txt"))
        yield Option(3, start + ending.start(), start + ending.end(), other, recoverable="D")
    yield Option(0.5, start, end, draw.choice(("#", "/", "TODO", "https://example.com")), recoverable="D")


_WITH_TARGET = regions("link", "image", "reference", "definition")

register_degrader(
    "markup.link_target",
    Subtype("label", 3, _WITH_TARGET, _change_label),
    Subtype("anchor", 5, _WITH_TARGET, _change_url(_anchor_options)),
    Subtype("slip", 3, _WITH_TARGET, _change_url(_misspelled_url_options)),
    Subtype("cut", 2, _WITH_TARGET, _change_url(_cut_url_options), recoverable="D"),
    Subtype("moved", 5, _WITH_TARGET, _change_url(_moved_page_options), recoverable="D"),
    Subtype("ends", 3, _WITH_TARGET, _change_url(_url_mark_options), recoverable="D"),
    Subtype("other", 3, _WITH_TARGET, _change_url(_other_url_options), recoverable="D"),
    Subtype("definition_lost", 2, regions("definition"), _drop_definition, recoverable="D"),
    Subtype("link_lost", 0.3, regions("link"), _drop_link, recoverable="D"),
    does="points a link to a wrong anchor, label or URL",
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
    does="gives a link a text that says nothing, or the bare URL for its text; drops an image's alternative text",
    example=("See [the install guide](install.md).", "See [here](install.md)."),
    recoverable="B",
    severity=1,
    touches={"target"},
    weight=1.5,
)
def empty_link_text(place: Place, draw: Draw) -> Fault | None:
    unit, link, text = place.unit, place.data, place.unit.doc.text
    if link.kind == "image":
        return choose_option(draw, _alternative_text_options(text, link))
    words = text[link.inner_start : link.inner_end]
    _, url = _label_and_url(unit, link)
    masked = unit.doc.body[link.inner_start : link.inner_end]
    if not words.strip() or BLOCK in masked or words in _LINK_TEXTS or words.startswith(("http", "www.")):
        return None
    options = list(_pointing_text_options(unit, link, words, draw)) if INLINE not in masked else []
    address = text[slice(*url)] if url else ""
    if _SCHEME.match(address) and "\n" not in words:
        space = "" if text[link.end : link.end + 1] in ("", " ", "\n", "\r", ".", ",", ")") else " "
        if _shares_word(words, address):
            options.append(Option(1, link.start, link.end, address + space, recoverable="B"))
        options.append(Option(0.3, link.start, link.end, f"{words} ({address})", recoverable="B"))
    return choose_option(draw, options)


def _pointing_text_options(unit: Unit, link: Region, words: str, draw: Draw) -> Iterator[Option]:
    """A text such as "click here" in place of the text of the link."""
    text, start, end = unit.doc.text, link.inner_start, link.inner_end
    before = text[max(unit.start, link.start - 14) : link.start]
    class_ = "B" if _shares_word(words, text[end : link.end]) else "D"
    if _VERB_BEFORE.search(before):
        yield Option(3, start, end, draw.choice(_TEXTS_AFTER_VERB), recoverable=class_)
    elif before.endswith(("\n\n", "* ", "- ")) and text[link.end : link.end + 1] in ("", "\n", ":", "."):
        pointer = draw.choice(("Click here", "Here", "Link", "Read more", "More info"))
        yield Option(1, start, end, pointer, recoverable=class_)


def _shares_word(words: str, target: str) -> bool:
    """Whether a longer word of a link's text, or its beginning, is part of the target."""
    return any(word.lower()[:5] in target.lower() for word in _LONG_WORD.findall(words))


def _alternative_text_options(text: str, image: Region) -> Iterator[Option]:
    if image.inner_end > image.inner_start and text[image.start] == "!":
        for wrong in ("", "image", "screenshot", "img"):
            yield Option(3 if not wrong else 1, image.inner_start, image.inner_end, wrong, recoverable="D")
