"""SQLAlchemy 2: Core, ORM, reflection, and Alembic's autogenerate, over psycopg2 and psycopg 3."""

from decimal import Decimal

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from place import DATABASE, HOST, PORT, USER, equal
from sqlalchemy import (
    BigInteger, Boolean, CheckConstraint, Column, Date, DateTime, Enum, ForeignKey, Integer, MetaData, Numeric, String, Table, Text,
    create_engine, func, inspect, insert, select, text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "sa_customer"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "sa_order"
    __table_args__ = (CheckConstraint("amount >= 0", name="sa_order_amount"), {"comment": "what was sold"})
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(ForeignKey("sa_customer.id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), comment="euros")
    customer: Mapped[Customer] = relationship(back_populates="orders")


def reflection(engine):
    found = inspect(engine)
    assert {"sa_customer", "sa_order"} <= set(found.get_table_names())
    columns = {c["name"]: c for c in found.get_columns("sa_order")}
    equal([str(columns[n]["type"]) for n in ("id", "customer_id", "amount")], ["BIGINT", "BIGINT", "NUMERIC(10, 2)"])
    equal((columns["id"]["nullable"], columns["amount"]["comment"]), (False, "euros"))
    equal(found.get_pk_constraint("sa_order")["constrained_columns"], ["id"])
    (key,) = found.get_foreign_keys("sa_order")
    equal((key["constrained_columns"], key["referred_table"], key["referred_columns"]), (["customer_id"], "sa_customer", ["id"]))
    (check,) = found.get_check_constraints("sa_order")
    equal(check["name"], "sa_order_amount")
    equal(found.get_table_comment("sa_order")["text"], "what was sold")
    equal(found.get_view_names(), ["sa_view"])
    reflected = MetaData()
    reflected.reflect(engine, only=["sa_customer", "sa_order"])
    equal([c.name for c in reflected.tables["sa_order"].columns], ["id", "customer_id", "amount"])


def autogenerate(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        equal([d for d in compare_metadata(context, Base.metadata) if "sa_" in repr(d)], [])
        more = MetaData()
        for table in Base.metadata.tables.values():
            table.to_metadata(more)
        more.tables["sa_customer"].append_column(Column("since", Date))
        (difference,) = [d for d in compare_metadata(context, more) if "sa_" in repr(d)]
        equal((difference[0], difference[3].name), ("add_column", "since"))


def core(engine):
    things = Table("sa_things", MetaData(), Column("id", Integer), Column("t", Text), Column("f", Boolean), Column("at", DateTime(True)))
    with engine.begin() as connection:
        things.create(connection)
        connection.execute(insert(things), [{"id": n, "t": f"t{n}", "f": n % 2 == 0} for n in range(100)])
    with engine.connect() as connection:
        rows = connection.execute(select(things.c.f, func.count()).where(things.c.id < 51).group_by(things.c.f).order_by(things.c.f))
        equal([tuple(r) for r in rows], [(False, 25), (True, 26)])
        equal(connection.execute(select(things.c.t).order_by(things.c.id).limit(1).offset(7)).scalar_one(), "t7")
        try:
            connection.execute(text("SELECT * FROM nowhere"))
            raise AssertionError("should have failed")
        except ProgrammingError as error:
            equal(getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlstate", None), "42P01")
        connection.rollback()
        things.drop(connection)
        connection.commit()


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
        session.add(Customer(id=1, name="Ann", orders=[Order(id=1, amount=Decimal("2.50")), Order(id=2, amount=Decimal("3"))]))
        session.commit()
    with Session(engine) as session:
        session.add(Customer(id=2, name="gone"))
        session.flush()
        equal(session.scalar(select(func.count()).select_from(Customer)), 2)
        session.rollback()
        ann = session.scalars(select(Customer).where(Customer.name == "Ann")).one()
        equal(sorted(o.amount for o in ann.orders), [Decimal("2.50"), Decimal("3.00")])


def main():
    for driver in ("psycopg2", "psycopg"):
        engine = create_engine(f"postgresql+{driver}://{USER}@{HOST}:{PORT}/{DATABASE}", pool_pre_ping=True)
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(text("CREATE VIEW sa_view AS SELECT id FROM sa_order"))
        reflection(engine)
        autogenerate(engine)
        core(engine)
        enums(engine)
        orm(engine)
        with engine.begin() as connection:
            connection.execute(text("DROP VIEW sa_view"))
        Base.metadata.drop_all(engine)
        engine.dispose()
    print("ok")


main()
