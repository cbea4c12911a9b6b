"""The older part of a long run's record: its seconds put together, so that files do not grow with them."""
