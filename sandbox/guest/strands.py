"""The server of a test that starts threads: each of them has a thread here, its *strand*, which does what it asks.

So locks are owned, thread-locals kept and queues waited for as in one process. Questions are still taken one by one (``serve``, in
a thread that the solution does not see; strand 0 is the main thread): a strand that has not answered in time is ``pending``, and
its thread asks again. Who packs or unpacks has the *floor*, which is given only while a question of its strand waits for a reply,
so messages go out in the order in which they were made. A thread of the solution's own that calls what is the test's is a guest of
whichever strand is being asked for.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import threading
from collections.abc import Iterator
from time import monotonic  # by itself: a test may patch the module's
from typing import Any

from sandbox.guest import wire

OVER: dict[str, Any] = {"over": 1}


class Talk:
    """One thread here, and what it has heard and says. ``asking``: questions of its own that wait for an answer."""

    def __init__(self, lock: Any) -> None:
        """Silent."""
        self.heard: Any = None
        self.says: Any = None
        self.wants = self.floor = False
        self.asking = 0
        self.seat: list[Talk] | None = None
        self.called = threading.Condition(lock)


class Strands:
    """Those of one server."""

    def __init__(self, server: Any, frame: Any, deeper: Any) -> None:
        """``server``: answers. ``frame`` and ``deeper``: see there."""
        self.server, self.frame, self.deeper = server, frame, deeper
        self.lock = threading.Lock()
        self.news = threading.Condition(self.lock)
        self.talks: dict[int, list[Talk]] = {}
        self.guests: list[Talk] = []
        self.own = threading.local()

    def run(self, token: str, request: Any) -> None:
        """The main thread becomes strand 0. Does not return."""
        first = Talk(self.lock)
        self.talks[0] = [first]
        _thread.start_new_thread(self._serve, (token, request))
        self._work(first)

    def _serve(self, token: str, request: Any) -> None:
        try:
            while True:
                wire.write_all(self.server.fd, self.frame(token, self._turn(request)))
                token, request = wire.read_frame(self.server.fd)
        except (wire.WireError, OSError):
            os._exit(0)
        finally:
            os._exit(70)

    def _turn(self, request: dict[str, Any]) -> Any:
        number, name, patience_s = request.pop("strand")
        with self.lock:
            for over in request.pop("over", ()):
                if over in self.talks:
                    self._call(self.talks.pop(over)[0], OVER)
            if number not in self.talks:
                try:
                    self._start(number, name)
                except RuntimeError:
                    return {"opaque": "more threads than there may be"}
            talks = self.talks[number]
            if "wait" not in request:
                self._call(talks[-1], request)
                self._hear(talks[-1])
            deadline = monotonic() + patience_s
            while talks[-1].says is None:
                speaker = talks[-1] if talks[-1].wants else self.guests.pop(0) if self.guests else None
                if speaker is not None:
                    if speaker is not talks[-1]:
                        talks.append(speaker)
                        speaker.seat = talks
                    speaker.wants, speaker.floor = False, True
                    speaker.called.notify()
                    self._hear(speaker)
                    continue
                ready = [other for other, them in self.talks.items() if them[-1].wants]
                left = deadline - monotonic()
                if ready or left <= 0:
                    return {"pending": ready}
                self.news.wait(left)
            reply, talks[-1].says = talks[-1].says, None
            return reply

    def _hear(self, talk: Talk) -> None:
        self.news.wait_for(lambda: not talk.floor)

    @staticmethod
    def _call(talk: Talk, message: Any) -> None:
        talk.heard, talk.floor = message, message is not OVER
        talk.called.notify()

    def _start(self, number: int, name: str) -> None:
        talk = Talk(self.lock)
        threading.Thread(target=self._work, args=(talk,), name=name, daemon=True).start()
        self.talks[number] = [talk]

    def _work(self, talk: Talk) -> None:
        self.own.talk = talk
        try:
            while True:
                request = self._listen(talk)
                if request is OVER:
                    return
                self._say(talk, self.server.reply(request))
        except BaseException:
            os._exit(70)

    def _listen(self, talk: Talk) -> Any:
        with self.lock:
            talk.called.wait_for(lambda: talk.heard is not None)
            message, talk.heard = talk.heard, None
            return message

    def _say(self, talk: Talk, message: Any) -> None:
        with self.lock:
            talk.says, talk.floor = message, False
            self.news.notify()

    def _mine(self) -> Talk:
        if not hasattr(self.own, "talk"):
            self.own.talk = Talk(self.lock)
            self.own.talk.seat = []
        found: Talk = self.own.talk
        return found

    def _take(self, talk: Talk) -> None:
        with self.lock:
            talk.wants = True
            if talk.seat == []:
                self.guests.append(talk)
            self.news.notify()
            talk.called.wait_for(lambda: talk.floor)

    def _give(self, talk: Talk) -> None:
        with self.lock:
            talk.floor = False
            if talk.seat and not talk.asking:
                talk.seat.remove(talk)
                talk.seat = []
            self.news.notify()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """What the test's side is told or says, in turn."""
        talk = self._mine()
        if talk.floor:
            yield
            return
        self._take(talk)
        try:
            yield
        finally:
            self._give(talk)

    @contextlib.contextmanager
    def left(self) -> Iterator[None]:
        """The solution's own code runs; others may be asked."""
        talk = self._mine()
        self._give(talk)
        try:
            yield
        finally:
            self._take(talk)

    def exchange(self, request: Any) -> Any:
        """Ask the judge's thread that waits for this strand."""
        talk, message = self._mine(), {"back": request}
        talk.asking += 1
        try:
            while True:
                self._say(talk, message)
                heard = self._listen(talk)
                if "answer" in heard:
                    return heard["answer"]
                with self.deeper():
                    message = self.server.reply(heard)
        finally:
            talk.asking -= 1
