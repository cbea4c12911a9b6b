import gevent
from locust import HttpUser, constant, events, task

ROUNDS = 12
TOLD = []


@events.init.add_listener
def watch(environment, runner, **_):
    gevent.spawn(quit_when_all_is_done, environment, runner)


def quit_when_all_is_done(environment, runner):
    while environment.stats.total.num_requests < 4 * ROUNDS:
        gevent.sleep(0.1)
    runner.quit()


@events.test_stopping.add_listener
def stopping(**_):
    TOLD.append("stopping")


@events.test_stop.add_listener
def stopped(**_):
    gevent.sleep(0.2)
    TOLD.append("stopped")


@events.quitting.add_listener
def check(environment, **_):
    environment.process_exit_code = 0 if TOLD == ["stopping", "stopped"] else 1


class Visitor(HttpUser):
    wait_time = constant(0.05)
    done = 0

    def on_stop(self):
        gevent.sleep(0.3)
        self.client.get("/bye")

    @task
    def home(self):
        self.done += 1
        if self.done <= ROUNDS:
            self.client.get("/")
