"""The rule-based degraders, by family; importing this package declares them all."""

from importlib import import_module

for _module in (
    *("spelling", "grammar", "punctuation", "style", "style_sentences", "word_choice"),
    *("markup", "fences", "links", "lists"),
    *("structure", "content", "omissions", "code", "code_values", "encoding"),
):
    import_module(f"degraders.rules.{_module}")
