"""A whole system on this machine: Kafka and PostgreSQL (embedded, or outside ones), topics, schema, workers and the gateway.

Programs (the demo, the tests) use `System` themselves; `tranche up` leaves one running in a process of its own.
"""

import asyncio
import dataclasses
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import asyncpg
import psutil
import structlog

from streams import admin, publishing
from streams.embedded import folders, ports, runfile
from streams.embedded.errors import AlreadyRunningError, UserError
from streams.embedded.kafka import Kafka
from streams.embedded.postgres import Postgres
from streams.embedded.services import CommandService, ServerService, Service, keep
from streams.settings import Settings, inherited

COMMAND: Final = (sys.executable, "-m", "streams.cli")
WRITE_AGAIN_S: Final = 1.0

log = structlog.get_logger()
Report = Callable[[str], None]


class System:
    """Everything that runs below one home folder, backups too if the settings name no store; `async with`, or start() and stop().

    `kafka` and `postgres` name outside servers; empty means embedded. A port of 0 in the settings chooses a free one, and so does
    `kafka_port`. After start(), `settings` holds what the processes were given. `report` is called with each of `steps` as it begins.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        kafka: str = "",
        postgres: str = "",
        workers: int = 1,
        gateway: bool = True,
        kafka_port: int = 0,
        report: Report = lambda _: None,
    ) -> None:
        self.settings = settings
        self._outside_kafka, self._outside_postgres = kafka, postgres
        self._workers, self._gateway, self._kafka_port, self.report = workers, gateway, kafka_port, report
        self._services: list[Service] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        self._ready = False
        self.ops_urls: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps of start(), in order."""
        embedded = [name for name, outside in (("Kafka", self._outside_kafka), ("PostgreSQL", self._outside_postgres)) if not outside]
        return (*embedded, "topics", "schema", *(["worker"] if self._workers else []), *(["gateway"] if self._gateway else []))

    @property
    def kafka(self) -> str:
        """Bootstrap server, host:port."""
        return self.settings.kafka

    @property
    def postgres(self) -> str:
        """DSN."""
        return self.settings.postgres

    @property
    def gateway_url(self) -> str:
        """Empty if there is no gateway."""
        return _url(self.settings.gateway_host, self.settings.gateway_port) if self._gateway else ""

    @property
    def ops_url(self) -> str:
        """The first worker's web views; empty if there is no worker."""
        return self.ops_urls[0] if self.ops_urls else ""

    @property
    def environ(self) -> dict[str, str]:
        """The TRANCHE_* variables of its processes, to start more of them."""
        return environ_of(self.settings)

    @property
    def pids(self) -> dict[str, int]:
        """Name -> process id, in the order they were started."""
        return {service.name: service.pid for service in self._services if service.pid is not None}

    @property
    def logs(self) -> Path:
        return self.settings.home / "logs"

    async def start(self) -> Self:
        """Start everything and wait until it serves; whatever was left by a killed supervisor is ended first.

        Raises:
            AlreadyRunningError: a system runs in this home. Other UserErrors: as they say; what was started has been stopped.
        """
        folders.require(self.logs, 0)
        self._lock = folders.try_lock(self.settings.home / "lock")
        if self._lock is None:
            raise AlreadyRunningError(
                f"{self.settings.home}: a Tranche runs here already; `tranche status` shows it, `tranche down` stops it"
            )
        try:
            for name in runfile.sweep(self.settings.home):
                log.warning("leftover ended", service=name)
            self._choose()
            await self._start_servers()
            await self._start_processes()
        except BaseException:
            await self.stop()
            raise
        self._ready = True
        self._write()
        return self

    async def stop(self) -> None:
        """Stop everything, last started first."""
        self._ready = False
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for service in reversed(self._services):
            await service.stop()
        self._services, self._keepers = [], []
        if self._lock:
            runfile.remove(self.settings.home)
            self._lock.close()
            self._lock = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    def _choose(self) -> None:
        """Settle the secret and every port, before anything starts."""
        s = self.settings
        free = ports.free_ports(self._workers + 1)
        self._ops_ports = [s.ops_port + n if s.ops_port else free.pop() for n in range(self._workers)]
        gateway_port = s.gateway_port or free.pop()
        for port in self._ops_ports:
            ports.require_free(port, "worker", "stop that process or choose another with --ops-port (TRANCHE_OPS_PORT)", s.ops_host)
        if self._gateway:
            remedy = "stop that process or choose another with --gateway-port (TRANCHE_GATEWAY_PORT)"
            ports.require_free(gateway_port, "gateway", remedy, s.gateway_host)
        self.ops_urls = tuple(_url(s.ops_host, port) for port in self._ops_ports)
        own: Any = {"secret": s.secret or _secret(s.home), "backups": s.backups or (s.home / "backups").as_uri()}
        self.settings = dataclasses.replace(s, **own, gateway_port=gateway_port, ops_port=(*self._ops_ports, s.ops_port)[0])

    async def _start_servers(self) -> None:
        kafka, postgres = self._outside_kafka, self._outside_postgres
        if not kafka:
            self.report("Kafka")
            server = Kafka(self.settings.home, self._kafka_port)
            await self._start(ServerService(server))
            kafka = server.address
        if not postgres:
            self.report("PostgreSQL")
            database = Postgres(self.settings.home)
            await self._start(ServerService(database))
            postgres = database.address
        self.settings = dataclasses.replace(self.settings, kafka=kafka, postgres=postgres)
        self.report("topics")
        await admin.create_topics(kafka)
        await publishing.publish_newer(self.settings)
        self.report("schema")
        await _migrate(postgres)

    async def _start_processes(self) -> None:
        s = self.settings
        if self._workers:
            self.report("worker")
            own = [{"TRANCHE_WORKER": f"worker-{n}", "TRANCHE_OPS_PORT": str(port)} for n, port in enumerate(self._ops_ports, 1)]
            await self._start(
                *(self._command("worker", e["TRANCHE_WORKER"], f"{u}/health/ready", e) for e, u in zip(own, self.ops_urls, strict=True))
            )
        if self._gateway:
            self.report("gateway")
            await self._start(self._command("gateway", "gateway", f"{_url(s.gateway_host, s.gateway_port)}/health", {}))

    def _command(self, command: str, name: str, ready_url: str, own: dict[str, str]) -> CommandService:
        return CommandService(name, (*COMMAND, command), {**inherited(), **self.environ, **own}, self.logs, ready_url)

    async def _start(self, *services: Service) -> None:
        for service in services:
            self._services.append(service)
            await service.start()
            self._write()
        for service in services:
            await service.ready()
        self._keepers += [asyncio.create_task(keep(service, self._write)) for service in services]

    def _write(self) -> None:
        if self._lock is None:
            return  # stopped since
        processes = {}
        for name, pid in self.pids.items():
            try:
                processes[name] = runfile.Process.of(pid)
            except psutil.NoSuchProcess:
                continue  # it has just ended: the next start writes again
        s = self.settings
        me, logs = runfile.Process.of(os.getpid()), str(self.logs)
        run = runfile.Run(me, processes, s.kafka, s.postgres, self.gateway_url, self.ops_urls, s.secret, logs, self.environ, self._ready)
        try:
            runfile.write(s.home, run)
        except OSError as fault:  # a full disk must not end those who keep the services
            log.warning("run file not written, it is tried again", home=str(s.home), fault=repr(fault))
            asyncio.get_running_loop().call_later(WRITE_AGAIN_S, self._write)


def environ_of(settings: Settings) -> dict[str, str]:
    """The TRANCHE_* variables that `streams.settings.load` reads as these settings."""
    return {f"TRANCHE_{name.upper()}": "" if value is None else str(value) for name, value in dataclasses.asdict(settings).items()}


async def _migrate(dsn: str) -> None:
    from streams import store  # noqa: PLC0415 - brings the sinks' imports, needed once

    where = dsn.rpartition("@")[2]
    try:
        await store.migrate(dsn)
    except store.MigrationError as fault:
        raise UserError(f"PostgreSQL at {where}: {fault}") from fault
    except (OSError, asyncpg.PostgresError) as fault:
        raise UserError(f"PostgreSQL at {where} does not answer as it should ({fault}); is it up, and is the DSN right?") from fault


def _secret(home: Path) -> str:
    """The home's own secret: random, made once."""
    file = home / "secret"
    if not file.exists():
        folders.write_private(file, secrets.token_hex(32))
    return file.read_text()


def _url(host: str, port: int) -> str:
    return f"http://{ports.LOOPBACK if host in ports.ANY else host}:{port}"
