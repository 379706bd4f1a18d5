"""The directives of docutils and Sphinx, which reStructuredText and MyST share, by what their content is."""

from __future__ import annotations

_CONTENTS = {
    "code": "code code-block sourcecode parsed-literal prompt console testcode testoutput doctest ipython",
    "math": "math",
    "html": "raw",
    "image": "image",
    "body": "note tip hint important warning caution attention danger error seealso todo epigraph highlights "
    "pull-quote compound header footer abstract glossary hlist centered tabs tab-set grid",
    "titled": "admonition topic sidebar rubric tab group-tab tab-item dropdown card grid-item-card details collapse "
    "table list-table csv-table",
    "version": "versionadded versionchanged deprecated versionremoved deprecated-removed",
    "described": "container only class rst-class figure grid-item ifconfig function method classmethod staticmethod "
    "attribute property data exception module decorator option cmdoption envvar confval describe object program "
    "setting templatetag templatefilter fieldlookup django-admin",
}
DIRECTIVES = {name: content for content, names in _CONTENTS.items() for name in names.split()}
"""The content of each directive. `described` is prose, but its arguments are not; directives that are not listed are
closed: everything in them is protected."""
