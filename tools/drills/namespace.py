"""A network namespace connected by veth pairs; a cut pair drops packets silently.

Needs root and iproute2. The addresses are those for benchmarks (RFC 2544); no route leaves this machine.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


def is_allowed() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        with namespace(one=False):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


class Wire:
    """One pair of interfaces: `near` is our address, `far` the namespace's. `calls_out`: connections come from inside."""

    def __init__(self, inside: str, name: str, *, calls_out: bool) -> None:
        network = f"198.18.{random.randrange(256)}.{4 * random.randrange(64)}"
        prefix, _, last = network.rpartition(".")
        self.near, self.far = f"{prefix}.{int(last) + 1}", f"{prefix}.{int(last) + 2}"
        self._inside, self._name, self._calls_out = inside, name, calls_out

    def lay(self) -> None:
        ip("link", "add", self._name, "type", "veth", "peer", "name", self._name, "netns", self._inside)
        ip("address", "add", f"{self.near}/30", "dev", self._name)
        ip("-n", self._inside, "address", "add", f"{self.far}/30", "dev", self._name)
        self.heal()

    def inject(self, *, is_cut: bool) -> None:
        """Takes down the interface of the called side: the caller keeps its route, and its packets are lost."""
        if is_cut:
            ip(*(() if self._calls_out else ("-n", self._inside)), "link", "set", self._name, "down")

    def heal(self) -> None:
        ip("link", "set", self._name, "up")
        ip("-n", self._inside, "link", "set", self._name, "up")


class Namespace:
    """`run_in`: the prefix of a command that runs inside."""

    def __init__(self, name: str, wires: dict[str, Wire]) -> None:
        self.run_in = ("ip", "netns", "exec", name)
        self.wires = wires


@contextmanager
def namespace(**wires: bool) -> Iterator[Namespace]:
    """A namespace with these wires, each with its `calls_out`; deleted at the end. Raises CalledProcessError."""
    tag = f"{os.getpid() % 100_000}-{random.randrange(1000)}"
    name = f"drill-{tag}"
    with ExitStack() as stack:
        ip("netns", "add", name)
        stack.callback(ip, "netns", "delete", name)
        laid = {
            wire: Wire(name, f"d{number}-{tag}", calls_out=calls_out)
            for number, (wire, calls_out) in enumerate(wires.items())
        }
        for wire in laid.values():
            wire.lay()
        ip("-n", name, "link", "set", "lo", "up")
        yield Namespace(name, laid)


def ip(*words: str) -> None:
    """Raises CalledProcessError."""
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
