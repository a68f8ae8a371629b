"""Every selector by the name that commands, configurations and tables use, and the one that ``auto`` stands for.

``auto`` is B4 among solutions that behave alike (models.reward.b4_outputs, ADR 0007): B4 with its authors' constants wherever a
matrix carries no outputs, and not worse than B4 where it does. The figures and the command that prints them are in README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import cast

from models.config import CELL_FREE
from models.errors import InputError
from models.matrix import PassMatrix
from models.reward.aces import aces_c_score, aces_o_score
from models.reward.b4 import b4_score
from models.reward.b4_outputs import B4OutputsSelector
from models.reward.baselines import OracleSelector, random_score
from models.reward.codet import codet_of, codet_score
from models.reward.majority import majority_of, majority_score
from models.reward.mbr import mbr_hard_of, mbr_hard_score, mbr_soft_score
from models.reward.mpsc import mpsc_score
from models.reward.selector import TIE_TOLERANCE, MatrixView, ScoreSelector, Selector, VotesAndSize, view_of
from models.reward.soft import soft_score
from models.reward.srank import SRankSelector, srank_score
from models.reward.wrapped import WRAPPERS, ExamplesSelector, wrapped
from models.types import Labels, Ranking, UnitTest

DEFAULT = "b4-outputs"
"""What ``auto`` means."""

READ_NO_TEST = ("random", "oracle")
"""Selectors that nothing can be wrapped around."""

SELECTORS: Mapping[str, Callable[[], Selector]] = MappingProxyType(
    {
        "random": lambda: ScoreSelector("random", random_score),
        "oracle": OracleSelector,
        "majority": lambda: ScoreSelector("majority", majority_score, bound=majority_of),
        "codet": lambda: ScoreSelector("codet", codet_score, bound=codet_of),
        "b4": lambda: ScoreSelector("b4", b4_score, TIE_TOLERANCE),
        "b4-outputs": lambda: B4OutputsSelector("b4-outputs", b4_score, TIE_TOLERANCE),
        "aces-c": lambda: ScoreSelector("aces-c", aces_c_score, TIE_TOLERANCE),
        "aces-o": lambda: ScoreSelector("aces-o", aces_o_score, TIE_TOLERANCE),
        "srank": lambda: SRankSelector("srank", srank_score),
        "mbr-hard": lambda: ScoreSelector("mbr-hard", mbr_hard_score, bound=mbr_hard_of),
        "mbr-soft": lambda: ScoreSelector("mbr-soft", mbr_soft_score),
        "mpsc": lambda: ScoreSelector("mpsc", mpsc_score, TIE_TOLERANCE),
        "soft": lambda: ScoreSelector("soft", soft_score, TIE_TOLERANCE),
    }
)


def resolve(names: Iterable[str]) -> tuple[Selector, ...]:
    """Selectors by name, in order, each once; ``auto`` is the default one, ``b4+examples`` a wrapped one (models.reward.wrapped).

    Raises InputError for a name that is none, and for wrappers around a selector that reads no test.
    """
    wanted = dict.fromkeys("+".join((DEFAULT if base == "auto" else base, *rest)) for base, *rest in (n.split("+") for n in names))
    unknown = [name for name in wanted if not _known(*name.split("+"))]
    if unknown:
        raise InputError(
            f"unknown selector {', '.join(map(repr, unknown))}: expected auto or one of {', '.join(SELECTORS)}; "
            f"those that read tests may go on with {', '.join('+' + name for name in WRAPPERS)}"
        )
    return tuple(wrapped(SELECTORS[base](), rest) for base, *rest in (name.split("+") for name in wanted))


def _known(base: str, *rest: str) -> bool:
    return base in SELECTORS and set(rest) <= set(WRAPPERS) and not (rest and base in READ_NO_TEST)


def bound_of(name: str) -> VotesAndSize:
    """What lets execution stop once the winner is certain. Raises InputError for a selector that declares no bound."""
    (selector,) = resolve([name])
    bound = getattr(selector, "bound", None)
    if bound is None:
        bounded = ", ".join(n for n, make in SELECTORS.items() if getattr(make(), "bound", None) is not None)
        raise InputError(
            f"only the winner: selector {selector.name!r} declares no upper bound, since every cell enters every score; "
            f"expected one of {bounded}"
        )
    return cast(VotesAndSize, bound)


def rank_all(
    matrices: Mapping[str, PassMatrix],
    selectors: Iterable[Selector],
    labels: Mapping[str, Labels] | None = None,
    sources: Mapping[str, tuple[str, ...]] | None = None,
    tests: Mapping[str, tuple[UnitTest, ...]] | None = None,
) -> dict[str, dict[str, Ranking]]:
    """selector name → task id → ranking. Labels reach the oracle only; a task that they lack is not ranked by it.

    ``tests``: task id → the columns' tests. Where they are known, columns from the statement reach ``+examples`` selectors only.
    Raises InputError when the oracle is among the selectors and there are no labels, and for labels, sources or tests of another
    matrix, or a matrix that was executed for the winner of another selector only.
    """
    selectors = tuple(selectors)
    _check_decided(matrices, [selector.name for selector in selectors])
    labels, sources, tests = labels or {}, sources or {}, tests or {}
    views = {task: view_of(matrix, sources=sources.get(task), tests=tests.get(task)) for task, matrix in matrices.items()}
    generated = {task: view.only(~view.from_statement) for task, view in views.items()}
    judged = {task: view_of(matrix, labels[task]) for task, matrix in matrices.items() if task in labels}

    def seen_by(selector: Selector) -> Mapping[str, MatrixView]:
        if selector.name == "oracle" and judged:
            return judged
        return views if isinstance(selector, ExamplesSelector) else generated

    return {
        selector.name: {
            task: Ranking(task_id=task, selector=selector.name, order=selector.rank(view))
            for task, view in seen_by(selector).items()
        }
        for selector in selectors
    }


def _check_decided(matrices: Mapping[str, PassMatrix], names: list[str]) -> None:
    for task, decided in ((t, m.only_winner) for t, m in matrices.items() if m.only_winner):
        others = [name for name in names if name not in (decided, *CELL_FREE)]
        if others:
            raise InputError(f"{task}: only the winner of {decided} was executed: {others[0]} would read cells that nobody asked")
