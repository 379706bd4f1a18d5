"""Asking language models before anything is degraded, and keeping what they say: a run then only looks answers up.

So a run with a model is as reproducible as one without: a second run finds every answer in the cache and is byte for
byte the same, an interrupted one goes on where it stopped, and no order and no number of workers has a part in it.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Protocol

from degraders.errors import UserError
from degraders.rewriting import Request, problem_of

_COMMIT_EVERY = 2.0
"""Seconds between commits: what a kill can lose."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run asks for: the share of records with an error of a model, the problems, and who answers.

    `signature` is all that has a part in an answer besides the request; `cache` is the file that holds the answers,
    empty for the offline stub, which needs none.
    """

    backend: str
    share: float
    problems: tuple[str, ...]
    signature: str = ""
    cache: str = ""

    def prompts(self) -> dict[str, str]:
        """Version and digest of each prompt."""
        found = {name: problem_of(name) for name in self.problems if self.backend != "stub"}
        return {name: f"version {one.version}, {one.digest}" for name, one in found.items()}


class Answer(NamedTuple):
    """A request with what a model made of it, or why there is no answer; that is not kept, and asked again."""

    request: Request
    text: str | None
    problem: str = ""


class Backend(Protocol):
    """Answers requests, in any order, as they come."""

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer]: ...


class Answers:
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

    def _key(self, request: Request) -> bytes:
        problem = problem_of(request.problem)
        whole = repr((self._signature, problem.name, problem.digest, *request[1:]))
        return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def rewrite(self, request: Request) -> str | None:
        """The answer to a request; None if there is none."""
        row = self._base.execute("SELECT answer FROM answers WHERE key = ?", (self._key(request),)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, request: Request, answer: str) -> None:
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
def looked_up(path: str, signature: str) -> Answers:
    """The answers of a file to look up, opened once a process."""
    return Answers(path, signature)


def ask(backend: Backend, requests: Iterable[Request], answers: Answers) -> Iterator[str]:
    """Have the requests answered that are not yet; yields, of each request, what became of it."""
    told: Counter[str] = Counter()

    def unanswered() -> Iterator[Request]:
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
