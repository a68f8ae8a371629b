"""What an attribute is set on, looked at when it is set, in a run of a solution that is watched.

A parameter may be called ``self`` and be the test. So the form of an innocent source that is watched asks before each
attribute that it sets or deletes, each special method that it looks up, and where a descriptor is told whose it is: a library's
class, a class or an assertion of the test's, of a mock, are not a solution's to change, nor is a context of ``decimal``. These
questions only ever refuse more than Python does, and a cell in which something was refused has no pass.
"""

from __future__ import annotations

import ast
import types
from collections import UserList
from decimal import Context
from fractions import Fraction
from typing import Any, List, Set  # noqa: UP035

from sandbox.guest.allowed import DESCRIBING, HOOKS
from sandbox.guest.innocence import is_dunder

OWN, APART, NAMED = "__own__", "__apart__", "__named__"
_HOOKED = (Fraction, UserList)
_TOLD_OWNER = frozenset(("__get__", "__set__", "__set_name__", "__init_subclass__"))
_HARMLESS = frozenset(("__name__", "__doc__", "__qualname__"))


class Questions:
    """Those of one cell, and whether one was answered with no."""

    def __init__(self, module: str) -> None:
        """``module``: the name of the solution's module."""
        self.module, self.refused = module, False
        self.plain: Set[type] = set()  # noqa: UP006
        self.usual: Set[type] = set()  # noqa: UP006

    def _refuse(self, what: str) -> AttributeError:
        self.refused = True
        return AttributeError(what)

    def own(self, obj: Any, name: str) -> Any:
        """``obj``, on which ``name`` is about to be set or deleted."""
        cls = type(obj)
        if cls in self.usual:
            return obj
        if issubclass(cls, (type, types.ModuleType)):
            if issubclass(cls, types.ModuleType) or type.__getattribute__(obj, "__module__") != self.module:
                raise self._refuse(f"{name!r} is not set here")
            return obj
        if cls.__module__ == "decimal":
            raise self._refuse("a context is not changed here")
        testing = [base for base in cls.__mro__ if base.__module__.startswith("unittest")]
        hooked = issubclass(cls, _HOOKED)
        method = cls.__module__ == "generated_test" and callable(getattr(cls, name, None))
        if testing or method or (hooked and name in HOOKS):
            raise self._refuse(f"{name!r} is not set here")
        if not testing and not hooked and cls.__module__ != "generated_test":
            self.usual.add(cls)
        return obj

    def apart(self, obj: Any, *more: Any) -> Any:
        """``obj``, when nothing of it and the others is a test case, a mock or a context, or their class."""
        for one in (obj, *more):
            cls = one if isinstance(one, type) else type(one)
            if cls not in self.plain:
                if issubclass(cls, Context) or any(base.__module__.startswith("unittest") for base in cls.__mro__):
                    raise self._refuse("a test is not asked for that")
                self.plain.add(cls)
        return obj

    def named(self, name: str) -> str:
        """A name under which ``super().__setattr__`` may set what it likes."""
        if name in HOOKS or is_dunder(name):
            raise self._refuse(f"{name!r} is not set here")
        return name

    def names(self) -> dict[str, Any]:
        """What ``asking`` has written into the source."""
        return {OWN: self.own, APART: self.apart, NAMED: self.named}


class _Asking(ast.NodeTransformer):
    """No name of a source that ``innocence`` has cleared can stand in the way of a question."""

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        value = node.value
        if not isinstance(node.ctx, ast.Load):
            node.value = _call(OWN, [value, ast.Constant(node.attr)], value)
        elif is_dunder(node.attr) and node.attr not in _HARMLESS and not _is_super(value):
            node.value = _call(APART, [value], value)
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        above = node.func.value if isinstance(node.func, ast.Attribute) else node
        self.generic_visit(node)
        if called in DESCRIBING:
            node.args = [_call(APART, [argument], argument) for argument in node.args]
        elif called == "__setattr__" and _is_super(above):
            node.args[0] = _call(NAMED, [node.args[0]], node)
        elif called == "__setattr__":
            node.args[0] = _call(OWN, [node.args[0], node.args[1]], node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.generic_visit(node)
        arguments = [*node.args.posonlyargs, *node.args.args][0 if node.name == "__init_subclass__" else 1 :]
        more = [ast.Starred(ast.Name(node.args.vararg.arg, ast.Load()), ast.Load())] if node.args.vararg else []
        if node.name in _TOLD_OWNER and (arguments or more):
            names: List[ast.expr] = [*(ast.Name(argument.arg, ast.Load()) for argument in arguments), *more]  # noqa: UP006
            node.body.insert(0, ast.Expr(_call(APART, names, node)))
        return node


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _call(name: str, arguments: List[ast.expr], at: ast.AST) -> ast.Call:  # noqa: UP006
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), at)


def asking(tree: ast.Module) -> ast.Module:
    """The source with the questions in it, changed in place."""
    _Asking().visit(tree)
    return ast.fix_missing_locations(tree)
