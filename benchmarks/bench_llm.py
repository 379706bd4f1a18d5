#!/usr/bin/env python3
"""How well requests to a language model overlap: a server on loopback that takes 200 ms an answer.

    python benchmarks/bench_llm.py

Prints the answers a second of `data_prep.py --llm-backend openai` one at a time and with 32 in flight, and their ratio;
the server answers in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from degraders.rewrites.openai import OpenAIBackend, ServerSettings  # noqa: E402
from degraders.rewrites.requests import RewriteRequest  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.2, help="an answer takes (default: %(default)s)")
    parser.add_argument("--in_flight", type=int, default=32, help="requests at once (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of each (default: %(default)s)")
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, options.seconds), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    alone, together = [], []
    for _ in range(options.runs):
        alone.append(rate(url, 1, 10))
        together.append(rate(url, options.in_flight, 20 * options.in_flight))
    ratios = [many / one for one, many in zip(alone, together, strict=True)]
    print(f"one at a time   {spread(alone)} answers a second")
    print(f"{options.in_flight} in flight    {spread(together)} answers a second")
    print(f"ratio           {spread(ratios)}")
    print(f"peak memory     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def rate(url: str, in_flight: int, count: int) -> float:
    """Answers a second, the client's start and its connections included."""
    requests = [RewriteRequest("wordy", f"The server reads file number {n} at the start.", "", n) for n in range(count)]
    started = time.perf_counter()
    answers = list(OpenAIBackend(ServerSettings("model", url, 0.7, concurrency=in_flight)).answers(requests))
    seconds = time.perf_counter() - started
    if not all(answer.text for answer in answers) or len(answers) != count:
        sys.exit("not every request was answered")
    return count / seconds


def serve(pipe: Connection, seconds: float) -> None:
    """A server that answers every request, each after so many seconds, as many at once as come."""
    body = json.dumps({"choices": [{"message": {"content": "The server is reading a file at the start."}}]}).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
                await asyncio.sleep(seconds)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
