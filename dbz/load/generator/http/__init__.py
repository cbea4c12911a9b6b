"""A thin HTTP/1.1 client for Locust users, with the calls that Locust's own clients have."""

from dbz.load.generator.http.client import TIMEOUT_S, HttpClient
from dbz.load.generator.http.options import RequestOptions
from dbz.load.generator.http.request.urls import split_url
from dbz.load.generator.http.settings import CONNECT_TIMEOUT_S

__all__ = ["CONNECT_TIMEOUT_S", "TIMEOUT_S", "HttpClient", "RequestOptions", "split_url"]
