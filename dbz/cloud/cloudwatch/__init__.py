"""CloudWatch as the local cloud answers for it: metrics, logs, expressions, alarms."""
