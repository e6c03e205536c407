"""The ports of `make run`, checked before anything starts."""

import errno
import socket
from dataclasses import dataclass

from common.config.environment import SettingError, integer


@dataclass(frozen=True)
class Ports:
    """`redis` is None without an embedded server."""

    gateway: int
    users: int
    redis: int | None


def read_ports(*, embedded: bool) -> Ports:
    """The ports of the environment. Raises SettingError for a port that is invalid, used twice or taken."""
    names = {"GATEWAY_PORT": 3000, "USERS_PORT": 3001} | ({"REDIS_PORT": 6379} if embedded else {})
    taken: dict[int, str] = {}
    for name, default in names.items():
        port = integer(name, default, minimum=1, maximum=65_535)
        if port in taken:
            raise SettingError(f"{taken[port]} and {name} are both {port}: set them to different ports")
        taken[port] = name
    for port, name in taken.items():
        _require_free(port, name)
    gateway, users, *rest = taken
    return Ports(gateway, users, rest[0] if rest else None)


def _require_free(port: int, name: str) -> None:
    with socket.socket() as listener:
        # As the servers do: connections of the last run in TIME_WAIT do not block the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError as error:
            why = "in use" if error.errno == errno.EADDRINUSE else f"not available ({error.strerror})"
            raise SettingError(
                f"port {port} is {why}: stop what listens there, or set {name} to another port"
            ) from error
