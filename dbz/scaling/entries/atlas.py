"""Clusters of MongoDB Atlas, by its administration API, when the environment has a key of it.

The variables are those of the Atlas CLI: `MONGODB_ATLAS_PUBLIC_API_KEY` and `MONGODB_ATLAS_PRIVATE_API_KEY` (sent as an
HTTP digest), or `MONGODB_ATLAS_CLIENT_ID` and `MONGODB_ATLAS_CLIENT_SECRET` of a service account (exchanged for a
token); `MONGODB_ATLAS_PROJECT_ID`; and `MONGODB_ATLAS_OPS_MANAGER_URL` where the API is elsewhere.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbz.config.phases.plan import Database
from dbz.errors import DependencyError, UsageError
from dbz.scaling.entries.standing import Lookup, missing, there, unknown

CLOUD = "https://cloud.mongodb.com/"
VERSION = "application/vnd.atlas.2024-08-05+json"
_TIMEOUT_S = 10.0
_MOST_BYTES = 4_000_000
_MOST_CLUSTERS = 500
_TIER = re.compile(r"([MR])(\d+)(\+?)")
_NO_KEY = (
    "no key of Atlas in the environment (MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY, or "
    "MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET)"
)


def look_at_atlas(database: Database, environment: Mapping[str, str] = os.environ) -> Lookup:
    """Whether the cluster of a plan is of its tier or more, and has its topology. `DependencyError` when Atlas cannot
    be asked, or refuses; `UsageError` when the environment names no URL."""
    access = _access(environment)
    if access is None:
        return unknown(_NO_KEY)
    if not access.project:
        return unknown("which project? set MONGODB_ATLAS_PROJECT_ID")
    clusters = access.get(f"groups/{access.project}/clusters?itemsPerPage={_MOST_CLUSTERS}").get("results", [])
    names = ", ".join(sorted(str(one.get("name")) for one in clusters)) or "none"
    if not database.cluster and len(clusters) != 1:
        return unknown(f"which cluster? write its name in the plan as database.cluster (there: {names})")
    cluster = next((one for one in clusters if database.cluster in ("", one.get("name"))), None)
    if cluster is None:
        return missing(f"the project has no cluster {database.cluster} (there: {names})")
    return _judged(database, AtlasCluster.of(cluster))


@dataclass(frozen=True)
class AtlasCluster:
    """What a plan can ask of a cluster."""

    name: str
    kind: str
    """REPLICASET, SHARDED or GEOSHARDED."""
    tiers: tuple[str, ...]
    """The instance sizes of its electable nodes, as in M30, each once."""
    regions: tuple[str, ...]
    """Where they are, each once."""
    state: str
    """IDLE when nothing is being changed."""

    @classmethod
    def of(cls, raw: Any) -> AtlasCluster:
        """From what the API says."""
        regions = [one for spec in raw.get("replicationSpecs") or [] for one in spec.get("regionConfigs") or []]
        voting = [one for one in regions if (one.get("electableSpecs") or {}).get("nodeCount", 0)]
        return cls(
            str(raw.get("name")),
            str(raw.get("clusterType")),
            tuple(sorted({str(one["electableSpecs"].get("instanceSize")) for one in voting})),
            tuple(sorted({str(one.get("regionName")) for one in voting})),
            str(raw.get("stateName")),
        )

    def __str__(self) -> str:
        return f"{self.name} is a {self.kind} of {', '.join(self.tiers)} in {', '.join(self.regions)}, {self.state}"


def _judged(database: Database, cluster: AtlasCluster) -> Lookup:
    text = str(cluster)
    enough = [_reaches(tier, database.tier) for tier in cluster.tiers]
    if None in enough or not enough:
        return unknown(f"{text}; whether that is {database.tier} dbz cannot tell")
    topology = _has_topology(cluster, database.topology)
    if topology is None:
        return unknown(f"{text}; whether that is '{database.topology}' dbz cannot tell")
    ready = all(enough) and topology and cluster.state == "IDLE"
    return there(text) if ready else missing(text)


def _reaches(tier: str, planned: str) -> bool | None:
    """Whether a tier is the planned one or a larger one of its family; None: they cannot be compared."""
    have, want = _TIER.match(tier), _TIER.fullmatch(planned.upper())
    if have is None or want is None or have[1] != want[1]:
        return None
    return int(have[2]) >= int(want[2])


def _has_topology(cluster: AtlasCluster, wanted: str) -> bool | None:
    """Whether a cluster is what the words of a plan mean; None: they are none that dbz knows."""
    means = {
        "replica set": cluster.kind == "REPLICASET",
        "sharded": cluster.kind in ("SHARDED", "GEOSHARDED"),
        "multi-region": len(cluster.regions) > 1,
        "global": cluster.kind == "GEOSHARDED",
    }
    asked = [holds for words, holds in means.items() if words in wanted.lower()]
    return all(asked) if asked else None


@dataclass(frozen=True)
class _Access:
    """A way to the API."""

    url: str
    project: str
    opener: urllib.request.OpenerDirector
    headers: Mapping[str, str]

    def get(self, path: str) -> Any:
        """An answer as JSON."""
        return _answer(self.opener, f"{self.url}api/atlas/v2/{path}", {**self.headers, "Accept": VERSION})


def _access(environment: Mapping[str, str]) -> _Access | None:
    """By the keys of the environment; None without any."""

    def value(name: str) -> str:
        return environment.get(f"MONGODB_ATLAS_{name}", "").strip()

    url = value("OPS_MANAGER_URL") or CLOUD
    if not url.startswith(("https://", "http://")):
        raise UsageError("MONGODB_ATLAS_OPS_MANAGER_URL is no URL; it begins with https://", code="E002")
    url += "" if url.endswith("/") else "/"
    public, private = value("PUBLIC_API_KEY"), value("PRIVATE_API_KEY")
    if public and private:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, url, public, private)
        opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(passwords))
        return _Access(url, value("PROJECT_ID"), opener, {})
    account, secret = value("CLIENT_ID"), value("CLIENT_SECRET")
    if account and secret:
        opener = urllib.request.build_opener()
        return _Access(url, value("PROJECT_ID"), opener, {"Authorization": _token(opener, url, account, secret)})
    return None


def _token(opener: urllib.request.OpenerDirector, url: str, account: str, secret: str) -> str:
    """What a service account shows: good for an hour."""
    basic = base64.b64encode(f"{account}:{secret}".encode()).decode()
    body = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    answer = _answer(
        opener, f"{url}api/oauth/token", {"Authorization": f"Basic {basic}", "Accept": "application/json"}, body
    )
    return f"Bearer {answer.get('access_token', '')}"


def _answer(
    opener: urllib.request.OpenerDirector, url: str, headers: Mapping[str, str], body: bytes | None = None
) -> Any:
    try:
        request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 the user's own, checked in `_access`
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            document = json.loads(response.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        why = {401: "the key is not known", 403: "the key may not, or not from here"}.get(error.code, error.reason)
        raise DependencyError(f"Atlas answered {error.code}: {why}", code="S029") from error
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        raise DependencyError(f"Atlas could not be asked: {getattr(error, 'reason', error)}", code="S029") from error
    if not isinstance(document, dict):
        raise DependencyError("Atlas could not be asked: what answered is not its API", code="S029")
    return document
