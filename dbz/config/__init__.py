"""YAML files as typed models: all problems at once, each with its file, its line and what is allowed."""
