"""BERT (Devlin et al. 2019): model, instances, pretraining."""
