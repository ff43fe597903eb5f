"""Who changed or removed what, without its text."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, insert

from ragmem.store.clock import utc_now
from ragmem.store.schema import audit


def record_action(
    connection: Connection,
    *,
    tenant: str,
    actor: str,
    action: str,
    details: Mapping[str, int | str],
) -> None:
    """Note an action in the same transaction as what it did."""
    connection.execute(
        insert(audit).values(
            at=utc_now(), tenant=tenant, actor=actor, action=action, details=dict(details)
        )
    )
