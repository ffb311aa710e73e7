"""Ports on loopback that stay ours while nobody listens on them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserve_port() -> Iterator[int]:
    """A free port, held by a socket that is bound but never listens.

    A server of the same user that sets SO_REUSEPORT can listen there, stop and come back; no other program gets the port,
    and a client is refused while no server listens.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port
