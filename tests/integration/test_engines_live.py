"""What a real vLLM server answers: adapters, likelihoods, hidden states, and what is wrong with a request. No flow, no Prefect.

The numbers are held against transformers, which computes the same weights with other code.
"""

from __future__ import annotations

import os
import signal
from itertools import islice
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.backend_config import Sampling, TransformersConfig, VllmConfig
from models.backends.chat_protocol import Part, payload, read_answer
from models.backends.engine_process import marked
from models.backends.hidden_states import states_by_transformers, states_by_vllm
from models.backends.transformers_local import TransformersGenerator
from models.backends.transformers_model import LoadedModel, load
from models.backends.vllm_command import ADAPTER
from models.errors import BackendUnavailable, InputError, PromptTooLong
from models.prompts import solution_prompt
from models.run_record import GenerationRequest
from tests.engines import MARKS, Engine, managed
from tests.tiny_model import problems

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = MARKS


def asked(n: int, **fields: object) -> list[GenerationRequest]:
    """One request a problem that the model has learned."""
    return [
        GenerationRequest.model_validate(
            {"task_id": t, "kind": "solution", "prompt": solution_prompt(p, "coderm-1"), "n": n, "seed": at << 14, **fields}
        )
        for at, (t, p) in enumerate(problems().items())
    ]


def local(model: str, **sampling: object) -> TransformersConfig:
    chosen = Sampling.model_validate({"max_tokens": 40, **sampling})
    return TransformersConfig(model=model, device="cpu", dtype="float32", max_model_len=1024, sampling=chosen)


def test_likelihoods_are_those_of_transformers(engine: Engine, model: str) -> None:
    """The most likely answer is the same text with the same mean log-probability; drawn tokens are as likely there as here."""
    with TransformersGenerator(local(model, temperature=0)) as generator:
        theirs = {g.task_id: g.samples[0] for g in generator.generate(asked(1))}
    for task, (sample,) in engine.drawn(*asked(1), temperature=0, max_tokens=40).items():
        assert (sample.text, sample.tokens_out) == (theirs[task].text, theirs[task].tokens_out)
        assert sample.mean_logprob == pytest.approx(theirs[task].mean_logprob, abs=1e-4)
    loaded = load(model, None, "cpu", "float32")
    config = engine.config.model_copy(update={"sampling": Sampling(max_tokens=40, temperature=1.2)})
    for request in asked(4):
        body = {**payload(config, request, Part(0, 4, True), extras=True), "return_token_ids": True}
        answer = httpx.post(f"{engine.url}/chat/completions", json=body, timeout=120, trust_env=False)
        choices = {choice["index"]: choice["token_ids"] for choice in answer.json()["choices"]}
        for k, response in enumerate(read_answer(answer.text, 4)):
            assert response.mean_logprob == pytest.approx(mean_logprob(loaded, request.prompt, choices[k]), abs=1e-4)
            assert response.tokens_out == len(choices[k])


def mean_logprob(loaded: LoadedModel, prompt: str, answer: list[int]) -> float:
    """Of an answer's tokens, in one forward pass."""
    import torch

    question = loaded.prompt_tokens(prompt)
    with torch.inference_mode():
        scores = loaded.model(input_ids=torch.tensor([question + answer])).logits[0].log_softmax(-1)
    return sum(float(scores[len(question) - 1 + at, token]) for at, token in enumerate(answer)) / len(answer)


def test_an_adapter_draws_what_its_base_does_not(engine: Engine) -> None:
    base = engine.drawn(*asked(2), temperature=0.8, max_tokens=40)
    adapted = engine.drawn(*asked(2), model=ADAPTER, temperature=0.8, max_tokens=40)
    for task, samples in base.items():
        assert not {s.text for s in samples} & {s.text for s in adapted[task]}


def test_what_is_wrong_with_a_request_is_one_line(engine: Engine) -> None:
    with pytest.raises(InputError, match="field 'model': 'nobody/nothing' is not served; expected one of:"):
        engine.drawn(*asked(1), model="nobody/nothing")
    request = asked(1)[0]
    with pytest.raises(InputError, match=f"{request.task_id}.*max_tokens = 5000 do not fit into the context") as caught:
        engine.drawn(request, max_tokens=5000)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, PromptTooLong)


def test_a_prompt_that_is_too_long_costs_its_own_problem_alone(engine: Engine) -> None:
    drawn = engine.drawn(*asked(2), *asked(2, task_id="demo/x", prompt="word " * 3000), max_tokens=10)
    assert [s.discard_reason for s in drawn.pop("demo/x")] == ["prompt_too_long"] * 2
    assert set(drawn) == set(problems())
    assert all(s.tokens_out for samples in drawn.values() for s in samples)


def test_hidden_states_of_both_engines_are_equal_and_a_killed_server_is_one_line(model: str, tmp_path: Path) -> None:
    prompts = {t: solution_prompt(p, "coderm-1") for t, p in problems().items()}
    ours = dict(states_by_transformers(local(model), prompts))
    config = VllmConfig.model_validate(managed(model, concurrency=1))
    many = {**prompts, **{f"more/{at}": "word " * 500 for at in range(2000)}}
    stream = states_by_vllm(config, many, tmp_path, lambda _line: None)
    found = dict(islice(stream, len(prompts)))
    for task, states in ours.items():
        assert found[task].shape == (1, 1, states.shape[-1])
        np.testing.assert_allclose(found[task][0], states[-1], atol=1e-5)
    (record,) = (tmp_path / "engines").glob("*.json")
    pids = marked({record.stem})
    server = next(pid for pid in pids if b"api_server" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(server, signal.SIGKILL)
    with pytest.raises(BackendUnavailable, match=r"the vLLM server ended: by SIGKILL.*log: "):
        list(stream)
    assert marked({record.stem}) == []
    assert not record.exists()
