"""Asking language models before anything is degraded, and keeping what they say: a run then only looks answers up.

So a run with a model is as reproducible as one without: a second run finds every answer in the cache and is byte for
byte the same, an interrupted one goes on where it stopped, and no order and no number of workers has a part in it.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

from degraders.errors import UserError
from degraders.rewrites.requests import Backend, RewriteRequest, get_problem

_COMMIT_EVERY = 2.0
"""Seconds between commits: what a kill can lose."""


class AnswerCache:
    """The answers of one model in a file (SQLite), which other models and runs may share. A rewriter: it looks up."""

    def __init__(self, path: str, signature: str, *, write: bool = False) -> None:
        self._signature = signature
        self._committed = time.monotonic()
        try:
            if write:
                self._base = sqlite3.connect(path)
                self._base.execute(
                    "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, answer TEXT) WITHOUT ROWID"
                )
                self._base.commit()
            else:
                self._base = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
                self._base.execute("SELECT 1 FROM answers LIMIT 1")
        except sqlite3.Error as error:
            raise UserError(f"{path}: no cache of answers ({error}); name another --llm-cache") from error

    def _key(self, request: RewriteRequest) -> bytes:
        problem = get_problem(request.problem)
        whole = repr((self._signature, problem.name, problem.digest, *request[1:]))
        return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def rewrite(self, request: RewriteRequest) -> str | None:
        """The answer to a request; None if there is none."""
        row = self._base.execute("SELECT answer FROM answers WHERE key = ?", (self._key(request),)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, request: RewriteRequest, answer: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (self._key(request), answer))
        if time.monotonic() - self._committed > _COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        self._base.commit()
        self._committed = time.monotonic()

    def close(self) -> None:
        self._base.commit()
        self._base.close()


@cache
def open_cache(path: str, signature: str) -> AnswerCache:
    """The answers of a file to look up, opened once a process."""
    return AnswerCache(path, signature)


def fill_cache(backend: Backend, requests: Iterable[RewriteRequest], answers: AnswerCache) -> Iterator[str]:
    """Have the requests answered that are not yet; yields, of each request, what became of it."""
    told: Counter[str] = Counter()

    def unanswered() -> Iterator[RewriteRequest]:
        for request in requests:
            if answers.rewrite(request) is None:
                yield request
            else:
                told["found in the cache"] += 1

    for answer in backend.answers(unanswered()):
        yield from told.elements()
        told.clear()
        if answer.text is None:
            yield answer.problem
        else:
            answers.keep(answer.request, answer.text)
            yield "answered"
    yield from told.elements()
