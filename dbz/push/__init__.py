"""A stand-in of push providers, a program of its own (`python -m dbz.push`): shaped like APNs and like FCM HTTP v1.

Paths, headers, limits, reasons and statuses are those that Apple and Google document for servers that send pushes. Ours
are the faults on request, the list of dead tokens and the ledger of what was received, below `/_dbz/`.
"""
