"""A load goes where it may go, and nowhere else."""

import socket

import pytest

from dbz.errors import DependencyError, UsageError
from dbz.load.target.allowed_hosts import check_target, reach


@pytest.mark.parametrize("url", ["http://127.0.0.1:8480", "http://localhost/x/", "https://[::1]:1", "http://127.9.9.9"])
def test_this_machine_needs_no_permission(url):
    assert check_target(url, []) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://example.org", "http://10.0.0.1", "http://0.0.0.0:80", "http://127.0.0.1.evil.org"]
)
def test_other_hosts_must_be_allowed_by_name(url):
    with pytest.raises(UsageError, match="not on this machine") as refused:
        check_target(url, ["other.host"])
    host = url.removeprefix("http://").partition(":")[0]
    assert f"--allow-target {host}" in refused.value.hint
    assert check_target(url, [host]) == url


@pytest.mark.parametrize(
    "url", ["", "example.org", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "http://[::1"]
)
def test_what_is_no_url_is_refused_with_an_example(url):
    with pytest.raises(UsageError, match=r"not a URL|is not an http"):
        check_target(url, [])


def test_an_unreachable_target_says_what_was_tried():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        reach(f"http://127.0.0.1:{port}")
    with pytest.raises(DependencyError, match=rf"Connection refused .tried TCP to 127.0.0.1 port {port}"):
        reach(f"http://127.0.0.1:{port}")
