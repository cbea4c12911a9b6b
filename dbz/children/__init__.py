"""Child processes that are always stopped: also when their parent crashes or is killed."""

from dbz.children.child import Child, free_port, python_module, stop_all, wait_for_an_end, wait_until
from dbz.children.open_files import raise_open_files

__all__ = ["Child", "free_port", "python_module", "raise_open_files", "stop_all", "wait_for_an_end", "wait_until"]
