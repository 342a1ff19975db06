"""Firth: self-supervised word representations, from raw text to promoted vectors.

"You shall know a word by the company it keeps." — J. R. Firth, 1957
"""

import os

# OpenMP's threads spin for a long time while they wait, and a training beside any other busy process then runs at a
# tenth of its speed. A thousand turns, then sleep, costs 4% on an idle machine. Read once, when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
