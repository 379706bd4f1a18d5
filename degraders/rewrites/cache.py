"""The cache of answers: all requests are answered before anything is degraded; degrading then only looks them up.

So a run with a model is as reproducible as one without. A second run finds every answer in the cache and writes the
same bytes, an interrupted run continues where it stopped, and neither order nor number of workers matters.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

from degraders.errors import UserError
from degraders.rewrites.requests import Backend, RewriteRequest, get_problem

ANSWERED, CACHED = "answered", "already in the cache"
"""Outcomes of requests; any other is the reason of a failure."""
_SECONDS_BETWEEN_COMMITS = 2.0
"""A killed process loses the answers of at most this time."""


class AnswerCache:
    """The answers of one model in an SQLite file, which other models and runs may share. It is a `Rewriter`."""

    def __init__(self, path: str, signature: str, *, write: bool = False) -> None:
        self._signature = signature
        self._committed = time.monotonic()
        try:
            if write:
                self._connection = sqlite3.connect(path)
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, answer TEXT) WITHOUT ROWID"
                )
                self._connection.commit()
            else:
                self._connection = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
                self._connection.execute("SELECT 1 FROM answers LIMIT 1")
        except sqlite3.Error as error:
            raise UserError(f"{path}: not a cache of answers ({error}); choose another --llm-cache") from error

    def _key(self, request: RewriteRequest) -> bytes:
        problem = get_problem(request.problem)
        identity = repr((self._signature, problem.name, problem.digest, *request[1:]))
        return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def rewrite(self, request: RewriteRequest) -> str | None:
        """The cached answer to a request; None if there is none."""
        row = self._connection.execute("SELECT answer FROM answers WHERE key = ?", (self._key(request),)).fetchone()
        return None if row is None else str(row[0])

    def store(self, request: RewriteRequest, answer: str) -> None:
        """Add or replace the answer to a request."""
        self._connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (self._key(request), answer))
        if time.monotonic() - self._committed > _SECONDS_BETWEEN_COMMITS:
            self.commit()

    def commit(self) -> None:
        self._connection.commit()
        self._committed = time.monotonic()

    def close(self) -> None:
        self._connection.commit()
        self._connection.close()


@cache
def open_cache(path: str, signature: str) -> AnswerCache:
    """The cache of a file, read-only; each process opens it once."""
    return AnswerCache(path, signature)


def fill_cache(backend: Backend, requests: Iterable[RewriteRequest], answers: AnswerCache) -> Iterator[str]:
    """Send the requests that the cache does not answer, and store the answers; yields the outcome of each request."""
    cached = 0

    def select_unanswered() -> Iterator[RewriteRequest]:
        nonlocal cached
        for request in requests:
            if answers.rewrite(request) is None:
                yield request
            else:
                cached += 1

    try:
        for answer in backend.answer_requests(select_unanswered()):
            yield from [CACHED] * cached
            cached = 0
            if answer.text is None:
                yield answer.failure
            else:
                answers.store(answer.request, answer.text)
                yield ANSWERED
    except sqlite3.Error as error:
        raise UserError(f"the cache of answers has failed ({error}); choose another --llm-cache") from error
    yield from [CACHED] * cached
