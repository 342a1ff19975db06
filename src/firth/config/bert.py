"""`wordpiece`, `tokenize` and `bert`: Devlin et al. (2019), from a vocabulary to a pretrained encoder."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from firth.choices import Size
from firth.config.base import Section, Seed, Share

Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]


class WordPiece(Section):
    """The vocabulary of word pieces, learned from the training side of the corpus."""

    vocabulary: int = Field(
        default=30_000, ge=64, le=2**20, description="Pieces in the vocabulary, special tokens included."
    )
    lowercase: bool = Field(default=True, description="Lower-case the text (BERT's uncased models).")
    strip_accents: bool = Field(default=True, description="Remove accents; the paper does so where it lower-cases.")
    chinese_characters: bool = Field(default=True, description="Make each CJK character a word of its own.")
    min_count: int = Field(default=2, ge=1, description="A pair of pieces that occurs less often is not merged.")
    alphabet: int = Field(default=1000, ge=16, le=100_000, description="Most single characters kept.")
    base: str = Field(
        default="", description="Folder of a model whose vocabulary is taken as it is; empty: learn a new one."
    )
    base_sha256: Digest = Field(default="", description="sha256 of that folder's vocab.txt.")
    extend: int = Field(
        default=0, ge=0, le=2**19, description="Pieces learned from the corpus and added behind the base vocabulary."
    )

    @model_validator(mode="after")
    def _a_base_is_pinned(self) -> Self:
        if bool(self.base) != bool(self.base_sha256):
            raise ValueError("base and base_sha256 are given together or not at all")
        if self.extend and not self.base:
            raise ValueError("extend adds pieces to a base vocabulary: name it in base, or set extend to 0")
        if not self.base and self.alphabet >= self.vocabulary:
            raise ValueError(f"alphabet ({self.alphabet}) must be smaller than vocabulary ({self.vocabulary})")
        return self


class Tokenize(Section):
    """The token store that BERT reads."""

    shard_megabytes: int = Field(default=256, ge=1, le=4096, description="Ids in one shard, in MB.")
    shuffle: bool = Field(default=True, description="Put the training documents in a random order.")
    seed: Seed = 1


class Masking(Section):
    """Section 3.1, task 1: which positions are predicted, and what stands there instead."""

    rate: float = Field(default=0.15, gt=0.0, lt=1.0, description="Share of the tokens that are predicted.")
    mask: Share = Field(default=0.8, description="Share of those that [MASK] replaces.")
    random: Share = Field(default=0.1, description="Share of those that a random token replaces; the rest stay.")
    whole_words: bool = Field(default=False, description="Choose whole words, never single pieces of one.")

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.mask + self.random > 1.0 + 1e-9:
            raise ValueError(f"mask ({self.mask}) and random ({self.random}) together exceed 1")
        return self


class Optimizer(Section):
    """How the weights follow the gradient: no decay of biases and LayerNorm, linear warm-up, linear decay to 0."""

    name: Literal["adamw", "lamb", "muon"] = Field(
        default="adamw",
        description="adamw: as in the paper; lamb: for batches of thousands; muon: for matrices, AdamW for the rest.",
    )
    learning_rate: float = Field(default=1e-4, gt=0.0, le=1.0, description="Highest learning rate.")
    warmup_steps: int = Field(
        default=10_000,
        ge=0,
        description="Steps over which it rises from 0; of a budget of tokens or minutes half at most.",
    )
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    epsilon: float = Field(default=1e-6, gt=0.0, le=1e-2)
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0)
    clip: float = Field(default=1.0, ge=0.0, description="Largest norm of the gradient; 0 does not clip.")
    skip_spikes: float = Field(
        default=0.0,
        ge=0.0,
        description="Leave out an update whose gradient is so many times the median norm of the last 100; 0: never.",
    )

    @model_validator(mode="after")
    def _a_spike_is_larger_than_usual(self) -> Self:
        if 0.0 < self.skip_spikes <= 1.0:
            raise ValueError(f"skip_spikes ({self.skip_spikes}) must exceed 1, or half of all updates are left out")
        return self


class Ramp(Section):
    """A batch that grows: small steps are enough as long as every gradient points the same way."""

    start: int = Field(default=1, ge=1, le=65_536, description="Sequences in the first step.")
    steps: int = Field(default=0, ge=0, description="Steps over which they become the batch; 0: no ramp.")


class SecondPhase(Section):
    """The last part of the steps at another length (appendix A.2 of the paper: 10% at length 512)."""

    share: float = Field(default=0.0, ge=0.0, lt=1.0, description="Share of the steps; 0: there is none.")
    length: int = Field(default=512, ge=16, le=4096, description="Tokens in a training sequence.")
    batch: int = Field(default=0, ge=0, le=65_536, description="Sequences in a step; 0: as before.")
    micro_batch: int = Field(default=0, ge=0, description="Sequences that go through the model at once; 0: as before.")


class HeldOut(Section):
    """Looks at text that is never trained on."""

    every: int = Field(default=1000, ge=1, description="Steps between two looks; there is one at the end, too.")
    instances: int = Field(default=1024, ge=16, description="Most instances of one look.")


class Bert(Section):
    """Pretraining, under the names of the paper."""

    size: Size = Field(
        default="base", description="tiny 2x128, mini 4x256, small 4x512, medium 8x512, base 12x768, large 24x1024."
    )
    positions: int = Field(default=512, ge=16, le=4096, description="Longest sequence that the model can ever read.")
    length: int = Field(default=128, ge=16, le=4096, description="Tokens in a training sequence.")
    batch: int = Field(default=256, ge=1, le=65_536, description="Sequences in a step.")
    micro_batch: int = Field(
        default=0, ge=0, description="Sequences that go through the model at once; 0: the whole batch."
    )
    packing: bool = Field(
        default=False,
        description="Fill the batch x length tokens of a step with as many instances as fit; off: batch instances.",
    )
    steps: int = Field(default=1_000_000, ge=1, le=10_000_000, description="Optimizer steps at most.")
    tokens: int = Field(
        default=0,
        ge=0,
        description="The training ends when it has seen so many tokens, padding not counted; 0: no limit.",
    )
    minutes: float = Field(
        default=0.0,
        ge=0.0,
        le=1e6,
        description="The training ends after so many minutes; 0: no limit. "
        "Only `firth pretrain --replay` can repeat it.",
    )
    ramp: Ramp = Ramp()
    second_phase: SecondPhase = SecondPhase()
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0, description="Dropout of hidden states and attention.")
    short_sequences: Share = Field(default=0.1, description="Share of instances with a random, shorter target length.")
    frequency_bias: bool = Field(
        default=False,
        description="Start a new model's masked-word bias at the pieces' log frequencies, not at 0 as in the paper: a "
        "short training need not learn them first.",
    )
    next_sentence: bool = Field(
        default=True, description="Train next-sentence prediction too; off: one segment, masked words only."
    )
    objective: Literal["masked", "left_to_right"] = Field(
        default="masked",
        description="left_to_right: predict each token from those before it (section 5.1 of the paper); for studies.",
    )
    masking: Masking = Masking()
    optimizer: Optimizer = Optimizer()
    heldout: HeldOut = HeldOut()
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="bf16: autocast, weights stay float32.")
    compile: bool = Field(default=False, description="torch.compile: faster, and not the same bytes everywhere.")
    accelerator: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where it trains.")
    threads: int = Field(default=2, ge=1, le=256, description="CPU threads; another number gives other bytes.")
    devices: int = Field(default=1, ge=1, le=1024, description="Processes that share each step, one a GPU.")
    strategy: Literal["ddp", "fsdp"] = Field(
        default="ddp", description="ddp: each holds the whole model; fsdp: each holds a part of it."
    )
    init: str = Field(
        default="", description="Folder of a model to go on from (ours or Hugging Face's); empty: from nothing."
    )
    init_sha256: Digest = Field(default="", description="sha256 of that folder's model.safetensors.")
    checkpoint_seconds: float = Field(default=60.0, gt=0.0, description="Seconds between two checkpoints.")
    keep: int = Field(default=2, ge=1, le=1000, description="Newest checkpoints that are kept.")
    price: float = Field(default=0.0, ge=0.0, description="What an hour of one device costs, for the cost of the run.")
    seed: Seed = 1

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if self.length > self.positions:
            raise ValueError(f"length ({self.length}) must not exceed positions ({self.positions})")
        if self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch ({self.micro_batch}) must divide batch ({self.batch})")
        if self.optimizer.warmup_steps >= self.steps:
            raise ValueError(
                f"optimizer.warmup_steps ({self.optimizer.warmup_steps}) must be less than steps ({self.steps})"
            )
        if bool(self.init) != bool(self.init_sha256):
            raise ValueError("init and init_sha256 are given together or not at all")
        if self.objective == "left_to_right" and self.masking.whole_words:
            raise ValueError("masking.whole_words does not go with objective left_to_right, which masks nothing")
        if self.ramp.steps and self.ramp.start > self.batch:
            raise ValueError(f"ramp.start ({self.ramp.start}) must not exceed batch ({self.batch})")
        self._second_phase_fits()
        self._processes_fit()
        return self

    def _processes_fit(self) -> None:
        if self.devices == 1:
            return
        micro_batches = -(-self.batch // (self.micro_batch or 1))
        if self.devices > micro_batches:
            raise ValueError(
                f"devices ({self.devices}) must not exceed the micro batches of a step ({micro_batches}): some would "
                "never have any work"
            )
        if self.strategy == "fsdp" and (self.compile or self.optimizer.name != "adamw"):
            raise ValueError("strategy fsdp goes with optimizer.name adamw and without compile: set them, or take ddp")

    @property
    def predicted_share(self) -> float:
        """Share of an instance's tokens that are predicted, special ones not counted."""
        return 1.0 if self.objective == "left_to_right" else self.masking.rate

    def _second_phase_fits(self) -> None:
        second = self.second_phase
        if not second.share:
            return
        if self.tokens or self.minutes:
            raise ValueError("second_phase is a share of the steps: it does not go with tokens or minutes")
        if second.length > self.positions:
            raise ValueError(f"second_phase.length ({second.length}) must not exceed positions ({self.positions})")
        batch, micro = second.batch or self.batch, second.micro_batch or self.micro_batch
        if micro and batch % micro:
            raise ValueError(f"second_phase.micro_batch ({micro}) must divide its batch ({batch})")
