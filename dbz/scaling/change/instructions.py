"""What a phase needs that dbz does not do, and what it costs. Pure.

Every instruction is a command that can be pasted, with the names that are known from what runs and from the plan; what
is known from neither is written in capitals, with the place to look it up.
"""

from __future__ import annotations

from dbz.config.phases.plan import ApiServers, Database, Phase, Phases, Prices
from dbz.scaling.change.state import Live
from dbz.scaling.change.steps import Cost, Manual, PresentEntry
from dbz.scaling.entries.standing import EntryKey, Lookup, Lookups, Standing, entries_of, kind_and_name


def manual_steps(live: Live, phase: Phase, lookups: Lookups) -> list[Manual]:
    """The database, load balancer, CDN, queues and search of a phase that are not known to be there, each with how to
    get it; and what it wants besides, which nobody can look up."""
    steps = []
    for entry in entries_of(phase):
        found = lookups.get(entry)
        if found is None or found.standing is not Standing.THERE:
            steps.append(Manual(entry.resource, _instruction(live, phase, entry), _why(found)))
    return steps + [Manual("more", one) for one in phase.more]


def present_entries(phase: Phase, lookups: Lookups) -> list[PresentEntry]:
    """The entries of a phase that are there, each with what was found."""
    known = [(entry, lookups[entry]) for entry in entries_of(phase) if entry in lookups]
    return [
        PresentEntry(entry.resource, f"{entry.text}: {found.text}")
        for entry, found in known
        if found.standing is Standing.THERE
    ]


def _why(found: Lookup | None) -> str:
    if found is None:
        return ""
    return found.text if found.standing is Standing.MISSING else f"not looked up: {found.text}"


def _instruction(live: Live, phase: Phase, entry: EntryKey) -> str:
    """How to get what an entry names."""
    kind, name = kind_and_name(entry.text, f"{live.service.cluster}-{live.service.name}")
    if entry.resource == "database" and phase.database:
        return _database_text(phase.database)
    if entry.resource == "load balancer":
        return _balancer_text(live, entry.text, name)
    if entry.resource == "CDN":
        return _cdn_text(live, entry.text)
    if entry.resource == "queue":
        return f"{entry.text}: {_queue_text(kind, name)}"
    return f"{entry.text}: aws opensearch create-domain --domain-name {name}, or its own cloud"


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
    """A hint at what changes a month, with the number of tasks that a range begins with; None without prices.

    Other services of the phase are not in it, see `cost_of_tasks`.
    """
    prices = plan.prices
    tasks = cost_of_tasks(live, plan, servers)
    if tasks is None and prices.cache_node is None and not prices.database:
        return None
    tasks = tasks or Cost(0.0, 0.0, prices.currency, ("API servers",))
    before, after, unpriced = tasks.before, tasks.after, [*tasks.unpriced]
    if live.cache and phase.cache:
        if prices.cache_node is None:
            unpriced.append("cache")
        else:
            before += live.cache.nodes * prices.cache_node
            after += phase.cache.nodes * prices.cache_node
    return Cost(before, after, prices.currency, (*unpriced, *_database(prices, phase)))


def cost_of_tasks(live: Live, plan: Phases, servers: ApiServers) -> Cost | None:
    """What the tasks of one service cost a month now and then; None when there is no price for one."""
    price = plan.prices.of_task(live.service.name)
    if price is None:
        return None
    now = live.service.desired
    return Cost(now * price, min(max(now, servers.min), servers.max) * price, plan.prices.currency, ())


def _database(prices: Prices, phase: Phase) -> tuple[str, ...]:
    """dbz does not know which tier is in use, so the database is only named, with the planned tier's price."""
    if phase.database is None:
        return ()
    price = prices.database.get(phase.database.tier)
    known = f" ({phase.database.tier}: {price:,.0f})" if price is not None else ""
    return (f"database{known}",)
