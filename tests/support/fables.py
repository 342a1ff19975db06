"""A small real text: fables after Aesop, one a document, and a token store of them."""

import re
from collections import Counter
from pathlib import Path

from firth.config.bert import Bert, HeldOut, Optimizer, Tokenize
from firth.wordpiece.store import TokenStore, build_store
from firth.wordpiece.tokenizer import Tokenizer

FABLES = """
A fox came to a vineyard where ripe grapes hung high on the vine. He jumped and jumped, but he could not reach them. \
At last he turned away. The grapes are sour, he said, and not fit to eat.

A crow was dying of thirst and found a pitcher with a little water in it. Her beak could not reach the water. She \
dropped a pebble into the pitcher, and then another, and another. Little by little the water rose. So the crow drank \
and saved her life.

A hare laughed at the slow feet of a tortoise. The tortoise asked him to run a race. The hare ran far ahead and lay \
down to sleep in the grass. The tortoise walked on and on and did not stop. When the hare woke up and ran to the goal, \
the tortoise was there before him.

A lion was asleep in the forest when a mouse ran over his nose. He woke and laid his great paw on the little mouse. \
Let me go, said the mouse, and one day I will repay you. The lion laughed and let her go. Some time later the lion was \
caught in the net of a hunter. The mouse heard him roar, came to the net and gnawed the rope. Soon the lion was free.

A dog was carrying a piece of meat over a bridge. In the water below he saw another dog with a piece of meat. He \
snapped at it, and his own meat fell into the stream. So he went home with nothing.

In summer an ant carried grains of corn to her nest. A grasshopper sang in the sun and asked why she worked so hard. \
I am laying up food for the winter, said the ant. When winter came the grasshopper had no food and was dying of \
hunger. Every day the ants ate of the corn that they had gathered in the summer.

A boy kept sheep on a hill near a village. To make the people run he cried, wolf, wolf! The people came and found no \
wolf. He did this again and again. At last a wolf came. The boy cried out, but nobody believed him, and the wolf ate \
the sheep.

A wolf found a lamb that had gone astray from the flock. Last year you spoke ill of me, said the wolf. Last year I was \
not born, said the lamb. You drink of my water, said the wolf. I drink nothing but the milk of my mother, said the \
lamb. I will not go without my supper, said the wolf, and he ate the lamb.

A man had a goose that laid an egg of gold every day. He grew rich, and he grew greedy. He thought that the goose must \
be full of gold, and he killed her. But inside she was like every other goose. So he lost the gold that he had had \
every day.

The wind and the sun had a quarrel about which of them was the stronger. They saw a man on the road in a cloak. \
Whoever takes the cloak from this man is the stronger, said the sun. The wind blew with all his might, and the man \
held his cloak the closer. Then the sun shone, and the man grew warm and took it off.

A town mouse came to see his cousin in the country. The country mouse gave him beans and bread. Come with me to the \
town, said the town mouse, and you shall see how to live. In the town they sat down to cakes and jelly. Two dogs came \
in, and the mice ran for their lives. Better beans in peace, said the country mouse, than cakes in fear.

A crow sat in a tree with a piece of cheese in her beak. A fox saw her from below. How beautiful you are, said the \
fox, and how sweet your voice must be. The crow opened her beak to sing, and the cheese fell down. The fox ate it and \
went away.
"""


def fables() -> list[list[str]]:
    """Documents of sentences."""
    return [re.split(r"(?<=[.!]) ", fable.strip()) for fable in FABLES.strip().split("\n\n")]


def tokenizer(documents: list[list[str]] | None = None, most: int = 120) -> Tokenizer:
    """Special pieces, letters, letters inside words, and the most frequent words."""
    words = Counter(re.findall(r"[a-z]+", " ".join(map(" ".join, documents or fables())).lower()))
    letters = sorted({letter for word in words for letter in word})
    frequent = sorted((word for word in words if len(word) > 1), key=lambda word: (-words[word], word))[:most]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return Tokenizer([*special, *",.!", *letters, *(f"##{letter}" for letter in letters), *frequent])


def fable_store(folder: Path, heldout: int = 3) -> TokenStore:
    """A store whose held-out side is the last `heldout` fables."""
    documents = fables()
    cut = len(documents) - heldout
    build_store(documents[:cut], documents[cut:], tokenizer(), Tokenize(shuffle=False), folder)
    return TokenStore.open(folder)


def small_training(**changes: object) -> Bert:
    """The smallest size, 20 steps with looks every 8, a checkpoint after each step."""
    settings = {
        "size": "tiny", "positions": 64, "length": 48, "batch": 8, "steps": 20, "dropout": 0.1,
        "optimizer": Optimizer(learning_rate=2e-3, warmup_steps=4), "heldout": HeldOut(every=8, instances=16),
        "accelerator": "cpu", "threads": 1, "checkpoint_seconds": 1e-6,
    }  # fmt: skip
    return Bert(**{**settings, **changes})  # type: ignore[arg-type]
