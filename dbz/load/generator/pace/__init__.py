"""When tasks begin: at arrivals, at a steady pace, or as soon as their user is ready."""
