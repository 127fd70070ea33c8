"""The visit app's side in tests: its database, and what is done in it."""

from datetime import UTC, datetime

import psycopg
from psycopg.sql import SQL, Identifier

FILLED = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PULLED = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
ALL = ("household_register", "visit", "problem", "need", "resource", "satisfaction")


class App:
    """The app's side: a database of its own on the throw-away server."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.url = f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{name}"

    def connect(self, **options):
        return psycopg.connect(self.url, **options)

    def do(self, statement, *values):
        with self.connect(autocommit=True) as connection:
            connection.execute("set search_path to visit_app")
            return connection.execute(statement, values).rowcount

    def ask(self, statement, *values):
        with self.connect() as connection:
            connection.execute("set search_path to visit_app")
            return connection.execute(statement, values).fetchall()


def administer(address, statement, name):
    with psycopg.connect(
        host=address.host, port=address.port, user=address.user, password=address.password, dbname="postgres",
        autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(SQL(statement).format(Identifier(name)))


def deliveries_of(pulls):
    return {code: pull.outcome for code, pull in pulls.items() if pull.outcome is not None}


def add_visit(app, number, at, **values):
    columns = {
        "visit_no": number, "household_id": 1, "method": "home", "outcome": "success", "visited_at": at, "created_at": at,
        "visitor": "网格员1", "updated_at": at, **values,
    }  # fmt: skip
    app.do(
        f"insert into visit ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",
        *columns.values(),
    )


def watermark(ask, code="visit"):
    return ask("select watermark from ops.app_watermark where list_code = :code", code=code)[0][0]
