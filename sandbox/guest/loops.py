"""Two event loops that take turns: coroutines of either side may be awaited by the other, side by side.

Each side runs its own coroutines in tasks of its own loop. Who awaits something of the other's begins it (``begin``), waits for a
future of its own, and is told how it ended (``ended``); when it is cancelled there, it says so (``cancel``) and waits on. This
travels with the judge's *turns* and their replies, so that one question still has one reply: a turn lets the server's loop run
until something ended or is wanted of the judge's, or the judge's next timer is due. The judge takes one whenever its own loop
would wait itself (``Selector``), and one that runs the first step alone where it awaits something: what never waits ends at once,
as in one loop.

An entry about what was never begun, or of what was not lent, is malformed: that ends the cell, as it does everywhere.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import sys
from collections.abc import Iterator
from typing import Any, Dict, List, Tuple  # noqa: UP035

from sandbox.guest import codec, kept

STEP, CLOSE = -1, -2
"""Turns in which no loop runs: what is begun does its first step; what still runs in a loop is cancelled, and the loop closed."""


class Loops:
    """What is awaited on one side."""

    def __init__(self, peer: Any) -> None:
        """``peer``: whose objects are awaited."""
        self.peer = peer
        self.reset()

    def reset(self) -> None:
        """Nothing is."""
        self.number = 0
        self.futures: Dict[int, Any] = {}  # noqa: UP006
        self.results: Dict[int, Any] = {}  # noqa: UP006
        self.tasks: Dict[int, Any] = {}  # noqa: UP006
        self.begins: List[Any] = []  # noqa: UP006
        self.cancels: List[int] = []  # noqa: UP006
        self.ended: List[int] = []  # noqa: UP006

    @property
    def news(self) -> bool:
        """Whether there is something to say."""
        return bool(self.begins or self.cancels or self.ended)

    def over(self) -> bool:
        """Whether nothing will be heard of what is awaited."""
        raise NotImplementedError

    def tell(self) -> None:
        """There is something to say."""
        raise NotImplementedError

    def now(self, number: int) -> Any:
        """(error, value) of what is awaited where there is no loop."""
        raise NotImplementedError

    def outcome(self, body: Any) -> Any:
        """The value that the other side tells; raises the exception."""
        return self.peer.outcome(body)

    async def awaiting(self, value: Any) -> Any:
        """Have the other side await one of its objects; what came of it."""
        import asyncio

        number = self.number = self.number + 1
        self.begins.append((number, value))
        self.futures[number] = None
        self.tell()
        loop = asyncio._get_running_loop()
        while number not in self.results:
            if loop is None:
                self.results[number] = self.now(number)
                break
            future = self.futures[number] = loop.create_future()
            try:
                await future
            except asyncio.CancelledError:
                if number in self.results or self.over():
                    raise
                self.cancels.append(number)
                self.tell()
        error, value = self.results.pop(number)
        if error is not None:
            raise error
        return value

    def saying(self, message: Dict[str, Any]) -> Dict[str, Any]:  # noqa: UP006
        """A message with all that there is to say."""
        begins, cancels, ended = self.begins, self.cancels, self.ended
        self.begins, self.cancels, self.ended = [], [], []
        message["begin"] = [[number, self.peer.pack(value)] for number, value in begins]
        message["cancel"] = cancels
        message["ended"] = [[number, self._told(self.tasks.pop(number))] for number in ended]
        return dict(self.peer.sending(message))

    def _told(self, task: Any) -> Any:
        try:
            value = task.result()
            kept.refuse_depth(value)
            return {"value": self.peer.pack(value)}
        except (codec.Opaque, RecursionError) as error:
            return {"opaque": str(error)}
        except BaseException as error:
            return self.peer.raised(error)

    def hearing(self, message: Dict[str, Any]) -> None:  # noqa: UP006
        """Take what the other side says. Raises ValueError, KeyError and the like for nonsense."""
        self.peer.heard(message)
        for number, body in message["ended"]:
            future = self.futures.pop(number)
            self.results[number] = self.heard_of(body, number)
            if future is not None and not future.done():
                future.set_result(None)
        for number, packed in message["begin"]:
            if type(number) is not int or number in self.tasks:
                raise ValueError("begun before")
            self._begin(number, self.peer.asked_of(packed))
        for number in message["cancel"]:
            if number in self.tasks:  # or it has ended meanwhile
                self.tasks[number].cancel()

    def heard_of(self, body: Any, _number: int) -> Tuple[Any, Any]:  # noqa: UP006
        """(error, value) of what has ended."""
        try:
            return None, self.outcome(body)
        except BaseException as error:
            return error, None

    def _begin(self, number: int, value: Any) -> None:
        self.peer.may_be_asked(value, "await", [])
        if not inspect.isawaitable(value):
            raise TypeError("nothing to be awaited")
        task = self.tasks[number] = self.task(value)
        self.began(task)
        if task.done():
            self.ended.append(number)
        else:
            task.add_done_callback(lambda _: self._has_ended(number))

    def running(self) -> Any:
        """The loop in which things are begun."""
        raise NotImplementedError

    def task(self, value: Any) -> Any:
        """What does something that is awaited."""
        return sys.modules["asyncio"].ensure_future(value, loop=self.running())

    def began(self, task: Any) -> None:
        """A task is there."""

    def _has_ended(self, number: int) -> None:
        if number in self.tasks:
            self.ended.append(number)
            self.tell()


class Served(Loops):
    """The server's: it has a loop for each of the judge's, which runs in the judge's turns."""

    def reset(self) -> None:
        """See Loops."""
        super().reset()
        self.loops: Dict[int, Any] = {}  # noqa: UP006
        self.contexts: Dict[int, Any] = {}  # noqa: UP006
        self.context: Any = None
        self.begins_in: Any = None
        self.at = 0
        self.closing = False

    def running(self) -> Any:
        """See Loops."""
        import asyncio

        if self.at not in self.loops:
            self.loops[self.at] = asyncio.new_event_loop()
        return self.loops[self.at]

    def task(self, value: Any) -> Any:
        """See Loops. It shares the context of who awaits it, where Python can say so."""
        if sys.version_info < (3, 11) or self.begins_in is None or self.context is not None or not inspect.iscoroutine(value):
            return super().task(value)
        return self.running().create_task(value, context=self.begins_in)

    async def awaiting(self, value: Any) -> Any:
        """See Loops. A loop of the solution's own takes no turns: what is the judge's is run to its end, one by one."""
        if sys.modules["asyncio"]._get_running_loop() is self.loops.get(self.at):
            return await super().awaiting(value)
        return self.peer.outcome(self.peer.exchange(self.peer.request("await", self.peer.pack(value))))

    def over(self) -> bool:
        """See Loops."""
        return self.closing

    def tell(self) -> None:
        """See Loops. A turn ends when there is something to say, or when the judge was asked something: it may have work now."""
        loop = self.loops.get(self.at)
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(loop.stop)

    @contextlib.contextmanager
    def inside(self, request: Dict[str, Any]) -> Iterator[None]:  # noqa: UP006
        """Where the judge's loop runs, what it asks for happens in ours. A source that has not loaded asyncio does not notice."""
        events = sys.modules.get("asyncio.events")
        if events is None or "loop" not in request or events._get_running_loop() is not None:
            yield
            return
        self.at = request["loop"]
        loop = self.running()
        hooks = sys.get_asyncgen_hooks()
        events._set_running_loop(loop)
        sys.set_asyncgen_hooks(firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook)
        try:
            yield
        finally:
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def place(self, request: Dict[str, Any]) -> Any:  # noqa: UP006
        """The context here that belongs to the one in which the judge asks; None: whichever it is."""
        number, parent = request.get("context", (0, 0))
        if number and number not in self.contexts:
            self.contexts[number] = self.contexts[parent].copy() if parent in self.contexts else contextvars.copy_context()
        return self.contexts.get(number)

    def within(self, request: Dict[str, Any], function: Any, *arguments: Any) -> Any:  # noqa: UP006
        """What the judge asks for in its loop, done in ours."""
        with self.inside(request):
            context = None if self.context is not None or self.busy() else self.place(request)
            if context is None:
                return self.alive(function(*arguments), request)
            self.context = context
            try:
                return self.alive(context.run(function, *arguments), request)
            finally:
                self.context = None

    def busy(self) -> bool:
        """Whether a turn is under way."""
        loop = self.loops.get(self.at)
        return loop is not None and loop.is_running()

    def alive(self, reply: Any, request: Dict[str, Any]) -> Any:  # noqa: UP006
        """A reply that says whether something happens in the loop yet."""
        loop = self.loops.get(request["loop"]) if "loop" in request else None
        if loop is not None and (self.news or loop._ready or loop._scheduled or sys.modules["asyncio"].all_tasks(loop)):
            reply["alive"] = 1
        return reply

    def turn(self, request: Dict[str, Any]) -> Any:  # noqa: UP006
        """Run the loop until there is something to say, or no longer than the judge wants."""
        import asyncio  # noqa: F401 - so that there is a loop to be inside of

        self.at, seconds = request["loop"], request["turn"]
        with self.inside(request):
            self.begins_in = self.place(request)
            self.hearing(request)
        loop = self.running()
        if seconds == CLOSE:
            self._close(loop)
        elif seconds != STEP and not self.news:
            timer = loop.call_later(seconds, loop.stop) if seconds else None
            if seconds == 0:
                loop.stop()
            loop.run_forever()
            if timer is not None:
                timer.cancel()
        return self.alive(self.saying({}), request)

    def began(self, task: Any) -> None:
        """The first step of what is begun is done at once, as by ``await``, unless another task is just running."""
        import asyncio

        loop = self.running()
        if loop._ready and getattr(loop._ready[-1]._callback, "__self__", None) is task and asyncio.current_task(loop) is None:
            loop._ready.pop()._run()

    def _close(self, loop: Any) -> None:
        asyncio: Any = sys.modules["asyncio"]
        self.closing = True
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True)) if tasks else None
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        self.reset()
