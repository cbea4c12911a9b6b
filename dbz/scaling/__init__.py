"""Scaling: the rule engine, simulation and sizing (pure), and what carries plans out through the AWS APIs."""
