"""Models of tasks in folders of their own, and their answers to records that they have never seen."""
