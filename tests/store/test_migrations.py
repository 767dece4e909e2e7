import asyncio

import asyncpg
import pytest

from streams.store import MIGRATIONS, MigrationError, migrate


@pytest.fixture
async def connection(empty_database):
    connection = await asyncpg.connect(empty_database)
    yield connection
    await connection.close()


async def test_many_processes_may_migrate_at_once_and_each_file_is_applied_once(empty_database, connection):
    await asyncio.gather(*(migrate(empty_database) for _ in range(5)))
    applied = await connection.fetch("SELECT file FROM migrations ORDER BY applied")
    assert [row["file"] for row in applied] == sorted(file.name for file in MIGRATIONS.glob("*.sql"))


async def test_only_new_files_are_applied(empty_database, connection, tmp_path):
    (tmp_path / "001_one.sql").write_text("CREATE TABLE one (n int)")
    await migrate(empty_database, tmp_path)
    (tmp_path / "002_two.sql").write_text("INSERT INTO one VALUES (1)")
    await migrate(empty_database, tmp_path)
    await migrate(empty_database, tmp_path)
    assert await connection.fetchval("SELECT count(*) FROM one") == 1


async def test_a_file_that_was_edited_after_it_was_applied_is_refused(empty_database, tmp_path):
    file = tmp_path / "001_one.sql"
    file.write_text("CREATE TABLE one (n int)")
    await migrate(empty_database, tmp_path)
    file.write_text("CREATE TABLE one (n bigint)")
    with pytest.raises(MigrationError, match=r"001_one\.sql: edited"):
        await migrate(empty_database, tmp_path)


async def test_a_file_that_fails_leaves_nothing(empty_database, connection, tmp_path):
    (tmp_path / "001_one.sql").write_text("CREATE TABLE one (n int); CREATE TABLE one (n int)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(empty_database, tmp_path)
    assert await connection.fetchval("SELECT to_regclass('one')") is None
    assert await connection.fetchval("SELECT count(*) FROM migrations") == 0


@pytest.mark.parametrize("table", ["asset_versions", "investments"])
@pytest.mark.parametrize("change", ["UPDATE {} SET version = 2", "DELETE FROM {}", "TRUNCATE {}"])
async def test_versions_and_investments_are_never_changed(sql, table, change):
    with pytest.raises(asyncpg.RestrictViolationError, match="immutable"):
        await sql.execute(change.format(table))
