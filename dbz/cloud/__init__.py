"""The local cloud: moto's server with what it leaves out, as a program of its own (`python -m dbz.cloud`).

moto keeps what the AWS APIs are told. `dbz.cloud.ecs.reconciler` is what makes it come true: tasks that take
time to start, deployments, events, alarms that are evaluated and policies that act.
"""
