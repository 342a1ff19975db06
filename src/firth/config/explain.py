"""Refusals in the words of the person who wrote the key: where, what value, what would be valid."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from firth.config.params import Params


def unknown_key(key: str, known: Sequence[str]) -> str:
    """`word2vec.windw: unknown key; did you mean 'window'?`."""
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}" if known else "it has no keys"
    return f"{key}: unknown key; {hint}"


def explain(detail: ErrorDetails, tree: Mapping[str, Any], with_lines: bool = True) -> str:
    """One pydantic error as `key = value: what would be valid (line n)`; `tree` may carry YAML line numbers."""
    path = written_path(detail["loc"])
    key = ".".join(str(part) for part in path)
    line = line_of(tree, path) if with_lines else None
    at = f" (line {line})" if line else ""
    if detail["type"] == "extra_forbidden":
        return unknown_key(key, known_keys(path[:-1], tree)) + at
    description = describe(path)
    if detail["type"] == "missing":
        return f"{key}: missing{f'. {description}' if description else ''}{at}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    shown = detail["input"]
    value = f" = {shown!r}" if isinstance(shown, str | int | float | bool | None) else ""
    return f"{key or 'parameters'}{value}: {message}{f'. {description}' if description else ''}{at}"


def written_path(location: Sequence[Any]) -> list[Any]:
    """`location` of an error without the tags of unions: pydantic puts them there, nobody wrote them."""
    path: list[Any] = []
    annotation: Any = Params
    for part in location:
        models = _models(annotation)
        tagged = [model for model in models if len(models) > 1 and part in _tags(model)]
        if tagged:
            annotation = tagged[0]
        else:
            path.append(part)
            annotation = _step(annotation, part)
    return path


def line_of(tree: Mapping[str, Any], path: Sequence[Any]) -> int | None:
    """The line of the deepest part of `path` that the YAML knows, from 1."""
    here: Any = tree
    line: int | None = None
    for part in path:
        try:
            marks: Any = getattr(here, "lc")  # noqa: B009 - only YAML nodes have it; plain mappings end the search
            position = marks.key(part) if isinstance(here, Mapping) else marks.item(part)
            line = position[0] + 1
            here = here[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def known_keys(path: Sequence[Any], tree: Mapping[str, Any]) -> list[str]:
    """Keys that may stand below `path`: fields of its model, or the entries of a mapping of named things."""
    here: Any = tree
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else None
    if models := models_at(path):
        kind = here.get("kind") if isinstance(here, Mapping) else None
        models = [model for model in models if kind in _tags(model)] or models
        return list(dict.fromkeys(name for model in models for name in model.model_fields))
    return [str(key) for key in here] if isinstance(here, Mapping) else []


def models_at(path: Sequence[Any]) -> list[type[BaseModel]]:
    """The models that a value at `path` may be; none for plain values and for mappings of named things."""
    annotation: Any = Params
    for part in path:
        annotation = _step(annotation, part)
        if annotation is None:
            return []
    return _models(annotation)


def is_open(path: Sequence[Any]) -> bool:
    """Whether `path` is a mapping into which new names may be put, such as `corpora`."""
    annotation: Any = Params
    for part in path:
        annotation = _step(annotation, part)
    return get_origin(_bare(annotation)) is dict


def describe(path: Sequence[Any]) -> str:
    """The description of the field at `path`, so that a refusal also says what the parameter is for."""
    owners = models_at(path[:-1])
    fields = [model.model_fields[path[-1]] for model in owners if path and path[-1] in model.model_fields]
    return (fields[0].description or "") if fields else ""


def _step(annotation: Any, part: Any) -> Any:
    bare = _bare(annotation)
    if get_origin(bare) is dict:
        return get_args(bare)[1]
    if get_origin(bare) in (list, tuple):
        return get_args(bare)[0]
    for model in _models(bare):
        if part in model.model_fields:
            return model.model_fields[part].annotation
    return None


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of `kind` that choose `model` among those of a union."""
    field = model.model_fields.get("kind")
    return () if field is None else get_args(field.annotation)


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    bare = _bare(annotation)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return [bare]
    if get_origin(bare) in (Union, types.UnionType):
        return [model for part in get_args(bare) for model in _models(part)]
    return []
