"""A stand-in of the community service Band and its open API, a program of its own (`python -m dbz.band`).

Paths, parameters, the envelope {result_code, result_data}, `paging.next_params`, the fields of bands, albums and photos
and the result codes are those that Band documents for its developers. Ours, because Band documents none: members as a
list, `updated_since` with `removed` items, `limit`, PKCE, revocation, HTTP statuses beside result codes, `Retry-After`.
"""
