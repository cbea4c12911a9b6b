from _bounded import counted
from locust import HttpUser, constant, tag, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @tag("fast")
    @task
    def quick(self):
        counted(self)
        self.client.get("/quick")

    @tag("slow")
    @task(5)
    def slow(self):
        counted(self)
        self.client.get("/never")
