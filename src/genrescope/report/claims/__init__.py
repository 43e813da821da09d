"""Claims about a run, written in a YAML file and held against its predictions."""
