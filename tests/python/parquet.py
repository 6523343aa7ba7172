"""COPY of Parquet files that others write and read: pyarrow and the official DuckDB.

Usage: parquet.py PORT DATABASE. Ends with "ok".
"""

import datetime
import decimal
import io
import os
import struct
import sys
import tempfile
import uuid

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

PORT, DATABASE = sys.argv[1:3]
connection = psycopg.connect(f"host=127.0.0.1 port={PORT} dbname={DATABASE} user=tester", autocommit=True)
connection.execute("SET timezone = 'UTC'")


def run(sql):
    result = connection.execute(sql)
    return result.fetchall() if result.description else result.statusmessage


def into(sql, data, piece=65536):
    with connection.cursor() as cursor:
        with cursor.copy(sql) as copy:
            for start in range(0, len(data), piece):
                copy.write(data[start : start + piece])
        return cursor.statusmessage


def refused(sql, data, state, message, detail=None, context=None):
    before = run("SELECT count(*) FROM t")
    try:
        tag = into(sql, data)
    except psycopg.Error as error:
        diag = error.diag
        assert (diag.sqlstate, diag.message_primary) == (state, message), (sql, diag.sqlstate, diag.message_primary)
        assert detail is None or diag.message_detail == detail, diag.message_detail
        assert context is None or diag.context == context, diag.context
    else:
        raise AssertionError(f"{sql} gave {tag} where {state} {message} was expected")
    assert run("SELECT count(*) FROM t") == before


def out(sql):
    data = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(sql) as copy:
        for piece in copy:
            data.write(piece)
    return data.getvalue()


def arrow(columns, **options):
    data = io.BytesIO()
    pq.write_table(pa.table(columns), data, **options)
    return data.getvalue()


def of_duckdb(sql, options=""):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.parquet")
        duckdb.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet{options})")
        with open(path, "rb") as file:
            return file.read()


def in_duckdb(data, sql):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.parquet")
        with open(path, "wb") as file:
            file.write(data)
        return duckdb.execute("SET TimeZone = 'UTC'").execute(sql.replace("FILE", f"read_parquet('{path}')")).fetchall()


TYPES = """a smallint, b int, c bigint, d real, e float8, f numeric(12,3), g text, h varchar(10), i bool, j date, k time,
    l timestamp, m timestamptz, n uuid, o bytea, p int[], q jsonb, r interval, s char(3), u json, v numeric, w text[]"""
ROWS = r"""(1, 2, 3, 1.5, 2.25, 12.345, 'text', 'short', true, '2013-01-01', '12:34:56.789', '2013-01-01 12:00:00',
     '2013-01-01 12:00:00+00', '00000000-0000-0000-0000-000000000001', '\x00ff', '{1,2,NULL}', '{"a": 1}', '1 mon 2 days 03:04:05',
     'ab', '[ 1 ]', 1.123456789, '{a,"b c",NULL}'),
    (-32768, -2147483648, -9223372036854775808, '-infinity', 'nan', -999999999.999, '', 'ä', false, '0001-01-01', '00:00:00',
     '0001-01-01 00:00:00', '9999-12-31 23:59:59+00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x', '{}', '[]', '-1 mon',
     '', 'null', -1, '{}'),
    (NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL)"""


def round_trip():
    run(f"CREATE TABLE types ({TYPES})")
    run(f"CREATE TABLE again ({TYPES})")
    run(f"INSERT INTO types VALUES {ROWS}")
    data = out("COPY types TO STDOUT (FORMAT parquet)")
    # As others see it.
    schema = pq.read_schema(io.BytesIO(data))
    assert schema.field("f").type == pa.decimal128(12, 3), schema
    assert schema.field("m").type == pa.timestamp("us", tz="UTC"), schema
    assert schema.field("p").type == pa.list_(pa.field("element", pa.int32())), schema
    seen = in_duckdb(data, "SELECT a, e, f, g, j, k, l, n, o, p, r::text FROM FILE ORDER BY b")
    assert seen[2] == (1, 2.25, decimal.Decimal("12.345"), "text", datetime.date(2013, 1, 1), datetime.time(12, 34, 56, 789000),
                       datetime.datetime(2013, 1, 1, 12), uuid.UUID(int=1), b"\0\xff", [1, 2, None],
                       "1 month 2 days 03:04:05"), seen[2]
    # Back, by the same and by another way: as DuckDB writes what it read.
    for file in [data, duckdb_again(data)]:
        run("TRUNCATE again")
        assert into("COPY again FROM STDIN (FORMAT parquet)", file, piece=777) == "COPY 3"
        assert out("COPY (SELECT * FROM again ORDER BY b) TO STDOUT") == out("COPY (SELECT * FROM types ORDER BY b) TO STDOUT")
    # Nothing but a header and a footer.
    empty = out("COPY (SELECT * FROM types WHERE false) TO STDOUT (FORMAT parquet)")
    assert pq.read_table(io.BytesIO(empty)).num_rows == 0
    assert into("COPY again FROM STDIN (FORMAT parquet)", empty) == "COPY 0"
    # Results of expressions.
    data = out("COPY (SELECT 1 AS a, 2.50 AS a, 1.0 / 3 AS c, NULL AS d, sum(c) AS e, 'types'::regclass AS f FROM types) "
               "TO STDOUT (FORMAT parquet)")
    seen = in_duckdb(data, "SELECT * FROM FILE")
    assert seen == [(1, decimal.Decimal("2.50"), "0.33333333333333333333", None, decimal.Decimal("-9223372036854775805"),
                     "types")], seen


