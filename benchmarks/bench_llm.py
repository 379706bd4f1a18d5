#!/usr/bin/env python3
"""Measure how well requests to a language model overlap, with a local server that takes 200 ms for an answer.

    python -m benchmarks.bench_llm

Prints the answers a second of `data_prep.py --llm-backend openai`, one at a time and with 32 in flight, and their
ratio. The server runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import cli
from benchmarks.shared import print_row, spread
from degraders.rewrites.openai import OpenAIBackend, ServerSettings
from degraders.rewrites.requests import RewriteRequest


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    seconds: float
    in_flight: int
    runs: int


def main(argv: Sequence[str] | None = None) -> int:
    options = cli.parse_options(build_parser(), argv, Options)
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(sender, options.seconds), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{receiver.recv()}/v1"
    sequential, overlapping = [], []
    for _ in range(options.runs):
        sequential.append(answer_rate(url, in_flight=1, count=10))
        overlapping.append(answer_rate(url, in_flight=options.in_flight, count=20 * options.in_flight))
    ratios = [many / one for one, many in zip(sequential, overlapping, strict=True)]
    print_row("one at a time", f"{spread(sequential, 1)} answers a second")
    print_row(f"{options.in_flight} in flight", f"{spread(overlapping, 1)} answers a second")
    print_row("ratio", spread(ratios, 1))
    print_row("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.2, help="time of an answer (default: %(default)s)")
    parser.add_argument("--in_flight", type=int, default=32, help="requests at once (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: %(default)s)")
    return parser


def answer_rate(url: str, *, in_flight: int, count: int) -> float:
    """Answers a second, including the start of the client and its connections."""
    requests = [RewriteRequest("wordy", f"The server reads file number {n} at the start.", "", n) for n in range(count)]
    started = time.perf_counter()
    answers = list(OpenAIBackend(ServerSettings("model", url, 0.7, concurrency=in_flight)).answer_requests(requests))
    seconds = time.perf_counter() - started
    if not all(answer.text for answer in answers) or len(answers) != count:
        sys.exit("not every request was answered")
    return count / seconds


def serve(pipe: Connection, seconds: float) -> None:
    """Answer every request after a fixed time, any number of them at once; sends the port through the pipe."""
    body = json.dumps({"choices": [{"message": {"content": "The server is reading a file at the start."}}]}).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
                await asyncio.sleep(seconds)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run_server() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run_server())


if __name__ == "__main__":
    sys.exit(main())
