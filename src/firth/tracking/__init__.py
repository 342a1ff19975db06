"""MLflow runs and lineage. Only this package and `firth.registry` import mlflow."""
