"""The degraders, one module per subject. Importing this package registers all of them."""

# ruff: noqa: I001  (the order of these imports is the order of the degraders, which the random draws depend on)
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
