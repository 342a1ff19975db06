"""A small random BERT over a vocabulary that reads English and German sentences."""

from __future__ import annotations

from firth.bert.architecture import Architecture
from firth.bert.folder import NEW, TRAINED, Bert
from firth.bert.model import Pretraining, initialise
from firth.wordpiece.tokenizer import Tokenizer

SENTENCES = (
    "The cat sat on the mat.",
    "A bank lends money; the bank of the river doesn't.",
    "Die Mäuse tanzen über den Tisch, während die Katze schläft!",
    "No.",
    "",
    "The river bank was muddy, and the cat did not like the mud at all on that day in May.",
)

_WORDS = ("the", "cat", "sat", "on", "mat", "bank", "of", "river", "not", "and", "dog", "mouse", "did", "like", "that")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *".,;!?'-[]",
    *_LETTERS,
    *(f"##{letter}" for letter in _LETTERS),
    *_WORDS,
    *("##ing", "##dy"),
)


def toy_bert(
    layers: int = 4,
    hidden: int = 32,
    heads: int = 4,
    positions: int = 48,
    seed: int = 1,
    scale: float = 8.0,
    untrained: tuple[str, ...] = (),
) -> Bert:
    """A BERT whose weights are random, `scale` times as wide as first weights, so that its tokens differ clearly."""
    architecture = Architecture(len(PIECES), layers, hidden, heads, 2 * hidden, positions)
    model = Pretraining(architecture)
    initialise(model, seed)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data *= scale
    return Bert(
        model.eval(),
        Tokenizer(PIECES),
        {head: NEW if head in untrained else TRAINED for head in ("pooler", "mlm", "nsp")},
    )
