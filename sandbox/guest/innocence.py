"""Reading a solution: could a comparison of its own say anything but what it compares?

Only of an innocent source is a comparison of its own believed, and the pass that rests on it stands. Everything is an allow-list
(``allowed``): a module and which of its members, an attribute, a special method. Two ideas: nothing leads from values to frames,
modules or the library's classes, and a value may answer questions but not judge itself: methods that get what the test expects
(comparison, membership, difference) must have the plain forms of ``judging`` and ``membership``, which no value equals without
having the right content.
"""

from __future__ import annotations

import ast
import importlib
import types

from sandbox.guest import bindings, judging, relations
from sandbox.guest.allowed import (
    DEFINED_ONLY,
    DENIED_ATTRIBUTES,
    DENIED_NAMES,
    DESCRIBING,
    IDLE,
    MEMBERS,
    MODULE_NAMES,
    MODULES,
    NAMES_IN_PLACE,
    NODE_FIELDS,
    OF_LOGGING,
    OWN_FIELDS,
    PLAIN_METHODS,
    READABLE,
    TEMPLATES,
    TRUSTED_NAMES,
    UNSTEADY,
)
from sandbox.guest.formats import assigned, entered, plain_template, words

_OFFERED = {name: frozenset(words.split()) for name, words in MEMBERS.items()}
_ATTRIBUTES_IN_PLACE = NAMES_IN_PLACE - frozenset(("type", "object", "vars", "dir", "id")) | DESCRIBING | {"__setattr__"}
READABLE_SPECIAL = READABLE | PLAIN_METHODS | judging.METHODS | {"__init_subclass__"}


def is_dunder(name: str) -> bool:
    """A name that the interpreter gives a meaning to; private names of a class are none."""
    return name.startswith("__") and (name.endswith("__") or name == "__")


