"""The judge's end of the line to a server: questions with a token, questions back, and silence where nothing was asked.

Replies are hostile: an answer that nobody asked for, one to another question, or one that is no frame ends the cell and is
remembered.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from os import urandom  # by itself: a test may patch the module's
from typing import Any

from sandbox.guest import codec, floor, peer, server, wire

MALFORMED = (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError, ImportError, RecursionError)
"""What reading a reply that is no reply of ours can raise."""


class Uncrossable(BaseException):
    """This cell needs more than the two sides have. No Exception, so that tests rarely swallow it; ``Link.gave_up`` remembers."""


class Gone(BaseException):
    """The solution's process ended or answered nonsense; the supervisor knows how it ended."""


class Unloaded(BaseException):
    """The solution did not load: (letter, why)."""


class Line(peer.Peer):
    """A socket, and what became of the conversation."""

    def __init__(self, fd: int) -> None:
        """``fd``: a stream socket."""
        super().__init__()
        self.fd = fd
        self.sock = socket.socket(fileno=fd)
        self.thread = threading.get_ident()
        self.pick_up()

    def pick_up(self) -> None:
        """A new cell begins."""
        self.gave_up = self.gone = self.forged = False
        self.why = ""
        self.reply_size = 0
        self.begun: list[str] = []
        self.floor = floor.Floor()
        self.threaded = False

    def threads(self) -> None:
        """The test starts threads, which will ask too; one that cannot go on ends the test."""
        self.threaded = self.sided = True
        self.floor.strand()
        signal.signal(signal.SIGUSR1, self._stopped)

    def _stopped(self, *_: object) -> None:
        if self.threaded:
            raise Uncrossable(self.why)

    def _stop(self) -> None:
        if self.threaded and threading.get_ident() != self.thread:
            signal.pthread_kill(self.thread, signal.SIGUSR1)

    def question(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask, answer what is asked back, and take the reply. Raises Gone, Unloaded or Uncrossable."""
        with self.floor:
            try:
                return self._answered(request)
            except Gone:
                self._stop()
                raise

    def _answered(self, request: dict[str, Any]) -> dict[str, Any]:
        reply = self._round_trip(request)
        while "back" in reply or (self.threaded and "pending" in reply):
            if "back" in reply:
                request = {"answer": self.ask_for(reply["back"])}
            else:
                self.floor.rest(reply["pending"])
                request = {"wait": 1}
            reply = self._round_trip(request)
        if self.threaded:
            self.floor.answered()
            self.serial += 1  # what came for another thread meanwhile was there before
        return reply

    def _round_trip(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.threaded:
            if self.gone or self.gave_up:
                raise Uncrossable(self.why)
            request = self.floor.asking(request)
        elif threading.get_ident() != self.thread:
            raise self.give_up("threads of the test's")
        self.expect_silence()
        token = urandom(8).hex()
        request = {**request, **dict.fromkeys(self.begun, 1)}
        self.begun = []
        try:
            wire.write_all(self.fd, wire.encode([token, request]))
            size = int.from_bytes(wire.read_exactly(self.fd, 4), "big")
            body = wire.read_exactly(self.fd, size) if size <= server.MAX_REPLY else b""
        except (wire.WireError, OSError):
            self.gone = True
            raise Gone from None
        self.reply_size = size
        try:
            echo, reply = wire.decode(body)
        except (wire.WireError, RecursionError, ValueError, TypeError):
            echo, reply = None, None  # a server of ours answers in form, so this was somebody else: the same as a foreign token
        if echo != token or type(reply) is not dict:  # an answer to another question: somebody else has answered too
            self.forged = self.gone = True
            raise Gone
        if "unloaded" in reply:
            letter, why = reply["unloaded"] if type(reply["unloaded"]) is list and len(reply["unloaded"]) == 2 else ("", "")
            raise Unloaded(str(letter), str(why)[:500])
        return reply

    def done(self, operation: str, value: Any, arguments: Any, keywords: Any) -> Any:
        """See Peer. Other threads may ask meanwhile."""
        with self.floor.left() if self.threaded else contextlib.nullcontext():
            return super().done(operation, value, arguments, keywords)

    def ask_of(self, value: Any, operation: str, /, *arguments: Any, **keywords: Any) -> Any:
        """See Peer. From the question to what came of it, one thread speaks."""
        with self.floor:
            return super().ask_of(value, operation, *arguments, **keywords)

    def ask_for(self, request: Any) -> dict[str, Any]:
        """The answer to a question of the solution's about an object of the test's."""
        try:
            with server.deeper():
                return self.perform(request)
        except codec.Opaque as error:
            raise self.give_up(str(error)) from None
        except MALFORMED:
            self.gone = True
            raise Gone from None

    def expect_silence(self) -> None:
        """An answer that nobody asked for is no answer: note it. Raises Gone."""
        try:
            early = self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return
        self.forged = self.forged or bool(early)
        self.gone = True
        raise Gone

    def give_up(self, why: str) -> Uncrossable:
        """Note that this cell must run in another way."""
        self.gave_up, self.why = True, self.why or why
        self._stop()
        return Uncrossable(why)
