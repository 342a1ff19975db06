"""Reading, overlaying and writing parameters; every refusal names the key, the value and what would be valid."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

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
    return check(parse(preset_text(name), f"preset {name}"), f"preset {name}")


def load_params(path: Path) -> Params:
    """The parameters in `path`, checked."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; `firth configure demo` writes one")
    return check(parse(path.read_text(encoding="utf-8"), str(path)), str(path))


def with_overrides(text: str, overrides: Sequence[str], where: str = "params.yaml") -> tuple[str, Params]:
    """`text` with each `key.path=value` set, comments kept, and the checked parameters it then holds.

    Values are YAML: `word2vec.window=8`, `gate.models=[cbow]`. A key that does not exist is refused with its likeliest
    spelling; nothing is written anywhere.
    """
    tree = parse(text, where)
    for override in overrides:
        key, found, value = override.partition("=")
        if not found or not key.strip():
            raise ConfigError(f"{override!r}: write it as key=value, such as word2vec.window=8")
        _assign(tree, key.strip(), parse_value(value, key))
    out = io.StringIO()
    _yaml().dump(tree, out)
    return out.getvalue(), check(tree, "--set" if overrides else where)


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


def check(tree: Mapping[str, Any], where: str) -> Params:
    """`tree` as parameters, or one error that lists everything wrong with it."""
    plain = _plain(tree)
    try:
        return Params.model_validate(plain)
    except ValidationError as error:
        lines = [_explain(detail, plain, tree) for detail in error.errors(include_url=False)]
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


def _yaml() -> YAML:
    yaml = YAML()
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


def _assign(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    here: Any = tree
    model: Any = Params
    for depth, part in enumerate(path):
        if isinstance(here, dict) and part not in here and _has_field(model, part):
            here[part] = {}
        if not isinstance(here, dict) or part not in here:
            known = _known_keys(here, model)
            raise ConfigError(_unknown(".".join(path[: depth + 1]), part, known))
        here = here[part]
        model = _submodel(model, part)
    if not isinstance(here, dict) or not (last in here or _has_field(model, last)):
        raise ConfigError(_unknown(key, last, _known_keys(here, model)))
    here[last] = value


def _submodel(model: Any, part: str) -> Any:
    """The model behind field `part`, where it is one model (not a union or a mapping)."""
    if not _has_field(model, part):
        return None
    annotation = model.model_fields[part].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _has_field(model: Any, part: str) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields


def _known_keys(here: Any, model: Any) -> list[str]:
    keys = list(here) if isinstance(here, dict) else []
    if isinstance(model, type) and issubclass(model, BaseModel):
        keys += [name for name in model.model_fields if name not in keys]
    return keys


def _unknown(key: str, part: str, known: list[str]) -> str:
    close = difflib.get_close_matches(part, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}" if known else "it has no keys"
    return f"{key}: unknown key; {hint}"


def _explain(detail: Any, plain: Any, tree: Any) -> str:
    """One pydantic error as `key = value: what would be valid (line n)`."""
    kinds = {"files", "package", "hub"}
    path = [part for part in detail["loc"] if part not in kinds]
    key = ".".join(str(part) for part in path)
    line = _line(tree, path)
    at = f" (line {line})" if line else ""
    if detail["type"] == "extra_forbidden":
        parent = ".".join(str(part) for part in path[:-1])
        return _unknown(key, str(path[-1]), _fields_at(parent)) + at
    if detail["type"] == "missing":
        return f"{key}: missing; {_describe(key) or 'it is required'}{at}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    shown = detail["input"]
    value = f" = {shown!r}" if isinstance(shown, str | int | float | bool | type(None)) else ""
    described = _describe(key)
    return f"{key or 'parameters'}{value}: {message}{f'. {described}' if described else ''}{at}"


def _line(tree: Any, path: Sequence[Any]) -> int | None:
    here: Any = tree
    line: int | None = None
    for part in path:
        try:
            position = here.lc.key(part) if isinstance(here, dict) else here.lc.item(part)
            line = position[0] + 1
            here = here[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def _fields_at(key: str) -> list[str]:
    model: Any = Params
    for part in key.split(".") if key else []:
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[part].annotation
        else:
            options = [item for item in _models_in(model) if item is not None]
            return sorted({name for option in options for name in option.model_fields})
    if isinstance(model, type) and issubclass(model, BaseModel):
        return list(model.model_fields)
    return sorted({name for option in _models_in(model) for name in option.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _describe(key: str) -> str:
    """The field's own description, so that a refusal also says what the parameter is for."""
    model: Any = Params
    description = ""
    for part in key.split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields):
            return ""
        field = model.model_fields[part]
        description, model = field.description or "", field.annotation
    return description
