"""How processes of the server find and call each other: leases, balancing, retries, breakers, signed identities."""

from dbz.server.mesh.client import MeshClient
from dbz.server.mesh.leases import Directory, ServiceLease
from dbz.server.mesh.signing import Signer

__all__ = ["Directory", "MeshClient", "ServiceLease", "Signer"]
