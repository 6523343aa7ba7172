"""SQLAlchemy 2 over psycopg2, psycopg and asyncpg: Core, ORM, reflection; Alembic's migrations and autogenerate."""

import asyncio

import io
import tempfile
import textwrap
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, later
from sqlalchemy import (
    ARRAY, JSON, BigInteger, Boolean, CheckConstraint, Column, Date, DateTime, Enum, Float, ForeignKey, Identity, Integer,
    Interval, LargeBinary, REAL, MetaData, Numeric, Sequence, SmallInteger, String, Table, Text, Time, UniqueConstraint, Uuid, any_, create_engine,
    func, insert, inspect, select, text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import CHAR, JSONB, TIMESTAMP
from sqlalchemy.exc import DBAPIError, NoSuchTableError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

WHERE = f"{USER}@{HOST}:{PORT}/{DATABASE}"



class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "sa_customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    colour: Mapped[str] = mapped_column(String(10), server_default="red")
    made: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    credit: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default=text("0"))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "sa_order"
    __table_args__ = (CheckConstraint("amount >= 0", name="sa_order_amount"), UniqueConstraint("customer_id", "amount", name="sa_order_once"),
                      {"comment": "what was sold"})
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("sa_customer.id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), comment="euros")
    customer: Mapped[Customer] = relationship(back_populates="orders")


def every_type(metadata):
    return Table(
        "sa_types", metadata, Column("a", SmallInteger, primary_key=True, autoincrement=False), Column("b", Integer, primary_key=True, autoincrement=False),
        Column("c", BigInteger), Column("d", Float), Column("e", REAL), Column("f", Numeric(18, 4)), Column("g", String(9)), Column("h", CHAR(3)),
        Column("i", Text), Column("j", LargeBinary), Column("k", Date), Column("l", Time), Column("m", TIMESTAMP), Column("n", DateTime(True)),
        Column("o", Interval), Column("p", Uuid), Column("q", JSON), Column("r", JSONB), Column("s", ARRAY(Integer)), Column("t", ARRAY(String(5))),
        Column("u", Boolean, nullable=False, server_default="false"))


def reflection(engine):
    found = inspect(engine)
    assert {"sa_customer", "sa_order", "sa_types"} <= set(found.get_table_names())
    columns = {c["name"]: c for c in found.get_columns("sa_order")}
    equal([str(columns[n]["type"]) for n in ("id", "customer_id", "amount")], ["BIGINT", "INTEGER", "NUMERIC(10, 2)"])
    equal((columns["id"]["nullable"], columns["amount"]["comment"]), (False, "euros"))
    identity = columns["id"].get("identity", {})
    equal((identity.get("always"), identity.get("start")), (False, 1))
    defaults = {c["name"]: c["default"] for c in found.get_columns("sa_customer")}
    equal(defaults, {"id": "nextval('sa_customer_id_seq'::regclass)", "name": None, "colour": "'red'::character varying", "made": "now()",
                     "active": "true", "credit": "0"})
    equal(found.get_columns("sa_customer")[0]["autoincrement"], True)
    key = found.get_pk_constraint("sa_order")
    equal((key["constrained_columns"], key["name"], key["comment"]), (["id"], "sa_order_pkey", None))
    equal(found.get_pk_constraint("sa_types")["constrained_columns"], ["a", "b"])
    (key,) = found.get_foreign_keys("sa_order")
    equal((key["name"], key["constrained_columns"], key["referred_schema"], key["referred_table"], key["referred_columns"]),
          ("sa_order_customer_id_fkey", ["customer_id"], None, "sa_customer", ["id"]))
    (check,) = found.get_check_constraints("sa_order")
    equal((check["name"], check["sqltext"]), ("sa_order_amount", "amount >= 0::numeric"))
    (unique,) = found.get_unique_constraints("sa_order")
    equal((unique["name"], unique["column_names"]), ("sa_order_once", ["customer_id", "amount"]))
    equal([(i["name"], i["unique"], i["column_names"]) for i in found.get_indexes("sa_order")], [("sa_order_once", True, ["customer_id", "amount"])])
    equal(found.get_table_comment("sa_order")["text"], "what was sold")
    equal(found.get_view_names(), ["sa_view"])
    equal([str(c["type"]) for c in found.get_columns("sa_view")], ["BIGINT", "NUMERIC(10, 2)"])
    assert "FROM sa_order" in found.get_view_definition("sa_view"), found.get_view_definition("sa_view")
    equal(sorted(found.get_sequence_names()), ["sa_customer_id_seq", "sa_numbers", "sa_order_id_seq"])
    assert found.has_table("sa_order") and not found.has_table("sa_nothing") and found.has_sequence("sa_numbers")
    equal((found.get_schema_names(), found.default_schema_name), (["information_schema", "public", "sa_other"] if "duckmesh" not in found.get_schema_names()
                                                                  else ["duckmesh", "information_schema", "public", "sa_other"], "public"))
    equal(found.get_table_names("sa_other"), ["far"])
    equal([k["referred_table"] for k in found.get_foreign_keys("far", "sa_other")], ["sa_order"])
    equal((found.get_enums(), found.get_materialized_view_names(), found.get_temp_table_names()), ([], [], []))
    shown = ", ".join(f"{c['name']} {c['type'].compile(engine.dialect)}" for c in found.get_columns("sa_types"))
    equal(shown, "a SMALLINT, b INTEGER, c BIGINT, d FLOAT, e REAL, f NUMERIC(18, 4), g VARCHAR(9), h CHAR(3), i TEXT, j BYTEA, k DATE, "
                 "l TIME WITHOUT TIME ZONE, m TIMESTAMP WITHOUT TIME ZONE, n TIMESTAMP WITH TIME ZONE, o INTERVAL, p UUID, q JSON, r JSONB, "
                 "s INTEGER[], t VARCHAR(5)[], u BOOLEAN".replace("d FLOAT", "d DOUBLE PRECISION"))
    try:
        found.get_columns("sa_nothing")
        raise AssertionError("should have failed")
    except NoSuchTableError:
        pass
    reflected = MetaData()
    reflected.reflect(engine, views=True)
    equal([c.name for c in reflected.tables["sa_order"].columns], ["id", "customer_id", "amount"])
    equal(reflected.tables["sa_order"].c.customer_id.references(reflected.tables["sa_customer"].c.id), True)
    everything = found.get_multi_columns(schema="public")
    assert ("public", "sa_order") in everything, everything.keys()


def autogenerate(engine, metadata):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        equal([d for d in compare_metadata(context, metadata) if "sa_" in repr(d)], [])
        more = MetaData()
        for table in metadata.tables.values():
            table.to_metadata(more)
        more.tables["sa_customer"].append_column(Column("since", Date))
        (difference,) = [d for d in compare_metadata(context, more) if "sa_" in repr(d)]
        equal((difference[0], difference[3].name), ("add_column", "since"))
        code = render_python_code(produce_migrations(context, more).upgrade_ops)
        assert "op.add_column('sa_customer', sa.Column('since', sa.Date(), nullable=True))" in code, code


def migrations(url):
    """Alembic with files: two revisions, forward and back."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config(stdout=io.StringIO())
        config.set_main_option("script_location", f"{folder}/alembic")
        config.set_main_option("sqlalchemy.url", url)
        (Path(folder) / "alembic" / "versions").mkdir(parents=True)
        (Path(folder) / "alembic" / "env.py").write_text(textwrap.dedent("""
            from alembic import context
            from sqlalchemy import create_engine

            with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
                context.configure(connection=connection, target_metadata=None)
                with context.begin_transaction():
                    context.run_migrations()
        """))
        head = "from alembic import op\nimport sqlalchemy as sa\nrevision = '{}'\ndown_revision = {}\n"
        (Path(folder) / "alembic" / "versions" / "one.py").write_text(head.format("one", None) + textwrap.dedent("""
            def upgrade():
                op.create_table("al_item", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20), nullable=False))
                op.create_index("al_item_name", "al_item", ["name"])

            def downgrade():
                op.drop_table("al_item")
        """))
        command.upgrade(config, "one")
        engine = create_engine(url)
        with engine.connect() as connection:
            equal(MigrationContext.configure(connection).get_current_revision(), "one")
            equal([c["name"] for c in inspect(connection).get_columns("al_item")], ["id", "name"])
        with engine.begin() as connection:
            equal(connection.execute(text("INSERT INTO al_item (name) VALUES ('x') RETURNING id")).scalar_one(), 1)
            # Alembic takes the row back with DELETE, and goes on with UPDATE: not yet there.
            connection.execute(text("DROP TABLE al_item"))
            connection.execute(text("DROP TABLE alembic_version"))
        engine.dispose()


def core(engine):
    metadata = MetaData()
    things = Table("sa_things", metadata, Column("id", Integer, Sequence("sa_things_numbers", metadata=metadata, start=5)), Column("t", Text),
                   Column("f", Boolean), Column("at", DateTime(True)))
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(insert(things), [{"id": n, "t": f"t{n}", "f": n % 2 == 0} for n in range(100)])
        equal(connection.execute(insert(things).values(t="numbered")).inserted_primary_key, ())
        equal(connection.execute(insert(things).values(t="again").returning(things.c.id)).scalar_one(), 6)
        many = connection.execute(insert(things).returning(things.c.id, sort_by_parameter_order=True), [{"id": 1000 + n, "t": "m"} for n in range(2000)])
        equal([row.id for row in many], list(range(1000, 3000)))
        block = connection.begin_nested()
        connection.execute(insert(things), {"id": 9999, "t": "gone"})
        block.rollback()
    with engine.connect() as connection:
        rows = connection.execute(select(things.c.f, func.count()).where(things.c.id < 51, things.c.t.like("t%")).group_by(things.c.f).order_by(things.c.f))
        equal([tuple(r) for r in rows], [(False, 25), (True, 26)])
        equal(connection.execute(select(things.c.t).order_by(things.c.id).limit(1).offset(7)).scalar_one()[:1] in "tn", True)
        equal(connection.execute(select(func.count()).select_from(things).where(things.c.id == 9999)).scalar_one(), 0)
        streamed = connection.execute(select(things.c.id).execution_options(yield_per=300))
        equal(sum(len(part) for part in streamed.partitions()), 2102)
        try:
            connection.execute(text("SELECT * FROM nowhere"))
            raise AssertionError("should have failed")
        except ProgrammingError as error:
            equal(state(error), "42P01")
        connection.rollback()
        later(connection.connection.driver_connection.cancel)
        try:
            connection.execute(text(LONG))
            raise AssertionError("should have been cancelled")
        except OperationalError as error:
            equal(state(error), "57014")
        connection.rollback()
        metadata.drop_all(connection)
        connection.commit()


def state(error):
    return getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlstate", None)


def values(engine, table):
    row = {"a": 1, "b": 2, "c": 2**62, "d": 0.1, "e": 1.5, "f": Decimal("12345678901234.5678"), "g": "é", "h": "ab ", "i": "it's", "j": b"\x00\xff",
           "k": date(2024, 2, 29), "l": datetime(2024, 1, 1, 12, 30, 15, 123456).time(), "m": datetime(2024, 1, 1, 12), "n": datetime(2024, 1, 1, tzinfo=timezone.utc),
           "o": timedelta(days=1, hours=2, milliseconds=5), "p": __import__("uuid").UUID(int=5), "q": {"a": [1, None]}, "r": {"b": 1}, "s": [1, None, 3],
           "t": ["x", "y,z"], "u": True}
    with engine.begin() as connection:
        connection.execute(insert(table), row)
        equal(dict(connection.execute(select(table)).mappings().one()), row)
        equal(connection.execute(select(table.c.a).where(table.c.r["b"].as_integer() == 1, 3 == any_(table.c.s))).scalar_one(), 1)


def enums(engine):
    mood = Enum("sad", "ok", "happy", name="sa_mood")
    people = Table("sa_people", MetaData(), Column("id", Integer), Column("mood", mood), Column("moods", postgresql.ARRAY(mood)))
    with engine.begin() as connection:
        people.create(connection)
        connection.execute(insert(people), [{"id": 1, "mood": "happy", "moods": ["sad", "ok"]}, {"id": 2, "mood": "sad", "moods": None}])
    with engine.connect() as connection:
        rows = connection.execute(select(people.c.id, people.c.moods).where(people.c.mood > "sad").order_by(people.c.mood))
        equal([tuple(r) for r in rows], [(1, ["sad", "ok"])])
        found = {c["name"]: c["type"] for c in inspect(connection).get_columns("sa_people")}
        equal((found["mood"].enums, found["mood"].name), (["sad", "ok", "happy"], "sa_mood"))
        equal([(e["name"], e["labels"]) for e in inspect(connection).get_enums() if e["name"] == "sa_mood"], [("sa_mood", ["sad", "ok", "happy"])])
        connection.execute(text("CREATE DOMAIN sa_small AS int CHECK (VALUE < 100)"))
        equal([d["name"] for d in inspect(connection).get_domains()], ["sa_small"])
        connection.execute(text("DROP DOMAIN sa_small"))
        connection.commit()
    with engine.begin() as connection:
        people.drop(connection)
        mood.drop(connection, checkfirst=True)


def orm(engine):
    with Session(engine) as session:
        ann = Customer(name="Ann", orders=[Order(amount=Decimal("2.50")), Order(amount=Decimal("3"))])
        session.add(ann)
        session.commit()
        equal((ann.id, ann.colour, ann.active, ann.credit), (1, "red", True, Decimal("0.00")))
        assert ann.made is not None
        equal(sorted(o.id for o in ann.orders), [1, 2])
        session.add_all([Customer(name=f"c{n}") for n in range(1500)])
        session.commit()
    with Session(engine) as session:
        session.add(Customer(name="gone"))
        session.flush()
        equal(session.scalar(select(func.count()).select_from(Customer)), 1502)
        with session.begin_nested() as inner:
            session.add(Customer(name="gone too"))
            session.flush()
            inner.rollback()
        session.rollback()
        ann = session.scalars(select(Customer).options(selectinload(Customer.orders)).where(Customer.name == "Ann")).one()
        equal(sorted(o.amount for o in ann.orders), [Decimal("2.50"), Decimal("3.00")])
        joined = session.scalars(select(Order).options(joinedload(Order.customer)).join(Order.customer).where(Customer.id == 1).order_by(Order.id)).all()
        equal([o.customer.name for o in joined], ["Ann", "Ann"])
        equal(session.get(Customer, 1).name, "Ann")
        top = select(Order.customer_id, func.max(Order.amount).label("top")).group_by(Order.customer_id).subquery()
        equal(session.execute(select(Customer.name, top.c.top).join(top, top.c.customer_id == Customer.id)).one(), ("Ann", Decimal("3.00")))


async def asynchronous():
    engine = create_async_engine(f"postgresql+asyncpg://{WHERE}")
    metadata = MetaData()
    table = Table("sa_async", metadata, Column("id", Integer, primary_key=True), Column("name", String(20)), Column("at", DateTime(True), server_default=func.now()))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        equal((await connection.execute(insert(table).values(name="x").returning(table.c.id))).scalar_one(), 1)
        equal(await connection.run_sync(lambda c: [x["name"] for x in inspect(c).get_columns("sa_async")]), ["id", "name", "at"])
    async with engine.connect() as connection:
        equal((await connection.execute(select(table.c.name).where(table.c.id == 1))).scalar_one(), "x")
        try:
            await connection.execute(text("SELECT nothing FROM sa_async"))
            raise AssertionError("should have failed")
        except DBAPIError as error:
            equal(error.orig.sqlstate, "42703")
        await connection.rollback()
        await connection.run_sync(metadata.drop_all)
        await connection.commit()
    await engine.dispose()


def main():
    for driver in ("psycopg2", "psycopg"):
        engine = create_engine(f"postgresql+{driver}://{WHERE}", pool_pre_ping=True)
        metadata = MetaData()
        for table in Base.metadata.tables.values():
            table.to_metadata(metadata)
        Sequence("sa_numbers", metadata=metadata)
        types = every_type(metadata)
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(text("CREATE SCHEMA sa_other"))
            connection.execute(text("CREATE TABLE sa_other.far (id integer PRIMARY KEY, order_id bigint REFERENCES sa_order (id))"))
            connection.execute(text("CREATE VIEW sa_view AS SELECT id, amount FROM sa_order"))
        did("connect", "create")
        reflection(engine)
        autogenerate(engine, metadata)
        did("introspect")
        migrations(f"postgresql+{driver}://{WHERE}")
        core(engine)
        did("insert", "bulk", "error", "cancel")
        values(engine, types)
        enums(engine)
        orm(engine)
        did("parameters", "transaction")
        with engine.begin() as connection:
            connection.execute(text("DROP VIEW sa_view"))
            connection.execute(text("DROP SCHEMA sa_other CASCADE"))
        metadata.drop_all(engine)
        engine.dispose()
    asyncio.run(asynchronous())
    print("ok")


main()
