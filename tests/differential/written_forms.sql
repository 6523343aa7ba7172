-- Forms of calls: lists of columns without a name, TRIM without characters, VARIADIC, names of types as functions.
CREATE TABLE wf (id int, t text, xs int[]);
INSERT INTO wf VALUES (1, '  a ', '{1,NULL,3}'), (2, NULL, NULL), (3, 'b', '{}');
SELECT * FROM json_to_record('{"a":1,"b":"x"}') AS (a int, b text);
SELECT json_to_record.a FROM json_to_record('{"a":1}') AS (a int);
SELECT r.id, q.a FROM wf r, LATERAL jsonb_to_recordset(jsonb_build_array(jsonb_build_object('a', r.id))) AS q(a int) ORDER BY 1;
SELECT * FROM jsonb_populate_record(NULL::record, '{"x": 5}') AS (x int, y text);
SELECT * FROM generate_series(1, 2) AS (a int);
SELECT id, trim(LEADING FROM t) || '|', trim(TRAILING FROM t) || '|', trim(BOTH FROM t) || '|' FROM wf ORDER BY id;
SELECT concat(VARIADIC ARRAY['a', NULL, 'b']), concat_ws('-', VARIADIC ARRAY[1, 2, NULL]), concat(VARIADIC NULL::text[]);
SELECT id, concat(VARIADIC xs), concat_ws(',', VARIADIC xs), json_build_array(VARIADIC xs), jsonb_build_array(VARIADIC xs) FROM wf ORDER BY id;
SELECT json_build_array(VARIADIC '{x,y}'::text[]), json_build_array(VARIADIC '{{1,2},{3,4}}'::int[]), json_build_array(VARIADIC ARRAY[true, NULL]);
SELECT concat(VARIADIC 'a');
SELECT concat(VARIADIC 5);
SELECT date(TIMESTAMP '2021-05-06 07:08'), float8(3), int8(float8(7)), text(12), bool('t'), int4(2.5) , date('2021-05-06');
SELECT float8(count(*)) / 2, date(max(ts)) FROM (VALUES (TIMESTAMP '2021-05-06 07:08'), (TIMESTAMP '2021-05-07 01:02')) v(ts);
SELECT date(id) FROM wf;
SELECT array_fill(7, ARRAY[[1,2],[3,4]]);
SELECT json '{"a": "\u0000"}' ->> 'a';
SELECT json '{"a": "\\u0000"}' ->> 'a';
SELECT id FROM wf TABLESAMPLE BERNOULLI (-1);
SELECT id FROM wf TABLESAMPLE BERNOULLI (101);
-- differs: a view is stored for any DuckDB too, which has no such functions
CREATE VIEW wf_joined AS SELECT id, concat_ws(',', VARIADIC xs) AS j FROM wf;
CREATE VIEW wf_trimmed AS SELECT id, trim(LEADING FROM t) AS l FROM wf;
SELECT * FROM wf_trimmed ORDER BY id;
