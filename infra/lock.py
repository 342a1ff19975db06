"""Take torch and what only its CUDA build needs out of a resolved requirements file: torch is pinned apart."""

import re
import sys
from pathlib import Path

ONLY_TORCH = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")


def main(resolved: Path, out: Path) -> None:
    """Write the blocks (a requirement with its hash lines) of `resolved` that do not belong to torch to `out`."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", resolved.read_text(encoding="utf-8"))
    out.write_text("".join(block for block in blocks if not ONLY_TORCH.match(block)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
