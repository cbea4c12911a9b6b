"""The `dbz` command: parse, call, render. The only place that turns an error into an exit code."""
