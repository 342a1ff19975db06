"""The usual scripts of `transformers`: its Trainer on a task's examples, and SQuAD's features by `datasets.map`."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor, nn

from firth.config.usages import Finetuning
from firth.errors import FirthError
from firth.tasks.encoders.reading import Floats

Head = Literal["pooler", "mean"]
"""Of the peer: as the scripts have it, on the pooled [CLS]; or as ours, on the mean of the tokens."""

Padding = Literal["to the task's length", "to a batch's longest"]
PADDINGS: tuple[Padding, ...] = ("to the task's length", "to a batch's longest")
"""The scripts' default, and what they do without `--pad_to_max_length`."""

Columns = dict[str, list[Any]]


Clock = Callable[[], float]
"""Of a process: `time.perf_counter`, or `time.process_time` where others use the machine, too."""


class Run(NamedTuple):
    """One fine-tuning: seconds of the training, of the prediction of the dev side, and the logits of that."""

    training: float
    prediction: float
    logits: Floats


class Script:
    """A training of the encoder in `folder` by Trainer, in float32 on the CPU; all that we set ourselves, it gets, too.

    The examples are cut into pieces before the clock starts, as ours are.
    """

    def __init__(
        self,
        folder: Path,
        train: Columns,
        dev: Columns,
        settings: Finetuning,
        length: int,
        padding: Padding,
        clock: Clock = time.perf_counter,
        head: Head = "pooler",
    ) -> None:
        if importlib.util.find_spec("accelerate") is None:
            raise FirthError("transformers' Trainer, the peer here, needs accelerate: pip install accelerate")
        self.folder, self.settings, self.padding, self.length, self.clock = folder, settings, padding, length, clock
        self.head = head
        self.tokenizer = tokenizer_of(folder)
        self.train, self.dev = self._cut(train), self._cut(dev)
        of_classes = isinstance(train["label"][0], int)
        self.labels = len(set(train["label"])) if of_classes else 1

    def run(self, seed: int) -> Run:
        """Train and predict."""
        from transformers import (
            DataCollatorWithPadding,
            PrinterCallback,
            Trainer,
            TrainingArguments,
            default_data_collator,
            set_seed,
        )

        settings = self.settings
        steps = settings.epochs * -(-len(self.train) // settings.batch)
        set_seed(seed)
        model = self._model()
        padded = self.padding == PADDINGS[0]
        with tempfile.TemporaryDirectory() as scratch:
            arguments = TrainingArguments(
                output_dir=scratch, use_cpu=True, seed=seed, num_train_epochs=settings.epochs,
                learning_rate=settings.learning_rate, weight_decay=settings.weight_decay,
                warmup_steps=round(steps * settings.warmup), per_device_train_batch_size=settings.batch,
                per_device_eval_batch_size=settings.batch, save_strategy="no", report_to=[], disable_tqdm=True,
            )  # fmt: skip
            collator: Any = default_data_collator if padded else DataCollatorWithPadding(self.tokenizer)
            trainer = Trainer(model, arguments, train_dataset=self.train, data_collator=collator)
            trainer.remove_callback(PrinterCallback)
            started = self.clock()
            trainer.train()
            trained = self.clock()
            logits = trainer.predict(self.dev).predictions
            return Run(trained - started, self.clock() - trained, np.asarray(logits, np.float32))

    def _model(self) -> Any:
        """The encoder with a new head."""
        from transformers import AutoModel, AutoModelForSequenceClassification

        if self.head == "pooler":
            return AutoModelForSequenceClassification.from_pretrained(self.folder, num_labels=self.labels)
        return MeanOfTokens(AutoModel.from_pretrained(self.folder, add_pooling_layer=False), self.labels)

    def _cut(self, columns: Columns) -> Any:
        from datasets import Dataset

        names = [name for name in columns if name != "label"]

        def pieces(rows: Columns) -> Any:
            return self.tokenizer(
                *(rows[name] for name in names),
                truncation=True,
                max_length=self.length,
                padding="max_length" if self.padding == PADDINGS[0] else False,
            )

        return Dataset.from_dict(columns).map(pieces, batched=True, remove_columns=names)


class MeanOfTokens(nn.Module):
    """An encoder of `transformers` and a linear layer on the mean of its last layer's tokens: our model as theirs."""

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__()
        self.encoder, self.dropout = encoder, nn.Dropout(encoder.config.hidden_dropout_prob)
        self.classifier = nn.Linear(encoder.config.hidden_size, labels)
        nn.init.normal_(self.classifier.weight, 0.0, encoder.config.initializer_range)
        nn.init.zeros_(self.classifier.bias)

    def forward(
        self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """`loss` (), the squared error where there is one output, and `logits` (N, labels).

        Trainer takes the names of what it hands over from this signature.
        """
        tokens = self.encoder(  # (N, L, width)
            input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask
        ).last_hidden_state
        there = attention_mask.unsqueeze(-1).to(tokens.dtype)  # (N, L, 1)
        logits = self.classifier(self.dropout((tokens * there).sum(dim=1) / there.sum(dim=1)))
        if logits.shape[1] == 1:
            return {"loss": nn.functional.mse_loss(logits[:, 0], labels), "logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def tokenizer_of(folder: Path) -> Any:
    """The fast tokenizer of a model's folder; what `transformers` and `datasets` show while they work is turned off."""
    import datasets
    import transformers
    from transformers import AutoTokenizer

    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    return AutoTokenizer.from_pretrained(folder)


def squad_features(tokenizer: Any, examples: Sequence[dict[str, Any]], length: int, overlap: int) -> Any:
    """SQuAD's windows with the places of their answers, as the scripts make them: a `datasets.Dataset`.

    An answer that is not whole in a window is at [CLS]. What the scripts look for in a loop over the offsets of all
    tokens, the library is asked here, which is faster.
    """
    from datasets import Dataset

    given = Dataset.from_dict(
        {
            "question": [one["question"] for one in examples],
            "context": [one["context"] for one in examples],
            "begin": [one["answers"][0]["start"] for one in examples],
            "end": [one["answers"][0]["start"] + len(one["answers"][0]["text"]) for one in examples],
        }
    )

    def windows(rows: Columns) -> Any:
        found = tokenizer(
            rows["question"], rows["context"], truncation="only_second", max_length=length, stride=overlap,
            return_overflowing_tokens=True, return_offsets_mapping=True, padding="max_length",
        )  # fmt: skip
        found.pop("offset_mapping")
        places = []
        for number, owner in enumerate(found.pop("overflow_to_sample_mapping")):
            first = found.char_to_token(number, rows["begin"][owner], 1)
            last = found.char_to_token(number, rows["end"][owner] - 1, 1)
            places.append((0, 0) if first is None or last is None else (first, last))
        found["start_positions"] = [first for first, _ in places]
        found["end_positions"] = [last for _, last in places]
        return found

    return given.map(windows, batched=True, remove_columns=given.column_names)
