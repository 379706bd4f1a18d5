"""Models behind any server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, TGI, hosted ones.

The official client asks; how often, how long and how much is read is decided here, for a server may be slow, busy,
broken or hostile, and none of that may lose what others have answered.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from degraders.asking import Answer
from degraders.errors import UserError
from degraders.rewriting import Request, question

KEY = "OPENAI_API_KEY"
MOST_BYTES = 1_000_000
"""Of one answer; what is longer is no answer to one passage."""
_TOKENS_A_CHARACTER = 0.8
"""Of the passage: enough for an answer two and a half times as long."""
_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
BUDGET = "over --llm-max-requests"
BROKEN = "a broken answer"
TOO_LONG = "an endless answer"
TIMED_OUT = "timed out"
UNREACHED = "no connection"


@dataclass(frozen=True)
class Server:
    """How a server is asked: `timeout` in seconds for one whole answer, `most` HTTP requests in all, None for any."""

    model: str
    base_url: str | None
    temperature: float
    concurrency: int = 32
    timeout: float = 60.0
    most: int | None = None


class _TryError(Exception):
    """A try that failed; `again` says that another may do better, `after` seconds."""

    def __init__(self, problem: str, *, again: bool = False, after: float | None = None) -> None:
        super().__init__(problem)
        self.problem, self.again, self.after = problem, again, after


class OpenAI:
    """A back end: as many requests in flight as `concurrency` says, each tried a few times, with growing pauses."""

    def __init__(self, server: Server) -> None:
        try:
            import openai
        except ImportError as error:
            raise UserError("--llm-backend openai needs its client: pip install openai") from error
        self._openai: Any = openai
        self._server = server
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._left = server.most
        self._answered = 0
        try:
            self._client = openai.OpenAI(
                api_key=os.environ.get(KEY) or "none", base_url=server.base_url, max_retries=0, timeout=server.timeout,
                default_headers={"Accept-Encoding": "identity"},
            )  # fmt: skip
        except (ValueError, TypeError, openai.OpenAIError) as error:
            raise UserError(
                f"--llm-base-url {server.base_url}: {type(error).__name__}; write http://host:port/v1"
            ) from error
        self.url = str(self._client.base_url)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers as they come; UserError if the server refuses all, or is not there at all."""
        pool = ThreadPoolExecutor(self._server.concurrency)
        waiting: set[Future[Answer]] = set()
        source = iter(requests)
        try:
            while True:
                while len(waiting) < 2 * self._server.concurrency and (request := next(source, None)):
                    waiting.add(pool.submit(self._answer, request))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            self._stopped.set()
            self._client.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def _answer(self, request: Request) -> Answer:
        pause, tries = _FIRST_PAUSE, 0
        while True:
            tries += 1
            try:
                text = self._tried(request)
            except _TryError as error:
                if not error.again or tries == _TRIES or self._stopped.is_set():
                    return self._given_up(request, error)
                self._stopped.wait(min(_LONGEST_PAUSE, error.after or pause * random.uniform(0.5, 1)))
                pause *= 2
            else:
                self._answered += 1
                return Answer(request, text)

    def _given_up(self, request: Request, error: _TryError) -> Answer:
        """No answer; UserError if there never was one, for then there is no server."""
        if error.problem == UNREACHED and not self._answered:
            raise UserError(f"{self.url}: no server answers there; is it running? (--llm-base-url)") from error
        return Answer(request, None, error.problem)

    def _tried(self, request: Request) -> str:
        openai = self._openai
        with self._lock:
            if self._left is not None:
                if self._left < 1:
                    raise _TryError(BUDGET)
                self._left -= 1
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self._server.model,
                messages=[{"role": "user", "content": question(request)}],
                temperature=self._server.temperature,
                seed=request.seed % (1 << 31),
                max_tokens=64 + int(_TOKENS_A_CHARACTER * len(request.passage)),
            ) as response:
                return _content(self._read(response))
        except _TryError:
            raise
        except openai.APITimeoutError as error:
            raise _TryError(TIMED_OUT, again=True) from error
        except openai.APIConnectionError as error:
            raise _TryError(UNREACHED, again=True) from error
        except openai.APIStatusError as error:
            raise self._status(error) from error
        except Exception as error:  # httpx's own, while the answer is read: cut off, or not HTTP
            problem = TIMED_OUT if "Timeout" in type(error).__name__ else BROKEN
            raise _TryError(problem, again=True) from error

    def _read(self, response: Any) -> bytes:
        """The answer's bytes, at most so many and within the time for one answer, however it trickles in."""
        deadline = time.monotonic() + self._server.timeout
        found = bytearray()
        for piece in response.iter_bytes():
            found += piece
            if len(found) > MOST_BYTES:
                raise _TryError(TOO_LONG)
            if time.monotonic() > deadline:
                raise _TryError(TIMED_OUT, again=True)
        return bytes(found)

    def _status(self, error: Any) -> Exception:
        """What a status means; the server's own words are left out, for they may hold the key."""
        status = int(error.status_code)
        if status in _PASSING:
            return _TryError(f"HTTP {status}", again=True, after=_seconds(error.response.headers.get("retry-after")))
        if status in (401, 403):
            return UserError(
                f"{self.url}: refuses the key (HTTP {status}); is {KEY} set to one that may use this model?"
            )
        if status == 404:
            return UserError(
                f"{self.url}: knows no model {self._server.model} (HTTP 404); see --llm-model, --llm-base-url"
            )
        return _TryError(f"HTTP {status}")


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _content(data: bytes) -> str:
    try:
        text = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise _TryError(BROKEN, again=True) from error
    if not isinstance(text, str):
        raise _TryError(BROKEN)
    return text
