"""ECS as the local cloud brings it about: tasks, services, load balancers."""
