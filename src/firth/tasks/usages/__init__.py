"""The four usages of an encoder (Devlin et al. 2019, figure 4): sentence, pair, span, tagging; heads and scores."""
