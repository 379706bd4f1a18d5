"""The client of servers that speak OpenAI's chat completions: vLLM, llama.cpp, Ollama, TGI, hosted ones.

The official client sends the requests. Retries, timeouts and the limit of bytes are set here, because a server may be
slow, busy, broken or hostile, and none of that may lose the answers to other requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from degraders.errors import UserError
from degraders.rewrites.requests import RewriteAnswer, RewriteRequest, build_instruction

KEY_VARIABLE = "OPENAI_API_KEY"
BUDGET = "over --llm-max-requests"
BROKEN = "broken answer"
TOO_LONG = "answer too long"
UNFINISHED = "answer cut off"
TIMED_OUT = "timed out"
UNREACHABLE = "no connection"

_MAX_BYTES = 1_000_000
"""Bytes of one response; no answer to one passage is longer."""
_TOKENS_PER_CHARACTER = 0.8
"""Tokens of an answer per character of the passage: enough for an answer two and a half times as long."""
_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries of a request."""
_MAX_FAILURES_IN_A_ROW = 32
"""A run ends when so many requests in a row fail: the server is gone, or refuses them all."""
_TEMPORARY_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class ServerSettings:
    """The server, its model, and the limits of a run.

    `concurrency` is the number of requests in flight, `timeout` the seconds for one whole answer, `max_requests` the
    number of HTTP requests of the run, retries included (None: no limit). The client has an address of its own where
    `base_url` is None.
    """

    model: str
    base_url: str | None
    temperature: float
    concurrency: int = 32
    timeout: float = 60.0
    max_requests: int | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("the name of the server's model is empty")
        if self.temperature < 0 or self.timeout <= 0:
            raise ValueError(f"temperature {self.temperature} or timeout {self.timeout} is too small")
        if self.concurrency < 1 or (self.max_requests is not None and self.max_requests < 1):
            raise ValueError("concurrency and max_requests are whole numbers of at least 1")


class _TryError(Exception):
    """A failed try; `retry` says whether another may succeed, and `pause` after how many seconds."""

    def __init__(self, failure: str, *, retry: bool = False, pause: float | None = None) -> None:
        super().__init__(failure)
        self.failure, self.retry, self.pause = failure, retry, pause


