"""Child processes that are always stopped: also when their parent crashes or is killed."""

from dbz.children.child import Child, free_port, stop_all, wait_until

__all__ = ["Child", "free_port", "stop_all", "wait_until"]
