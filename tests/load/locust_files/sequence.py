from _bounded import counted
from locust import HttpUser, SequentialTaskSet, constant, task


class Order(SequentialTaskSet):
    @task
    def basket(self):
        counted(self.user)
        self.client.get("/basket")

    @task
    def pay(self):
        counted(self.user)
        self.client.post("/pay", json={"amount": 1})

    @task(2)
    def look(self):
        counted(self.user)
        self.client.get("/receipt")


class Buyer(HttpUser):
    wait_time = constant(0.05)
    tasks = [Order]
