"""The ports of `make run`, checked before anything starts."""

import errno
import socket
from dataclasses import dataclass

from common.config.environment import SettingError, integer


@dataclass(frozen=True)
class Ports:
    """`redis` is None without an embedded server. `more`: of the services of `make new-service`."""

    gateway: int
    users: int
    redis: int | None
    more: dict[str, int]


def read_ports(more: dict[str, int], *, embedded: bool) -> Ports:
    """The ports of the environment. Raises SettingError for a port that is invalid, used twice or taken."""
    names = {"GATEWAY_PORT": 3000, "USERS_PORT": 3001} | ({"REDIS_PORT": 6379} if embedded else {})
    names |= {f"{name.upper()}_PORT": port for name, port in more.items()}
    taken: dict[int, str] = {}
    for name, default in names.items():
        port = integer(name, default, minimum=1, maximum=65_535)
        if port in taken:
            raise SettingError(f"{taken[port]} and {name} are both {port}: set them to different ports")
        taken[port] = name
    for port, name in taken.items():
        require_free(port, name)
    ports = {name: port for port, name in taken.items()}
    own = {name: ports[f"{name.upper()}_PORT"] for name in more}
    return Ports(ports["GATEWAY_PORT"], ports["USERS_PORT"], ports.get("REDIS_PORT"), own)


def require_free(port: int, name: str) -> None:
    """Raises SettingError for a port in use, which the setting `name` gave."""
    with socket.socket() as listener:
        # As the servers do: connections of the previous run in TIME_WAIT do not block the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError as error:
            why = "in use" if error.errno == errno.EADDRINUSE else f"not available ({error.strerror})"
            raise SettingError(
                f"port {port} is {why}: stop what listens there, or set {name} to another port"
            ) from error
