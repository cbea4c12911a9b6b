"""The embedded stack: document store, cache and reference server as child processes on loopback."""

from dbz.stack.options import Policy, StackOptions
from dbz.stack.stack import Stack, start_stack
from dbz.stack.state import RunningStack, find_stack

__all__ = ["Policy", "RunningStack", "Stack", "StackOptions", "find_stack", "start_stack"]
