"""The proofs of a session."""

from __future__ import annotations

import msgspec
import pytest

from bloompy.errors import AuthenticationError, WireError
from bloompy.transports.authentication import Caller, Listener, Seal, Welcome


def session(caller_secret: bytes | None, listener_secret: bytes | None) -> tuple[Seal, Seal]:
    caller, listener = Caller(caller_secret, "a:1"), Listener(listener_secret, "b:2")
    welcome, address = listener.welcome(caller.hello)
    assert address == "a:1"
    proof, sending = caller.answer(welcome)
    return sending, listener.accept(proof)


@pytest.mark.parametrize("secret", [None, b"s"])
def test_nodes_of_one_secret_understand_each_other(secret: bytes | None) -> None:
    sending, receiving = session(secret, secret)
    for body in (b"one", b"two", b""):
        assert receiving.open(sending.close(body)) == body


@pytest.mark.parametrize(("caller", "listener"), [(b"s", b"t"), (b"s", None)])
def test_a_caller_talks_to_no_listener_without_the_secret(caller: bytes | None, listener: bytes | None) -> None:
    with pytest.raises(AuthenticationError, match="that was called does not have the secret"):
        session(caller, listener)


def test_a_caller_without_a_secret_is_told_that_one_is_wanted() -> None:
    with pytest.raises(AuthenticationError, match="has a secret, this node has none") as caught:
        session(None, b"s")
    assert "same secret" in str(caught.value.hint)


@pytest.mark.parametrize("proof", [b"", b"x" * 32])
def test_a_listener_accepts_no_caller_without_the_secret(proof: bytes) -> None:
    listener = Listener(b"s", "b:2")
    listener.welcome(Caller(b"other", "a:1").hello)
    with pytest.raises(AuthenticationError, match="the caller does not have the secret"):
        listener.accept(proof)


def test_a_listener_without_a_secret_refuses_proofs() -> None:
    listener = Listener(None, "b:2")
    listener.welcome(Caller(b"s", "a:1").hello)
    with pytest.raises(AuthenticationError, match="the caller has a secret"):
        listener.accept(b"x" * 32)


def test_the_listeners_proof_cannot_be_sent_back_as_the_callers() -> None:
    caller, listener = Caller(b"s", "a:1"), Listener(b"s", "b:2")
    welcome, _ = listener.welcome(caller.hello)
    with pytest.raises(AuthenticationError, match="does not have the secret"):
        listener.accept(msgspec.msgpack.decode(welcome, type=Welcome).proof)


def test_a_proof_holds_for_its_session_only() -> None:
    caller, listener = Caller(b"s", "a:1"), Listener(b"s", "b:2")
    proof, _ = caller.answer(listener.welcome(caller.hello)[0])
    again = Listener(b"s", "b:2")
    again.welcome(caller.hello)
    with pytest.raises(AuthenticationError, match="does not have the secret"):
        again.accept(proof)


@pytest.mark.parametrize("attack", ["change", "repeat", "leave out", "no tag"])
def test_the_seal_shows_every_tampering(attack: str) -> None:
    sending, receiving = session(b"s", b"s")
    first, second = sending.close(b"first"), sending.close(b"second")
    if attack == "change":
        forged = first[:-1] + b"x"
    elif attack == "repeat":
        receiving.open(first)
        forged = first
    else:
        forged = second if attack == "leave out" else b"first"
    with pytest.raises(AuthenticationError, match="tag of its session"):
        receiving.open(forged)


def test_another_version_is_named() -> None:
    hello = msgspec.msgpack.encode(["bloompy", 99, "a:1", b"n" * 32])
    with pytest.raises(WireError, match="speaks version 99 of the protocol, this node 1"):
        Listener(None, "b:2").welcome(hello)


@pytest.mark.parametrize("hello", [b"", b"GET / HTTP/1.1", msgspec.msgpack.encode(["bloompy", 1, "a" * 400, b"n" * 32])])
def test_a_malformed_hello_is_refused(hello: bytes) -> None:
    with pytest.raises(WireError, match="malformed hello"):
        Listener(None, "b:2").welcome(hello)
