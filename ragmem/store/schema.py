"""The tables. Migrations create them; a test holds both against each other.

Text columns hold no NUL characters (PostgreSQL refuses them); times are UTC without zone. URIs may
be longer than an index entry, so keys have a hash of them: a document's id, a source's `uri_hash`.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

FORMAT_VERSION = 1
"""The format of the whole store folder; a newer one than this is refused."""

LONGEST_KEY = 255
"""The most characters of a tenant or a model id; PostgreSQL limits the bytes of an index entry."""

_Id = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only INTEGER keys

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

settings_stamp = Table(
    "settings_stamp",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("tenant", String(LONGEST_KEY), nullable=False),
    Column("uri", Text, nullable=False),
    Column("uri_hash", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("description", JSON(none_as_null=True), nullable=True),
    UniqueConstraint("tenant", "uri_hash"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(LONGEST_KEY), nullable=False),
    Column("uri", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_format", String(16), nullable=False),
    Column("pages", JSON, nullable=False),
    Column("language", String(32), nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("acl", JSON, nullable=False),
    Column("content_key", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime, nullable=False),
    Index(None, "tenant"),
    Index(None, "content_key"),
)

document_uris = Table(
    "document_uris",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "document_id", String(32), ForeignKey("documents.id", ondelete="CASCADE"), nullable=False
    ),
    Column("uri", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Index(None, "document_id"),
)

signatures = Table(
    "signatures",
    metadata,
    Column(
        "document_id", String(32), ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("signature", LargeBinary, nullable=False),
)

source_notes = Table(
    "source_notes",
    metadata,
    Column("source_id", _Id, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
)

source_items = Table(
    "source_items",
    metadata,
    Column("source_id", _Id, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("uri_hash", String(64), primary_key=True),
    Column("uri", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "document_id", String(32), ForeignKey("documents.id", ondelete="SET NULL"), nullable=True
    ),
    Index(None, "document_id"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "document_id", String(32), ForeignKey("documents.id", ondelete="CASCADE"), nullable=False
    ),
    Column("position", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer, nullable=True),
    Column("tokens", Integer, nullable=False),
    Column("heading_path", JSON, nullable=False),
    Column("context", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_hash", String(64), nullable=False),
    Index(None, "document_id", "position"),
    Index(None, "text_hash"),
)

chunk_names = Table(
    "chunk_names",
    metadata,
    Column("name", BigInteger, primary_key=True, autoincrement=False),
    Column("role", SmallInteger, primary_key=True, autoincrement=False),
    Column("chunk_id", String(32), ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "chunk_id"),
    sqlite_with_rowid=False,
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("model_id", String(LONGEST_KEY), primary_key=True),
    Column("text_hash", String(64), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

written_contexts = Table(
    "written_contexts",
    metadata,
    Column("model_id", String(LONGEST_KEY), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("context", Text, nullable=False),
)

index_ops = Table(
    "index_ops",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("document_id", String(32), nullable=False),
    Column("added", JSON, nullable=False),
    Column("removed", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("done_at", DateTime, nullable=True),
    Index(None, "done_at", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source_id", _Id, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime, nullable=True),
    Column("counts", JSON, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Index(None, "source_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("tenant", String(LONGEST_KEY), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("details", JSON, nullable=False),
)
