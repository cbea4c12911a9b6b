from _bounded import counted
from locust import HttpUser, TaskSet, constant, task


class Visit(TaskSet):
    def on_start(self):
        self.client.get("/enter")

    def on_stop(self):
        self.client.get("/exit")

    @task
    def look(self):
        counted(self.user)
        self.client.get("/look")


class Visitor(HttpUser):
    wait_time = constant(0.05)
    tasks = [Visit]

    def on_start(self):
        self.client.post("/login", json={"user": "a"})

    def on_stop(self):
        self.client.post("/logout")
