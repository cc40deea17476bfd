"""Runs by Alembic for each command: applies the revisions on the connection that `app.storage.migrate` opened."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite cannot alter most things of a table in place
    transaction_per_migration=False,  # the caller's transaction holds all of them, so that a failure leaves nothing
)
context.run_migrations()
