"""``text``: how hard a problem looks. The statement as text, the first candidates as syntax trees; no model, no verdict.

What candidates say about a problem without running: whether they compile, how long and how branched they are, and above all
whether they agree (the same tree written again and again is an easy problem). A candidate that does not parse counts as such and
adds nothing else. Features are versioned: weights of another version are refused.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

import numpy as np

from models.difficulty import FIRST_SOLUTIONS, Facts, Tensors, bounded
from models.difficulty_logistic import Logistic, fit_logistic
from models.errors import InputError
from models.python_source import parsed
from models.types import FloatArray

VERSION = "1"
STATEMENT = (
    "log_chars",
    "log_words",
    "lines",
    "word_length",
    "digits_share",
    "examples",
    "parameters",
    "container_types",
    "negations",
)
CANDIDATES = (
    "parsed",
    "log_nodes",
    "spread_nodes",
    "branches",
    "loops",
    "comprehensions",
    "calls",
    "depth",
    "stub",
    "agreement",
    "distinct",
)
NAMES = (*STATEMENT, *CANDIDATES)

BRANCHES, LOOPS = (ast.If, ast.IfExp, ast.Try, ast.BoolOp, ast.Match), (ast.For, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, eq=False)
class TextDifficulty:
    """A fitted regression over ``NAMES``."""

    logistic: Logistic
    type: str = "text"

    def predict(self, facts: Sequence[Facts]) -> FloatArray:
        """(P,) λ̂; a problem without candidates is judged by its statement alone."""
        return bounded(self.logistic.mean(features_of(facts)))

    def tensors(self) -> Tensors:
        """One weight a feature, and the intercept."""
        return {"weights": self.logistic.weights, "intercept": np.array(self.logistic.intercept)}

    def settings(self) -> Mapping[str, str]:
        """Which features the weights belong to."""
        return {"features_version": VERSION, "features": ",".join(NAMES)}


def fit_text(facts: Sequence[Facts], rates: FloatArray, seed: int = 0) -> TextDifficulty:
    """Fit on problems with known rates."""
    return TextDifficulty(fit_logistic(features_of(facts), rates, seed))


def restore_text(tensors: Tensors, settings: Mapping[str, str]) -> TextDifficulty:
    """From stored weights. Raises InputError for weights of other features."""
    if settings.get("features_version") != VERSION:
        raise InputError(f"features version {settings.get('features_version')!r}: expected {VERSION!r}; calibrate again")
    return TextDifficulty(Logistic(tensors["weights"].astype(np.float64), float(tensors["intercept"])))


def features_of(facts: Sequence[Facts]) -> FloatArray:
    """(P, features) in the order of ``NAMES``."""
    rows = [(*_of_statement(fact.prompt), *_of_candidates(fact.solutions[:FIRST_SOLUTIONS])) for fact in facts]
    return np.array(rows, dtype=np.float64).reshape(len(facts), len(NAMES))


def _of_statement(text: str) -> tuple[float, ...]:
    words = re.findall(r"[^\W\d_]+", text)
    signature = re.findall(r"def\s+\w+\s*\(([^)]*)\)", text)
    return (
        math.log1p(len(text)),
        math.log1p(len(words)),
        math.log1p(text.count("\n")),
        fmean(map(len, words)) if words else 0.0,
        sum(c.isdigit() for c in text) / max(1, len(text)),
        float(len(re.findall(r">>>|\bassert\b|==|➞|Example|Input:", text))),
        float(signature[-1].count(",") + 1 if signature and signature[-1].strip() else 0),
        float(len(re.findall(r"\b(?:[Ll]ist|[Tt]uple|[Dd]ict|[Ss]et|array|matrix|grid)\b", text))),
        float(len(re.findall(r"\b(?:not|no|except|unless|only|otherwise|without)\b", text, re.IGNORECASE))),
    )


def _of_candidates(sources: Sequence[str]) -> tuple[float, ...]:
    trees = [tree for tree in map(parsed, sources) if tree is not None]
    if not trees:
        return (0.0,) * len(CANDIDATES)
    shapes = [_shape(tree) for tree in trees]
    nodes = [math.log1p(shape["nodes"]) for shape in shapes]
    counts = Counter(_dumped(tree) for tree in trees)
    pairs = max(1, len(trees) * (len(trees) - 1))
    return (
        len(trees) / len(sources),
        fmean(nodes),
        pstdev(nodes),
        *(fmean(math.log1p(shape[name]) for shape in shapes) for name in ("branches", "loops", "comprehensions", "calls", "depth")),
        fmean(shape["stub"] for shape in shapes),
        sum(count * (count - 1) for count in counts.values()) / pairs,
        len(counts) / len(trees),
    )


def _dumped(tree: ast.Module) -> str:
    """What two equal programs share: the tree without docstrings, places and comments."""
    body = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    for node in body:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    try:
        return ast.dump(tree)
    except RecursionError:
        return f"too deep to compare, {sum(1 for _ in ast.walk(tree))} nodes"


def _shape(tree: ast.Module) -> dict[str, float]:
    found = dict.fromkeys(("nodes", "branches", "loops", "comprehensions", "calls"), 0.0)
    deepest, level = 0, [tree]  # type: tuple[int, list[ast.AST]]
    while level:
        deepest += 1
        for node in level:
            found["nodes"] += 1
            found["branches"] += isinstance(node, BRANCHES)
            found["loops"] += isinstance(node, LOOPS)
            found["comprehensions"] += isinstance(node, COMPREHENSIONS)
            found["calls"] += isinstance(node, ast.Call)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    last = next((node for node in reversed(tree.body) if isinstance(node, ast.FunctionDef)), None)
    stub = last is None or all(isinstance(node, ast.Pass | ast.Expr) for node in last.body)
    return {**found, "depth": float(deepest), "stub": float(stub)}
