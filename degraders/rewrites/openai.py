"""Models behind any server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, TGI, hosted ones.

The official client asks; how often, how long and how much is read is decided here, for a server may be slow, busy,
broken or hostile, and none of that may lose what others have answered.
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

KEY = "OPENAI_API_KEY"
MOST_BYTES = 1_000_000
"""Of one answer; what is longer is no answer to one passage."""
_TOKENS_A_CHARACTER = 0.8
"""Of the passage: enough for an answer two and a half times as long."""
_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_MOST_IN_A_ROW = 32
"""Requests that fail one after another, none answered between, at which a run ends: the server is gone, or refuses."""
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
BUDGET = "over --llm-max-requests"
BROKEN = "a broken answer"
TOO_LONG = "an endless answer"
UNFINISHED = "an answer that was cut off"
TIMED_OUT = "timed out"
UNREACHED = "no connection"


@dataclass(frozen=True)
class ServerSettings:
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


class OpenAIBackend:
    """A back end: as many requests in flight as `concurrency` says, each tried a few times, with growing pauses."""

    def __init__(self, server: ServerSettings) -> None:
        try:
            import openai
        except ImportError as error:
            raise UserError("--llm-backend openai needs its client: pip install openai") from error
        self._openai: Any = openai
        self._server = server
        self._left = server.most
        self._length = "max_tokens"
        self._answered = self._failed = 0
        try:
            self._client = openai.AsyncOpenAI(
                api_key=os.environ.get(KEY) or "none", base_url=server.base_url, max_retries=0, timeout=server.timeout,
                default_headers={"Accept-Encoding": "identity"},
            )  # fmt: skip
        except (ValueError, TypeError, openai.OpenAIError) as error:
            raise UserError(
                f"--llm-base-url {server.base_url}: {type(error).__name__}; write http://host:port/v1"
            ) from error
        self.url = str(self._client.base_url)

    def answers(self, requests: Iterable[RewriteRequest]) -> Iterator[RewriteAnswer]:
        """Answers as they come; UserError if the server refuses all, is not there, or answers no more."""
        waiting: set[Future[RewriteAnswer]] = set()
        source = iter(requests)
        with self._loop() as loop:
            free = asyncio.Semaphore(self._server.concurrency)
            while True:
                while len(waiting) < 2 * self._server.concurrency and (request := next(source, None)):
                    waiting.add(asyncio.run_coroutine_threadsafe(self._answer(request, free), loop))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()

    @contextmanager
    def _loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        """An event loop in a thread of its own; what still waits there at the end is cancelled."""
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

    async def _answer(self, request: RewriteRequest, free: asyncio.Semaphore) -> RewriteAnswer:
        pause, tries = _FIRST_PAUSE, 0
        async with free:
            while True:
                tries += 1
                try:
                    text = await self._tried(request)
                except _TryError as error:
                    if not error.again or tries == _TRIES:
                        return self._given_up(request, error)
                    await asyncio.sleep(min(_LONGEST_PAUSE, error.after or pause * random.uniform(0.5, 1)))
                    pause *= 2
                else:
                    self._answered, self._failed = self._answered + 1, 0
                    return RewriteAnswer(request, text)

    def _given_up(self, request: RewriteRequest, error: _TryError) -> RewriteAnswer:
        """No answer; UserError if there never was one, for then there is no server, or no more after many such."""
        if error.problem == UNREACHED and not self._answered:
            raise UserError(f"{self.url}: no server answers there; is it running? (--llm-base-url)") from error
        self._failed += error.problem != BUDGET
        if self._failed >= _MOST_IN_A_ROW:
            raise UserError(
                f"{self.url}: {self._failed} requests in a row failed, the last with: {error.problem}; see to the "
                "server, then run the same command again: the answers so far are kept"
            ) from error
        return RewriteAnswer(request, None, error.problem)

    async def _tried(self, request: RewriteRequest) -> str:
        """The answer to one HTTP request, within the time for one, however it trickles in."""
        openai = self._openai
        if self._left is not None:
            if self._left < 1:
                raise _TryError(BUDGET)
            self._left -= 1
        length = self._length
        try:
            async with asyncio.timeout(self._server.timeout):
                return await self._asked(request, length)
        except _TryError:
            raise
        except (TimeoutError, openai.APITimeoutError) as error:
            raise _TryError(TIMED_OUT, again=True) from error
        except openai.APIConnectionError as error:
            raise _TryError(UNREACHED, again=True) from error
        except openai.APIStatusError as error:
            raise self._status(error, length) from error
        except Exception as error:  # httpx's own, while the answer is read: cut off, or not HTTP
            raise _TryError(BROKEN, again=True) from error

    async def _asked(self, request: RewriteRequest, length: str) -> str:
        limit: dict[str, Any] = {length: 64 + int(_TOKENS_A_CHARACTER * len(request.passage))}
        async with self._client.chat.completions.with_streaming_response.create(
            model=self._server.model,
            messages=[{"role": "user", "content": build_instruction(request)}],
            temperature=self._server.temperature,
            seed=request.seed % (1 << 31),
            **limit,
        ) as response:
            found = bytearray()
            async for piece in response.iter_bytes():
                found += piece
                if len(found) > MOST_BYTES:
                    raise _TryError(TOO_LONG)
            return _content(bytes(found))

    def _status(self, error: Any, length: str) -> Exception:
        """What a status means; the server's own words are left out, for they may hold the key."""
        status = int(error.status_code)
        if status == 400 and error.param == length == "max_tokens":  # newer models know another name alone
            self._length = "max_completion_tokens"
            return _TryError(f"HTTP {status}", again=True)
        if status == 400 and error.param == "temperature":
            return UserError(
                f"{self.url}: {self._server.model} refuses the temperature {self._server.temperature}; pass the one "
                "that it has, mostly --llm-temperature 1"
            )
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
        choice = json.loads(data)["choices"][0]
        text, finish = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _TryError(BROKEN, again=True) from error
    if finish == "length":
        raise _TryError(UNFINISHED)
    if not isinstance(text, str):
        raise _TryError(BROKEN)
    return text