def imported(tree: ast.AST) -> tuple[set[str], dict[str, str]]:
    """(modules that are imported, names that are bound to a module and which)."""
    modules: set[str] = set()
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
            bound.update({alias.asname or alias.name.split(".")[0]: _bound_module(alias) for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            modules.add("." if node.level else str(node.module))
    return modules, bound


def _bound_module(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.split(".")[0]


def offers(module: str, name: str) -> bool:
    """True when a member of an allowed module may be used; modules inside of modules lead everywhere."""
    if name.startswith("_"):
        return False
    if module in _OFFERED:
        return name in _OFFERED[module]
    if module in IDLE or module not in MODULES | UNSTEADY:
        return False
    value = getattr(importlib.import_module(module), name, None)
    return not isinstance(value, types.ModuleType) or value.__name__ == "collections.abc"


def innocent(tree: ast.Module) -> bool:
    """No way to the test, the result or the interpreter."""
    modules, bound = imported(tree)
    if not modules <= MODULES | UNSTEADY | IDLE | MEMBERS.keys():
        return False
    return _Reader(tree, bound).clean()


class _Reader:
    """What one pass over a source needs to know of the whole of it."""

    def __init__(self, tree: ast.Module, modules: dict[str, str]) -> None:
        self.nodes = list(ast.walk(tree))
        self.modules = modules
        self.own_classes, self.whole = bindings.own_classes(tree), judging.unreckoned(tree)
        self.scaling = judging.scaling(tree)
        self.functions = {n.name for n in self.nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        self.sources = {str(n.module) for n in self.nodes if isinstance(n, ast.ImportFrom)}
        self.members = {name for n in self.nodes if isinstance(n, ast.ImportFrom) for name in bindings.bound_names(n)}
        stores = [n for n in self.nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
        self.fields = {n.attr for n in stores if isinstance(n.value, ast.Name) and n.value.id in ("self", "cls")}
        self.fields |= {name for n in self.nodes if isinstance(n, ast.ClassDef) for s in n.body for name in assigned(s)}
        self.fields |= {getattr(getattr(d, "value", None), "id", "") for d in self.nodes if getattr(d, "attr", "") == "setter"}
        added = [n.target for n in self.nodes if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Attribute)]
        self.read_too = {id(t) for t in added if t.attr in OWN_FIELDS and not isinstance(t.value, ast.Name)}
        self.bases = {id(n.value) for n in self.nodes if isinstance(n, ast.Attribute)}
        self.in_place = self._in_place()
        self.templates = self._templates()
        statements = [s for n in self.nodes if isinstance(n, ast.ClassDef) for s in n.body if isinstance(s, ast.Assign)]
        self.aliases = {id(part) for s in statements if judging.alias(s) for part in (s.targets[0], s.value)}
        self.abstract = any(name in self.modules.values() or name in self.sources for name in ("abc", "numbers", "collections.abc"))
        self.abstract |= "Protocol" in self.members
        self.logs = "logging" in self.modules.values() or "logging" in self.sources

    def clean(self) -> bool:
        return all(self._harmless(node) for node in self.nodes)

    def _in_place(self) -> set[int]:
        """Mentions of ``NAMES_IN_PLACE`` in a use that can do nothing else."""
        places: set[int] = set()
        for node in self.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
                name, args = node.func.id, node.args
                constant = args[1].value if len(args) > 1 and isinstance(args[1], ast.Constant) else None
                counts = {"object": (0,), "type": (1,), "vars": (1,), "dir": (1,), "id": (1,), "getattr": (2, 3), "setattr": (3,)}
                fits = len(args) in counts.get(name, ())
                if name == "getattr" and constant is not None:  # any other name is looked at when the call comes (guards.py)
                    fits = isinstance(constant, str) and self._readable(constant)
                if fits and not any(isinstance(a, ast.Starred) for a in args):
                    places.add(id(node.func))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and self._sets_own(node, node.func):
                places.update((id(node.func), id(node.func.value)))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("__get__", "__set__"):
                places.update(
                    [id(node.func)] if not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args) else []
                )
            elif isinstance(node, ast.ClassDef):
                places.update(id(b) for b in node.bases if len(node.bases) == 1 and isinstance(b, ast.Name) and b.id == "object")
                heads = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
                places.update(id(head) for head in heads if getattr(head, "id", getattr(head, "attr", "")) == "dataclass")
                places.update(id(k.value) for k in node.keywords if k.arg == "metaclass" and words(k.value) & {"ABCMeta"})
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                places.update(id(part) for item in node.decorator_list for part in self._decorator(item, node))
        return places | set(map(id, entered(self.nodes)))

    @staticmethod
    def _sets_own(call: ast.Call, function: ast.Attribute) -> bool:
        """``object.__setattr__(self, "x", value)`` and ``super().__setattr__(name, value)``: a field of an object."""
        above, args = function.value, call.args
        if function.attr != "__setattr__" or call.keywords or any(isinstance(a, ast.Starred) for a in args):
            return False
        if isinstance(above, ast.Call):
            return relations.name_of(above.func) == "super" and not above.args and len(args) == 2
        constant = args[1].value if len(args) == 3 and isinstance(args[1], ast.Constant) else None
        own = relations.name_of(above) == "object" and relations.name_of(args[0]) == "self" if constant is not None else False
        return own and isinstance(constant, str) and not is_dunder(constant)

    def _templates(self) -> set[int]:
        """Mentions of ``TEMPLATES`` that make nothing: in annotations, as a kind that is asked for, as base of a class with a plain
        ``__contains__``, for mappings."""
        heads: list[ast.AST | None] = []
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                heads.append(node.returns)
            elif isinstance(node, (ast.arg, ast.AnnAssign)):
                heads.append(node.annotation)
            elif isinstance(node, ast.Call) and relations.name_of(node.func) == "isinstance":
                heads.extend(node.args[1:])
            elif isinstance(node, ast.ClassDef) and any(getattr(s, "name", "") == "__contains__" for s in node.body):
                heads.extend(b for b in node.bases if not {"Set", "MutableSet", "AbstractSet"} & words(b))
        return {id(part) for head in heads if head is not None for part in ast.walk(head)}

    def _template(self, node: ast.Name | ast.Attribute) -> bool:
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        outside = name in self.members if isinstance(node, ast.Name) else self.module_of(node.value) is not None
        return name in TEMPLATES and outside and id(node) not in self.templates

    @staticmethod
    def _decorator(item: ast.expr, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
        wraps = isinstance(item, ast.Call) and len(item.args) == 1 and not item.keywords
        target = item.func if isinstance(item, ast.Call) and wraps else item
        name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
        if name == "wraps":
            return [target] if wraps and isinstance(item, ast.Call) and isinstance(item.args[0], ast.Name) else []
        return [target] if "contextmanager" in name and not judging.swallows(function) else []

    def _readable(self, attribute: str) -> bool:
        if is_dunder(attribute):
            return attribute in READABLE_SPECIAL
        return attribute not in DENIED_ATTRIBUTES

    def module_of(self, node: ast.expr) -> str | None:
        """The module that an expression is, as in ``os`` and ``os.path``."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id)
        if isinstance(node, ast.Attribute):
            outer = self.module_of(node.value)
            name = f"{outer}.{node.attr}"
            return name if outer and name in MODULES | MEMBERS.keys() else None
        return None

    def _harmless(self, node: ast.AST) -> bool:
        if not all(self._bindable(name, node) for name in bindings.bound_names(node)):
            return False
        if isinstance(node, (ast.Attribute, ast.Name)):
            plain = self._harmless_attribute(node) if isinstance(node, ast.Attribute) else self._harmless_name(node)
            return plain and not self._template(node)
        if isinstance(node, ast.ClassDef):
            return all(self._class_name(statement) for statement in node.body)
        if isinstance(node, ast.ImportFrom):
            renamed = any(alias.asname and alias.name in TEMPLATES | NAMES_IN_PLACE | {"Protocol"} for alias in node.names)
            return not renamed and all(self._harmless_member(str(node.module), alias.name) for alias in node.names)
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            return not any(is_dunder(name) for name in node.names)
        fields = getattr(node, "kwd_attrs", ())  # of a class pattern
        return all(self._readable(name) and not is_dunder(name) for name in fields)

    def _bindable(self, name: str, node: ast.AST) -> bool:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and is_dunder(name):
            return name in PLAIN_METHODS | DEFINED_ONLY or judging.plain(node, self.own_classes, self.whole, self.scaling)
        if isinstance(node, ast.arg) and name in ("self", "cls"):
            return True
        return name not in TRUSTED_NAMES and (not is_dunder(name) or isinstance(node, ast.Name))

    @staticmethod
    def _harmless_member(module: str, name: str) -> bool:
        if name == "*":
            return bool(bindings.starred(module))
        if module == "__future__":
            return True
        return (
            offers(module, name)
            and name not in DENIED_NAMES | (DENIED_ATTRIBUTES - {"Protocol"})
            and f"{module}.{name}" not in MEMBERS
        )

    def _harmless_name(self, node: ast.Name) -> bool:
        loaded = isinstance(node.ctx, ast.Load)
        if node.id in self.modules:
            return loaded and id(node) in self.bases
        if is_dunder(node.id):
            return (
                (loaded and node.id in ("__name__", "__doc__"))
                or (not loaded and node.id in MODULE_NAMES)
                or id(node) in self.aliases
            )
        return node.id not in DENIED_NAMES and (node.id not in NAMES_IN_PLACE or id(node) in self.in_place)

    @staticmethod
    def _class_name(statement: ast.stmt) -> bool:
        """``__hash__`` may be taken away, not replaced; a slot has a plain name, for one named ``__eq__`` would be a method."""
        names = assigned(statement)
        value = getattr(statement, "value", None)
        slots = [value] if isinstance(value, ast.Constant) else getattr(value, "elts", [None])
        plain = all(isinstance(s, ast.Constant) and not is_dunder(str(s.value)) for s in slots) or "__slots__" not in names
        return plain and ("__hash__" not in names or isinstance(value, ast.Constant))

    def _harmless_attribute(self, node: ast.Attribute) -> bool:  # noqa: PLR0911 - one line a case
        module = self.module_of(node.value)
        if module is not None:
            inner = self.module_of(node)
            if not isinstance(node.ctx, ast.Load) or not (offers(module, node.attr) or inner):
                return False
            if inner and id(node) not in self.bases:
                return False
        if not isinstance(node.ctx, ast.Load):
            denied = is_dunder(node.attr) or node.attr in DENIED_ATTRIBUTES - OWN_FIELDS or id(node) in self.read_too
            return not denied and self._own_object(node)
        if node.attr in _ATTRIBUTES_IN_PLACE:
            return id(node) in self.in_place
        if node.attr == "register" or node.attr in OF_LOGGING:  # an abstract class's: its instances would no longer be its own
            return not (self.abstract if node.attr == "register" else self.logs)
        if node.attr == "format" and isinstance(node.value, ast.Constant):
            return not isinstance(node.value.value, str) or plain_template(node.value.value)
        return node.attr in OWN_FIELDS or self._readable(node.attr)

    def _own_object(self, node: ast.Attribute) -> bool:
        """A field that is set on something of the solution's: the library's classes and modules are everybody's."""
        root: ast.expr = node
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if isinstance(root, ast.Name) and (root.id in self.modules or root.id in self.members):
            return False
        if node.attr in NODE_FIELDS:
            return True
        if not isinstance(root, ast.Name):
            return False
        return root.id in ("self", "cls") or root.id in self.functions or node.attr in self.fields
