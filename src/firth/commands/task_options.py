"""Values of options that say how a task's files are read, as the parameters hold them."""

from __future__ import annotations

from firth.errors import ConfigError


def separated(option: str | None) -> list[str] | None:
    """What stands between commas; None where nothing is given."""
    return None if not option else [part.strip() for part in option.split(",")]


def range_of(option: str | None) -> list[float] | None:
    """Two numbers out of `0,5`; None where nothing is given.

    Raises:
        ConfigError: it is something else.
    """
    if option is None:
        return None
    try:
        least, greatest = map(float, option.split(","))
    except ValueError:
        raise ConfigError(
            f"--score-range {option}: write the least and the greatest number with a comma between, such as 0,5"
        ) from None
    return [least, greatest]
