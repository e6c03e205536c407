"""The processes of a drill: a store and replicas of both services."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tools.drills.balancer import Balancer
from tools.drills.ledger import Ledger
from tools.processes.service import Service
from tools.processes.store import Store

END_SECONDS = 30


@dataclass
class Stage:
    """`exits`: the exit codes of the services stopped by `stop`."""

    folder: Path
    ledger: Ledger = field(default_factory=Ledger)
    exits: list[int] = field(default_factory=list)
    running: list[Service] = field(default_factory=list)

    async def service(self, site: str, *, run_in: Sequence[str] = (), **settings: str) -> Service:
        required = {"AUTH": "none"} if site == "gateway_site" else {}
        service = Service(site, self.folder, run_in=run_in, **required, **settings)
        self.running.append(service)
        await asyncio.to_thread(service.wait_until_live)
        return service

    async def users(self, url: str, *, run_in: Sequence[str] = (), **settings: str) -> Service:
        return await self.service("users_site", run_in=run_in, REDIS_URL=url, **settings)

    async def gateway(self, url: str, **settings: str) -> Service:
        return await self.service("gateway_site", USER_SERVICE_URL=url, **settings)

    async def pair(self, store_url: str, **settings: str) -> tuple[Service, Service]:
        users = await self.users(store_url, **settings)
        return users, await self.gateway(users.url, **settings)

    async def replicas(self, balancer: Balancer, site: str, url: str, count: int, **settings: str) -> list[Service]:
        start = self.users if site == "users_site" else self.gateway
        started = await asyncio.gather(*(start(url, **settings) for _ in range(count)))
        for service in started:
            balancer.add(service.port)
        await balancer.until_ready(count)
        return list(started)

    async def stop(self, service: Service) -> None:
        """SIGTERM; records the exit code."""
        service.process.send_signal(signal.SIGTERM)
        self.exits.append(await asyncio.to_thread(service.process.wait, END_SECONDS))

    def kill(self, service: Service) -> None:
        """SIGKILL to the server and its worker, as when a node dies."""
        self.signal(service, signal.SIGKILL)
        service.process.wait()

    def signal(self, service: Service, number: signal.Signals) -> None:
        """To the server and its worker."""
        pid = service.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def end(self) -> None:
        for service in self.running:
            if service.process.poll() is None:
                service.stop()


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """An empty stage; its processes are stopped at the end. Logs go to /dev/shm: fsyncs of the stores must not delay the
    services, whose stdout is a pipe in a container."""
    shared_memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(
        prefix="drill-logs-", dir=shared_memory if shared_memory.is_dir() else folder
    ) as logs:
        made = Stage(Path(logs))
        try:
            yield made
        finally:
            await asyncio.to_thread(made.end)
            shutil.copytree(logs, folder / "services", dirs_exist_ok=True)


@asynccontextmanager
async def own_store(folder: Path, **settings: str) -> AsyncIterator[Store]:
    folder.mkdir(parents=True, exist_ok=True)
    running = Store(folder, **settings)
    try:
        await asyncio.to_thread(running.start)
        yield running
    finally:
        await asyncio.to_thread(running.stop)
