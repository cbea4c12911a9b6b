"""Tasks without a wait time: who has waited for a server goes on at once, who never waits for anything gives way."""

import json
import subprocess
import sys

SCRIPT = """
import json
import time
from collections import Counter

import locust
import gevent
from locust import User, constant, task
from locust.env import Environment
from locust.user.task import TaskSet

from dbz.load.generator.pace import pauses
from dbz.load.generator.net.waiting import TimedWait

done, slept = Counter(), Counter()


class Busy(User):
    wait_time = constant(0)

    @task
    def work(self):
        done["busy"] += 1


class Asking(User):
    wait_time = constant(0)

    @task
    def ask(self):
        wait = TimedWait()
        gevent.get_hub().loop.run_callback(lambda greenlet: greenlet.switch(), gevent.getcurrent())
        wait.wait(time.monotonic() + 9)
        done["asking"] += 1


class Pausing(User):
    wait_time = constant(0.05)

    @task
    def pause(self):
        done["pausing"] += 1


pauses.install()
sleep = TaskSet._sleep


def counting(task_set, seconds):
    slept[type(task_set.user).__name__.lower()] += 1
    sleep(task_set, seconds)


TaskSet._sleep = counting
environment = Environment(user_classes=[Busy, Asking, Pausing])
runner = environment.create_local_runner()
runner.start(3, spawn_rate=100)
gevent.sleep(0.5)
runner.quit()
print(json.dumps([done, slept]))
"""


def test_only_who_has_not_given_way_pauses_for_nothing():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    tasks, sleeps = json.loads(done.stdout.splitlines()[-1])
    assert tasks.keys() == {"busy", "asking", "pausing"}, "nobody keeps another from running"
    assert sleeps["busy"] >= tasks["busy"], "it gives way after each task"
    assert sleeps["asking"] < tasks["asking"] / 2, "it waited for an answer, and goes on"
    assert 1 <= tasks["pausing"] <= 12 and sleeps["pausing"] >= tasks["pausing"] - 1, "a wait time is kept"
