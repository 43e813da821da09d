"""What a study found, for people: figures, the report and the model cards."""
