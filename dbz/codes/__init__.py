"""What the codes of errors mean: for `dbz explain` and docs/errors.md."""
