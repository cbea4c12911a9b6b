"""What a phase needs that dbz does not do, and what it costs. Pure.

Every instruction is a command that can be pasted, with the names that are known from what runs and from the plan; what
is known from neither is written in capitals, with the place to look it up.
"""

from __future__ import annotations

from dbz.config.phases import ApiServers, Database, Phase, Phases, Prices
from dbz.scaling.change.state import Live
from dbz.scaling.change.steps import Cost, Manual


def manual_steps(live: Live, phase: Phase) -> list[Manual]:
    """The database, load balancer, CDN, queues and search of a phase, each with how to get it."""
    name = f"{live.service.cluster}-{live.service.name}"
    steps = [Manual("database", _database_text(phase.database))] if phase.database else []
    if phase.load_balancer:
        steps.append(Manual("load balancer", _balancer_text(live, phase.load_balancer, name)))
    if phase.cdn:
        steps.append(Manual("CDN", _cdn_text(live, phase.cdn)))
    steps += [Manual("queue", f"{one}: {_queue_text(one, name)}") for one in phase.queue]
    if phase.search:
        command = f"aws opensearch create-domain --domain-name {name}"
        steps.append(Manual("search", f"{phase.search}: {command}, or its own cloud"))
    steps += [Manual("more", one) for one in phase.more]
    return steps


def _database_text(database: Database) -> str:
    what, tier = f"{database.service} {database.tier}, {database.topology}", database.tier.rstrip("+")
    if "atlas" in database.service.lower():
        command = f"atlas clusters update {database.cluster or 'CLUSTER'} --tier {tier}"
        where = (
            "" if database.cluster else " (CLUSTER: atlas clusters list; or name it as database.cluster in the plan)"
        )
        return f"{what}: {command}{where}; the topology in the cluster's configuration, Atlas console"
    if "documentdb" in database.service.lower():
        command = f"aws docdb modify-db-instance --db-instance-identifier INSTANCE --db-instance-class {tier}"
        of = f" --db-cluster-identifier {database.cluster}" if database.cluster else ""
        members = "DBClusters[].DBClusterMembers[].DBInstanceIdentifier"
        return (
            f"{what}: {command} (INSTANCE, one after the other: aws docdb describe-db-clusters{of} --query '{members}')"
        )
    return f"{what}: with its own tools"


def _balancer_text(live: Live, what: str, name: str) -> str:
    known = next((one.load_balancer for one in live.target_groups if one.load_balancer), "")
    if known:
        return f"{what}: nothing to do, {live.service.name} is behind {known}"
    if live.service.target_groups:
        group = live.service.target_groups[0]
        return f"{what}: {live.service.name} has the target group {group}, which no load balancer uses: add a listener"
    subnets, groups = " ".join(live.service.subnets), " ".join(live.service.security_groups)
    look = "" if subnets else " (SUBNETS, two or more: aws ec2 describe-subnets --query 'Subnets[].[SubnetId,VpcId]')"
    command = f"aws elbv2 create-load-balancer --name {name} --subnets {subnets or 'SUBNETS'}"
    command += f" --security-groups {groups}" if groups else ""
    return f"{what}: {command}{look}; then a target group and a listener, and both in the service's loadBalancers"


def _cdn_text(live: Live, what: str) -> str:
    host = next((one.host for one in live.target_groups if one.host), "")
    if "cloudfront" not in what.lower():
        return f"{what}: with its own tools" + (f"; the origin is {host}" if host else "")
    look = "" if host else " (HOST: aws elbv2 describe-load-balancers --query 'LoadBalancers[].DNSName')"
    return f"{what}: aws cloudfront create-distribution --origin-domain-name {host or 'HOST'}{look}"


def _queue_text(kind: str, name: str) -> str:
    commands = {
        "SQS": f"aws sqs create-queue --queue-name {name}",
        "SNS": f"aws sns create-topic --name {name}",
    }
    return commands.get(kind.upper(), "with its own tools")


def cost_of(live: Live, plan: Phases, phase: Phase, servers: ApiServers) -> Cost | None:
    """A hint at what changes a month, with the number of tasks that a range begins with; None without prices."""
    prices = plan.prices
    if prices.api_server is None and prices.cache_node is None and not prices.database:
        return None
    before, after, unpriced = 0.0, 0.0, []
    if prices.api_server is None:
        unpriced.append("API servers")
    else:
        before += live.service.desired * prices.api_server
        after += min(max(live.service.desired, servers.min), servers.max) * prices.api_server
    if live.cache and phase.cache:
        if prices.cache_node is None:
            unpriced.append("cache")
        else:
            before += live.cache.nodes * prices.cache_node
            after += phase.cache.nodes * prices.cache_node
    return Cost(before, after, prices.currency, (*unpriced, *_database(prices, phase)))


def _database(prices: Prices, phase: Phase) -> tuple[str, ...]:
    """dbz does not know which tier is in use, so the database is only named, with the planned tier's price."""
    if phase.database is None:
        return ()
    price = prices.database.get(phase.database.tier)
    known = f" ({phase.database.tier}: {price:,.0f})" if price is not None else ""
    return (f"database{known}",)
