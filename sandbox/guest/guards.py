"""What reading a source cannot know is looked at when the call comes: names made at run time, and the class of a value.

In a run that is watched (``server``, prove), the solution's module gets these in the place of the built-in functions: what
``innocence`` would refuse in the source is refused here. They only ever refuse more than Python does. A class of classes never
comes out: called with a dict it makes a class with any special method. Nor does the ``__dict__`` of a class of the library's,
whose descriptors lead from a function to its globals. Words that only mean harm on objects of the library (``buffer``) are fields
of the solution's own, and ``format`` of a text is given the text first. So that the call comes, ``x.__class__``, ``x.__dict__``,
``x.buffer`` and ``x.format`` are compiled as ``type(x)``, ``vars(x)`` and ``getattr(x, …)``.
"""

from __future__ import annotations

import ast
import builtins
import enum
import types
from collections import UserList
from fractions import Fraction
from typing import Any

from sandbox.guest.allowed import DENIED_ATTRIBUTES, DESCRIBING, OF_LOGGING, OWN_FIELDS
from sandbox.guest.formats import plain_template
from sandbox.guest.innocence import READABLE_SPECIAL, is_dunder
from sandbox.guest.sharing import Questions

_REFUSED = DENIED_ATTRIBUTES | OF_LOGGING | DESCRIBING | {"format", "wraps", "contextmanager", "asynccontextmanager", "register"}
_get, _set, _type, _vars = getattr, setattr, type, vars
TEST_MODULE = "generated_test"
GUARDED = frozenset(("getattr", "setattr", "type", "vars"))
_AS_CALL = {"__class__": "type", "__dict__": "vars"}
LOOKED_UP = frozenset(_AS_CALL) | OWN_FIELDS


class _AsCalls(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr not in LOOKED_UP or not isinstance(node.ctx, ast.Load) or isinstance(node.value, ast.Constant):
            return node
        return ast.fix_missing_locations(ast.copy_location(_asked(node.value, node.attr), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | list[ast.stmt]:
        """``x.buffer += y`` reads the field too."""
        self.generic_visit(node)
        target = node.target
        if not isinstance(target, ast.Attribute) or target.attr not in OWN_FIELDS or not isinstance(target.value, ast.Name):
            return node
        read = ast.Expr(_asked(ast.Name(target.value.id, ast.Load()), target.attr))
        return [ast.fix_missing_locations(ast.copy_location(read, node)), node]


def _asked(value: ast.expr, name: str) -> ast.Call:
    function = _AS_CALL.get(name, "getattr")
    named: list[ast.expr] = [ast.Constant(name)] if function == "getattr" else []
    return ast.Call(ast.Name(function, ast.Load()), [value, *named], [])


def as_calls(tree: ast.Module) -> ast.Module:
    """The source with ``LOOKED_UP`` attributes as calls, changed in place."""
    return _AsCalls().visit(tree)  # type: ignore[no-any-return]


def plain_enums() -> None:
    """``Enum("Name", {...})`` makes no special method either. For a process that is thrown away."""
    create = _get(enum.EnumMeta, "_create_")

    def checked(cls: Any, class_name: Any, names: Any, **keywords: Any) -> Any:
        if type(names) is str:
            return create(cls, class_name, names, **keywords)
        listed = [item if type(item) is str else tuple(item) for item in names]
        pairs = [(item, names[item]) for item in listed] if isinstance(names, dict) else listed
        if any(type(name) is not str or is_dunder(name) for name in (p if type(p) is str else p[0] for p in pairs)):
            raise ValueError("a member of an enumeration with a special name")
        return create(cls, class_name, pairs, **keywords)

    _set(enum.EnumMeta, "_create_", checked)


class _Builtins(dict[str, Any]):
    """The guarded names, and behind them Python's own as they are now: a test may patch those. The first four are looked up raw."""

    def __missing__(self, name: str) -> Any:
        return vars(builtins)[name]


def _template(text: str) -> Any:
    """``text.format``, where its fields look at no attribute that code could not."""
    if not plain_template(text):
        raise AttributeError("a field of this text is not looked up here")
    return text.format


def names(module: str, questions: Questions) -> dict[str, Any]:
    """The built-in names for a solution whose module has this name. ``questions``: of its cell."""

    def own(cls: Any) -> bool:
        return bool(_type.__getattribute__(cls, "__module__") == module)

    def guarded_type(obj: Any) -> Any:
        cls = _type(obj)
        if issubclass(cls, _type):
            raise TypeError("the class of a class is not looked up here")
        return cls

    def guarded_vars(obj: Any) -> Any:
        if isinstance(obj, types.ModuleType) or (isinstance(obj, _type) and not own(obj)):
            raise TypeError("what a class of the library holds is not looked up here")
        names = _vars(obj)
        theirs = not isinstance(obj, (Fraction, UserList)) and any(own(cls) for cls in _type.mro(_type(obj)))
        questions.apart(obj)
        return names if isinstance(obj, _type) or theirs else dict(names)

    def own_field(obj: Any, name: str, *default: Any) -> Any:
        kinds = _type.mro(_type(obj)) if not isinstance(obj, _type) else _type.mro(obj)
        if not own(kinds[0]) or any(name in _vars(cls) for cls in kinds if not own(cls)):
            raise AttributeError(f"{name!r} is not looked up here")
        return _get(obj, name, *default)

    def guarded_get(obj: Any, name: Any, *default: Any) -> Any:
        if type(name) is str and name in _AS_CALL:
            return (guarded_type if name == "__class__" else guarded_vars)(obj)
        if type(name) is str and name in OWN_FIELDS:
            return _template(obj) if name == "format" and type(obj) is str else own_field(obj, name, *default)
        known = type(name) is str and (name in READABLE_SPECIAL - DESCRIBING if is_dunder(name) else name not in _REFUSED)
        if not known or isinstance(obj, types.ModuleType):
            raise AttributeError(f"{name!r} is not looked up here")
        return _get(questions.apart(obj) if is_dunder(name) else obj, name, *default)

    def guarded_set(obj: Any, name: Any, value: Any) -> None:
        cls = obj if isinstance(obj, type) else type(obj)
        if type(name) is not str or is_dunder(name) or name in _REFUSED or not own(cls):
            raise AttributeError(f"{name!r} is not set here")
        _set(questions.own(obj, name), name, value)

    raw = {name: vars(builtins)[name] for name in ("__import__", "__build_class__")}
    return _Builtins(raw, getattr=guarded_get, setattr=guarded_set, type=guarded_type, vars=guarded_vars)
