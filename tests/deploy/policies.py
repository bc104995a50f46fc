"""Who may talk to whom, by the NetworkPolicies of an overlay, as Kubernetes reads them.

A pod that no policy of a direction selects may do all in it; else what any of them allows. Both ends
must allow it.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Literal

OWN = "taskreel"


@dataclass(frozen=True)
class Party:
    """A pod by its labels, or whoever has an address.

    Attributes:
        labels: of the pod.
        namespace: the pod's; empty for what is no pod.
        address: where it is.
    """

    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace: str = OWN
    address: str = "10.1.2.3"


def allows(
    policies: Sequence[dict[str, Any]], source: Party, target: Party, port: int, protocol: str = "TCP"
) -> bool:
    """Whether one may open a connection to the other's port."""
    return _lets(policies, "Egress", source, target, port, protocol) and _lets(
        policies, "Ingress", target, source, port, protocol
    )


def _lets(
    policies: Sequence[dict[str, Any]],
    direction: Literal["Ingress", "Egress"],
    subject: Party,
    peer: Party,
    port: int,
    protocol: str,
) -> bool:
    """Whether the policies of our namespace let a subject do so with a peer."""
    specs = [it["spec"] for it in policies if subject.namespace == OWN]
    own = [
        it for it in specs if direction in it["policyTypes"] and _selects(it["podSelector"], subject.labels)
    ]
    peers = "from" if direction == "Ingress" else "to"
    rules = [rule for spec in own for rule in spec.get(direction.lower(), [])]
    return not own or any(
        {"port": port, "protocol": protocol} in rule["ports"] and any(_is(it, peer) for it in rule[peers])
        for rule in rules
    )


def _is(described: dict[str, Any], peer: Party) -> bool:
    if block := described.get("ipBlock"):
        address = ip_address(peer.address)
        out = any(address in ip_network(it) for it in block.get("except", []))
        return not out and address in ip_network(block["cidr"])
    if not peer.namespace:
        return False
    where = described.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": OWN}})
    named = {"kubernetes.io/metadata.name": peer.namespace}
    return _selects(where, named) and _selects(described.get("podSelector", {}), peer.labels)


def _selects(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    if not set(selector) <= {"matchLabels", "matchExpressions"}:
        raise ValueError(f"this selector isn't known here: {selector}")
    for wanted in selector.get("matchExpressions", []):
        if wanted["operator"] != "In":
            raise ValueError(f"this operator isn't known here: {wanted}")
        if labels.get(wanted["key"]) not in wanted["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()
