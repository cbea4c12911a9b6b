"""Moving clubs and slots: preflight, copy, follow, fence, flip, and the pace of it."""
