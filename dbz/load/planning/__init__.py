"""From what somebody asks for to a plan: which users, on which networks, how many, and when."""
