"""A change of the account: what is there, the plan, carrying it out, and taking it back."""