def duckdb_again(data):
    with tempfile.TemporaryDirectory() as folder:
        one, other = os.path.join(folder, "1.parquet"), os.path.join(folder, "2.parquet")
        with open(one, "wb") as file:
            file.write(data)
        # It writes no negative intervals: those as text.
        duckdb.execute(f"COPY (SELECT * REPLACE (r::VARCHAR AS r) FROM read_parquet('{one}')) TO '{other}' (FORMAT parquet, COMPRESSION gzip)")
        with open(other, "rb") as file:
            return file.read()


def files_of_others():
    run("""CREATE TABLE t (a int, b text DEFAULT 'by default', n numeric(10,2), d date, ts timestamptz, l int[],
        u uuid DEFAULT gen_random_uuid(), id serial, ok boolean NOT NULL DEFAULT true, v varchar(3), CHECK (a <> -13))""")
    copy = "COPY t FROM STDIN (FORMAT parquet)"
    for codec in ["NONE", "SNAPPY", "GZIP", "ZSTD", "LZ4", "BROTLI"]:
        assert into(copy, arrow({"a": [1, 2, None]}, compression=codec)) == "COPY 3", codec
    for options in [{"version": "1.0"}, {"data_page_version": "2.0"}, {"use_dictionary": False}, {"row_group_size": 1}]:
        assert into(copy, arrow({"a": [1, 2, None], "b": ["x", "x", "y"]}, **options)) == "COPY 3", options
    run("TRUNCATE t")
    # By name, in any order; the others get their defaults, each row its own.
    assert into(copy, arrow({"V": ["abc", "ab", None], "a": [3, 2, 1]})) == "COPY 3"
    got = run("SELECT a, b, v, ok, u IS NOT NULL FROM t ORDER BY a")
    assert got == [(1, "by default", None, True, True), (2, "by default", "ab", True, True), (3, "by default", "abc", True, True)]
    assert run("SELECT count(DISTINCT u), count(DISTINCT id) FROM t") == [(3, 3)]
    run("TRUNCATE t")
    assert into("COPY t (a) FROM STDIN (FORMAT parquet)", arrow({"zz": [1], "a": [7]})) == "COPY 1"
    # Values as an assignment takes them.
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 678901)
    assert into(copy, arrow({"a": [1.0, 2.5, 3.5, None], "n": ["1.005", "2", " 3 ", None]})) == "COPY 4"
    assert into(copy, arrow({"d": [moment], "ts": [moment], "a": pa.array([5], pa.uint64()), "n": [decimal.Decimal("1.235")]})) == "COPY 1"
    assert into(copy, arrow({"b": pa.array(["x", "y", "x"]).dictionary_encode(), "l": [[1], [], None]})) == "COPY 3"
    assert into(copy, arrow({"d": pa.array([None, None], pa.null()), "l": pa.array([None, None], pa.int64())})) == "COPY 2"
    assert run("SELECT a, n::text FROM t WHERE n IS NOT NULL ORDER BY id") == [
        (1, "1.01"), (2, "2.00"), (4, "3.00"), (5, "1.24")]
    run("TRUNCATE t")
    rows = 300_000
    data = of_duckdb(f"SELECT range::INT AS a, 'row ' || range AS b, [range, NULL] AS l FROM range({rows})", ", ROW_GROUP_SIZE 20000")
    assert into(copy + " WHERE a >= 100 AND b <> 'row 200'", data) == f"COPY {rows - 101}"
    run("TRUNCATE t")
    assert into(copy, data) == f"COPY {rows}"
    assert run("SELECT count(*), sum(a), sum(l[1]), max(b) FROM t") == [(rows, rows * (rows - 1) // 2, rows * (rows - 1) // 2, "row 99999")]
    run("TRUNCATE t")


def wrong_files():
    copy = "COPY t FROM STDIN (FORMAT parquet)"
    refused(copy, arrow({"a": [1], "zz": [2]}), "42703", 'column "zz" of relation "t" does not exist',
            'The Parquet file has the columns "a", "zz".')
    refused("COPY t (a, b) FROM STDIN (FORMAT parquet)", arrow({"b": ["x"]}), "22P04", 'missing data for column "a"')
    refused(copy, arrow({"a": [True]}), "42804",
            'column "a" is of type integer but the Parquet file\'s column is of type BOOLEAN')
    refused(copy, arrow({"b": [{"x": 1}]}), "42804",
            'column "b" is of type text but the Parquet file\'s column is of type STRUCT(x BIGINT)')
    refused(copy, arrow({"a": ["1", "x"]}), "22P02", 'invalid input syntax for type integer: "x"', None, "COPY t, row 2, column a")
    refused(copy, arrow({"a": [1, 2**40]}), "22003", 'value "1099511627776" is out of range for type integer',
            None, "COPY t, row 2, column a")
    refused(copy, arrow({"a": [1e10]}), "22003", "integer out of range", None, "COPY t")
    refused(copy, arrow({"n": [1, 10**9]}), "22003", "numeric field overflow")
    refused(copy, arrow({"v": ["abc", "abcd"]}), "22001", "value too long for type character varying(3)", None,
            "COPY t, row 2, column v")
    refused(copy, arrow({"ok": [True, None]}), "23502",
            'null value in column "ok" of relation "t" violates not-null constraint', None, "COPY t, row 2")
    refused(copy, arrow({"a": [1, -13]}), "23514", 'new row for relation "t" violates check constraint "t_a_check"')
    good = arrow({"a": list(range(5000)), "b": [f"text {n}" for n in range(5000)]}, compression="NONE")
    none = "COPY data is not a Parquet file"
    for data in [b"", b"PAR1", b"PAR1PAR1", b"1\tx\n" * 100, b"\0" * 100, good[:-1], good[: len(good) // 2]]:
        refused(copy, data, "22P04", none)
    damaged = "the Parquet file cannot be read"
    refused(copy, b"PAR1" + b"\0" * 50 + b"PAR1", "22P04", damaged)
    refused(copy, b"PAR1" + struct.pack("<i", 2**31 - 1) + b"PAR1", "22P04", damaged)
    refused(copy, good[: len(good) // 2] + good[-8:], "22P04", damaged)
    refused(copy, b"PARE" + good[4:-4] + b"PARE", "0A000", "encrypted Parquet files are not supported")
    # Whatever a damaged file does, the session goes on and nothing of a refused one is stored.
    seed = int(os.environ.get("DUCKMESH_SEED", "20261121"))
    print("seed", seed)
    state = seed
    for _ in range(int(os.environ.get("DUCKMESH_PARQUET_MUTATIONS", "12"))):
        data = bytearray(good)
        for _ in range(8):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            # Mostly near the end, where the footer is.
            place = len(data) - 8 - (state >> 33) % (600 if state & 2**20 else len(data) - 8)
            data[max(place, 4)] = (state >> 25) & 0xFF
        before = run("SELECT count(*) FROM t")[0][0]
        try:
            tag = into(copy, bytes(data))
        except psycopg.Error as error:
            assert error.diag.sqlstate[:2] in ("22", "42", "53", "54"), (error.diag.sqlstate, error)
            assert run("SELECT count(*) FROM t") == [(before,)]
        else:
            assert run("SELECT count(*) FROM t") == [(before + int(tag.split()[1]),)]
    run("TRUNCATE t")


def options():
    for option, state in [("DELIMITER ','", "42601"), ("NULL ''", "42601"), ("HEADER", "0A000"), ("QUOTE '\"'", "0A000"),
                          ("ESCAPE '\"'", "0A000"), ("FORCE_NULL (a)", "0A000"), ("ON_ERROR ignore", "42601")]:
        try:
            into(f"COPY t FROM STDIN (FORMAT parquet, {option})", b"")
            raise AssertionError(option)
        except psycopg.Error as error:
            assert error.diag.sqlstate == state, (option, error)


def transactions():
    with connection.transaction(force_rollback=True):
        assert into("COPY t FROM STDIN (FORMAT parquet)", arrow({"a": [1, 2, 3]})) == "COPY 3"
        assert run("SELECT count(*), sum(a) FROM t") == [(3, 6)]
        assert pq.read_table(io.BytesIO(out("COPY t (a) TO STDOUT (FORMAT parquet)"))).num_rows == 3
    assert run("SELECT count(*) FROM t") == [(0,)]
    # Only the rows for which the condition is true, defaults included.
    into("COPY t FROM STDIN (FORMAT parquet) WHERE a > 1 AND b = 'by default' AND ok", arrow({"a": [1, 2, None]}))
    assert run("SELECT a FROM t") == [(2,)]


for part in [round_trip, files_of_others, wrong_files, options, transactions]:
    part()
print("ok")
