"""The files of a run: writing, reading and following them."""
