"""Answers as they come from a connection: their heads, framing and codings."""
