"""Language models behind stage 1: answers kept and looked up, servers that behave badly, models on this machine."""

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


def asked(behave: Behave, count: int = 6, **settings: Any) -> tuple[list[RewriteAnswer], int]:
    """What comes of some requests to a server, and how many HTTP requests it saw."""
    seen = Counter[str]()

    def counted(body: dict[str, Any], handler: Any) -> None:
        seen["requests"] += 1
        behave(body, handler)

    with serving(counted) as url:
        server = ServerSettings("m", url, 0.7, **({"concurrency": 4, "timeout": 2.0} | settings))
        answers = list(OpenAIBackend(server).answers(requests(count)))
    return answers, seen["requests"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


# Answers that are kept


def test_an_answer_is_found_again_by_model_prompt_passage_and_seed(tmp_path: Path) -> None:
    one, other = requests(2)
    answers = AnswerCache(str(tmp_path / "a.sqlite"), "model 1", write=True)
    answers.keep(one, "It is said.")
    answers.close()
    found = AnswerCache(str(tmp_path / "a.sqlite"), "model 1")
    assert found.rewrite(one) == "It is said."
    assert [found.rewrite(each) for each in (other, one._replace(seed=9), one._replace(problem="vague"))] == [None] * 3
    assert AnswerCache(str(tmp_path / "a.sqlite"), "model 2").rewrite(one) is None


def test_only_what_is_not_there_is_asked_and_failures_are_asked_again(tmp_path: Path) -> None:
    class Backend:
        def __init__(self) -> None:
            self.seen: list[RewriteRequest] = []

        def answers(self, requests: Any) -> Iterator[RewriteAnswer]:
            for request in requests:
                self.seen.append(request)
                yield (
                    RewriteAnswer(request, None, "timed out")
                    if request.seed == 2
                    else RewriteAnswer(request, request.passage[::-1])
                )

    answers = AnswerCache(str(tmp_path / "a.sqlite"), "m", write=True)
    first, again = Backend(), Backend()
    assert Counter(fill_cache(first, requests(4), answers)) == {"answered": 3, "timed out": 1}
    assert Counter(fill_cache(again, requests(4), answers)) == {"found in the cache": 3, "timed out": 1}
    assert [request.seed for request in again.seen] == [2]


def test_what_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"no data base, but long enough to be looked at as one" * 30)
    for write in (True, False):
        with pytest.raises(UserError, match="--llm-cache"):
            AnswerCache(str(path), "m", write=write)


# Servers


def polite(body: dict[str, Any], handler: Any) -> None:
    say(handler, passage_of(body).replace("reads", "does the reading of"))


def test_a_server_is_asked_for_each_passage() -> None:
    answers, seen = asked(polite)
    assert sorted(answer.text or "" for answer in answers) == sorted(
        request.passage.replace("reads", "does the reading of") for request in requests(6)
    )
    assert seen == 6


@contextmanager
def every_other(bad: Behave) -> Iterator[Behave]:
    """The bad behaviour for the first try of each passage, then the polite one."""
    known: set[str] = set()
    lock = threading.Lock()

    def behave(body: dict[str, Any], handler: Any) -> None:
        with lock:
            first = passage_of(body) not in known
            known.add(passage_of(body))
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
def test_what_goes_wrong_once_is_tried_again_and_nothing_is_lost(bad: Behave) -> None:
    with every_other(bad) as behave:
        answers, seen = asked(behave)
    assert all(answer.text for answer in answers) and len(answers) == 6
    assert seen == 12


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
    ("bad", "problem"),
    [(busy, "HTTP 429"), (broken, "HTTP 500"), (garbage, "a broken answer"), (cut, "a broken answer"),
     (endless, "an endless answer"), (dripping, "timed out"), (dripping_headers, "timed out"), (silent, "timed out"),
     (unfinished, "an answer that was cut off")],
)  # fmt: skip
def test_what_goes_wrong_always_is_told_and_the_others_are_answered(bad: Behave, problem: str) -> None:
    def behave(body: dict[str, Any], handler: Any) -> None:
        (bad if "number 3," in passage_of(body) else polite)(body, handler)

    answers, _ = asked(behave, timeout=0.3)
    told = {answer.request.seed: answer.problem for answer in answers}
    assert told == {0: "", 1: "", 2: "", 3: problem, 4: "", 5: ""}


