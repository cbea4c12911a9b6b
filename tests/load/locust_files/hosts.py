import os

from _bounded import counted
from locust import FastHttpUser, HttpUser, constant, task


class Shop(HttpUser):
    host = os.environ["FIRST_URL"]
    wait_time = constant(0.1)

    @task
    def t(self):
        counted(self)
        self.client.get("/shop")


class Chat(FastHttpUser):
    host = os.environ["SECOND_URL"]
    wait_time = constant(0.1)

    @task
    def t(self):
        counted(self)
        self.client.get("/chat")
