from _bounded import counted
from locust import HttpUser, constant, task


class Admin(HttpUser):
    fixed_count = 1
    wait_time = constant(0.1)

    @task
    def admin(self):
        counted(self)
        self.client.get("/admin")


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/")
