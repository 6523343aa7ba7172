"""pandas: to_sql and read_sql over SQLAlchemy."""

import csv
import io

import pandas
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, later
from sqlalchemy import create_engine, text


def by_copy(table, connection, keys, rows):
    """How pandas' own manual inserts fast: COPY of csv, through the driver below SQLAlchemy."""
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    lines.seek(0)
    name = f'"{table.schema}"."{table.name}"' if table.schema else f'"{table.name}"'
    columns = ", ".join(f'"{key}"' for key in keys)
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN WITH CSV", lines)
        return cursor.rowcount


def kinds(engine):
    """Every kind of column that pandas has, there and back."""
    frame = pandas.DataFrame({
        "whole": pandas.array([1, None, 3], dtype="Int64"),
        "flag": pandas.array([True, None, False], dtype="boolean"),
        "text": ["a, \"b\"", None, "\u00e4\n"],
        "real": [1.5, float("nan"), -0.25],
        "zoned": pandas.to_datetime(["2024-01-01 10:00", None, "2024-07-01 10:00"]).tz_localize("Europe/Berlin"),
        "kind": pandas.Categorical(["x", "y", "x"]),
    })
    frame.to_sql("pd_kinds", engine, if_exists="replace", index_label="nr", method=by_copy)
    frame.iloc[:1].to_sql("pd_kinds", engine, if_exists="append", index_label="nr")
    back = pandas.read_sql_query("SELECT * FROM pd_kinds ORDER BY nr, whole", engine, index_col="nr", dtype={"whole": "Int64"},
                                 parse_dates={"zoned": {"utc": True}})
    equal(len(back), 4)
    back = back.iloc[1:]
    equal(back["whole"].tolist()[::2], [1, 3])
    equal(back["whole"].isna().tolist(), [False, True, False])
    equal(back["flag"].tolist(), [True, None, False])
    equal([None if pandas.isna(text) else text for text in back["text"]], ["a, \"b\"", None, "\u00e4\n"])
    equal(back["zoned"].iloc[2].isoformat(), "2024-07-01T08:00:00+00:00")
    equal(back["kind"].tolist(), ["x", "y", "x"])
    frame.head(2).to_sql("pd_kinds", engine, if_exists="replace", index=False)
    equal(pandas.read_sql_table("pd_kinds", engine, schema="public")["whole"].count(), 1)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE pd_kinds"))


def main():
    engine = create_engine(f"postgresql+psycopg2://{USER}@{HOST}:{PORT}/{DATABASE}")
    frame = pandas.DataFrame(
        {"n": range(1000), "name": [f"row {n}" for n in range(1000)], "x": [n / 4 for n in range(1000)],
         "at": pandas.date_range("2024-01-01", periods=1000, freq="h")}
    )
    frame.to_sql("pd_frame", engine, index=False, if_exists="fail", method="multi", chunksize=200)
    kinds(engine)
    did("connect", "create", "insert", "bulk")
    frame.head(10).to_sql("pd_frame", engine, index=False, if_exists="append")
    back = pandas.read_sql("SELECT * FROM pd_frame ORDER BY n LIMIT 3", engine)
    equal(back["n"].tolist(), [0, 0, 1])
    equal(str(back["at"].dtype).split("[")[0], "datetime64")
    equal(len(pandas.read_sql_table("pd_frame", engine, columns=["n", "name"])), 1010)
    did("introspect")
    total = sum(len(chunk) for chunk in pandas.read_sql("SELECT n FROM pd_frame", engine, chunksize=100))
    equal(total, 1010)
    filtered = pandas.read_sql(text("SELECT count(*) AS c, sum(x) AS s FROM pd_frame WHERE n > :n"), engine, params={"n": 990})
    equal(filtered.iloc[0].tolist(), [9.0, sum(n / 4 for n in range(991, 1000))])
    did("parameters")
    frame.head(5).to_sql("pd_frame", engine, index=False, if_exists="replace")
    equal(pandas.read_sql("SELECT count(*) AS c FROM pd_frame", engine)["c"].tolist(), [5])
    try:
        with engine.begin() as connection:
            frame.head(3).to_sql("pd_frame", connection, index=False, if_exists="append")
            equal(pandas.read_sql("SELECT count(*) AS c FROM pd_frame", connection)["c"].tolist(), [8])
            raise RuntimeError
    except RuntimeError:
        pass
    equal(pandas.read_sql("SELECT count(*) AS c FROM pd_frame", engine)["c"].tolist(), [5])
    did("transaction")
    try:
        pandas.read_sql("SELECT nothing FROM pd_frame", engine)
        raise AssertionError("should have failed")
    except pandas.errors.DatabaseError as error:
        equal(error.__cause__.orig.pgcode, "42703")
    did("error")
    with engine.connect() as connection:
        later(connection.connection.driver_connection.cancel)
        try:
            pandas.read_sql(text(LONG), connection)
            raise AssertionError("should have been cancelled")
        except pandas.errors.DatabaseError as error:
            equal(error.__cause__.orig.pgcode, "57014")
        connection.rollback()
    did("cancel")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE pd_frame"))
    print("ok")


main()
