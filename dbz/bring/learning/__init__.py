"""Learning from access logs what visitors do: from lines to visits, and to a chain that users of a load follow."""
