"""The judge's event loop, which lets the server's run whenever it would wait itself (``loops``).

A loop of asyncio waits in its selector and nowhere else, so the one that tests get asks there: the server's loop runs until
something of it ended, or is wanted of the judge's, or the judge's next timer is due. Where the judge's loop waits for more than
that (a socket, a thread) it looks after both by turns.
"""

from __future__ import annotations

import contextvars
import selectors
import sys
import threading
import weakref
from typing import Any

from sandbox.guest import codec, loops
from sandbox.guest.line import MALFORMED, Gone, Uncrossable, Unloaded

SLICE_S = 0.005
"""How long the server's loop runs while the judge's waits for something else too."""
_place: contextvars.ContextVar[int] = contextvars.ContextVar("_place")
_Plain: Any = selectors.DefaultSelector


class Asked(loops.Loops):
    """The judge's: what the test awaits of the solution's, and what of the test's the solution does."""

    current: Any = None
    """That of the cell."""
    count = contexts = 0

    def reset(self) -> None:
        """See Loops."""
        super().reset()
        self.alive = False
        self.used: set[int] = set()
        self.since: dict[int, int] = {}
        self.places: Any = weakref.WeakKeyDictionary()

    def at(self) -> int:
        """The number of the loop that runs; 0 where none does, or one that is not asyncio's own."""
        asyncio = sys.modules.get("asyncio")
        selector = getattr(asyncio._get_running_loop(), "_selector", None) if asyncio is not None else None
        return selector.number if isinstance(selector, Selector) else 0

    def marked(self, request: dict[str, Any]) -> dict[str, Any]:
        """A question that says in which loop it is asked."""
        number = self.at()
        if number:
            self.used.add(number)
            request["loop"] = number
            request["context"] = self._context()
        return request

    def _context(self) -> list[int]:
        """The number of the running task's context, and of the one that it was copied from."""
        task, parent = sys.modules["asyncio"].current_task(), _place.get(0)
        if task is None:
            return [parent, 0]
        if task not in self.places:
            Asked.contexts += 1
            self.places[task] = [Asked.contexts, parent]
            _place.set(Asked.contexts)
        return list(self.places[task])

    def over(self) -> bool:
        """See Loops."""
        return bool(self.peer.gone or self.peer.gave_up)

    def tell(self) -> None:
        """See Loops. What is awaited does its first step before it is waited for; all else is told in the next turn."""
        if self.begins:
            self.since[self.number] = self.peer.serial + 1
            self.turn(loops.STEP)

    def now(self, number: int) -> Any:
        """See Loops. Nothing else runs in the judge, so the server's loop runs to the end of it."""
        while number not in self.results:
            self.turn(None)
        return self.results[number]

    def heard_of(self, body: Any, _number: int) -> Any:
        """See Loops. What nobody could raise ends the cell at once."""
        try:
            return None, self.peer.awaited(body, self.since.pop(_number, self.peer.serial))
        except (Gone, Uncrossable, Unloaded):
            raise
        except BaseException as error:
            return error, None

    def turn(self, seconds: float | None, number: int | None = None) -> None:
        """Have the server's loop run for so long at most; None: until it has something to say."""
        number = self.at() if number is None else number
        self.used.add(number)
        try:
            request = self.saying({"turn": seconds, "loop": number})
        except (codec.Opaque, RecursionError) as error:
            raise self.peer.give_up(str(error)) from None
        self.peer.serial += 1
        reply = self.peer.exchange(request)
        try:
            self.hearing(reply)
        except codec.Opaque as error:
            raise self.peer.give_up(str(error)) from None
        except MALFORMED:
            self.peer.gone = True
            raise Gone from None

    def running(self) -> Any:
        """See Loops."""
        import asyncio

        return asyncio.get_running_loop()

    def wait(self, selector: Any, seconds: float | None) -> Any:
        """The loop of ``selector`` has nothing to do for so long."""
        if self.over() and seconds != 0:
            raise Gone if self.peer.gone else Uncrossable(self.peer.why)
        if self.over() or not (self.news or (self.alive and selector.number in self.used)):
            return _Plain.select(selector, seconds)
        events = _Plain.select(selector, 0)
        if len(selector.get_map()) > 1 or threading.active_count() > 1:
            seconds = min(SLICE_S, SLICE_S if seconds is None else seconds)
        self.turn(0 if events else seconds, selector.number)
        return events or _Plain.select(selector, 0)

    def settle(self) -> None:
        """Note what was not told: assertions that did not hold in a coroutine that the solution began, or were never reached."""
        for number, task in self.tasks.items():
            if number in self.ended:
                self._told(task)
            elif any(
                name.startswith(("assert", "__assert"))
                for name in getattr(getattr(task.get_coro(), "cr_code", None), "co_names", ())
            ):
                self.peer.ended["begun", number] = (0, 0, 0)

    def close(self, number: int) -> None:
        """A loop of the judge's is closed, and so is the server's."""
        if number in self.used and not self.over():
            self.turn(loops.CLOSE, number)
            self.settle()
            self.reset()


class Selector(_Plain):  # type: ignore[misc]
    """What a loop of the judge's waits in."""

    def __init__(self) -> None:
        """Each has a number."""
        super().__init__()
        Asked.count += 1
        self.number = Asked.count

    def select(self, timeout: float | None = None) -> Any:
        """See selectors."""
        asked = Asked.current
        return super().select(timeout) if asked is None else asked.wait(self, None if timeout is None else max(timeout, 0))

    def close(self) -> None:
        """See selectors."""
        super().close()
        if Asked.current is not None:
            Asked.current.close(self.number)


def install() -> None:
    """Loops that are made in this process from now on are of this kind."""
    selectors.DefaultSelector = Selector  # type: ignore[misc]
