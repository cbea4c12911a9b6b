"""Services of AWS that a phase may name beside ECS and ElastiCache, each with a look whether what it names is there.

Each look raises `NotThereError` when AWS knows nothing of that name, and what a call fails with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbz.config.phases.plan import Database
from dbz.scaling.aws import Aws
from dbz.scaling.entries.standing import Lookup, missing, there, unknown

MOST_PAGES = 20
"""As many pages of a hundred distributions are read."""


def look_at_cloudfront(aws: Aws, host: str, identity: str) -> Lookup:
    """The distribution `identity`, or, with an empty one, any whose origin is the load balancer at `host`."""
    if identity:
        found = aws.call("cloudfront", "get_distribution", Id=identity)["Distribution"]
        config = found["DistributionConfig"]
        return _distribution({**found, "Enabled": config["Enabled"]}, [one["DomainName"] for one in _origins(config)])
    by_name = "write its ID in the plan: `cdn: CloudFront ID`"
    if not host:
        return unknown(f"the service is behind no load balancer that could be its origin; {by_name}")
    distributions = _distributions(aws)
    for one in distributions:
        if any(str(origin["DomainName"]).lower() == host.lower() for origin in _origins(one)):
            return _distribution(one, [host])
    count = len(distributions) or "no"
    return missing(f"of {count} distributions none has the origin {host}; where it has another name, {by_name}")


def _distributions(aws: Aws) -> list[Any]:
    found: list[Any] = []
    marker: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page = aws.call("cloudfront", "list_distributions", **marker)["DistributionList"]
        found += page.get("Items") or []
        if not page.get("IsTruncated"):
            break
        marker = {"Marker": page["NextMarker"]}
    return found


def _origins(raw: Any) -> list[Any]:
    return list((raw.get("Origins") or {}).get("Items") or [])


def _distribution(raw: Any, origins: Sequence[str]) -> Lookup:
    name = f"{raw['Id']} ({raw['DomainName']}, origin {', '.join(origins)})"
    if not raw["Enabled"]:
        return missing(f"{name} is disabled")
    if raw["Status"] != "Deployed":
        return missing(f"{name} is being deployed ({raw['Status']})")
    return there(name)


def look_at_sqs(aws: Aws, name: str) -> Lookup:
    """A queue by its name."""
    return there(str(aws.call("sqs", "get_queue_url", QueueName=name)["QueueUrl"]))


def look_at_sns(aws: Aws, arn: str) -> Lookup:
    """A topic by its ARN."""
    aws.call("sns", "get_topic_attributes", TopicArn=arn)
    return there(arn)


def look_at_opensearch(aws: Aws, name: str) -> Lookup:
    """A domain of OpenSearch, or of the Elasticsearch that AWS still runs, by its name."""
    domain = aws.call("opensearch", "describe_domain", DomainName=name)["DomainStatus"]
    text = f"the domain {name}, {domain.get('EngineVersion', 'of an unknown engine')}"
    if domain.get("Deleted"):
        return missing(f"{text}, is being deleted")
    if not domain.get("Created") or domain.get("UpgradeProcessing"):
        return missing(f"{text}, is not ready yet")
    return there(text)


def look_at_documentdb(aws: Aws, database: Database) -> Lookup:
    """A cluster of DocumentDB, all of whose instances should be of the planned class."""
    if not database.cluster:
        return unknown("which one? write its name in the plan as database.cluster")
    asked = {"DBClusterIdentifier": database.cluster}
    (cluster,) = aws.call("docdb", "describe_db_clusters", **asked)["DBClusters"]
    members = [one["DBInstanceIdentifier"] for one in cluster.get("DBClusterMembers", [])]
    only = [{"Name": "db-cluster-id", "Values": [database.cluster]}]
    instances = aws.call("docdb", "describe_db_instances", Filters=only)["DBInstances"] if members else []
    classes = sorted({one["DBInstanceClass"] for one in instances})
    text = f"{database.cluster} has {len(members)} instances of {', '.join(classes) or 'no class'}, {cluster['Status']}"
    as_planned = classes == [database.tier] and cluster["Status"] == "available"
    return there(text) if as_planned else missing(text)
