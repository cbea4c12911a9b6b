"""Patching the standard library for gevent, first of all in each program of the generator."""

from importlib import metadata

from gevent import monkey


def patch_standard_library() -> None:
    """gevent's patches of everything, as `gevent.monkey.patch_all` makes them.

    For each of a dozen modules gevent asks two times which plug-ins of it are installed, and each time the standard
    library reads what every installed package says of itself: a third of a second. Here it is read once.
    """
    read = metadata.entry_points
    try:
        metadata.entry_points = read().select
        monkey.patch_all()
    finally:
        metadata.entry_points = read
