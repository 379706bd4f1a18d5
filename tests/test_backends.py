"""Language models in stage 1: the cache of answers, servers that behave badly, models on this machine."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Behave, passage_of, say, send, serving

import data_prep
from degraders.dataset.records import check_record, read_records
from degraders.errors import UserError
from degraders.rewrites.cache import AnswerCache, fill_cache
from degraders.rewrites.requests import RewriteAnswer, RewriteRequest

pytest.importorskip("openai")

from degraders.rewrites import openai
from degraders.rewrites.openai import OpenAIBackend, ServerSettings

SAMPLES = Path(__file__).resolve().parents[1] / "sample_docs"
KEY = "sk-very-secret-0123456789"


def requests(count: int) -> list[RewriteRequest]:
    return [
        RewriteRequest("wordy", f"The server reads the file of the user, number {n}, at the start.", "", n)
        for n in range(count)
    ]


def send_requests(behave: Behave, count: int = 6, **settings: Any) -> tuple[list[RewriteAnswer], int]:
    """The answers of a server to some requests, and the number of HTTP requests that it received."""
    received = Counter[str]()

    def behave_and_count(body: dict[str, Any], handler: Any) -> None:
        received["requests"] += 1
        behave(body, handler)

    with serving(behave_and_count) as url:
        server = ServerSettings("m", url, 0.7, **({"concurrency": 4, "timeout": 2.0} | settings))
        answers = list(OpenAIBackend(server).answer_requests(requests(count)))
    return answers, received["requests"]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


# The cache


def test_the_key_of_an_answer_is_model_prompt_passage_and_seed(tmp_path: Path) -> None:
    one, other = requests(2)
    writer = AnswerCache(str(tmp_path / "a.sqlite"), "model 1", write=True)
    writer.store(one, "It is said.")
    writer.close()
    answers = AnswerCache(str(tmp_path / "a.sqlite"), "model 1")
    assert answers.rewrite(one) == "It is said."
    for request in (other, one._replace(seed=9), one._replace(problem="vague")):
        assert answers.rewrite(request) is None
    assert AnswerCache(str(tmp_path / "a.sqlite"), "model 2").rewrite(one) is None


def test_cached_requests_are_not_sent_and_failed_ones_are_sent_again(tmp_path: Path) -> None:
    class Backend:
        def __init__(self) -> None:
            self.received: list[RewriteRequest] = []

        def answer_requests(self, requests: Any) -> Iterator[RewriteAnswer]:
            for request in requests:
                self.received.append(request)
                yield (
                    RewriteAnswer(request, None, "timed out")
                    if request.seed == 2
                    else RewriteAnswer(request, request.passage[::-1])
                )

    answers = AnswerCache(str(tmp_path / "a.sqlite"), "m", write=True)
    first, again = Backend(), Backend()
    assert Counter(fill_cache(first, requests(4), answers)) == {"answered": 3, "timed out": 1}
    assert Counter(fill_cache(again, requests(4), answers)) == {"already in the cache": 3, "timed out": 1}
    assert [request.seed for request in again.received] == [2]
    answers._connection.execute("DROP TABLE answers")
    with pytest.raises(UserError, match="choose another --llm-cache"):
        list(fill_cache(again, requests(4), answers))


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"no data base, but long enough to be looked at as one" * 30)
    for write in (True, False):
        with pytest.raises(UserError, match="--llm-cache"):
            AnswerCache(str(path), "m", write=write)


# Servers


def polite(body: dict[str, Any], handler: Any) -> None:
    say(handler, passage_of(body).replace("reads", "does the reading of"))


def test_a_server_receives_one_request_for_each_passage() -> None:
    answers, received = send_requests(polite)
    assert sorted(answer.text or "" for answer in answers) == sorted(
        request.passage.replace("reads", "does the reading of") for request in requests(6)
    )
    assert received == 6


@contextmanager
def every_other(bad: Behave) -> Iterator[Behave]:
    """The bad behaviour for the first try of each passage, then the polite one."""
    passages: set[str] = set()
    lock = threading.Lock()

    def behave(body: dict[str, Any], handler: Any) -> None:
        with lock:
            first = passage_of(body) not in passages
            passages.add(passage_of(body))
        (bad if first else polite)(body, handler)

    yield behave


def busy(body: dict[str, Any], handler: Any) -> None:
    send(handler, 429, b"{}", {"Retry-After": "0.05"})


def broken(body: dict[str, Any], handler: Any) -> None:
    send(handler, 500, b"<html>oops")


def garbage(body: dict[str, Any], handler: Any) -> None:
    send(handler, 200, b'{"choices": [{"mess')


def other_json(body: dict[str, Any], handler: Any) -> None:
    send(handler, 200, b"[1, 2]")


def cut(body: dict[str, Any], handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": ')
    handler.close_connection = True


def hung_up(body: dict[str, Any], handler: Any) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("bad", [busy, broken, garbage, other_json, cut, hung_up])
def test_a_request_that_fails_once_is_sent_again_and_no_answer_is_lost(bad: Behave) -> None:
    with every_other(bad) as behave:
        answers, received = send_requests(behave)
    assert all(answer.text for answer in answers) and len(answers) == 6
    assert received == 12


def endless(body: dict[str, Any], handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(100_000_000))
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x" * 100_000)


def dripping(body: dict[str, Any], handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def dripping_headers(body: dict[str, Any], handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(60):
        handler.wfile.write(b"X-%d: 1\r\n" % number)
        handler.wfile.flush()
        time.sleep(0.05)


def unfinished(body: dict[str, Any], handler: Any) -> None:
    choice = {"message": {"role": "assistant", "content": "The server does the"}, "finish_reason": "length"}
    send(handler, 200, json.dumps({"choices": [choice]}).encode())


def silent(body: dict[str, Any], handler: Any) -> None:
    time.sleep(1.0)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("bad", "failure"),
    [(busy, "HTTP 429"), (broken, "HTTP 500"), (garbage, "broken answer"), (cut, "broken answer"),
     (endless, "answer too long"), (dripping, "timed out"), (dripping_headers, "timed out"), (silent, "timed out"),
     (unfinished, "answer cut off")],
)  # fmt: skip
def test_a_request_that_always_fails_has_a_reason_and_the_others_are_answered(bad: Behave, failure: str) -> None:
    def behave(body: dict[str, Any], handler: Any) -> None:
        (bad if "number 3," in passage_of(body) else polite)(body, handler)

    answers, _ = send_requests(behave, timeout=0.3)
    failures = {answer.request.seed: answer.failure for answer in answers}
    assert failures == {0: "", 1: "", 2: "", 3: failure, 4: "", 5: ""}


def test_the_limit_of_requests_holds_with_retries() -> None:
    answers, received = send_requests(broken, max_requests=7)
    assert received == 7
    assert {answer.failure for answer in answers} <= {"over --llm-max-requests", "HTTP 500"}


def test_a_wrong_key_or_model_ends_the_run_and_the_message_does_not_hold_the_key() -> None:
    def refuses(status: int) -> Behave:
        return lambda body, handler: send(
            handler, status, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()
        )

    with pytest.raises(UserError, match="OPENAI_API_KEY") as error:
        send_requests(refuses(401))
    assert KEY not in str(error.value)
    with pytest.raises(UserError, match="--llm-model"):
        send_requests(refuses(404))


def refuses_option(name: str, value: Any = None) -> Behave:
    """A server that rejects an option, or every value of it but one."""

    def behave(body: dict[str, Any], handler: Any) -> None:
        if name in body and body[name] != value:
            send(handler, 400, json.dumps({"error": {"message": "unsupported", "param": name}}).encode())
        else:
            polite(body, handler)

    return behave


def test_a_server_with_another_name_for_the_token_limit_gets_that_name() -> None:
    answers, received = send_requests(refuses_option("max_tokens"), concurrency=1)
    assert all(answer.text for answer in answers) and len(answers) == 6
    assert received == 7


def test_a_model_with_a_fixed_temperature_is_an_error_that_names_the_option() -> None:
    with pytest.raises(UserError, match="--llm-temperature"):
        send_requests(refuses_option("temperature", 1))


@pytest.mark.parametrize("bad", [hung_up, lambda body, handler: send(handler, 400, b"{}")])
def test_a_server_that_stops_answering_ends_the_run(bad: Behave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_MAX_FAILURES_IN_A_ROW", 8)
    answers: list[RewriteAnswer] = []

    def dies(body: dict[str, Any], handler: Any) -> None:
        (polite if "number 0," in passage_of(body) else bad)(body, handler)

    with serving(dies) as url, pytest.raises(UserError, match="8 requests in a row failed"):
        answers.extend(OpenAIBackend(ServerSettings("m", url, 0.7, concurrency=1)).answer_requests(requests(100)))
    assert answers[0].text and len(answers) == 8


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://[", "localhost/v1"])
def test_an_unreachable_server_is_an_error_that_names_the_option(url: str) -> None:
    with pytest.raises(UserError, match="--llm-base-url"):
        list(OpenAIBackend(ServerSettings("m", url, 0.7)).answer_requests(requests(2)))


@pytest.mark.parametrize("wrong", [{"model": ""}, {"temperature": -1}, {"concurrency": 0}, {"max_requests": 0}])
def test_server_settings_refuse_wrong_values(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"empty|too small|at least 1"):
        ServerSettings(**{"model": "m", "base_url": None, "temperature": 0.7} | wrong)


# The whole stage


def prepare(output: Path, url: str, *more: str) -> int:
    common = ["--input", str(SAMPLES), "--output", str(output), "--llm-backend", "openai", "--llm-model", "m"]
    return data_prep.main([*common, "--llm-base-url", url, "--llm-share", "0.5", "--force", *more])


def test_a_data_set_with_a_model_obeys_the_laws_and_a_second_run_is_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    received = Counter[str]()

    def behave(body: dict[str, Any], handler: Any) -> None:
        passage = passage_of(body)
        received[passage] += 1
        if len(passage) % 5 == 0:
            say(handler, "I'm sorry, but I cannot do that.")
        else:
            say(handler, passage.replace(" the ", " the aforementioned ").replace(" and ", " and also "))

    with serving(behave) as url:
        assert prepare(tmp_path / "a.jsonl", url) == 0
        printed, count = capsys.readouterr(), received.total()
        assert count > 30 and "rewrites " in printed.out and "rejected: refusal" in printed.out
        cache = ["--llm-cache", str(tmp_path / "a.llm-cache.sqlite"), "--workers", "2"]
        assert prepare(tmp_path / "b.jsonl", url, *cache) == 0
        assert received.total() == count, "every answer was in the cache"
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    rows = list(read_records(tmp_path / "a.jsonl"))
    assert not [fault for row in rows for fault in check_record(row)]
    labels = Counter(label for row in rows for label in row["labels"] if label.startswith("llm."))
    assert {"llm.wordy", "llm.tangle", "llm.bloat", "llm.passive"} <= labels.keys() and "llm.vague" not in labels
    manifest = json.loads((tmp_path / "a.manifest.json").read_text())
    assert manifest["options"]["llm"]["prompts"]["wordy"].startswith("version 1, ")
    assert manifest["llm"]["rewrites"]["wordy: accepted"] > 0
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert KEY not in printed.out + printed.err


def test_without_accepted_answers_the_data_set_is_that_of_the_rules(tmp_path: Path) -> None:
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(tmp_path / "rules.jsonl")]) == 0
    with serving(lambda body, handler: say(handler, "HELLO")) as url:
        assert prepare(tmp_path / "a.jsonl", url) == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "rules.jsonl").read_bytes()


def test_an_interrupted_run_continues_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    received = Counter[str]()

    def behave(body: dict[str, Any], handler: Any) -> None:
        received[passage_of(body)] += 1
        say(handler, passage_of(body).replace(" the ", " this "))

    class Interrupted(OpenAIBackend):
        def answer_requests(self, requests: Any) -> Iterator[RewriteAnswer]:
            for number, answer in enumerate(super().answer_requests(requests)):
                if number == 20:
                    raise KeyboardInterrupt
                yield answer

    with serving(behave) as url:
        with monkeypatch.context() as patch:
            patch.setattr(openai, "OpenAIBackend", Interrupted)
            assert prepare(tmp_path / "a.jsonl", url, "--llm-concurrency", "2") == 130
        assert not (tmp_path / "a.jsonl").exists() and received.total() >= 20
        before = received.total()
        assert prepare(tmp_path / "a.jsonl", url) == 0
        passages_by_times = Counter(received.values())
    assert received.total() - before < received.total() and passages_by_times[1] >= 20


@pytest.mark.parametrize(
    "arguments",
    [
        ["--llm-backend", "openai"],
        ["--llm-backend", "gpt"],
        ["--llm-share", "2"],
        ["--llm-backend", "transformers"],
        ["--llm-backend", "openai", "--llm-model", "m", "--llm-base-url", "http://me:secret@host/v1"],
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        data_prep.main(["--input", str(SAMPLES), *arguments])
    assert error.value.code == 2


def test_an_unknown_problem_is_an_error_that_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(tmp_path / "a.jsonl", "http://127.0.0.1:9/v1", "--llm-problems", "sarcasm") == 1
    assert "--llm-problems sarcasm: not one of bloat" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif("LLM_BASE_URL" not in os.environ, reason="LLM_BASE_URL and LLM_MODEL name no real server")
def test_a_real_server_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {
        "--input": SAMPLES / "guide" / "retention.md",
        "--output": tmp_path / "a.jsonl",
        "--n-per-doc": 1,
        "--llm-share": 0.5,
        "--llm-backend": "openai",
        "--llm-base-url": os.environ["LLM_BASE_URL"],
        "--llm-model": os.environ["LLM_MODEL"],
        "--llm-concurrency": 1,
        "--llm-timeout": 300,
    }
    assert data_prep.main([str(part) for option in options.items() for part in option]) == 0
    assert "answered" in capsys.readouterr().out
    assert not [fault for row in read_records(tmp_path / "a.jsonl") for fault in check_record(row)]


# Models on this machine


@pytest.mark.slow
@pytest.mark.fixer
def test_an_adapter_trained_to_write_errors_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft")
    import train_qlora

    dataset, adapter = tmp_path / "d.jsonl", tmp_path / "adapter"
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(dataset)]) == 0
    training = ["--dataset", str(dataset), "--debug_tiny", "--max_steps", "1"]
    assert train_qlora.main([*training, "--save_dir", str(adapter), "--direction", "degrade"]) == 0
    common = ["--input", str(SAMPLES / "guide"), "--debug_tiny", "--llm-backend", "transformers", "--llm-share", "0.3"]
    common += ["--llm-cache", str(tmp_path / "cache.sqlite")]
    capsys.readouterr()
    for name in ("a.jsonl", "b.jsonl"):
        assert data_prep.main([*common, "--llm-model", str(adapter), "--output", str(tmp_path / name)]) == 0
    assert "already in the cache" in capsys.readouterr().out
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    manifest = json.loads((tmp_path / "a.manifest.json").read_text())
    assert manifest["options"]["llm"]["problems"] == ["learned"]
    assert sum(manifest["llm"]["rewrites"].values()) > 0
    repairing = str(tmp_path / "repairing")
    assert train_qlora.main([*training, "--save_dir", repairing]) == 0
    assert data_prep.main([*common, "--llm-model", repairing, "--output", str(tmp_path / "c.jsonl")]) == 1
    assert "--direction degrade" in capsys.readouterr().err
