"""A folder whose disk is full when it is told to be, or that says why it cannot be."""

import errno
import os

import pytest

from streams.embedded.folders import MIB
from tests.chaos.disk import ROOM_MIB, SLACK_MIB, Disk


def test_a_full_disk_takes_nothing_more_until_it_has_room_again(tmp_path):
    with Disk(tmp_path / "home") as disk:
        if disk.why_not:
            pytest.skip(disk.why_not)
        file = disk.folder / "file"
        file.write_bytes(bytes(3 * MIB))
        disk.fill()
        with pytest.raises(OSError, match="No space") as full:
            (disk.folder / "more").write_bytes(bytes((SLACK_MIB + 1) * MIB))
        assert full.value.errno == errno.ENOSPC
        assert disk.free_bytes == 0
        disk.free()
        (disk.folder / "more").write_bytes(bytes((SLACK_MIB + 1) * MIB))
        assert disk.free_bytes > (ROOM_MIB - 10) * MIB
    assert not file.exists()


def test_who_may_not_mount_gets_a_plain_folder_and_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with Disk(tmp_path / "home") as disk:
        (disk.folder / "file").write_bytes(b"kept")
        assert "root" in disk.why_not
    assert (tmp_path / "home" / "file").read_bytes() == b"kept"