def test_no_more_is_asked_than_allowed_retries_too() -> None:
    answers, seen = asked(broken, most=7)
    assert seen == 7
    assert {answer.problem for answer in answers} <= {"over --llm-max-requests", "HTTP 500"}


def test_a_wrong_key_or_model_ends_the_run_and_the_key_is_not_told() -> None:
    def refuses(status: int) -> Behave:
        return lambda body, handler: send(
            handler, status, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()
        )

    with pytest.raises(UserError, match="OPENAI_API_KEY") as error:
        asked(refuses(401))
    assert KEY not in str(error.value)
    with pytest.raises(UserError, match="--llm-model"):
        asked(refuses(404))


def refuses_option(name: str, value: Any = None) -> Behave:
    """A server that knows no such option, or not with that value."""

    def behave(body: dict[str, Any], handler: Any) -> None:
        if name in body and body[name] != value:
            send(handler, 400, json.dumps({"error": {"message": "unsupported", "param": name}}).encode())
        else:
            polite(body, handler)

    return behave


def test_a_model_that_knows_another_name_of_the_limit_is_told_so() -> None:
    answers, seen = asked(refuses_option("max_tokens"), concurrency=1)
    assert all(answer.text for answer in answers) and len(answers) == 6
    assert seen == 7


def test_a_model_with_one_temperature_says_which_option_to_change() -> None:
    with pytest.raises(UserError, match="--llm-temperature"):
        asked(refuses_option("temperature", 1))


@pytest.mark.parametrize("bad", [hung_up, lambda body, handler: send(handler, 400, b"{}")])
def test_a_server_that_answers_no_more_ends_the_run(bad: Behave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_MOST_IN_A_ROW", 8)
    told: list[RewriteAnswer] = []

    def dies(body: dict[str, Any], handler: Any) -> None:
        (polite if "number 0," in passage_of(body) else bad)(body, handler)

    with serving(dies) as url, pytest.raises(UserError, match="8 requests in a row failed"):
        told.extend(OpenAIBackend(ServerSettings("m", url, 0.7, concurrency=1)).answers(requests(100)))
    assert told[0].text and len(told) == 8


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://[", "localhost/v1"])
def test_a_server_that_is_not_there_is_named(url: str) -> None:
    with pytest.raises(UserError, match="--llm-base-url"):
        list(OpenAIBackend(ServerSettings("m", url, 0.7)).answers(requests(2)))


# The whole stage


def prepare(output: Path, url: str, *more: str) -> int:
    usual = ["--input", str(SAMPLES), "--output", str(output), "--llm-backend", "openai", "--llm-model", "m"]
    return data_prep.main([*usual, "--llm-base-url", url, "--llm-share", "0.5", "--force", *more])


def test_a_data_set_with_a_model_obeys_the_laws_and_a_second_run_is_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = Counter[str]()

    def behave(body: dict[str, Any], handler: Any) -> None:
        passage = passage_of(body)
        seen[passage] += 1
        if len(passage) % 5 == 0:
            say(handler, "I'm sorry, but I cannot do that.")
        else:
            say(handler, passage.replace(" the ", " the aforementioned ").replace(" and ", " and also "))

    with serving(behave) as url:
        assert prepare(tmp_path / "a.jsonl", url) == 0
        said, count = capsys.readouterr(), seen.total()
        assert count > 30 and "rewrites " in said.out and "not taken: a refusal" in said.out
        cache = ["--llm-cache", str(tmp_path / "a.llm-cache.sqlite"), "--workers", "2"]
        assert prepare(tmp_path / "b.jsonl", url, *cache) == 0
        assert seen.total() == count, "every answer was in the cache"
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    rows = list(read_records(tmp_path / "a.jsonl"))
    assert not [fault for row in rows for fault in check_record(row)]
    labels = Counter(label for row in rows for label in row["labels"] if label.startswith("llm."))
    assert {"llm.wordy", "llm.tangle", "llm.bloat", "llm.passive"} <= labels.keys() and "llm.vague" not in labels
    manifest = json.loads((tmp_path / "a.manifest.json").read_text())
    assert manifest["options"]["llm"]["prompts"]["wordy"].startswith("version 1, ")
    assert manifest["llm"]["rewrites"]["wordy: taken"] > 0
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert KEY not in said.out + said.err


def test_where_no_answer_is_taken_the_records_are_those_of_the_rules(tmp_path: Path) -> None:
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(tmp_path / "rules.jsonl")]) == 0
    with serving(lambda body, handler: say(handler, "HELLO")) as url:
        assert prepare(tmp_path / "a.jsonl", url) == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "rules.jsonl").read_bytes()


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Counter[str]()

    def behave(body: dict[str, Any], handler: Any) -> None:
        seen[passage_of(body)] += 1
        say(handler, passage_of(body).replace(" the ", " this "))

    class Interrupted(OpenAIBackend):
        def answers(self, requests: Any) -> Iterator[RewriteAnswer]:
            for number, answer in enumerate(super().answers(requests)):
                if number == 20:
                    raise KeyboardInterrupt
                yield answer

    with serving(behave) as url:
        with monkeypatch.context() as patch:
            patch.setattr(openai, "OpenAIBackend", Interrupted)
            assert prepare(tmp_path / "a.jsonl", url, "--llm-concurrency", "2") == 130
        assert not (tmp_path / "a.jsonl").exists() and seen.total() >= 20
        before = seen.total()
        assert prepare(tmp_path / "a.jsonl", url) == 0
        kept = Counter(seen.values())
    assert seen.total() - before < seen.total() and kept[1] >= 20


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
def test_what_does_not_go_together_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        data_prep.main(["--input", str(SAMPLES), *arguments])
    assert error.value.code == 2


