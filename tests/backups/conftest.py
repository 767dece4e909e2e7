"""Two real object stores: a folder, and an S3 server of moto's on a free port."""

import os
import subprocess
import sys

import httpx
import pytest

from streams.embedded.ports import free_port
from tests.gateway.conftest import published, serve

__all__ = ["published", "serve"]


@pytest.fixture(scope="session")
def s3():
    """Call it with the name of a bucket, which is made: the URL of the store. AWS's variables lead to the server."""
    port = free_port()
    where = f"http://127.0.0.1:{port}"
    environ = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
    before = dict(os.environ)
    os.environ.update(environ, AWS_ENDPOINT_URL=where)
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with server, server.stdout as said:
        assert any(b"Running on" in line for line in said)

        def bucket(name):
            assert httpx.put(f"{where}/{name}", trust_env=False).status_code == 200
            return f"s3://{name}/books"

        yield bucket
        server.kill()
    os.environ.clear()
    os.environ.update(before)
