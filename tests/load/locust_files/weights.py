from _bounded import counted
from locust import HttpUser, constant


def read(user):
    counted(user)
    user.client.get("/read")


def write(user):
    counted(user)
    user.client.put("/write", json={"a": 1})


class Reader(HttpUser):
    weight = 3
    wait_time = constant(0.1)
    tasks = {read: 4, write: 1}


class Writer(HttpUser):
    weight = 1
    wait_time = constant(0.1)
    tasks = [write]


class Nobody(HttpUser):
    weight = 0
    tasks = [read]
