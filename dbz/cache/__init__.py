"""The two-layer cache: an in-process map in front of Redis, with invalidation that reaches every process."""

from dbz.cache.glob import compile_glob, is_literal
from dbz.cache.layers.sync import CacheSync
from dbz.cache.layers.twolayer import CacheLimits, TwoLayerCache

__all__ = ["CacheLimits", "CacheSync", "TwoLayerCache", "compile_glob", "is_literal"]
