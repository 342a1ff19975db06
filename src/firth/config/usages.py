"""`evaluation`: which encoders are measured on the tasks, in which ways, and how."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from firth.choices import MOST_SEEDS
from firth.config.base import Section, Seed, Share
from firth.config.corpora import Sha256

EncoderName = Literal["skipgram", "cbow", "random", "bert", "reference"]
Mode = Literal["frozen", "finetuned"]
HeadName = Literal["linear", "bilstm"]
Protocol = Literal["sane", "paper"]

MOST_SANE_EPOCHS = 5
MOST_POINTS = 100


class Reference(Section):
    """A published encoder inside a wheel, to stand beside ours."""

    title: str = Field(min_length=1, description="As shown in tables.")
    package: str
    version: str
    sha256: Sha256
    folder: str = Field(min_length=1, description="The folder inside the wheel with config.json and model.safetensors.")


class Head(Section):
    """The small head on frozen features."""

    learning_rate: float = Field(default=0.01, gt=0.0, le=1.0)
    epochs: int = Field(default=40, ge=1, le=10_000)
    batch: int = Field(default=32, ge=1)
    weight_decay: float = Field(
        default=3.0, ge=0.0, description="Far more than in training: few examples, many features."
    )


class BiLSTM(Section):
    """The recurrent head on the vectors of all tokens of a sequence (section 5.3 of the paper)."""

    hidden: int = Field(
        default=256, ge=1, le=4096, description="Numbers of a state in each direction; the paper: two layers with 768."
    )
    layers: int = Field(default=2, ge=1, le=8)
    dropout: Share = Field(default=0.3, description="Of what each layer and the head read.")
    learning_rate: float = Field(default=0.002, gt=0.0, le=1.0)
    epochs: int = Field(default=20, ge=1, le=10_000)
    batch: int = Field(default=16, ge=1)
    weight_decay: float = Field(default=0.01, ge=0.0)


class Finetuning(Section):
    """Training of head and encoder together (section 4 of the paper)."""

    learning_rate: float = Field(default=5e-5, gt=0.0, le=1.0)
    epochs: int = Field(default=3, ge=1, le=1000)
    batch: int = Field(default=32, ge=1)
    warmup: Share = Field(default=0.1, description="Share of the steps.")
    weight_decay: float = Field(default=0.01, ge=0.0)
    early_stopping: bool = Field(
        default=False,
        description="The epoch with the best score on the dev side counts, which makes that score optimistic, and "
        "`patience` ends the training. Rates fall as if all epochs were to come.",
    )
    patience: int = Field(
        default=1, ge=1, description="With early_stopping: epochs in a row without a gain that end the training."
    )


class Grid(Section):
    """What the protocol `paper` tries of each fine-tuned BERT (appendix A.3 of the paper): every combination."""

    batch: list[Annotated[int, Field(ge=1)]] = Field(default=[16, 32], min_length=1)
    learning_rate: list[Annotated[float, Field(gt=0.0, le=1.0)]] = Field(default=[5e-5, 3e-5, 2e-5], min_length=1)
    epochs: list[Annotated[int, Field(ge=1, le=1000)]] = Field(default=[2, 3, 4], min_length=1)

    @model_validator(mode="after")
    def _points_are_distinct_and_few(self) -> Self:
        for name in ("batch", "learning_rate", "epochs"):
            listed = getattr(self, name)
            if len(set(listed)) != len(listed):
                raise ValueError(f"grid.{name} names something twice")
        points = len(self.batch) * len(self.learning_rate) * len(self.epochs)
        if points > MOST_POINTS:
            raise ValueError(f"grid has {points} points, each trained with every seed; {MOST_POINTS} is the most")
        return self


class Evaluation(Section):
    """Which encoders are measured, and how; the same for every task."""

    encoders: list[EncoderName] = Field(
        default=["skipgram", "cbow", "random", "bert"],
        min_length=1,
        description="random: untrained, of our BERT's size; reference: the published encoder below.",
    )
    modes: list[Mode] = Field(
        default=["frozen"],
        min_length=1,
        description="frozen: a head on fixed features; finetuned: head and encoder together, a BERT under the linear "
        "head only. The gate reads the first.",
    )
    heads: list[HeadName] = Field(
        default=["linear"],
        min_length=1,
        description="linear: on a text's pooled vector, or on each token's; bilstm: on all tokens of a sequence. "
        "The gate reads the first.",
    )
    protocol: Protocol = Field(
        default="sane",
        description="sane: one setting, of at most 5 epochs, and the median of the seeds. paper: a BERT is fine-tuned "
        "with every point of the grid and every seed, and the best on the dev side is its score: an optimistic one.",
    )
    reference: Reference | None = None
    pooling: Literal["cls", "mean"] = Field(default="mean", description="A text's vector from its tokens'.")
    layers: Literal["last", "sum4", "concat4"] = "last"
    head: Head = Head()
    bilstm: BiLSTM = BiLSTM()
    vectors_learning_rate: float = Field(
        default=0.001, gt=0.0, le=1.0, description="Of word vectors that are trained together with a head (finetuned)."
    )
    finetuning: Finetuning = Finetuning()
    grid: Grid = Grid()
    restarts: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Most further seeds, of each setting, in place of trainings that collapsed or diverged.",
    )
    ensemble: bool = Field(
        default=False, description="One more row where heads were trained with several seeds: of their mean outputs."
    )
    seeds: list[Seed] = Field(default=[1, 2, 3], min_length=1, max_length=MOST_SEEDS)
    bootstrap: int = Field(default=1000, ge=100, le=100_000, description="Resamples behind each interval.")
    threads: int = Field(
        default=2, ge=1, le=256, description="CPU threads; for fine-tuning another number may give other last digits."
    )
    accelerator: Literal["auto", "cpu", "cuda"] = Field(
        default="cpu",
        description="Where a BERT is read and fine-tuned; word vectors, BiLSTMs and heads on frozen features stay on "
        "the CPU. On a GPU last digits may differ from run to run.",
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="Of a BERT, read or fine-tuned; bf16: autocast, weights and heads stay float32."
    )

    @model_validator(mode="after")
    def _a_reference_is_named(self) -> Self:
        if "reference" in self.encoders and self.reference is None:
            raise ValueError("encoders has reference: say in evaluation.reference which package it is")
        for name in ("encoders", "modes", "heads", "seeds"):
            listed = getattr(self, name)
            if len(set(listed)) != len(listed):
                raise ValueError(f"{name} names something twice")
        return self

    @model_validator(mode="after")
    def _sane_is_short(self) -> Self:
        epochs = self.finetuning.epochs
        if self.protocol == "sane" and "finetuned" in self.modes and epochs > MOST_SANE_EPOCHS:
            raise ValueError(
                f"finetuning.epochs {epochs}: the protocol sane has {MOST_SANE_EPOCHS} at most; to train longer, say "
                f"protocol paper with grid.epochs [{epochs}]"
            )
        return self

    @property
    def rate_from(self) -> str:
        """The parameter that a fine-tuned BERT's learning rate comes from."""
        return f"evaluation.{'grid' if self.protocol == 'paper' else 'finetuning'}.learning_rate"