def test_an_unknown_problem_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(tmp_path / "a.jsonl", "http://127.0.0.1:9/v1", "--llm-problems", "sarcasm") == 1
    assert "--llm-problems sarcasm: is none of bloat" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif("LLM_BASE_URL" not in os.environ, reason="LLM_BASE_URL and LLM_MODEL name no real server")
def test_a_real_server_is_survived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "--input",
        str(SAMPLES / "guide" / "retention.md"),
        "--output",
        str(tmp_path / "a.jsonl"),
        "--llm-share",
        "0.5",
    ]
    asked += [
        "--llm-backend",
        "openai",
        "--llm-base-url",
        os.environ["LLM_BASE_URL"],
        "--llm-model",
        os.environ["LLM_MODEL"],
    ]
    assert data_prep.main([*asked, "--n-per-doc", "1", "--llm-concurrency", "1", "--llm-timeout", "300"]) == 0
    assert "answered" in capsys.readouterr().out
    assert not [fault for row in read_records(tmp_path / "a.jsonl") for fault in check_record(row)]


# Models on this machine


@pytest.mark.slow
@pytest.mark.fixer
def test_an_adapter_that_learned_to_write_errors_makes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft")
    import train_qlora

    made, adapter = tmp_path / "d.jsonl", tmp_path / "adapter"
    assert data_prep.main(["--input", str(SAMPLES), "--output", str(made)]) == 0
    taught = ["--dataset", str(made), "--save_dir", str(adapter), "--debug_tiny", "--max_steps", "1"]
    assert train_qlora.main([*taught, "--direction", "degrade"]) == 0
    asked = ["--input", str(SAMPLES / "guide"), "--debug_tiny", "--llm-backend", "transformers", "--llm-share", "0.3"]
    asked += ["--llm-model", str(adapter), "--llm-cache", str(tmp_path / "cache.sqlite")]
    capsys.readouterr()
    for name in ("a.jsonl", "b.jsonl"):
        assert data_prep.main([*asked, "--output", str(tmp_path / name)]) == 0
    assert "found in the cache" in capsys.readouterr().out
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    manifest = json.loads((tmp_path / "a.manifest.json").read_text())
    assert manifest["options"]["llm"]["problems"] == ["learned"]
    assert sum(manifest["llm"]["rewrites"].values()) > 0
    assert train_qlora.main([*taught[:3], str(tmp_path / "mends"), *taught[4:]]) == 0
    asked[asked.index(str(adapter))] = str(tmp_path / "mends")
    assert data_prep.main([*asked, "--output", str(tmp_path / "c.jsonl")]) == 1
    assert "was trained to mend errors" in capsys.readouterr().err
