"""What can go wrong for a client of a replicated state machine."""

from __future__ import annotations

from bloompy.errors import BloomError


class NoAnswer(BloomError, TimeoutError):
    """No replica answered in time; a write may or may not have been applied."""

    code = "BLM601"


class RequestRefused(BloomError):
    """The replicas answered that a request cannot be served.

    Attributes:
        reason: the name of the error in the reply.
    """

    code = "BLM602"

    def __init__(self, reason: str, request: str) -> None:
        self.reason = reason
        message, hint = _REASONS.get(reason, (reason, None))
        super().__init__(f"{request}: {message}", hint=hint)


class WrongMember(BloomError):
    """An address that cannot be added to the members of a group, or removed from them."""

    code = "BLM605"


class CommandNotSendable(BloomError, ValueError):
    """A command that no message can hold, such as one too deeply nested; it has left this client nowhere."""

    code = "BLM604"


class WrongSecret(BloomError):
    """A client whose secret no replica has."""

    code = "BLM607"


_REASONS: dict[str, tuple[str, str | None]] = {
    "EINVAL": ("the replicas serve no such request", "see the docstring of the replicated program for its commands"),
    "E2BIG": ("it is larger than the replicas take (command_bytes)", "divide it, or keep large values elsewhere and their names here"),
    "EAGAIN": (
        "not begun: the replica to be added has not caught up, or too few of the members to come are there",
        "see that they run (status), and ask again",
    ),
    "ESTALE": ("the replicas have forgotten this client, or have its answer no longer", "make a new client"),
}
