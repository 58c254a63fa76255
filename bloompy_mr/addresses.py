"""Which address of this machine others can answer to. Plain Python."""

from __future__ import annotations

import socket

from bloompy.transports.addresses import is_loopback, join_address, split_address


def listen_towards(peer: str) -> str:
    """A listen address, with a free port, that a peer can reach: loopback for loopback, else the interface towards it.

    Args:
        peer: "host:port".
    """
    host, port = split_address(peer)
    if is_loopback(host):
        return join_address("127.0.0.1" if host == "localhost" else host, 0)
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)  # sends nothing: it only chooses the route
        return join_address(probe.getsockname()[0], 0)
