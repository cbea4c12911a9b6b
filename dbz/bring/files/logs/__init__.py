"""The formats of access logs, one a module, and telling by a line which it is of."""
