"""The client of an OpenAI-compatible server against a real one that misbehaves: what is tried again, what is said, what is kept."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr, ValidationError

from db.store import open_store
from models.backend_config import OpenAIConfig, VllmConfig
from models.backends.chat_client import ChatClient
from models.backends.openai_compat import OpenAIGenerator
from models.backends.stored import StoredGenerator
from models.errors import BackendUnavailable, CodeRMError, InputError
from models.run_record import Generation, GenerationRequest, SampleCounts
from tests.chat_server import MODEL, Act, ChatServer, Plan, chat_server, error


def config(url: str, **fields: Any) -> OpenAIConfig:
    quick = {"attempts": 3, "max_wait_s": 0.05, "timeout_s": 20}
    return OpenAIConfig.model_validate({"model": MODEL, "base_url": url, **quick, **fields})


def asked(*tasks: str, n: int = 3, kind: Literal["solution", "test"] = "solution") -> list[GenerationRequest]:
    return [GenerationRequest(task_id=t, kind=kind, prompt=f"solve {t}", n=n, seed=1000 * i) for i, t in enumerate(tasks)]


def drawn(url: str, requests: list[GenerationRequest], **fields: Any) -> dict[str, Generation]:
    with OpenAIGenerator.of(config(url, **fields), None) as model:
        return {g.task_id: g for g in model.generate(requests)}


def seeds(generation: Generation) -> list[int]:
    return [int(re.search(r"assertEqual\((\d+)", s.text)[1]) for s in generation.samples]  # type: ignore[index]


def first(times: int, act: Act) -> Plan:
    return lambda number, _body: act if number < times else None


def test_samples_carry_their_seed_tokens_and_likelihood() -> None:
    with chat_server() as server:
        found = drawn(server.url, asked("a", "b"))
        without = drawn(server.url, asked("a"), sampling={"logprobs": False})["a"]
    assert {t: seeds(g) for t, g in found.items()} == {"a": [0, 1, 2], "b": [1000, 1001, 1002]}
    assert [s.tokens_in for s in found["a"].samples] == [7, 0, 0]
    assert {(s.tokens_out, s.mean_logprob) for s in found["a"].samples} == {(4, -0.5)}
    assert {(s.tokens_out, s.mean_logprob) for s in without.samples} == {(4, None)}
    assert server.bodies[0]["temperature"] == 0.8
    assert server.bodies[0]["add_generation_prompt"] is True


@pytest.mark.parametrize("fields", [{"n_a_request": 2}, {}], ids=["split by us", "capped by the server"])
def test_parts_of_a_request_follow_on_in_their_seeds(fields: dict[str, int]) -> None:
    with chat_server(cap=None if fields else 2) as server:
        assert seeds(drawn(server.url, asked("a", n=5), **fields)["a"]) == [0, 1, 2, 3, 4]
    assert [(b["n"], b["seed"]) for b in server.bodies][-1] == (1, 4)


def test_only_the_first_samples_tell_their_likelihood_where_that_is_dear() -> None:
    with chat_server() as server:
        few = drawn(server.url, asked("a", n=5), logprob_samples=2, concurrency=1)["a"]
        every = drawn(server.url, asked("a", n=5))["a"]
    assert seeds(few) == [0, 1, 2, 3, 4]
    assert [s.mean_logprob for s in few.samples] == [-0.5, -0.5, None, None, None]
    assert [s.text for s in few.samples] == [s.text for s in every.samples]
    assert sum(s.tokens_out for s in few.samples) == sum(s.tokens_out for s in every.samples)
    assert server.most_at_once == 1
    assert sorted((b["n"], b["seed"], b.get("logprobs")) for b in server.bodies[:2]) == [(2, 0, True), (3, 2, None)]


def test_a_server_that_refuses_many_samples_is_asked_for_fewer() -> None:
    def plan(_number: int, body: dict[str, Any]) -> Act | None:
        return error(400, "n must be at most 2") if body["n"] > 2 else None

    with chat_server(plan) as server:
        assert seeds(drawn(server.url, asked("a", n=8))["a"]) == list(range(8))
    assert max(b["n"] for b in server.bodies[2:]) == 2


@pytest.mark.parametrize(
    "act",
    [
        error(429, "slow down"),
        error(500, "boom"),
        error(503, "loading"),
        Act(body="<html>"),
        Act(body='{"choices": []}'),
        Act(body='{"choices": [{"message": {"content": 3}}]}'),
        Act(body='{"choices": "many"}', cut=True),
    ],
    ids=["429", "500", "503", "garbage", "no choice", "wrong type", "half"],
)
def test_what_passes_is_tried_again(act: Act) -> None:
    with chat_server(first(2, act)) as server:
        assert seeds(drawn(server.url, asked("a"))["a"]) == [0, 1, 2]
    assert len(server.bodies) == 3


def test_the_server_may_say_how_long_it_wants_to_be_left_alone() -> None:
    busy = Act(429, "{}", after_s="0.6")
    with chat_server(first(1, busy)) as server:
        began = time.monotonic()
        drawn(server.url, asked("a"), max_wait_s=5)
    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        (error(500, "boom"), BackendUnavailable, r"'b': no answer after 3 tries: status 500: boom"),
        (Act(body="<html>\n" * 99), BackendUnavailable, r"an answer that is none .*'<html> <html>"),
        (Act(body="x" * 99, cut=True), BackendUnavailable, "the answer broke off|the connection broke"),
        (Act(silent=True), BackendUnavailable, "no answer in time"),
        (error(401, "no such key"), BackendUnavailable, "set CODERM_OPENAI_API_KEY"),
        (error(400, "This model's maximum context length is 2048 tokens."), InputError, "task 'b'.*max_tokens = 2048.*lower"),
        (error(400, "default chat template is no longer allowed"), InputError, "no chat template.*--chat-template"),
        (error(404, "The model `x` does not exist."), InputError, "field 'model': 'tiny/policy' is not served"),
        (error(400, "extra fields not permitted"), InputError, "status 400: extra fields"),
    ],
    ids=["500", "garbage", "half", "silence", "key", "context", "template", "model", "other"],
)
def test_what_stays_wrong_is_one_line_and_finished_work_is_kept(act: Act, kind: type[CodeRMError], said: str) -> None:
    def plan(_number: int, body: dict[str, Any]) -> Act | None:
        return act if "solve b" in body["messages"][0]["content"] else None

    kept: list[str] = []
    timeout_s = 0.4 if act.silent else 20
    with (
        chat_server(plan) as server,
        OpenAIGenerator.of(config(server.url, concurrency=2, timeout_s=timeout_s), None) as model,
        pytest.raises(kind, match=said) as caught,
    ):
        kept.extend(g.task_id for g in model.generate(asked("a", "b", "c")))
    assert "a" in kept
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_server_that_is_not_there_or_has_another_model_is_known_at_once() -> None:
    with chat_server() as server:
        with pytest.raises(InputError, match="expected one of: tiny/policy"):
            drawn(server.url, asked("a"), model="other")
        assert not server.bodies
    with pytest.raises(BackendUnavailable, match=r"no connection.*start the server"):
        drawn(server.url, asked("a"))


def test_no_more_requests_at_one_time_than_configured_and_as_many() -> None:
    def plan(_number: int, _body: dict[str, Any]) -> None:
        time.sleep(0.03)

    with chat_server(plan) as server:
        assert len(drawn(server.url, asked(*"abcdefghijkl"), concurrency=4)) == 12
    assert 2 <= server.most_at_once <= 4


@pytest.mark.parametrize(("n", "at_once"), [(10, 8), (40, 2), (1000, 1)])
def test_a_server_of_our_own_is_asked_for_twice_what_it_has_room_for(n: int, at_once: int) -> None:
    def plan(_number: int, _body: dict[str, Any]) -> None:
        time.sleep(0.2)

    wanted = VllmConfig(model=MODEL, max_num_seqs=40, logprob_samples=None)
    with chat_server(plan) as server, OpenAIGenerator.of_engine(wanted, server.url, lambda: True) as model:
        assert len(list(model.generate(asked(*"abcdefghijklmnop", n=n)))) == 16
    assert server.most_at_once == at_once


def test_a_prompt_that_is_too_long_is_discarded_counted_and_asked_again_by_the_next_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    room = {"b": 4096}

    def plan(_number: int, body: dict[str, Any]) -> Act | None:
        task = body["messages"][0]["content"][-1]
        said = f"This model's maximum context length is {room.get(task)} tokens, and your request has 4090 input tokens"
        return error(400, said) if task in room else None

    def counts(server: ChatServer) -> dict[str, SampleCounts]:
        live = OpenAIGenerator.of(config(server.url), None)
        with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store, StoredGenerator(live, store, "ast-2") as model:
            return {g.task_id: SampleCounts.of(g) for g in model.generate(asked(*"abc", n=3, kind="test"))}

    with chat_server(plan) as server:
        found = counts(server)
        assert (found["b"].drawn, found["b"].kept, found["b"].discarded) == (3, 0, {"prompt_too_long": 3})
        assert (found["a"].kept, found["c"].kept) == (3, 3)
        assert "task 'b': the prompt and sampling.max_tokens = 2048 do not fit" in caplog.text
        room.clear()
        again = counts(server)
    assert (again["b"].kept, again["b"].reused, again["a"].reused) == (3, 0, 3)


def test_requests_may_come_slowly_and_finished_problems_go_out_meanwhile() -> None:
    taken: list[str] = []

    def slowly() -> Iterator[GenerationRequest]:
        """The second request comes only when the first generation was handed out."""
        one, two = asked("a", "b")
        yield one
        while not taken:
            time.sleep(0.005)
        yield two

    with chat_server() as server, OpenAIGenerator.of(config(server.url), None) as model:
        taken.extend(generation.task_id for generation in model.generate(slowly()))
        assert model.busy_s > 0
    assert taken == ["a", "b"]


def test_a_caller_that_stops_or_fails_leaves_nothing_behind() -> None:
    def failing() -> Iterator[GenerationRequest]:
        yield from asked("a")
        raise InputError("the policy's stream broke")

    with chat_server() as server, OpenAIGenerator.of(config(server.url, concurrency=1), None) as model:
        stream = model.generate(asked(*"abcdefgh"))
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert len(server.bodies) < 8
        with pytest.raises(InputError, match="stream broke"):
            list(model.generate(failing()))


def test_the_key_goes_into_the_header_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from tasks.resources import open_generator
    from tasks.settings import api_key

    monkeypatch.setenv("CODERM_HOUSE_API_KEY", "sk-hidden")
    caplog.set_level(0)
    with chat_server(first(9, error(401, "no"))) as server:
        wanted = config(server.url, api_key="house")
        model = open_generator(wanted)
        with model, pytest.raises(BackendUnavailable, match="CODERM_HOUSE_API_KEY") as caught:
            list(model.generate(asked("a")))
    assert server.keys == ["Bearer sk-hidden"]
    inside = {**vars(model), **vars(model._client)}  # type: ignore[attr-defined]
    told = [str(caught.value), wanted.model_dump_json(), model.identity.model_dump_json(), repr(inside), caplog.text]
    assert not [text for text in told if "sk-hidden" in text]
    assert api_key("nobody") is None


@pytest.mark.parametrize("url", ["ftp://x/v1", "http://user:secret@x/v1", "http://x/v1?key=secret", "x/v1"])
def test_an_address_holds_no_secret(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        config(url)


def test_a_template_without_the_assistants_header_is_vllms_field_only() -> None:
    with pytest.raises(ValidationError, match="only vLLM knows"):
        config("http://x/v1", generation_prompt=False, vllm_extras=False)
    with chat_server() as server:
        drawn(server.url, asked("a"), generation_prompt=False)
        drawn(server.url, asked("a"), vllm_extras=False)
    assert server.bodies[0]["add_generation_prompt"] is False
    assert "add_generation_prompt" not in server.bodies[1]


def test_the_key_is_masked_where_python_shows_it() -> None:
    client = ChatClient(config("http://x/v1"), "http://x/v1", SecretStr("hidden"))
    assert "hidden" not in repr(vars(client))
