"""The processes of a drill (stores, replicas of both services, balancers and relays), its load and its outcomes."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tools.drills.load import load
from tools.drills.outcome import Outcome
from tools.processes.service import Service, service, tree
from tools.processes.store import Store, store

END_SECONDS = 30

Made = TypeVar("Made")


@dataclass
class Stage:
    """`exits`: the exit codes of the services stopped by `stop`."""

    folder: Path
    logs: Path
    stack: AsyncExitStack
    outcomes: list[Outcome] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)

    async def start(self, process: AbstractContextManager[Made]) -> Made:
        """Until the end of the drill."""
        return await asyncio.to_thread(self.stack.enter_context, process)

    async def enter(self, net: AbstractAsyncContextManager[Made]) -> Made:
        """Until the end of the drill."""
        return await self.stack.enter_async_context(net)

    async def store(self, name: str = "store", **settings: str) -> Store:
        folder = self.folder / name
        folder.mkdir()
        return await self.start(store(folder, **settings))

    async def users(self, store_url: str, *, run_in: Sequence[str] = (), **settings: str) -> Service:
        return await self.start(service("users_site", self.logs, run_in=run_in, REDIS_URL=store_url, **settings))

    async def gateway(self, users_url: str = "", **settings: str) -> Service:
        required = {"USER_SERVICE_URL": users_url, "AUTH": "none"}
        return await self.start(service("gateway_site", self.logs, **required, **settings))

    async def pair(self, store_url: str, **settings: str) -> tuple[Service, Service]:
        users = await self.users(store_url, **settings)
        return users, await self.gateway(users.url, **settings)

    async def stop(self, service: Service) -> None:
        """SIGTERM; records the exit code."""
        service.process.send_signal(signal.SIGTERM)
        self.exits.append(await asyncio.to_thread(service.process.wait, END_SECONDS))

    def kill(self, service: Service) -> None:
        """SIGKILL to the server and its worker, as when a node dies."""
        self.signal(service, signal.SIGKILL)
        service.process.wait()

    def signal(self, service: Service, number: signal.Signals) -> None:
        """Signals the server and its worker."""
        for process in tree(service.process.pid):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def outcome(self, name: str) -> Outcome:
        """A new row of the table."""
        self.outcomes.append(Outcome(name))
        return self.outcomes[-1]

    @asynccontextmanager
    async def loaded(self, name: str, port: int, *, may_lose: bool = False, **options: Any) -> AsyncIterator[Outcome]:
        """A load on a gateway; at its end the ledger is compared with the store."""
        outcome = self.outcome(name)
        async with load(port, outcome.ledger, **options):
            yield outcome
        await outcome.verify(port, may_lose=may_lose)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """An empty stage; what it starts is stopped at the end, the last one first.

    Logs go to /dev/shm: fsyncs of the stores must not delay the services, whose stdout is a pipe in a container.
    """
    shared_memory = Path("/dev/shm")  # noqa: S108
    where = shared_memory if shared_memory.is_dir() else folder
    with tempfile.TemporaryDirectory(prefix="drill-logs-", dir=where) as logs:
        try:
            async with AsyncExitStack() as stack:
                yield Stage(folder, Path(logs), stack)
        finally:
            shutil.copytree(logs, folder / "services", dirs_exist_ok=True)
