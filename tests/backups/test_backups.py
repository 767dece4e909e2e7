"""Backups in a folder and in S3: one meaning."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.backups import PART_BYTES, Backup, Backups, StoreError, UnknownBackupError, came_at

FIRST, SECOND, OTHER = "bluebird.20261123T100000-00000a", "bluebird.20261124T100000-00000b", "harbor.20261124T090000-00000c"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    url = request.getfixturevalue("s3").bucket(f"b{abs(hash(tmp_path))}") if request.param == "s3" else f"file://{tmp_path}/new/folder"
    return Backups(url)


def backup(batch, **more):
    return Backup(batch, batch.partition(".")[0], bytes=3, digest="0", documents=1, **more)


async def of(data, size=100_000):
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_what_was_put_is_given_back_and_described(store):
    data = bytes(range(256)) * (PART_BYTES // 100)  # more than two parts
    await store.put(FIRST, of(data))
    with pytest.raises(UnknownBackupError):
        await store.find(FIRST)  # its bytes are there, and nobody has said that they are all
    await store.seal(backup(FIRST, error="cut off", position=2))
    assert await store.find(FIRST) == backup(FIRST, error="cut off", position=2)
    assert b"".join([piece async for piece in store.pieces(FIRST)]) == data


async def test_putting_again_replaces_it(store):
    for data in (b"first and longer", b"second"):
        await store.put(FIRST, of(data))
    assert b"".join([piece async for piece in store.pieces(FIRST)]) == b"second"


async def test_what_breaks_off_is_not_there(store):
    async def broken():
        yield b"x" * 2 * PART_BYTES
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - ours, as it is
        await store.put(FIRST, broken())
    with pytest.raises(UnknownBackupError):
        _ = [piece async for piece in store.pieces(FIRST)]


async def test_a_span_of_time_and_an_originator_are_found_in_order(store):
    for batch in (SECOND, OTHER, FIRST):
        await store.put(batch, of(b"abc"))
        await store.seal(backup(batch))

    async def found(originator, since, until):
        return [one.batch for one in await store.list(originator, since, until)]

    assert await found(None, NOON - DAY, NOON + DAY) == [FIRST, OTHER, SECOND]
    assert await found("bluebird", NOON - DAY, NOON + DAY) == [FIRST, SECOND]
    assert await found("bluebird", NOON, NOON + DAY) == [SECOND]
    assert await found("bluebird", came_at(FIRST), came_at(SECOND)) == [FIRST]
    assert await found("nobody", NOON - DAY, NOON + DAY) == []


@pytest.mark.parametrize("batch", ["x", "../bluebird.20261123T100000-00000a", "bluebird.20261399T100000-00000a", ""])
async def test_an_id_that_the_gateway_has_not_made_is_unknown(tmp_path, batch):
    with pytest.raises(UnknownBackupError, match="no batch that the gateway has taken"):
        await Backups(f"file://{tmp_path}").find(batch)


async def test_a_store_that_is_away_says_so_in_one_line(s3):
    s3.bucket("there")
    await Backups("s3://there").check()
    with pytest.raises(StoreError, match="404"):
        await Backups("s3://not-there").check()
    with pytest.raises(StoreError) as caught:
        Backups("gopher://x")
    assert "\n" not in str(caught.value)
