"""YAML text to typed models, within limits, and with the line of each fault."""
