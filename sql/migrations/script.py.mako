"""${message}

A migration changes tables in ``store`` and nothing else: views and functions are made anew from sql/ after every upgrade. It runs in a
transaction of its own with lock_timeout 100 ms and is tried again when a reader is in the way, so it must be short: add columns
without a volatile default, create big indexes apart (CONCURRENTLY), drop or retype a column only after the publications that show it
have gone. Never edit a migration that has been used.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
