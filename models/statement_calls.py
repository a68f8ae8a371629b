"""Calls with a known answer, read from a function problem's statement: doctests, prose, Input/Output blocks, asserts.

Decides by precision: an example is taken only when the call's arguments and the answer are literals, the call fits the signature,
and nothing but a comment, an explanation in brackets or a full stop follows the answer. Refuses what can be read in two ways:

    f(1) = 3 beside f(n) = f(n - 1)   a recurrence states a sequence, and f may return something else (HumanEval/130): no prose read
    f("x") ==> ("Venus")              a pair of brackets, or a tuple whose comma was forgotten (HumanEval/148)
    '\\\\n' in a docstring              an escape of the statement, or one of the example
"""

from __future__ import annotations

import ast
import builtins
import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.python_source import expression, parsed

SIGN = re.compile(
    r"\s*,?\s*(?:#\s*)?(?:==>|=>|->|==|=|➞|→|returns?\b|should\s+return\b|should\s+be\b|is\s+equal\s+to\b)\s*(?:=>|:)?\s*",
    re.IGNORECASE,
)
BLOCK = re.compile(
    r"^[ \t]*\**Input\**[ \t]*:(?P<call>(?:(?!^[ \t]*\**(?:Input|Output))[^\n]*\n)+?)"
    r"[ \t\n]*\**Output\**[ \t]*:[ \t]*\n?(?P<rest>[^\n]+)",
    re.MULTILINE,
)
FOR = re.compile(
    r"^[ \t]*For[ \t]+(?P<call>.+?),?[ \t]+the[ \t]+(?:output|result)[ \t]+should[ \t]+be\b(?P<rest>.+)$", re.MULTILINE
)
BEFORE = re.compile(r"\s*(?:[*•-]|\d+[.)]|>>>|for|assert|examples?:?)?\s*`*", re.IGNORECASE)
AFTER = re.compile(r"`*\s*[.,;]?\s*(?:#.*|\(.*\)\.?|//.*)?\s*")
WORDS = {"true": "True", "false": "False", "null": "None", "none": "None"}
LONGEST = 2000
"""Characters of a call or an answer; no statement's example is longer, and a search over brackets stays cheap."""


@dataclass(frozen=True)
class Example:
    """``call`` is source that gives ``answer``, both Python expressions."""

    call: str
    answer: str

    @property
    def test(self) -> str:
        """One assert."""
        return f"assert {self.call} {'is' if self.answer == 'None' else '=='} {self.answer}"


@dataclass(frozen=True)
class Entry:
    """The function that a statement is about; ``params`` None: its signature is not in the statement."""

    name: str
    params: tuple[str, ...] | None
    required: int

    def fits(self, call: ast.Call) -> bool:
        """Whether the call can bind; unknown signatures take everything."""
        given = len(call.args) + len(call.keywords)
        return self.params is None or self.required <= given <= len(self.params)


def entry_of(statement: str, name: str) -> Entry:
    """The entry point with its parameters, where the statement holds its ``def`` (``self`` apart)."""
    header = re.search(rf"^[ \t]*(?:async )?def {re.escape(name)}\s*\(", statement, re.MULTILINE)
    for end in re.finditer(r":", statement[header.start() :]) if header else ():
        assert header is not None
        tree = parsed(statement[header.start() :][: end.end()].strip() + " pass")
        if tree is not None and isinstance(tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef):
            args = tree.body[0].args
            names = tuple(a.arg for a in (*args.posonlyargs, *args.args) if a.arg != "self")
            return Entry(name, None if args.vararg or args.kwarg else names, max(0, len(names) - len(args.defaults)))
    return Entry(name, None, 0)


def read_calls(statement: str, name: str) -> Iterator[Example]:
    """Examples in the order of their forms; the same one may come twice."""
    entry = entry_of(statement, name)
    text = re.sub(r"\"\"\"|'''", "\n", statement)
    found = [*_doctests(text, entry), *_asserts(text, entry), *_prose(text, entry), *_blocks(text, entry)]
    return (example for example in found if "\\\\" not in example.test)


def is_literal(node: ast.AST) -> bool:
    """Whether this is a constant, or a container of them."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_closed(tree: ast.AST, entry: Entry) -> bool:
    """It calls the entry point, with arguments that fit, and uses no other name than built-in ones."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == entry.name]
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return bool(calls) and all(map(entry.fits, calls)) and all(n == entry.name or hasattr(builtins, n) for n in names)


