"""Runs the steps on the connection, and inside the transaction, that the store hands over."""

from alembic import context

from screener.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
