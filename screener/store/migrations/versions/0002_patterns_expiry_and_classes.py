"""Entries that expire, verdicts that were not enforced, and one rule for all classes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BY_CLASS = ("internal", "international", "others")


def upgrade() -> None:
    op.add_column("calls", sa.Column("instead_of", sa.Text))
    op.add_column("list_entries", sa.Column("expires_at", sa.DateTime))
    calls = sa.table("calls", sa.column("rule", sa.Text))
    op.execute(calls.update().where(calls.c.rule.in_(_BY_CLASS)).values(rule="class"))


def downgrade() -> None:
    calls = sa.table("calls", sa.column("rule", sa.Text))
    op.execute(calls.update().where(calls.c.rule == "class").values(rule="others"))
    with op.batch_alter_table("list_entries") as entries:
        entries.drop_column("expires_at")
    with op.batch_alter_table("calls") as rows:
        rows.drop_column("instead_of")
