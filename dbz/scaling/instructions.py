"""What a phase needs that dbz does not do, and what it costs. Pure."""

from __future__ import annotations

from dbz.config.phases import ApiServers, Phase, Phases, Prices
from dbz.scaling.state import Live
from dbz.scaling.steps import Cost, Manual

_QUEUES = {"SQS": "aws sqs create-queue --queue-name NAME", "SNS": "aws sns create-topic --name NAME"}


def manual_steps(phase: Phase) -> list[Manual]:
    """The database, load balancer, CDN, queues and search of a phase, each with how to get it."""
    steps = []
    if phase.database:
        one = phase.database
        tier = one.tier.rstrip("+")
        command = f"atlas clusters update CLUSTER --tier {tier}" if "atlas" in one.service.lower() else "its own tools"
        steps.append(Manual("database", f"{one.service} {one.tier}, {one.topology}: {command}, or its console"))
    if phase.load_balancer:
        steps.append(
            Manual("load balancer", f"{phase.load_balancer}: aws elbv2 create-load-balancer --name NAME --subnets …")
        )
    if phase.cdn:
        steps.append(Manual("CDN", f"{phase.cdn}: aws cloudfront create-distribution --origin-domain-name HOST"))
    steps += [
        Manual("queue", f"{one}: {_QUEUES.get(one.upper(), 'set it up with its own tools')}") for one in phase.queue
    ]
    if phase.search:
        steps.append(
            Manual("search", f"{phase.search}: aws opensearch create-domain --domain-name NAME, or its own cloud")
        )
    steps += [Manual("more", one) for one in phase.more]
    return steps


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
