"""`dbz load` and `dbz capacity`: runs against a target or an embedded stack, and their options."""
