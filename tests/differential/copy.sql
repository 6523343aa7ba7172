-- COPY FROM STDIN with its data, and TO STDOUT.
CREATE TABLE c (a int, b text DEFAULT 'by default', n numeric(10,2), d date, l int[], ok boolean NOT NULL DEFAULT true, CHECK (a <> 13));
COPY c (a, b) FROM STDIN;
1	one
2	\N
3	three
\.
SELECT * FROM c ORDER BY a;

-- WHERE
COPY c (a, b) FROM STDIN WHERE a > 10;
9	nine
10	\N
11	eleven
12	\N
\N	null
\.
COPY c (a) FROM STDIN WHERE b = 'by default' AND ok;
20
21
\.
COPY c (a, ok) FROM STDIN (FORMAT csv) WHERE ok;
30,true
31,
32,false
33,t
\.
COPY c (a, ok) FROM STDIN (FORMAT csv) WHERE ok OR ok IS NULL;
40,true
41,
\.
COPY c (a) FROM STDIN WHERE a <> 13;
13
14
\.
COPY c (a) FROM STDIN WHERE a = 13;
13
14
\.
COPY c (a, n) FROM STDIN CSV WHERE n / a > 1;
50,100
0,1
\.
COPY c (a) FROM STDIN WHERE c.a BETWEEN 60 AND 61 AND public.c.b LIKE 'by%';
59
60
61
62
\.
COPY c (a, d) FROM STDIN WHERE d = '2020-01-01' OR d > '2021-01-01'::date + 1;
70	2020-01-01
71	2021-01-02
72	2021-01-03
\.
COPY c (a, l) FROM STDIN WHERE 3 = ANY (l);
80	{1,2}
81	{2,3}
82	\N
\.
COPY c (a) FROM STDIN WHERE a IN (90, 91) AND CASE WHEN a = 90 THEN true ELSE NULL END;
90
91
92
\.
COPY c FROM STDIN WHERE (a > 1);
\.
SELECT a, b, n, d, l, ok FROM c ORDER BY a;
-- What cannot stand there.
COPY c (a) FROM STDIN WHERE a;
1
\.
COPY c (a) FROM STDIN WHERE nothing > 1;
1
\.
COPY c (a) FROM STDIN WHERE other.a > 1;
1
\.
-- differs: the error has no position
COPY c (a) FROM STDIN WHERE a = (SELECT 1);
1
\.
-- differs: the error has no position
COPY c (a) FROM STDIN WHERE EXISTS (SELECT 1);
1
\.
-- differs: the error has no position
COPY c (a) FROM STDIN WHERE a IN (SELECT 1);
1
\.
COPY c (a) FROM STDIN WHERE max(a) = 1;
1
\.
COPY c (a) FROM STDIN WHERE count(*) > 1;
1
\.
COPY c (a) FROM STDIN WHERE row_number() OVER () = 1;
1
\.
COPY c (a) FROM STDIN WHERE sum(a) OVER () = 1;
1
\.
COPY c (a) FROM STDIN WHERE generate_series(1, 2) = 1;
1
\.
COPY c (a) FROM STDIN WHERE unnest(l) = 1;
1
\.
COPY c (a) FROM STDIN WHERE a = 'x';
1
\.
COPY c (a) FROM STDIN WHERE a > 1 b;
1
\.
COPY c (a) FROM STDIN WHERE;
1
\.
COPY c TO STDOUT WHERE a > 1;
COPY (SELECT 1) TO STDOUT WHERE true;
SELECT count(*) FROM c;

-- Data that does not fit: nothing is stored.
COPY c (a, b) FROM STDIN;
1	one	more
\.
COPY c (a, b) FROM STDIN;
1
\.
COPY c (a) FROM STDIN;
1
x
\.
COPY c (a) FROM STDIN;
99999999999
\.
COPY c (n) FROM STDIN;
123456789.00
\.
COPY c (ok) FROM STDIN;
\N
\.
COPY c (l) FROM STDIN;
{1,x}
\.
COPY c (l) FROM STDIN;
{1
\.
COPY c (a, b) FROM STDIN CSV;
1,"open
\.
COPY c (a) FROM STDIN (FORMAT csv, HEADER match);
b
1
\.
COPY c (zz) FROM STDIN;
1
\.
COPY c (a, a) FROM STDIN;
1	1
\.
COPY nothing FROM STDIN;
1
\.
COPY c FROM STDIN (ENCODING 'nonsense');
1
\.
COPY c (a) FROM STDIN (DELIMITER ',,');
1
\.
COPY c (a) FROM STDIN (QUOTE 'x');
1
\.
COPY c (a) FROM STDIN (FORMAT binary, DELIMITER ',');
1
\.
COPY c (a) FROM STDIN (FORMAT nonsense);
1
\.
SELECT count(*) FROM c;

-- In a transaction.
BEGIN;
COPY c (a) FROM STDIN WHERE a > 1000;
1000
1001
\.
SELECT a FROM c WHERE a >= 1000;
ROLLBACK;
SELECT count(*) FROM c;

-- Defaults are of each row.
CREATE TABLE u (a int, u uuid DEFAULT gen_random_uuid(), r float8 DEFAULT random(), id serial);
COPY u (a) FROM STDIN;
1
2
3
\.
SELECT count(DISTINCT u), count(DISTINCT r), max(id) FROM u;
COPY (SELECT a, id FROM u ORDER BY a) TO STDOUT (FORMAT csv, HEADER);
COPY u (a, id) TO STDOUT (DELIMITER '|', NULL 'none');
