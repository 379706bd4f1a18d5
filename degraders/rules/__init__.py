"""The degraders, one file a subject; importing this package declares them all."""

# ruff: noqa: I001  (draws depend on the order of the degraders within a family, which is that of these imports)
from degraders.rules import (  # noqa: F401
    spelling,
    grammar,
    punctuation,
    style,
    style_sentences,
    word_choice,
    markup,
    fences,
    links,
    lists,
    structure,
    content,
    omissions,
    code,
    code_values,
    encoding,
    llm,
)
