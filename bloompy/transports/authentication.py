"""Who is at the other end: hello, mutual proof of a shared secret, and a seal on every frame of the session.

    caller -> listener   Hello
    listener -> caller   Welcome (its Hello, its proof)
    caller -> listener   proof
    listener -> caller   ACCEPTED

A proof is an HMAC-SHA-256 under the secret over the role and both Hellos, nonces included, so it holds for this session and
this side only. Frames then carry a keyed BLAKE2b tag over their number and body, under a key of the session. The secret
itself never leaves the process. Without a secret (loopback only) proofs and tags are empty.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b, sha256
from typing import Annotated, Literal

import msgspec
from msgspec.msgpack import Decoder

from bloompy.errors import AuthenticationError, WireError
from bloompy.transports.values import ENCODER

VERSION = 1
HELLO_BYTES = 1024
"""Most bytes of a message before the peer has proved itself."""
ACCEPTED = b"accepted"
TAG_BYTES = 16
_NONCE_BYTES = 32
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError)  # msgspec passes on what is wrong with the UTF-8 of a str


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """The first message of each side."""

    protocol: Literal["bloompy"]
    version: int
    address: Annotated[str, msgspec.Meta(max_length=300)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=_NONCE_BYTES, max_length=_NONCE_BYTES)]


class Welcome(msgspec.Struct, frozen=True, array_like=True):
    """The listener's Hello as bytes, and its proof."""

    hello: bytes
    proof: bytes


_HELLO, _WELCOME = Decoder(Hello), Decoder(Welcome)


class Seal:
    """Tags the frames of one direction of a session: none can be changed, left out, repeated or put in.

    Args:
        key: of the session; None for no tags.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key, self._number = key, 0

    def close(self, body: bytes) -> bytes:
        """Tag and body."""
        return body if self._key is None else self._tag(body) + body

    def open(self, sealed: bytes) -> bytes:
        """The body, if the tag is right.

        Raises:
            AuthenticationError: if it is not.
        """
        if self._key is None:
            return sealed
        body = sealed[TAG_BYTES:]
        if not hmac.compare_digest(sealed[:TAG_BYTES], self._tag(body)):
            raise AuthenticationError("a frame does not carry the tag of its session")
        return body

    def _tag(self, body: bytes) -> bytes:
        assert self._key is not None
        self._number += 1
        digest = blake2b(self._number.to_bytes(8, "big"), key=self._key, digest_size=TAG_BYTES)
        digest.update(body)
        return digest.digest()


class Caller:
    """The side that connects.

    Args:
        secret: the shared secret, or None.
        address: by which this node can be reached, "" if it cannot.
    """

    def __init__(self, secret: bytes | None, address: str) -> None:
        self._secret = secret
        self.hello = _hello(address)

    def answer(self, welcome: bytes) -> tuple[bytes, Seal]:
        """The proof to send, and the seal of the session.

        Raises:
            AuthenticationError: if the listener does not have the secret, or wants one.
            WireError: if this is no welcome of this version.
        """
        try:
            found = _WELCOME.decode(welcome)
        except _MALFORMED as error:
            raise WireError(f"malformed welcome: {error}") from None
        _read_hello(found.hello)
        session = _session(self.hello, found.hello)
        _check(self._secret, "listener", session, found.proof, "the peer that was called")
        return _proof(self._secret, "caller", session), _seal(self._secret, session)


class Listener:
    """The side that was connected to.

    Args:
        secret: the shared secret, or None.
        address: of this node.
    """

    def __init__(self, secret: bytes | None, address: str) -> None:
        self._secret, self._hello = secret, _hello(address)
        self._session = b""

    def welcome(self, hello: bytes) -> tuple[bytes, str]:
        """What to send, and the address that the caller says it has.

        Raises:
            WireError: if this is no hello of this version.
        """
        caller = _read_hello(hello)
        self._session = _session(hello, self._hello)
        return ENCODER.encode(Welcome(self._hello, _proof(self._secret, "listener", self._session))), caller.address

    def accept(self, proof: bytes) -> Seal:
        """The seal of the session.

        Raises:
            AuthenticationError: if the caller does not have the secret.
        """
        _check(self._secret, "caller", self._session, proof, "the caller")
        return _seal(self._secret, self._session)


def _hello(address: str) -> bytes:
    return ENCODER.encode(Hello("bloompy", VERSION, address, secrets.token_bytes(_NONCE_BYTES)))


def _read_hello(data: bytes) -> Hello:
    try:
        hello = _HELLO.decode(data)
    except _MALFORMED as error:
        raise WireError(f"malformed hello: {error}") from None
    if hello.version != VERSION:
        raise WireError(f"the peer speaks version {hello.version} of the protocol, this node {VERSION}", hint="run one version everywhere")
    return hello


def _session(caller: bytes, listener: bytes) -> bytes:
    return sha256(len(caller).to_bytes(4, "big") + caller + listener).digest()


def _proof(secret: bytes | None, role: str, session: bytes) -> bytes:
    return b"" if secret is None else hmac.digest(secret, f"bloompy {VERSION} {role} ".encode() + session, "sha256")


def _check(secret: bytes | None, role: str, session: bytes, proof: bytes, who: str) -> None:
    if secret is None and proof:
        raise AuthenticationError(f"{who} has a secret, this node has none", hint="give both nodes the same secret")
    if not hmac.compare_digest(proof, _proof(secret, role, session)):
        raise AuthenticationError(f"{who} does not have the secret of this node", hint="give both nodes the same secret")


def _seal(secret: bytes | None, session: bytes) -> Seal:
    return Seal(None if secret is None else hmac.digest(secret, f"bloompy {VERSION} frames ".encode() + session, "sha256"))
