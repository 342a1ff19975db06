"""Values of options of the tasks, as the parameters hold them."""

from __future__ import annotations

from firth.choices import MOST_SEEDS
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


def seeds_of(option: str | None) -> list[int] | None:
    """`5` is how many: 1 to 5; `1,2,7`, and `7,`, are which. None where nothing is given.

    Raises:
        ConfigError: it is something else.
    """
    if option is None:
        return None
    try:
        numbers = [int(part) for part in option.removesuffix(",").split(",")]
    except ValueError:
        raise ConfigError(f"--seeds {option}: say how many, such as 5, or which, such as 1,2,7") from None
    if "," in option:
        return numbers
    if not 1 <= numbers[0] <= MOST_SEEDS:
        raise ConfigError(
            f"--seeds {option}: a number alone is how many, 1 to {MOST_SEEDS}; for that very seed write {option},"
        )
    return list(range(1, numbers[0] + 1))
