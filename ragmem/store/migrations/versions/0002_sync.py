"""Documents with several URIs, signatures of near-duplicates, notes and descriptions of sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "document_uris",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document_uris"),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name="fk_document_uris_document_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_document_uris_document_id", "document_uris", ["document_id"])
    op.execute(
        "insert into document_uris (id, document_id, uri, metadata, content_hash) "
        "select id, id, uri, metadata, content_hash from documents"
    )
    # Nothing is a copy of a document whose key is empty: no content's key ever is.
    op.add_column(
        "documents",
        sa.Column("content_key", sa.String(length=64), nullable=False, server_default=""),
    )
    # Not as a batch: SQLite would copy the table, and dropping the old one deletes its chunks.
    op.drop_column("documents", "content_hash")
    op.create_index("ix_documents_content_key", "documents", ["content_key"])
    op.create_table(
        "signatures",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", name="pk_signatures"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_signatures_document_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "source_notes",
        sa.Column("source_id", _ID, nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "key_hash", name="pk_source_notes"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name="fk_source_notes_source_id", ondelete="CASCADE"
        ),
    )
    op.add_column("sources", sa.Column("description", sa.JSON(), nullable=True))
    op.add_column("jobs", sa.Column("reason", sa.Text(), nullable=False, server_default=""))
