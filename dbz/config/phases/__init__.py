"""The scaling plan: what each phase must carry and with what, and when servers scale."""
