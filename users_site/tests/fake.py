"""fakeredis behind a socket, so that our own Connection speaks to it: another store for the same tests.

What 2.40 lacks: it persists nothing, refuses AUTH, and hangs up after every error reply (NOSCRIPT too: load scripts
before). Its Lua has no `redis.sha1hex`, which is added here.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator

import redis
from fakeredis import TcpFakeServer


@contextlib.contextmanager
def fake_url() -> Iterator[str]:
    """The URL of a running fake server."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="valkey")
    server.daemon_threads = True  # a connection that is still open holds up nobody
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    url = f"redis://127.0.0.1:{server.server_address[1]}/0"
    try:
        _add_sha1hex(server, url)
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _add_sha1hex(server: TcpFakeServer, url: str) -> None:
    with redis.Redis.from_url(url, protocol=2) as client:
        client.eval("return 1", 0)  # makes the one Lua runtime of the server
    lua = vars(server.fake_server)["_lua_runtime"].globals()
    lua[b"redis"][b"sha1hex"] = lambda text: hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
