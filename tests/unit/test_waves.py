"""The plan of two models' turns: against a queue played out problem by problem, against all plans there are, and against bounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.waves import WORTH, Paces, Standing, Waves, best_waves, next_wave, wall

SECONDS = st.floats(0, 10)
PACES = st.builds(Paces, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS)


@st.composite
def standings(draw: st.DrawFn, most: int = 60) -> Standing:
    left = draw(st.integers(1, most))
    return Standing(left, draw(st.integers(0, left)), draw(SECONDS), draw(SECONDS))


@st.composite
def plans(draw: st.DrawFn) -> tuple[Waves, Standing]:
    now = draw(standings(20))
    cuts = draw(st.sets(st.integers(max(1, now.sampled), now.left)))
    return tuple(b - a for a, b in pairwise(sorted({0, now.left} | cuts))), now


def played(waves: Waves, paces: Paces, now: Standing) -> float:
    """Every problem and every piece of work, one after the other."""
    clock, work = now.opening, [(0.0, now.queued)]
    for k, size in enumerate(waves):
        clock += paces.switch if k else 0.0
        for at in range(size):
            if k or at >= now.sampled:
                clock += paces.sample
                work.append((clock, paces.label))
        clock += paces.switch
        for _ in range(size):
            clock += paces.test
            work.append((clock, paces.cells))
    sandbox = 0.0
    for ready, seconds in sorted(work, key=lambda piece: piece[0]):
        sandbox = max(sandbox, ready) + seconds
    return max(clock, sandbox)


@given(plans(), PACES)
def test_wall_is_what_playing_it_out_takes(plan: tuple[Waves, Standing], paces: Paces) -> None:
    waves, now = plan
    assert wall(waves, paces, now) == pytest.approx(played(waves, paces, now))


@given(PACES, standings(), st.one_of(st.none(), st.integers(1, 8)))
def test_every_problem_is_in_one_wave_and_the_sampled_ones_in_the_first(paces: Paces, now: Standing, count: int | None) -> None:
    waves = best_waves(paces, now, count)
    assert sum(waves) == now.left
    assert all(size > 0 for size in waves)
    assert waves[0] >= now.sampled
    assert count is None or len(waves) <= count


@given(PACES, standings())
def test_a_plan_is_no_worse_than_one_wave_and_no_better_than_the_bounds(paces: Paces, now: Standing) -> None:
    found = wall(best_waves(paces, now), paces, now)
    assert found <= wall((now.left,), paces, now)
    to_sample = now.left - now.sampled
    gpu = now.opening + to_sample * paces.sample + now.left * paces.test + paces.switch
    sandbox = now.queued + to_sample * paces.label + now.left * paces.cells
    first = now.opening + (0 if now.sampled else paces.sample) + paces.switch + paces.test
    assert found >= max(gpu + paces.cells, sandbox, first + now.left * paces.cells) * (1 - 1e-9)


def every_plan(problems: int) -> Iterator[Waves]:
    yield (problems,)
    yield from ((first, *rest) for first in range(1, problems) for rest in every_plan(problems - first))


@given(st.integers(1, 9), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0.1, 40), st.floats(0, 20))
def test_no_plan_is_much_better(problems: int, sample: float, test: float, cells: float, switch: float) -> None:
    """By more than a problem's own times: sizes are whole numbers, and a wave more has to be worth it."""
    paces, now = Paces(sample, test, cells, 0.0, switch), Standing(problems)
    best = min(wall(waves, paces, now) for waves in every_plan(problems))
    assert wall(best_waves(paces, now), paces, now) <= best * (1 + 3 * WORTH) + sample + test + cells


@given(PACES, standings(), st.floats(1, 8))
def test_a_guess_gives_a_wave_that_there_is(paces: Paces, now: Standing, doubt: float) -> None:
    assert max(1, now.sampled) <= next_wave(paces, now, doubt) <= now.left
    assert next_wave(paces, now, 1.0) == best_waves(paces, now)[0]


def test_waves_grow_where_the_sandbox_is_slower_shrink_where_the_gpu_is_and_are_one_where_it_keeps_up() -> None:
    now = Standing(200)
    growing = best_waves(Paces(0.6, 0.4, 2.0, switch=0.5), now)
    assert list(growing) == sorted(growing)
    assert len(growing) > 2
    shrinking = best_waves(Paces(0.6, 0.4, 0.8, switch=0.5), now)
    assert list(shrinking) == sorted(shrinking, reverse=True)
    assert len(shrinking) > 2
    assert best_waves(Paces(0.6, 0.4, 0.4, switch=0.5), now) == (200,)
    assert best_waves(Paces(0.6, 0.4, 2.0, switch=500.0), now) == (200,)


def test_the_sandbox_never_idles_again_where_it_is_the_slower() -> None:
    paces, now = Paces(0.6, 0.4, 2.0, switch=0.5), Standing(200)
    waves = best_waves(paces, now)
    first_cell = waves[0] * paces.sample + paces.switch + paces.test
    assert wall(waves, paces, now) <= (first_cell + 200 * paces.cells) * (1 + WORTH)
