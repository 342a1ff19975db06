"""What an option of a command and a key of params.yaml may be, without the parameters: a command starts at once."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["text", "pair", "span", "tagging", "number", "choice"]
"""Of a task."""
Size = Literal["tiny", "mini", "small", "medium", "base", "large"]
"""Of a BERT."""
ModelName = Literal["skipgram", "cbow"]
Objective = Literal["negative_sampling", "hierarchical_softmax", "full_softmax"]
Backend = Literal["auto", "numba", "triton", "torch"]
"""What trains word vectors."""
MOST_SEEDS = 20
"""Of an evaluation."""
WORD_SUITES = ("analogies", "wordsim353", "simlex999")
BERT_SUITES = ("mlm",)
TASK_NAME = re.compile(r"^[a-z][a-z0-9-]{0,39}$")
