"""What a pod on the test cluster does: caller.py load HOST PORT SECONDS | denied HOST:PORT…

`load` keeps asking the gateway, each request on a connection of its own, and fails when one of them fails: a restart must
not be seen from outside. `denied` fails when one of the addresses can be connected to, or its name cannot be resolved (then
nothing was denied, and nothing tried). Standard library only: it runs in the gateway's image.
"""

import http.client
import json
import socket
import sys
import threading
import time

THREADS = 4
PAUSE_SECONDS = 0.02
ANSWER_SECONDS = 10
CONNECT_SECONDS = 3


def main(arguments: list[str]) -> int:
    if arguments[0] == "load":
        return load(arguments[1], int(arguments[2]), float(arguments[3]))
    return denied(arguments[1:])


def load(host: str, port: int, seconds: float) -> int:
    """1 unless every request was answered as it should be, and there were some."""
    failures: list[str] = []
    counts = [0] * THREADS
    deadline = time.monotonic() + seconds

    def ask(index: int) -> None:
        while time.monotonic() < deadline:
            counts[index] += 1
            if failure := once(host, port, counts[index]):
                failures.append(f"{time.strftime('%H:%M:%S')} {failure}")
            time.sleep(PAUSE_SECONDS)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"requests": sum(counts), "failed": len(failures), "first": failures[:10]}))  # noqa: T201
    return 1 if failures or not all(counts) else 0


def once(host: str, port: int, number: int) -> str:
    """One request: every tenth is a write that is refused by the user service itself. What went wrong, or nothing."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        if number % 10:
            connection.request("GET", "/api/users?limit=1", headers={"Connection": "close"})
            wanted = 200
        else:
            body, headers = b'{"email": "no address"}', {"Connection": "close", "Content-Type": "application/json"}
            connection.request("POST", "/api/users", body, headers)
            wanted = 400
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if answer.status == wanted else f"status {answer.status}"


def denied(addresses: list[str]) -> int:
    """1 when one of them can be reached."""
    reached = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        where = str(socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4][0])
        try:
            socket.create_connection((where, int(port)), timeout=CONNECT_SECONDS).close()
            reached.append(address)
        except TimeoutError:
            print(f"{address}: no answer, as it should be")  # noqa: T201
        except OSError as error:
            # Refused is denied too: some implementations of network policies reject instead of dropping.
            print(f"{address}: {error}")  # noqa: T201
    for address in reached:
        print(f"error: {address} can be reached")  # noqa: T201
    return 1 if reached or not addresses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
