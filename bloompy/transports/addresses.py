"""Addresses of nodes: "host:port"."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress

from bloompy.errors import TransportError


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[IPv6]:port".

    Raises:
        TransportError: if it is no such address.
    """
    host, colon, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    # A peer may have chosen it, so nothing may come through that int() or a socket refuses with an error of its own.
    if not (colon and _is_host(host) and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65_536):
        raise TransportError(f"{address!r:.200} is no address", hint='write "host:port", for example "127.0.0.1:4000"')
    return host, int(port)


def _is_host(host: str) -> bool:
    try:
        return b"\0" not in host.encode("idna") and host != ""
    except UnicodeError:
        return False


def join_address(host: str, port: int) -> str:
    """The address of host and port."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def cannot_listen(address: str, error: OSError) -> TransportError:
    """The error of a node that the system does not let listen on an address."""
    if error.errno == errno.EADDRINUSE:
        hint = "another program listens there; choose another port"
    elif error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        hint = "listen on an address of this machine"
    else:
        hint = None
    return TransportError(f"cannot listen on {address}: {error}", hint=hint)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_unspecified(host: str) -> bool:
    """Whether it stands for all interfaces, so that no peer can call it."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def own_host(peers: Sequence[str]) -> str:
    """The address of this machine that peers can answer to: that of the interface towards the first of them whose host is known.

    Args:
        peers: addresses "host:port", at least one.

    Raises:
        TransportError: if none is the address of a host that is known and can be reached from here.
    """
    for peer in peers[:-1]:
        with suppress(TransportError):
            return _own_host_towards(peer)
    return _own_host_towards(peers[-1])


def _own_host_towards(peer: str) -> str:
    host, port = split_address(peer)
    if is_loopback(host):
        return "127.0.0.1" if host == "localhost" else host
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)  # sends nothing: it only chooses the route
            own: str = probe.getsockname()[0]
            return own
    except OSError as error:
        hint = "is the name right, and does this machine have a network?"
        raise TransportError(f"{peer} cannot be reached: {error}", hint=hint) from error
