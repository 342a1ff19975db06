"""Reading, overlaying and writing parameters; every refusal names the key, the value and what would be valid."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from firth.config.explain import explain, is_open, known_keys, unknown_key
from firth.config.params import Params
from firth.errors import ConfigError

PRESETS = resources.files("firth.config") / "presets"


def preset_names() -> list[str]:
    """Names of the presets that `firth configure` writes."""
    return sorted(entry.name.removesuffix(".yaml") for entry in PRESETS.iterdir() if entry.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """The commented YAML of preset `name`."""
    if name not in preset_names():
        raise ConfigError(f"preset {name!r} does not exist; there are: {', '.join(preset_names())}")
    return (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")


def load_preset(name: str) -> Params:
    """Preset `name`, checked."""
    return _checked(preset_text(name), f"preset {name}")


def load_params(path: Path) -> Params:
    """The parameters in `path`, checked."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; `firth configure demo` writes one")
    return _checked(path.read_text(encoding="utf-8"), str(path))


@lru_cache(maxsize=8)
def _checked(text: str, where: str) -> Params:
    """A command asks for its parameters in many places, and YAML that keeps its comments is slow to read."""
    return check(parse(text, where), where)


def with_overrides(
    text: str,
    overrides: Sequence[str],
    where: str = "params.yaml",
    removed: Sequence[str] = (),
    said: str = "--set",
) -> tuple[str, Params]:
    """`text` with each `key.path=value` set, comments kept, and the checked parameters it then holds.

    Values are YAML: `word2vec.window=8`, `gate.models=[cbow]`. A key that does not exist is refused with its likeliest
    spelling; nothing is written anywhere. Defaults that `text` leaves out are spelt out: DVC reads the file. The keys
    `removed`, which must be there, are taken out first. `said` is where a person gave the overrides.
    """
    tree = parse(text, where)
    for key in removed:
        _remove(tree, key)
    for override in overrides:
        key, found, value = override.partition("=")
        if not found or not key.strip():
            raise ConfigError(f"{override!r}: write it as key=value, such as word2vec.window=8")
        _assign(tree, key.strip(), parse_value(value, key))
    params = check(tree, said if overrides else where, with_lines=not overrides)
    _fill(tree, params.model_dump(mode="json", exclude={"corpora"}))  # DVC takes a corpus as a whole
    out = io.StringIO()
    _yaml().dump(tree, out)
    return out.getvalue(), params


def parse(text: str, where: str) -> dict[str, Any]:
    """YAML text as a mapping that keeps its comments."""
    try:
        tree = _yaml().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"{where}, line {line}: not valid YAML: {error.problem}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{where}: expected sections ({', '.join(Params.model_fields)}), found {type(tree).__name__}")
    return tree


def parse_value(text: str, key: str) -> Any:
    """One YAML value, as written behind `--set key=`."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise ConfigError(f"{key}: {text!r} is not a YAML value") from None


def check(tree: Mapping[str, Any], where: str, with_lines: bool = True) -> Params:
    """`tree` as parameters, or one error that lists everything wrong with it."""
    plain = _plain(tree)
    try:
        return Params.model_validate(plain)
    except ValidationError as error:
        lines = [explain(detail, tree, with_lines) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from None


def flatten(section: BaseModel | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"word2vec.window": 5, …}`: parameters as a tracker wants them."""
    tree = section.model_dump() if isinstance(section, BaseModel) else section
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


class _Representer(RoundTripRepresenter):
    """Writes nothing as `null`, as the presets do, not as an empty value."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 130
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _plain(value: Any) -> Any:
    """Round-trip YAML nodes as the plain types that a strict model accepts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _fill(tree: dict[str, Any], full: Mapping[str, Any]) -> None:
    """Add what `tree` leaves out; keys without a value (None) stay out."""
    for key, value in full.items():
        if key not in tree:
            if value is not None:
                tree[key] = value
        elif isinstance(value, Mapping):
            _fill(tree[key], value)


def _remove(tree: dict[str, Any], key: str) -> None:
    *path, last = key.split(".")
    here: Any = tree
    for part in path:
        here = here.get(part) if isinstance(here, dict) else None
    if not isinstance(here, dict) or last not in here:
        raise ConfigError(f"{key}: no such key")
    del here[last]


def _assign(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    here: Any = tree
    for depth, part in enumerate(path):
        parents = path[:depth]
        if part not in known_keys(parents, tree):
            raise ConfigError(unknown_key(".".join(path[: depth + 1]), known_keys(parents, tree)))
        if part not in here:
            here[part] = {}
        here = here[part]
        if not isinstance(here, dict):
            raise ConfigError(f"{key}: {'.'.join(path[: depth + 1])} is a single value and has no keys")
    if last not in known_keys(path, tree) and not is_open(path):
        raise ConfigError(unknown_key(key, known_keys(path, tree)))
    here[last] = value
