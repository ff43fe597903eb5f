"""Names that chunks hold, by which they are linked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chunk_names",
        sa.Column("name", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("chunk_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", "role", "chunk_id", name="pk_chunk_names"),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["chunks.id"], name="fk_chunk_names_chunk_id", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_chunk_names_chunk_id", "chunk_names", ["chunk_id"])
