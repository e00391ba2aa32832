"""The call log and the household's lists."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("caller_given", sa.Text, nullable=False),
        sa.Column("caller_name", sa.Text, nullable=False),
        sa.Column("caller_e164", sa.Text),
        sa.Column("caller_class", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("entry", sa.JSON),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("warned", sa.Boolean, nullable=False),
        sa.Column("rang_at", sa.DateTime),
        sa.Column("answered_at", sa.DateTime),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("ended_by", sa.Text),
        sa.Column("disposition", sa.Text),
        sa.Column("recording_path", sa.Text),
        sa.Column("recording_seconds", sa.Float),
        sa.Column("recording_sha256", sa.Text),
    )
    op.create_index("ix_calls_started_at", "calls", ["started_at"])
    op.create_table(
        "list_entries",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("list_name", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("added_at", sa.DateTime),
    )


def downgrade() -> None:
    op.drop_table("list_entries")
    op.drop_index("ix_calls_started_at", "calls")
    op.drop_table("calls")
