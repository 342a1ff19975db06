"""`firth corpus`: the project's sources, and pins of local files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from firth.errors import FirthError
from firth.project import find_root

app = typer.Typer(help="Sources of text: list them, add local files, pin their bytes.", no_args_is_help=True)


@app.command("list")
def list_corpora() -> None:
    """Show the corpora of params.yaml with their licences."""
    from firth.config.load import load_params

    table = Table(box=None, pad_edge=False)
    for heading in ("corpus", "source", "licence"):
        table.add_column(heading, overflow="fold")
    for name, source in load_params(find_root() / "params.yaml").corpora.items():
        if source.kind == "package":
            where = f"{source.package} {source.version}: {Path(source.file).name}"
        elif source.kind == "hub":
            where = f"hub: {source.dataset}"
        else:
            where = ", ".join(source.paths)
        table.add_row(name, where, source.licence)
    Console().print(table)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the corpus: lower-case letters, digits, hyphens.")],
    paths: Annotated[list[str], typer.Argument(help="Files or globs, plain or gz, bz2, xz, zst.")],
    licence: Annotated[str, typer.Option(help="Licence of the text, shown in the report.")],
    attribution: Annotated[str, typer.Option(help="Whom to credit.")] = "the owner of this project",
    format_: Annotated[
        str | None,
        typer.Option("--format", help="text, jsonl, csv, parquet or mediawiki; default: by the file's ending."),
    ] = None,
    text_field: Annotated[str, typer.Option(help="Field of a record that holds the text.")] = "text",
    title_field: Annotated[str | None, typer.Option(help="Field of a record that holds the title.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Train on this corpus alone: leave the others out.")] = False,
) -> None:
    """Add local files to params.yaml, pinned by their bytes."""
    import json

    from firth.config.load import with_overrides
    from firth.corpus.sources.files import describe_files

    root = find_root()
    entry = describe_files(
        paths, format_=format_, text_field=text_field, title_field=title_field, licence=licence, attribution=attribution
    )
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8")
    overrides = [f"corpora={json.dumps({name: entry})}" if only else f"corpora.{name}={json.dumps(entry)}"]
    written, _ = with_overrides(text, overrides)
    path.write_text(written, encoding="utf-8")
    print(f"params.yaml: corpus {name} ({entry['format']}, {len(paths)} path(s), pinned as {entry['sha256'][:12]}…)")


@app.command()
def pin(name: Annotated[str, typer.Argument(help="Name of a corpus of local files.")]) -> None:
    """Pin a corpus's files anew, after they were changed on purpose."""
    from firth.config.load import load_params, with_overrides
    from firth.corpus.sources.files import pin_files

    root = find_root()
    path = root / "params.yaml"
    corpora = load_params(path).corpora
    source = corpora.get(name)
    if source is None or source.kind != "files":
        local = [key for key, other in corpora.items() if other.kind == "files"]
        raise FirthError(f"{name}: not a corpus of local files; there are: {', '.join(local) or 'none'}")
    sha256 = pin_files(source.paths, root)
    if sha256 == source.sha256:
        print(f"{name}: unchanged, pinned as {sha256[:12]}…")
        return
    written, _ = with_overrides(path.read_text(encoding="utf-8"), [f"corpora.{name}.sha256='{sha256}'"])
    path.write_text(written, encoding="utf-8")
    print(f"{name}: pinned as {sha256[:12]}… (was {source.sha256[:12]}…); the next run reads it anew")
