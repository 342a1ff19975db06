"""The official scorers of GLUE, SQuAD, CoNLL-2003 and SWAG: their files, their formats, their numbers."""
