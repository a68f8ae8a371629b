"""What a source may name whose own comparisons are believed: modules and which of their members, attributes, special methods.

Words alone; ``innocence`` reads a source by them, and ``guards`` the names that are made at run time. A word is added when it was
shown to lead from no value to a frame, a module, the test or a class of the library's that others use.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

MODULES = frozenset(
    (
        "math cmath collections itertools functools re heapq bisect string datetime copy operator json decimal fractions "
        "statistics hashlib typing numbers enum dataclasses abc calendar textwrap array __future__ collections.abc"
    ).split()
)
"""Any public member that is no module."""
UNSTEADY = frozenset(("random", "time"))
"""The same, but a pure source may not import them."""
MEMBERS = {
    "os": "path environ sep linesep curdir pardir extsep name getcwd getenv fspath",
    "os.path": "join basename dirname split splitext exists isfile isdir isabs abspath normpath commonpath relpath sep",
    "sys": "maxsize maxunicode float_info getsizeof getrecursionlimit setrecursionlimit version_info version platform byteorder "
    "stdin stdout stderr intern exit argv",
    "threading": "Lock RLock Thread Event Condition Semaphore BoundedSemaphore Barrier",
    "queue": "Queue LifoQueue PriorityQueue SimpleQueue Empty Full",
    "logging": "getLogger debug info warning error critical DEBUG INFO WARNING ERROR CRITICAL",
    "contextlib": "contextmanager asynccontextmanager nullcontext",
    "asyncio": "sleep gather run create_task wait_for Lock Event Semaphore Queue TimeoutError",
    "concurrent.futures": "ThreadPoolExecutor as_completed wait",
    "io": "StringIO BytesIO",
    "uuid": "uuid4 uuid5 UUID NAMESPACE_DNS NAMESPACE_URL",
    "struct": "pack unpack calcsize Struct error",
    "base64": "b64encode b64decode urlsafe_b64encode urlsafe_b64decode b32encode b32decode b16encode b16decode",
    "pprint": "pprint pformat",
    "difflib": "SequenceMatcher get_close_matches ndiff unified_diff",
    "unicodedata": "normalize category name combining",
    "urllib.parse": "urlparse urlsplit urljoin quote unquote urlencode parse_qs parse_qsl",
    "html": "escape unescape",
    "zlib": "crc32 adler32 compress decompress",
    "secrets": "token_hex randbelow choice",
    "warnings": "warn",
}
IDLE = frozenset(
    "subprocess socket shutil tempfile pathlib pickle inspect traceback glob argparse platform signal types weakref".split()
)
"""Modules whose import does no harm, and of which nothing may be used."""
DENIED_NAMES = frozenset(
    (
        "exec eval compile globals locals delattr open breakpoint help memoryview "
        "attrgetter methodcaller get_type_hints GeneratorExit BaseException "
        "BaseExceptionGroup license credits copyright solution your_module generated_test unittest make_dataclass "
        "update_wrapper singledispatch singledispatchmethod setcontext Formatter ForwardRef "
        "_is_protocol _is_runtime_protocol EnumMeta EnumType NamedTupleMeta get_origin global_enum dispatch_table"
    ).split()
)
NAMES_IN_PLACE = frozenset(
    "type object getattr setattr vars dir id wraps contextmanager asynccontextmanager ABCMeta dataclass localcontext".split()
)
"""Denied too, except in the plain use that ``_in_place`` knows."""
DENIED_ATTRIBUTES = frozenset(
    (
        "gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_await ag_frame ag_code f_back f_globals f_locals f_builtins f_code "
        "tb_frame tb_next with_traceback attrgetter methodcaller get_type_hints modules mro format_map make_dataclass "
        "update_wrapper ForwardRef sys os builtins get_stack print_stack get_coro get_loop findCaller makeRecord singledispatch "
        "singledispatchmethod setcontext Protocol Formatter vformat get_field "
        "buffer detach raw _is_protocol _is_runtime_protocol EnumMeta EnumType NamedTupleMeta get_origin global_enum "
        "dispatch_table _convert_ _create_ _inst copy_with _evaluate global_enum_repr _loop _get_loop "
        "_outcome _type_equality_funcs addTypeEqualityFunc failureException configure_mock mock_add_spec attach_mock _call_matcher "
        "reset_mock mock_calls call_args_list method_calls"
    ).split()
)
OWN_FIELDS = frozenset("buffer raw modules detach builtins format".split())
"""Words that are looked at when the call comes: fields and methods of the solution's own, none of the library's (``guards``)."""
DESCRIBING = frozenset(("__get__", "__set__", "__set_name__"))
"""Told whose they are: called outright or not at all, so that it can be asked (``sharing``)."""
HOOKS = frozenset("from_float from_decimal _richcmp _numerator _denominator _UserList__cast __cast".split())
"""Methods that classes of the library hand what is expected to, and what they reckon with: not to be set on such objects."""
OF_LOGGING = frozenset("handlers formatter setFormatter".split())
"""Lead from the module to formats that look into values."""
READABLE = frozenset("__name__ __class__ __doc__ __dict__ __qualname__".split())
MODULE_NAMES = frozenset("__all__ __version__ __author__ __slots__ __hash__".split())
"""Special names that a source may set."""
TRUSTED_NAMES = frozenset("isinstance type any all zip abs getattr setattr vars object super self cls NotImplemented".split())
"""Names that the forms of ``judging`` rely on: a source that binds them is not read."""
PLAIN_METHODS = frozenset(
    (
        "__init__ __new__ __post_init__ __len__ __bool__ __iter__ __next__ __reversed__ __getitem__ __setitem__ __delitem__ "
        "__missing__ __call__ __str__ __repr__ __format__ __hash__ __int__ __float__ __complex__ __index__ __abs__ __neg__ __pos__ "
        "__invert__ __round__ __trunc__ __floor__ __ceil__ __enter__ __aenter__ __aiter__ __anext__ __await__ __copy__ "
        "__deepcopy__ __get__ __set__ __set_name__"
    ).split()
)
"""Special methods that compute an answer without being told what is expected."""
DEFINED_ONLY = frozenset("__setattr__ __delattr__ __init_subclass__ __class_getitem__".split())
"""The same, but to call them by name leads further."""
NODE_FIELDS = frozenset("next prev val left right child children parent neighbors random bottom".split())
"""Fields of nodes that a test makes and a solution links anew; nothing of the library listens to them."""
TEMPLATES = frozenset(
    (
        "Mapping MutableMapping Set MutableSet AbstractSet MappingView KeysView ItemsView ValuesView Complex Real Rational Integral"
    ).split()
)
"""Abstract classes that make comparison, membership and difference of methods which are told what is asked, or only a length."""
