"""GraphQL: requests are named by their operations, and errors in an answer of status 200 are failures."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import graphql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema

from dbz.protocols.graphql import operations_in
from tests.load.http_clients import client_of

SCHEMA = graphql.build_schema("""
    type Post { id: ID!, title: String, broken: String }
    type Query { posts(first: Int, tag: String): [Post!], nothing: String, search(text: String!): Post }
    type Mutation { like(id: ID!): Post }
""")
PRINTED = graphql.print_schema(SCHEMA)


def broken(*_: object) -> None:
    raise graphql.GraphQLError("no rights to see this")


SCHEMA.type_map["Post"].fields["broken"].resolve = broken  # type: ignore[attr-defined]
SCHEMA.type_map["Query"].fields["nothing"].resolve = broken  # type: ignore[attr-defined]
ROOT = {"posts": [{"id": "1", "title": "a"}, {"id": "2", "title": "b"}], "like": {"id": "1"}}


class _GraphQL(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One operation, from the parameters."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self._answer({**asked, "variables": json.loads(asked.get("variables", "null"))})

    def do_POST(self) -> None:
        """One operation, or a batch of them; anything else below /search is answered, and is no GraphQL."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"hits": [], "errors": ["none"]} if self.path == "/search" else json.loads(body))

    def _answer(self, asked: Any) -> None:
        tree = asked
        if self.path != "/search":
            tree = [executed(one) for one in asked] if isinstance(asked, list) else executed(asked)
        body = json.dumps(tree).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


def executed(asked: dict[str, Any]) -> dict[str, Any]:
    result = graphql.graphql_sync(
        SCHEMA, asked["query"], ROOT, variable_values=asked.get("variables"), operation_name=asked.get("operationName")
    )
    return dict(result.formatted)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _GraphQL)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


POSTS = "query Posts($first: Int) { posts(first: $first) { id title } }"
PARTIAL = "{ posts { id broken } }"


def test_operations_name_themselves_and_errors_in_a_200_are_failures(url: str) -> None:
    client, ledger = client_of(url)
    like = {"query": 'mutation Like { like(id: "1") { id } }'}
    client.post("/graphql", json={"query": POSTS, "variables": {"first": 2}})
    client.post("/graphql", json={"query": POSTS + " query Other { nothing }", "operationName": "Other"})
    client.post("/graphql", json={"query": PARTIAL})
    client.post("/graphql", json=[like, {"query": POSTS}, like, {"query": "{ nothing }"}])
    client.post("/graphql", data=json.dumps(like), headers={"Content-Type": "application/json"})
    client.get("/graphql", params={"query": POSTS})
    client.get("/graphql?query=%7Bposts%7Bid%7D%7D")
    client.post("/graphql", json={"query": "{ wrong }"}, name="by hand")
    client.post("/search", json={"query": "shoes {red}"})
    with client.post("/graphql", json={"query": "{ nothing }"}, catch_response=True) as expected:
        expected.success()
    client.close()
    no_rights = "GraphQL: no rights to see this at nothing"
    assert ledger.rows == [
        ("POST /graphql Posts", ""),
        ("POST /graphql Other", no_rights),
        ("POST /graphql {posts}", "GraphQL, partial data: no rights to see this at posts.*.broken, and 1 more"),
        ("POST /graphql [Like ×2, Posts, {nothing}]", f"{no_rights} (1 of 4 operations)"),
        ("POST /graphql Like", ""),
        ("GET /graphql Posts", ""),
        ("GET /graphql {posts}", ""),
        ("POST by hand", "GraphQL: Cannot query field 'wrong' on type 'Query'."),
        ("POST /search", ""),
        ("POST /graphql {nothing}", ""),
    ]


def test_who_does_not_want_it_has_it_not_and_the_helper_has_it_always(url: str) -> None:
    client, ledger = client_of(url)
    client.detects_graphql = False
    client.post("/graphql", json={"query": "{ nothing }"})
    assert client.graphql(POSTS, {"first": 1}).json()["data"]["posts"][0] == {"id": "1", "title": "a"}
    client.graphql(POSTS, {"first": 1}, method="GET")
    client.graphql("{ nothing }")
    client.graphql(POSTS, path="/search")
    client.close()
    assert ledger.rows == [
        ("POST /graphql", ""),
        ("POST /graphql Posts", ""),
        ("GET /graphql Posts", ""),
        ("POST /graphql {nothing}", "GraphQL: no rights to see this at nothing"),
        ("POST /search Posts", "GraphQL: errors of an unknown form"),
    ]


def by_the_reference(document: str) -> list[tuple[str, str]] | None:
    """Name and first field of each operation, by graphql-core; None for what is no executable document."""
    try:
        tree = graphql.parse(document)
    except graphql.GraphQLError:
        return None
    found = []
    for one in tree.definitions:
        if isinstance(one, graphql.OperationDefinitionNode):
            if not one.selection_set.selections:  # which the reference lets pass, and servers do not
                return None
            first = one.selection_set.selections[0]
            found.append(
                (
                    one.name.value if one.name else "",
                    getattr(first.name, "value", "") if isinstance(first, graphql.FieldNode) else "",
                )
            )
        elif not isinstance(one, graphql.FragmentDefinitionNode):
            return None
    return found


@settings(deadline=None, max_examples=50)
@given(
    from_schema(PRINTED), st.sampled_from(["", "# {a comment}\n", "\ufeff", "fragment F on Post @x(a: [1]) { id }\n"])
)
def test_documents_are_read_as_the_reference_reads_them(document: str, before: str) -> None:
    text = before + document
    assert [tuple(one) for one in operations_in(text)] == by_the_reference(text)


@pytest.mark.parametrize(
    "document",
    [
        'query A($x: String = "}") @on(a: "{") { a: b(c: """ } \\""" " """) { ...F ... on X { y } } }',
        "subscription S{s}",
        "query{a,b}mutation M{c}",
        "{ ...F } fragment F on Query { nothing }",
        "query on { on }",
    ],
)
def test_odd_documents_too(document: str) -> None:
    assert [tuple(one) for one in operations_in(document)] == by_the_reference(document) != []


@pytest.mark.parametrize(
    "text",
    ["", "shoes", "query", "query for shoes", "{a: 1}", '{"a": 1}', "SELECT * FROM x", "{", "{}", "{a", "{a]}", "}{",
     "query Q(", "mutation {", "type A { b: C }", "fragment on on X { y }", "{ a }}", "🙂", "from: a to: {b"],
)  # fmt: skip
def test_what_is_no_document_is_none(text: str) -> None:
    assert operations_in(text) == () and not by_the_reference(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('{}()[]:!$@.,"#\n aqb1…'), max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    ours, theirs = [tuple(one) for one in operations_in(text)], by_the_reference(text)
    if theirs:
        assert ours == theirs
