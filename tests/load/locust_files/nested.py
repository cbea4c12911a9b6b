from _bounded import counted
from locust import HttpUser, TaskSet, constant, task


class Forum(TaskSet):
    wait_time = constant(0.05)

    @task(3)
    def thread(self):
        counted(self.user)
        self.client.get("/forum/thread")

    @task
    class Search(TaskSet):
        @task
        def search(self):
            counted(self.user)
            self.client.get("/forum/search")
            self.interrupt()

    @task
    def leave(self):
        self.interrupt(reschedule=False)


class Visitor(HttpUser):
    wait_time = constant(0.05)
    tasks = {Forum: 2}

    @task
    def home(self):
        counted(self)
        self.client.get("/")
