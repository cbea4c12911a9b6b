from _bounded import counted
from locust import HttpUser, TaskSet, task


class Slow(TaskSet):
    def wait_time(self):
        return 0.12

    @task
    def page(self):
        counted(self.user)
        self.client.get("/slow-set")


class Visitor(HttpUser):
    tasks = [Slow]
    growing = 0.02

    def wait_time(self):
        self.growing += 0.01
        return self.growing
