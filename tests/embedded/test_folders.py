import stat
import subprocess
import sys

import pytest

from streams.embedded import folders
from streams.embedded.errors import FolderError


def test_a_folder_that_cannot_be_made_is_named_with_a_way_out(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError, match=r"file.* cannot be written .* choose another home"):
        folders.require(tmp_path / "file" / "home", 0)


def test_a_folder_that_cannot_be_written_is_named():
    with pytest.raises(FolderError, match="/proc"):
        folders.require(folders.Path("/proc/1"), 0)


def test_a_disk_with_too_little_room_is_full(tmp_path):
    with pytest.raises(FolderError, match=r"the disk is full, \d+ MiB are left and \d+ MiB are needed"):
        folders.require(tmp_path, 2**62)


def test_a_private_file_can_be_read_by_its_owner_alone_and_is_replaced_whole(tmp_path):
    for text in ("a longer text", "short"):
        folders.write_private(tmp_path / "x", text)
        assert (tmp_path / "x").read_text() == text
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_lock_is_held_against_other_processes_and_ends_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import sys, pathlib; from streams.embedded import folders; "
        "held = folders.lock(pathlib.Path(sys.argv[1])); print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert folders.try_lock(path) is None
        holder.kill()
        holder.wait()
        held = folders.try_lock(path)
    assert held
    held.close()


def test_the_tail_of_a_log_begins_where_this_run_began(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n" + "\n".join(f"line {n}" for n in range(40)))
    assert folders.tail(log, 4, lines=2) == "line 38\nline 39"
    assert "old" not in folders.tail(log, 4, lines=100)
    assert folders.tail(tmp_path / "absent") == ""
