"""What disks and broken copies do to files."""

from pathlib import Path


def tear(path: Path, missing: int = 4) -> None:
    """Cut the last bytes off."""
    path.write_bytes(path.read_bytes()[:-missing])


def flip(path: Path) -> None:
    """Change one bit, in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