def _doctests(text: str, entry: Entry) -> Iterator[Example]:
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return
    answers = any(example.want.strip() for example in examples)
    for example in examples:
        source, want = example.source.strip(), example.want.strip()
        tree = expression(source)
        if example.exc_msg or tree is None or not _is_closed(tree, entry):
            continue
        if want:
            value = expression(want)
            if value is not None and is_literal(value.body):
                yield Example(ast.unparse(tree), ast.unparse(value))
        elif equality := _equality(tree.body):
            yield equality
        elif answers and isinstance(tree.body, ast.Call) and ast.unparse(tree.body.func) == entry.name:
            yield Example(ast.unparse(tree), "None")


def _equality(node: ast.AST) -> Example | None:
    """``call == literal`` as an example."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.Is):
        answer = node.comparators[0]
        return Example(ast.unparse(node.left), ast.unparse(answer)) if is_literal(answer) else None
    return None


def _asserts(text: str, entry: Entry) -> Iterator[Example]:
    """Lines that are an assert of one equality."""
    for line in text.splitlines():
        tree = parsed(line.strip()) if line.strip().startswith("assert ") else None
        if tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert):
            equality = _equality(tree.body[0].test)
            if equality and _is_closed(tree.body[0].test, entry):
                yield equality


def _prose(text: str, entry: Entry) -> Iterator[Example]:
    """``f(1, 2) => 3`` at the beginning of a line, with any of the usual signs; nothing where the statement has a recurrence."""
    found = []
    for match in re.finditer(rf"\b{re.escape(entry.name)}\s*\(", text):
        if not BEFORE.fullmatch(text[text.rfind("\n", 0, match.start()) + 1 : match.start()]):
            continue
        call, end = _call_at(text, match.start())
        sign = SIGN.match(text, end) if call else None
        if call is None or sign is None:
            continue
        if not all(map(is_literal, (*call.args, *(k.value for k in call.keywords)))):
            return
        answer = _answer(text[sign.end() :])
        if answer and entry.fits(call):
            found.append(Example(ast.unparse(call), answer))
    yield from found


def _call_at(text: str, start: int) -> tuple[ast.Call | None, int]:
    """The shortest call that starts here, and where it ends."""
    for close in re.finditer(r"\)", text[start : start + LONGEST]):
        tree = expression(text[start : start + close.end()])
        if tree is not None:
            return (tree.body if isinstance(tree.body, ast.Call) else None), start + close.end()
    return None, start


def _answer(rest: str) -> str | None:
    """The literal that the rest of the line is, a remark after it apart; an open bracket goes on over the next lines."""
    line = rest.split("\n", 1)[0].strip().strip("`")
    if line.count("[") > line.count("]") or line.count("{") > line.count("}"):
        line = " ".join(rest[:LONGEST].split("\n\n", 1)[0].split())
    for end in range(len(line), 0, -1):
        if not AFTER.fullmatch(line, end):
            continue
        value = line[:end].strip().removesuffix(".")
        tree = expression(WORDS.get(value, value))
        if tree is not None and is_literal(tree.body):
            return None if value.startswith("(") and not isinstance(tree.body, ast.Tuple) else ast.unparse(tree)
    return None


def _blocks(text: str, entry: Entry) -> Iterator[Example]:
    """``Input: a = [1], k = 3`` with ``Output: 2`` under it, and ``For a = [1] the output should be 2``."""
    for match in (*BLOCK.finditer(text), *FOR.finditer(text)):
        call, answer = _call_of(match["call"], entry), _answer(match["rest"].lstrip(": "))
        if call and answer:
            yield Example(call, answer)


def _call_of(arguments: str, entry: Entry) -> str | None:
    """The call with these arguments: bare values, ``name = value`` or ``name : value``, on one line or one a line."""
    lines = [re.sub(r"^([A-Za-z_]\w*)\s*:\s*", r"\1 = ", line.strip().rstrip(",")) for line in arguments.strip().splitlines()]
    tree = expression(f"{entry.name}({', '.join(line for line in lines if line)})")
    call = tree.body if tree is not None else None
    if not isinstance(call, ast.Call) or not entry.fits(call) or not (call.args or call.keywords):
        return None
    values = {keyword.arg: keyword.value for keyword in call.keywords}
    ordered = (
        [values[name] for name in entry.params] if entry.params and set(values) == set(entry.params) else list(values.values())
    )
    if None in values or (values and call.args) or not all(map(is_literal, (*call.args, *ordered))):
        return None
    return f"{entry.name}({', '.join(ast.unparse(value) for value in (*call.args, *ordered))})"
