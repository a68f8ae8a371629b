"""Questions and answers between two processes that hold each other's objects (``table``): one operation by its name, one reply.

A side asks about an object of the other's, and answers about its own and nothing else: a question never brings what it is about.
"""

from __future__ import annotations

from typing import Any, List  # noqa: UP035 - evaluated by Python 3.9 too

from sandbox.guest import codec, errors, kept, operations
from sandbox.guest.table import Message, Table

__all__ = ["Message", "Peer"]


class Peer(Table):
    """One side. A subclass says how a message gets across (``exchange``) and what may be asked of this side."""

    def exchange(self, request: Message) -> Message:
        """The other side's reply."""
        raise NotImplementedError

    def may_be_asked(self, value: Any, operation: str, arguments: List[Any]) -> None:  # noqa: UP006
        """Raises AttributeError for what the other side may not do with an object."""

    def ask_of(self, value: Any, operation: str, /, *arguments: Any, **keywords: Any) -> Any:
        """One operation on the object that a handle stands for."""
        return self.ask(operation, value, arguments, keywords)

    def ask(self, operation: str, value: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """Have the other side do something; what came of it."""
        return self.outcome(self.exchange(self.request(operation, self.pack(value), arguments, keywords)))

    def was_there(self, value: Any, serial: int) -> bool:
        """Whether a handle stood here when that many questions had been asked."""
        return self.born.get(self.numbers.get(id(value), -1), serial + 1) <= serial

    def request(self, operation: str, on: Any, arguments: Any = (), keywords: Any = None) -> Message:
        """A question. ``on``: the object, packed. Raises codec.Opaque."""
        self.serial += 1
        request = {"op": operation, "on": on, "args": [self.pack(item) for item in arguments]}
        if keywords:
            request["keywords"] = {name: self.pack(item) for name, item in keywords.items()}
        return self.sending(request)

    def outcome(self, reply: Message) -> Any:
        """The value of a reply, or the exception raised."""
        self.heard(reply)
        if "own" in reply:
            raise self.own(reply["own"])
        if "error" in reply:
            raise self.failure(reply["error"])
        if "raised" in reply:
            raise errors.rebuild(reply["raised"], self.missing)
        return codec.unpack(reply["value"])

    def perform(self, request: Message) -> Message:
        """Do what the other side asks; the reply."""
        self.heard(request)
        value = self.asked_of(request["on"])
        arguments = [codec.unpack(item) for item in request["args"]]
        keywords = {name: codec.unpack(item) for name, item in request.get("keywords", {}).items()}
        try:
            self.may_be_asked(value, request["op"], arguments)
            result = self.done(request["op"], value, arguments, keywords)
            kept.refuse_depth(result)
            reply = {"value": self.pack(result)}
        except codec.Opaque:
            raise
        except BaseException as error:
            reply = self.raised(error)
        return self.sending(reply)

    def done(self, operation: str, value: Any, arguments: Any, keywords: Any) -> Any:
        """What came of an operation here."""
        return operations.OPERATIONS[operation](value, *arguments, **keywords)

    def asked_of(self, on: Any) -> Any:
        """The object of this side's that a question is about. Raises ValueError, KeyError or TypeError for anything else."""
        [(tag, number)] = on.items()
        if tag != "R":
            raise ValueError("a question about nothing of this side's")
        return self.mine[number]

    def raised(self, error: BaseException) -> Message:
        """A reply that says what was raised."""
        number = self.numbers.get(id(error))
        if number in self.theirs:
            return {"own": number, "raised": [type(error).__name__]}
        body = self.error(error)
        return {"error": body, "raised": body[2]}
