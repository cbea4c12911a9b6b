from _bounded import counted
from locust import HttpUser, constant, events, task


@events.test_start.add_listener
def seed(**_):
    raise RuntimeError("seeding the test data failed")


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/")
