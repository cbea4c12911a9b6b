from _bounded import counted
from locust import HttpUser, constant, events, task

SEEN = {"requests": 0, "failed": 0}


@events.request.add_listener
def look(exception, **_):
    SEEN["requests"] += 1
    SEEN["failed"] += exception is not None


@events.test_start.add_listener
def begin(environment, **_):
    SEEN["requests"] = SEEN["failed"] = 0


@events.quitting.add_listener
def check(environment, **_):
    total = environment.stats.total
    alike = (total.num_requests, total.num_failures) == (SEEN["requests"], SEEN["failed"])
    environment.process_exit_code = 3 if alike and SEEN["requests"] else 0


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/")
