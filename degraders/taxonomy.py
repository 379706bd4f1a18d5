"""The families of errors, and the classes of recoverability: can the good text be recovered from the bad one?"""

from __future__ import annotations

FAMILIES = ("spelling", "grammar", "style", "markup", "structure", "content", "code", "encoding", "llm")

RECOVERABILITY = {
    "A": "one right fix, clear from the text itself",
    "B": "several equally right fixes",
    "C": "the right value stands elsewhere in the document",
    "D": "the information is gone: flag the gap, do not invent",
}
