"""Two real object stores: a folder, and an S3 server of moto's on a free port."""

import os
import subprocess
import sys

import httpx
import pytest

from streams.embedded.ports import free_port
from tests.gateway.conftest import book, published, serve

__all__ = ["book", "published"]


@pytest.fixture(name="serve")
def _serve():
    return serve


class Server:
    """An S3 server that can be away. AWS's variables lead to it."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ENDPOINT_URL": self.url,
        }

    def start(self):
        command = [sys.executable, "-m", "moto.server", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert any(b"Running on" in line for line in self._process.stderr)

    def stop(self):
        self._process.kill()
        self._process.communicate()

    def bucket(self, name):
        """Make a bucket; the URL of a store in it."""
        assert httpx.put(f"{self.url}/{name}", trust_env=False).status_code == 200
        return f"s3://{name}/books"


@pytest.fixture(scope="session")
def s3():
    server, before = Server(), dict(os.environ)
    os.environ.update(server.environ)
    server.start()
    yield server
    server.stop()
    os.environ.clear()
    os.environ.update(before)
