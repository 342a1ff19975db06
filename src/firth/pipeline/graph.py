"""DVC's graph of a project folder: its stages, what depends on what, hints for the flow, and what is stale.

DVC is asked in this process (its import takes 0.4 s, a command 2 s on a busy machine), once for the whole graph.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firth.errors import ConfigError, FirthError


class Hints(BaseModel):
    """A stage's `meta:` in dvc.yaml: how the flow runs it. `dvc repro` ignores it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    retries: int = Field(default=0, ge=0, le=10, description="Times a failed stage is tried again.")
    retry_delay_seconds: float = Field(default=0, ge=0, description="Seconds between two tries.")
    timeout_seconds: float | None = Field(default=None, gt=0, description="Longest a try may take.")
    cores: int = Field(default=1, ge=1, description="Cores a stage keeps busy; stages run side by side while they fit.")
    memory_gb: float = Field(default=1, gt=0, description="Memory a stage needs, shown on its task as a tag.")


@dataclass(frozen=True)
class Stage:
    """One stage of `dvc.yaml`, by its DVC name, such as `word2vec@skipgram`."""

    name: str
    needs: tuple[str, ...]
    hints: Hints
    description: str = ""


@dataclass(frozen=True)
class Graph:
    """Stages in an order in which each comes after what it needs."""

    stages: Mapping[str, Stage]

    def select(self, targets: Sequence[str]) -> Graph:
        """`targets` with all they need (everything, where none is given); `word2vec` means all its variants."""
        if not targets:
            return self
        wanted: set[str] = set()
        queue = [name for target in targets for name in self._expand(target)]
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue += self.stages[name].needs
        return Graph({name: stage for name, stage in self.stages.items() if name in wanted})

    def downstream(self, names: Iterable[str]) -> set[str]:
        """`names` and every stage that needs one of them, directly or not."""
        found = set(names)
        for stage in self.stages.values():  # in order: what a stage needs was looked at before it
            if not found.isdisjoint(stage.needs):
                found.add(stage.name)
        return found & set(self.stages)

    def _expand(self, target: str) -> list[str]:
        if target in self.stages:
            return [target]
        variants = [name for name in self.stages if name.startswith(f"{target}@")]
        if variants:
            return variants
        groups = dict.fromkeys(name.partition("@")[0] for name in self.stages)
        close = difflib.get_close_matches(target, [*self.stages, *groups], n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(self.stages)}"
        raise FirthError(f"stage {target!r} does not exist; {hint}")


class Project:
    """A folder that DVC knows: a clone or a run's worktree. Close it (or use `with`) when done."""

    def __init__(self, root: Path) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        self._root = root.resolve()
        self._addresses: dict[str, str] = {}
        try:
            self._repo = Repo(str(root), _wait_for_lock=True)
        except DvcException as error:
            raise FirthError(f"{root}: DVC cannot open it: {error}") from None

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release DVC's caches."""
        self._repo.close()

    @property
    def cache_folder(self) -> Path:
        """Where this project's outputs are kept by content, and the record of runs beside them."""
        return Path(self._repo.cache.local_cache_dir).resolve()

    def graph(self) -> Graph:
        """The stages with a command; `.dvc` files are data, not work."""
        from dvc.exceptions import DvcException

        try:
            edges = self._repo.index.graph
        except DvcException as error:
            raise ConfigError(f"dvc.yaml: {_reason(error)}") from None
        names = {node: self._name(node) for node in self._repo.index.stages if node.cmd}
        self._addresses = {name: node.addressing for node, name in names.items()}
        needs = {name: {names[need] for need in edges.successors(node) if need.cmd} for node, name in names.items()}
        stages: dict[str, Stage] = {}
        while len(stages) < len(names):  # DVC refuses cycles, so each round places at least one stage
            for node, name in names.items():
                if name not in stages and needs[name] <= set(stages):
                    ordered = tuple(sorted(needs[name], key=list(names.values()).index))
                    stages[name] = Stage(name, ordered, _hints(name, node.meta), node.desc or "")
        return Graph(stages)

    def stale(self, graph: Graph) -> set[str]:
        """Stages whose command, parameters, inputs or outputs differ from `dvc.lock`, and all downstream of them."""
        return graph.downstream(self.changed(graph))

    def changed(self, graph: Graph) -> set[str]:
        """Stages that differ from `dvc.lock` by themselves, in one question to DVC."""
        from dvc.exceptions import DvcException

        if not graph.stages:
            return set()
        addresses = {self._addresses[name]: name for name in graph.stages}
        try:
            said = self._repo.status(targets=list(addresses))
        except DvcException as error:
            raise FirthError(f"dvc status: {_reason(error)}") from None
        return {addresses[address] for address in said if address in addresses}

    def checkout(self, names: Iterable[str] | None = None, *, force: bool = False) -> None:
        """Put the outputs that `dvc.lock` names (of stages `names`, or all) in place, as far as the cache has them."""
        from dvc.exceptions import DvcException

        wanted = None if names is None else set(names)
        known = [
            node.addressing
            for node in self._repo.index.stages
            if any(out.hash_info for out in node.outs) and (wanted is None or self._name(node) in wanted)
        ]
        if not known:
            return
        try:
            self._repo.checkout(targets=known, force=force, allow_missing=True)
        except DvcException as error:
            raise FirthError(f"dvc checkout: {_reason(error)}") from None

    def _name(self, node: Any) -> str:
        """A stage's name as DVC gives it in the project's folder, wherever this process stands."""
        file = Path(node.path)
        name = getattr(node, "name", None)
        if file == self._root / "dvc.yaml" and name:
            return str(name)
        place = file.relative_to(self._root).as_posix()
        return f"{place}:{name}" if name else place


def _hints(name: str, meta: Any) -> Hints:
    try:
        return Hints.model_validate(meta or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        known = ", ".join(Hints.model_fields)
        raise ConfigError(
            f"dvc.yaml: stage {name}: meta.{key} = {first['input']!r}: {first['msg']} (known: {known})"
        ) from None


def _reason(error: BaseException) -> str:
    """DVC wraps the cause in general words; the cause says what is wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