class OpenAIBackend:
    """A `Backend` that keeps `concurrency` requests in flight and tries each a few times, with growing pauses."""

    def __init__(self, server: ServerSettings) -> None:
        try:
            import openai
        except ImportError as error:
            raise UserError("--llm-backend openai needs its client: pip install openai") from error
        self._openai: Any = openai
        self._server = server
        self._requests_left = server.max_requests
        self._limit_name = "max_tokens"
        self._answered = self._failures_in_a_row = 0
        try:
            self._client = openai.AsyncOpenAI(
                api_key=os.environ.get(KEY_VARIABLE) or "none",
                base_url=server.base_url,
                max_retries=0,
                timeout=server.timeout,
                default_headers={"Accept-Encoding": "identity"},
            )
        except (ValueError, TypeError, openai.OpenAIError) as error:
            raise UserError(
                f"--llm-base-url {server.base_url}: {type(error).__name__}; write http://host:port/v1"
            ) from error
        self.url = str(self._client.base_url)

    def answer_requests(self, requests: Iterable[RewriteRequest]) -> Iterator[RewriteAnswer]:
        """Answers in the order of their arrival; UserError if the server is unreachable, refuses all or stops."""
        pending: set[Future[RewriteAnswer]] = set()
        source = iter(requests)
        with self._run_loop() as loop:
            slots = asyncio.Semaphore(self._server.concurrency)
            while True:
                while len(pending) < 2 * self._server.concurrency and (request := next(source, None)):
                    pending.add(asyncio.run_coroutine_threadsafe(self._answer(request, slots), loop))
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()

    @contextmanager
    def _run_loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        """An event loop in a thread of its own; tasks that are pending at the end are cancelled."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            asyncio.run_coroutine_threadsafe(self._close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    async def _answer(self, request: RewriteRequest, slots: asyncio.Semaphore) -> RewriteAnswer:
        pause, tries = _FIRST_PAUSE, 0
        async with slots:
            while True:
                tries += 1
                try:
                    text = await self._try_request(request)
                except _TryError as error:
                    if not error.retry or tries == _TRIES:
                        return self._give_up(request, error)
                    await asyncio.sleep(min(_LONGEST_PAUSE, error.pause or pause * random.uniform(0.5, 1)))
                    pause *= 2
                else:
                    self._answered, self._failures_in_a_row = self._answered + 1, 0
                    return RewriteAnswer(request, text)

    def _give_up(self, request: RewriteRequest, error: _TryError) -> RewriteAnswer:
        """The failure of a request; UserError if the server never answered, or after too many failures in a row."""
        if error.failure == UNREACHABLE and not self._answered:
            raise UserError(f"{self.url}: no server answers there; is it running? (--llm-base-url)") from error
        self._failures_in_a_row += error.failure != BUDGET
        if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW:
            raise UserError(
                f"{self.url}: {self._failures_in_a_row} requests in a row failed, the last one with: {error.failure}; "
                "check the server, then run the same command again: the answers so far are in the cache"
            ) from error
        return RewriteAnswer(request, None, error.failure)

    async def _try_request(self, request: RewriteRequest) -> str:
        """The answer to one HTTP request. The timeout holds for the whole answer, however slowly it arrives."""
        openai = self._openai
        if self._requests_left is not None:
            if self._requests_left < 1:
                raise _TryError(BUDGET)
            self._requests_left -= 1
        limit_name = self._limit_name
        try:
            async with asyncio.timeout(self._server.timeout):
                return await self._send(request, limit_name)
        except _TryError:
            raise
        except (TimeoutError, openai.APITimeoutError) as error:
            raise _TryError(TIMED_OUT, retry=True) from error
        except openai.APIConnectionError as error:
            raise _TryError(UNREACHABLE, retry=True) from error
        except openai.APIStatusError as error:
            raise self._classify_status(error, limit_name) from error
        except Exception as error:  # errors of httpx while it reads the answer: cut off, or not HTTP
            raise _TryError(BROKEN, retry=True) from error

    async def _send(self, request: RewriteRequest, limit_name: str) -> str:
        limit: dict[str, Any] = {limit_name: 64 + int(_TOKENS_PER_CHARACTER * len(request.passage))}
        async with self._client.chat.completions.with_streaming_response.create(
            model=self._server.model,
            messages=[{"role": "user", "content": build_instruction(request)}],
            temperature=self._server.temperature,
            seed=request.seed % (1 << 31),
            **limit,
        ) as response:
            body = bytearray()
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > _MAX_BYTES:
                    raise _TryError(TOO_LONG)
            return _parse_body(bytes(body))

    def _classify_status(self, error: Any, limit_name: str) -> Exception:
        """The exception for an HTTP status. It does not quote the server, whose message may contain the key."""
        status = int(error.status_code)
        if status == 400 and error.param == limit_name == "max_tokens":  # newer models accept only another name
            self._limit_name = "max_completion_tokens"
            return _TryError(f"HTTP {status}", retry=True)
        if status == 400 and error.param == "temperature":
            return UserError(
                f"{self.url}: {self._server.model} refuses the temperature {self._server.temperature}; pass the one "
                "that it supports, usually --llm-temperature 1"
            )
        if status in _TEMPORARY_STATUSES:
            pause = _parse_seconds(error.response.headers.get("retry-after"))
            return _TryError(f"HTTP {status}", retry=True, pause=pause)
        if status in (401, 403):
            return UserError(
                f"{self.url}: refuses the key (HTTP {status}); is {KEY_VARIABLE} set to a key that may use this model?"
            )
        if status == 404:
            return UserError(
                f"{self.url}: has no model {self._server.model} (HTTP 404); check --llm-model and --llm-base-url"
            )
        return _TryError(f"HTTP {status}")


def _parse_seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _parse_body(body: bytes) -> str:
    """The text of the answer in the body of a response."""
    try:
        choice = json.loads(body)["choices"][0]
        text, finish = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _TryError(BROKEN, retry=True) from error
    if finish == "length":
        raise _TryError(UNFINISHED)
    if not isinstance(text, str):
        raise _TryError(BROKEN)
    return text
