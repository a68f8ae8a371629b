"""db: what we remember. SQL is the truth; MLflow, Prefect artifacts and the report are rebuilt from it."""
