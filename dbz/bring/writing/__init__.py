"""The Python text of a scenario, as a person would have written it."""
