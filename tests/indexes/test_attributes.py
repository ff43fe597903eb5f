"""Attributes survive encoding exactly, kinds of values included."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragmem.indexes.attributes import Attributes, decode, encode
from ragmem.types import IndexEntry, MetadataValue, Scope

values = st.one_of(
    st.text(),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.lists(st.text(), max_size=3).map(tuple),
)


@given(
    tenant=st.text(),
    acl=st.frozensets(st.text(), max_size=3),
    metadata=st.dictionaries(st.text(), values, max_size=4),
)
def test_what_is_encoded_is_decoded(
    tenant: str, acl: frozenset[str], metadata: dict[str, MetadataValue]
) -> None:
    entry = IndexEntry(
        chunk_id="c",
        document_id="d",
        tenant=tenant,
        acl=acl,
        title="",
        text="",
        language="",
        metadata=metadata,
    )
    held = decode(encode(entry))
    assert held == Attributes(tenant=tenant, acl=acl, metadata=metadata)
    assert {k: type(v) for k, v in held.metadata.items()} == {
        k: type(v) for k, v in metadata.items()
    }
    assert encode(entry).isascii()


def test_admission_asks_for_tenant_access_and_filter() -> None:
    held = Attributes(tenant="t", acl=frozenset({"user:ana"}), metadata={"year": 1})
    assert held.admitted(Scope(tenant="t", user="ana"), None)
    assert not held.admitted(Scope(tenant="t"), None)
    assert not held.admitted(Scope(tenant="u", user="ana"), None)
