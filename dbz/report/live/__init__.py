"""A running load, as figures for a screen, a Prometheus endpoint and an OpenTelemetry collector."""
