"""What was refused comes back, is corrected and sent again, and is accepted."""

import bson
import httpx
import pytest
from bson.decimal128 import Decimal128

from streams import tokens
from streams.demo.client import Client
from streams.settings import load
from streams.supervisor import System
from tests.loans import encoded


@pytest.mark.broker
async def test_the_rejected_documents_of_a_book_are_corrected_and_accepted(tmp_path):
    settings = load({"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_OPS_PORT": "0", "TRANCHE_GATEWAY_PORT": "0"})
    good, bad = [encoded(f"G{n}") for n in range(20)], [encoded(f"B{n}", outstanding=Decimal128("NaN")) for n in range(20)]
    large = encoded("L", note="x" * 100_000)
    async with System(settings) as system:
        client = Client(system.gateway_url, system.ops_urls, system.settings.secret)
        batch, counts = await deliver(client, tmp_path, [doc for pair in zip(good, bad, strict=True) for doc in pair] + [large])
        assert (counts["created"], counts["rejected"]) == (20, 20)
        token = tokens.issue(system.settings.secret, "originator", "bluebird")
        async with httpx.AsyncClient(base_url=system.gateway_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
            answer = await http.get(f"/batches/{batch}/rejected")
        assert (answer.status_code, answer.headers["Tranche-Incomplete"]) == (200, "1")
        assert answer.content == b"".join(bad)

        corrected = [bson.encode({**loan, "outstanding": Decimal128("27015.86")}) for loan in bson.decode_all(answer.content)]
        _, counts = await deliver(client, tmp_path, corrected)
        assert (counts["created"], counts["rejected"]) == (20, 0)
        await client.close()


async def deliver(client, folder, documents):
    """Send a book and wait until all of it has an outcome: its batch, and the documents by outcome."""
    book = folder / "book.bson"
    book.write_bytes(b"".join(documents))
    batch = await client.deliver("bluebird", book, lambda _: None)
    await client.processed("bluebird", batch)
    return batch, (await client.batch("bluebird", batch))["counts"]
