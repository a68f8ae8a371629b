"""What every Generator keeps, whoever draws: recordings, a chat server, vLLM and transformers with real weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from models.backend_config import OpenAIConfig, ReplayConfig, Sampling, TransformersConfig
from models.backends.openai_compat import OpenAIGenerator
from models.backends.replay import ReplayGenerator
from models.backends.transformers_local import TransformersGenerator
from models.backends.vllm_managed import VllmGenerator
from models.errors import CodeRMError
from models.ports import Generator
from models.run_record import Generation, GenerationRequest
from models.types import SolutionSet, TestSet, UnitTest
from tasks.jsonl import read_lines, write_lines
from tasks.sample_solutions import seed_of
from tests.chat_server import MODEL, chat_server
from tests.engines import MARKS, Engine

pytest_plugins = ["tests.engine_fixtures"]
TASKS = ("t/0", "t/1", "t/2")
HELD = 4
KINDS = ("solution", "test")
SHORT = Sampling(max_tokens=24, temperature=1.5)

Opener = Callable[[Path, str], Generator]


def open_replay(folder: Path, kind: str) -> Generator:
    path = folder / f"{kind}.jsonl.gz"
    if kind == "solution":
        write_lines(path, [SolutionSet(task_id=t, solutions=tuple(f"x = {i}" for i in range(HELD))) for t in TASKS])
    else:
        tests = tuple(UnitTest(source=f"assert {i} == {i}") for i in range(HELD))
        write_lines(path, [TestSet(task_id=t, tests=tests) for t in TASKS])
    return ReplayGenerator(ReplayConfig(path=path), read_lines)


class Served:
    """The OpenAI backend together with a server of its own, which goes when the generator does."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server = self._stack.enter_context(chat_server())
        self._model = OpenAIGenerator.of(OpenAIConfig(model=MODEL, base_url=self._server.url), None)

    def __enter__(self) -> Generator:
        return self._stack.enter_context(self._model)

    def __exit__(self, *_error: object) -> None:
        self._stack.close()


def open_openai(folder: Path, kind: str) -> Generator:
    return Served()  # type: ignore[return-value]


def opener_of(name: str, request: pytest.FixtureRequest) -> Opener:
    if name == "vllm":
        engine: Engine = request.getfixturevalue("engine")
        config = engine.config.model_copy(update={"sampling": SHORT})
        return lambda folder, _kind: VllmGenerator(config, engine.pool, folder)
    if name == "transformers":
        weights = request.getfixturevalue("model")
        local = TransformersConfig(model=weights, device="cpu", dtype="float32", max_model_len=1024, batch_size=5, sampling=SHORT)
        return lambda _folder, _kind: TransformersGenerator(local)
    return {"replay": open_replay, "openai": open_openai}[name]


LIVE = ("openai", pytest.param("vllm", marks=MARKS), pytest.param("transformers", marks=MARKS))
"""Draw whatever they are asked for, so that nothing can run out."""


@pytest.fixture(params=["replay", *LIVE])
def opener(request: pytest.FixtureRequest) -> Opener:
    return opener_of(request.param, request)


@pytest.fixture(params=LIVE)
def live_opener(request: pytest.FixtureRequest) -> Opener:
    return opener_of(request.param, request)


def requests(kind: str, n: int = 2, tasks: tuple[str, ...] = TASKS) -> list[GenerationRequest]:
    return [
        GenerationRequest.model_validate({"task_id": t, "kind": kind, "prompt": f"solve {t}", "n": n, "seed": i * HELD})
        for i, t in enumerate(tasks)
    ]


def told(generation: Generation) -> list[tuple[object, ...]]:
    """Samples without their log-probabilities, which depend on how a batch is rounded."""
    return [(s.text, s.content, s.discard_reason, s.finish_reason, s.tokens_in, s.tokens_out) for s in generation.samples]


def likelihoods(generation: Generation) -> list[float | None]:
    return [s.mean_logprob for s in generation.samples]


