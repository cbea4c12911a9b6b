from _bounded import counted
from locust import HttpUser, constant, events, task

TENANTS = set()


@events.request.add_listener
def tenant(context, **_):
    TENANTS.add(context["tenant"])


@events.test_stop.add_listener
def check(**_):
    assert {"a", "b"} >= TENANTS


class Visitor(HttpUser):
    wait_time = constant(0.1)

    def context(self):
        return {"tenant": "a"}

    @task
    def item(self):
        counted(self)
        self.client.get(f"/item/{self.done}", name="/item/[id]")

    @task
    def grouped(self):
        counted(self)
        self.client.request_name = "/grouped"
        self.client.get("/x?a=1", context={"tenant": "b"})
        self.client.request_name = None
