"""Several screeners on one database: each row says whose it is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("calls", sa.Column("screener", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("calls") as rows:
        rows.drop_column("screener")
