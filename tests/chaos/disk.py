"""A home folder on a file system of its own, whose size is its quota: it can be made full, and given room again."""

import os
import subprocess
from pathlib import Path
from typing import Final, Self

from streams.embedded.folders import MIB

ROOM_MIB: Final = 6 * 1024  # memory is taken for what is written only
SLACK_MIB: Final = 1  # left when it is made full: the servers themselves write until nothing is left


class Disk:
    """`folder`, mounted if this process may do that; `why_not` says why not, else it is empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.why_not = folder, ""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        if os.geteuid():
            self.why_not = "mounting a small file system needs root"
        else:
            done = _mount("-t", "tmpfs", "-o", f"size={ROOM_MIB}m,mode=755", "tranche-chaos", str(self.folder))
            self.why_not = done.stderr.strip() if done.returncode else ""
        return self

    def __exit__(self, *_: object) -> None:
        if not self.why_not:
            subprocess.run(["umount", str(self.folder)], check=True)

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Take away all room but SLACK_MIB."""
        found = os.statvfs(self.folder)
        used_mib = (found.f_blocks - found.f_bfree) * found.f_frsize // MIB
        _mount("-o", f"remount,size={used_mib + SLACK_MIB}m", str(self.folder)).check_returncode()

    def free(self) -> None:
        """Give the room back."""
        _mount("-o", f"remount,size={ROOM_MIB}m", str(self.folder)).check_returncode()


def _mount(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
