"""What a model is asked, word for word. A version is never edited: another text is another version.

    coderm-1  CodeRM's own prompts (arXiv 2501.01054, App. E; literal texts of its data/benchmark, checked by digest in the tests):
              what its figures were sampled with and what CodeRM-8B was fine-tuned on. LiveCodeBench problems, recognised by their
              starter code, and stdin problems get ``lcb-1`` there; those texts' digests in CodeRM's data are not known to us
    lcb-1     LiveCodeBench's generic prompt (lcb_runner/prompts) for solutions; tests as in coderm-1
    plain-1   the statement as it is, for models that were trained on statements; tests as in coderm-1

One user message, no system prompt. The test prompt shows the question and one candidate, never the reference. A test of a stdin
problem is one input with its output (CURE's form); CodeRM has none, so that text is ours.
"""

from __future__ import annotations

import ast
import re
from typing import assert_never

from models.backend_config import PromptVersion
from models.python_source import parsed
from models.types import Problem

SOLUTION_PREFIX = "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
TEST_PREFIX = (
    "Below is a question and it's corresponding code answer. Please write test cases to check the correctness of the code answer. "
    "You need to use the unittest library in Python and create a test class for testing.\n\n"
)
TEST_SUFFIX = (
    "\n\nPlease add detailed comments to the test cases you write. "
    "You do not need to test the function's ability to throw exceptions.\n"
)
LCB_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within delimiters."
)
LCB_STDIN = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample inputs). "
    "Enclose your code within delimiters as follows."
)
LCB_ANSWER = "### Answer: (use the provided format with backticks)\n\n"
STDIN_TEST = (
    "Below is a programming problem whose solutions read from standard input and write to standard output. Please write one new "
    "test case for it, different from the examples, and work out its output with care.\n\n### question\n{question}\n\n"
    "Give the test case in exactly this form:\n\n"
    "**Test Input:**\n```\n<what the program reads>\n```\n\n**Test Output:**\n```\n<what it must write>\n```\n"
)

_STARTER = re.compile(r"\A(?P<question>.*?)\n+```python\n(?P<starter>.*?)\n?```\s*\Z", re.DOTALL)


def solution_prompt(problem: Problem, version: PromptVersion) -> str:
    """The message that asks for a program."""
    if version == "plain-1":
        return problem.prompt
    if version == "lcb-1" or problem.style == "stdin" or _STARTER.match(problem.prompt):
        return _lcb_prompt(problem)
    if version == "coderm-1":
        code = problem.prompt if parsed(problem.prompt) is not None else f'"""\n{problem.prompt.strip()}\n"""\n'
        return f"{SOLUTION_PREFIX}```python\n{code}\n```\n"
    assert_never(version)


def _lcb_prompt(problem: Problem) -> str:
    match = _STARTER.match(problem.prompt)
    question, starter = (match["question"], match["starter"]) if match else (problem.prompt.strip(), "")
    if problem.style == "function" and not starter:
        starter = f"def {problem.entry_point}("
    kind, body = (LCB_STDIN, "# YOUR CODE HERE") if problem.style == "stdin" else (LCB_STARTER, starter)
    return f"### Question:\n{question}\n\n### Format: {kind}\n```python\n{body}\n```\n\n{LCB_ANSWER}"


def test_prompt(problem: Problem, candidate: str) -> str:
    """The message that asks for tests: the question and one candidate's bare code, without a fence."""
    if problem.style == "stdin":
        return STDIN_TEST.format(question=problem.prompt.strip())
    return f"{TEST_PREFIX}### question\n{question_text(problem)}\n\n### code solution\n{candidate.strip(chr(10))}{TEST_SUFFIX}"


test_prompt.__test__ = False  # type: ignore[attr-defined]


def question_text(problem: Problem) -> str:
    """The question in prose, as CodeRM rewrote it.

    A signature with a docstring becomes ``Write a function named `f`.`` and the docstring: its sentences on one line, its examples
    on lines of their own. A docstring alone (MBPP: text and first assert) is taken without its quotes. Anything else is taken as it
    is; a LiveCodeBench statement announces its starter code as a plain function.
    """
    tree = parsed(problem.prompt)
    if tree is None:
        return _statement(problem)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    name = problem.entry_point or ""
    described = ast.get_docstring(functions[name]) if name in functions else None
    if described is not None:
        return f"Write a function named `{name}`. {_one_line(described)}"
    return (ast.get_docstring(tree) or problem.prompt).strip()


def _statement(problem: Problem) -> str:
    match = _STARTER.match(problem.prompt)
    if match is None:
        return problem.prompt.strip()
    signature = re.sub(r"^class Solution:\s*\n|(?<=\()self(?:,\s*)?", "", match["starter"], flags=re.MULTILINE)
    return f"{match['question'].strip()}\n\nPlease use the following function signature:\n{_dedented(signature)}"


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.strip("\n").split("\n")).strip()


def _one_line(docstring: str) -> str:
    """Sentences joined by blanks, from the first example on line by line."""
    lines = [line.strip() for line in docstring.split("\n") if line.strip()]
    first = next((at for at, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    return "\n".join([" ".join(lines[:first]), *lines[first:]])