@pytest.mark.parametrize("kind", KINDS)
def test_one_generation_a_request_with_n_samples_each(opener: Opener, tmp_path: Path, kind: str) -> None:
    asked = requests(kind, n=3)
    with opener(tmp_path, kind) as generator:
        found = {g.task_id: g for g in generator.generate(asked)}
    assert set(found) == set(TASKS)
    for request in asked:
        generation = found[request.task_id]
        assert (generation.kind, generation.prompt_digest) == (kind, request.prompt_digest)
        assert len(generation.samples) == request.n


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_kept_content_or_a_reason(opener: Opener, tmp_path: Path, kind: str) -> None:
    with opener(tmp_path, kind) as generator:
        samples = [s for g in generator.generate(requests(kind)) for s in g.samples]
    for sample in samples:
        assert (sample.content is None) == (sample.discard_reason is not None)
        assert isinstance(sample.content, str if kind == "solution" else UnitTest) or sample.content is None
        assert sample.tokens_in >= 0
        assert sample.tokens_out >= 0


def test_no_request_gives_no_generation(opener: Opener, tmp_path: Path) -> None:
    with opener(tmp_path, "solution") as generator:
        assert list(generator.generate([])) == []


def test_what_a_task_gets_does_not_depend_on_its_neighbours(opener: Opener, tmp_path: Path) -> None:
    with opener(tmp_path, "solution") as generator:
        together = {g.task_id: g for g in generator.generate(requests("solution"))}
        alone = {g.task_id: g for r in reversed(requests("solution")) for g in generator.generate([r])}
    for task, generation in together.items():
        assert told(generation) == told(alone[task])
        assert likelihoods(generation) == pytest.approx(likelihoods(alone[task]), abs=1e-3)


def test_fewer_samples_are_the_first_of_more(opener: Opener, tmp_path: Path) -> None:
    with opener(tmp_path, "solution") as generator:
        (few,) = generator.generate(requests("solution", 1, TASKS[:1]))
        (many,) = generator.generate(requests("solution", HELD, TASKS[:1]))
    assert told(many)[:1] == told(few)


def test_n_draws_with_a_seed_are_single_draws_with_it_and_those_that_follow(live_opener: Opener, tmp_path: Path) -> None:
    seed = seed_of(7, "solution", "t/0")
    (asked,) = requests("solution", HELD, TASKS[:1])
    single = [asked.model_copy(update={"n": 1, "seed": seed + k}) for k in range(HELD)]
    with live_opener(tmp_path, "solution") as generator:
        (together,) = generator.generate([asked.model_copy(update={"seed": seed})])
        alone = [g.samples[0].text for one in single for g in generator.generate([one])]
    assert [s.text for s in together.samples] == alone
    assert len(set(alone)) == HELD


def test_a_live_model_tells_tokens_and_likelihoods(live_opener: Opener, tmp_path: Path) -> None:
    with live_opener(tmp_path, "solution") as generator:
        for generation in generator.generate(requests("solution", HELD)):
            assert [s.tokens_in > 0 for s in generation.samples] == [True] + [False] * (HELD - 1)
            assert all(s.tokens_out > 0 and s.mean_logprob is not None and s.mean_logprob < 0 for s in generation.samples)


def test_problems_with_one_prompt_have_draws_of_their_own(live_opener: Opener, tmp_path: Path) -> None:
    """Seeds are spaced by problem: under one seed for all, two problems that read alike would get the same samples."""
    asked = [
        r.model_copy(update={"prompt": "solve it", "seed": seed_of(7, "solution", r.task_id)}) for r in requests("solution", HELD)
    ]
    with live_opener(tmp_path, "solution") as generator:
        texts = {s.text for g in generator.generate(asked) for s in g.samples}
    assert len(texts) == len(TASKS) * HELD


def test_what_cannot_be_served_is_an_error_of_ours_before_anything_is_served(tmp_path: Path) -> None:
    with open_replay(tmp_path, "solution") as generator:  # a live model does not run out
        served = []
        asked = [*requests("solution", 1), *requests("solution", 10_000, ("nowhere",))]
        with pytest.raises(CodeRMError):
            served.extend(generator.generate(asked))
    assert served == []


def test_the_identity_is_known_and_stable(opener: Opener, tmp_path: Path) -> None:
    with opener(tmp_path, "solution") as generator:
        assert generator.identity == generator.identity
        assert generator.identity.backend
        assert generator.identity.model
        assert generator.identity.prompt_version


def test_closing_twice_is_closing(opener: Opener, tmp_path: Path) -> None:
    generator = opener(tmp_path, "solution")
    with generator:
        pass
    generator.__exit__(None, None, None)
