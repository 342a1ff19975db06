"""Fixtures shared by the tests of runs and of the registry."""

from scored_project import mlflow_template, project

__all__ = ["mlflow_template", "project"]
