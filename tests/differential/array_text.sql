-- Arrays as text, by casts and by the functions that make text of anything; intervals too.
SELECT (ARRAY[true,false,NULL])::text AS a, (ARRAY['\x00ff'::bytea,'\x'])::text AS b, ARRAY['0001-01-01 BC'::date,'2024-01-02',NULL]::text AS c, ARRAY['1 mon -1 days'::interval,'00:00']::text AS d;
SELECT ARRAY['NaN'::float8,'Infinity','-0','1e308','1',NULL,'-Infinity','1e-5','0.1']::text AS a, ARRAY['NaN'::float4,'1e30','1','0.1']::text AS b;
SELECT ARRAY['a'::char(3),'bcd',NULL]::text AS a, ARRAY['a'::char(3),'b c']::varchar AS b, ARRAY['a b','{','',NULL,'null','"','\','x,y']::text AS c, ARRAY[1.50,2.25]::text AS d, '{}'::bool[]::text AS e, NULL::bool[]::text AS f;
SELECT ARRAY['2024-01-01 10:00'::timestamp,'0044-03-15 12:00 BC','infinity']::text AS a, ARRAY['2024-01-01 10:00+00'::timestamptz]::text AS b, ARRAY['10:00'::time,'10:00:00.5']::text AS c, ARRAY['10.0.0.1'::inet,'::1']::text AS d, ARRAY['{"a": 1}'::jsonb]::text AS e, ARRAY['12.5'::money]::text AS f;
SELECT ARRAY['infinity'::date,'-infinity']::text AS a, ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]::text AS b, ARRAY['[1,5)'::int4range]::text AS c, ARRAY[1::smallint,NULL]::text AS d, ARRAY[9223372036854775807]::text AS e;
SELECT ARRAY[[true,false],[NULL,true]]::text AS a, ARRAY[['NaN'::float8,1]]::text AS b, ARRAY[['a'::char(3)]]::text AS c;
SELECT 'x' || ARRAY[true,false]::text AS a, concat(ARRAY[true,NULL], '|', ARRAY['NaN'::float8]) AS b, concat_ws('/', ARRAY['1 day'::interval], ARRAY['\x01'::bytea]) AS c;
SELECT format('%s %s', ARRAY[true,false], ARRAY['a'::char(3)]) AS a, format('%L', ARRAY['NaN'::float8]) AS b;
SELECT array_to_string(ARRAY[true,false,NULL], ',') AS a, array_to_string(ARRAY[true,false,NULL], ',', '*') AS b, array_to_string(ARRAY['NaN'::float8,1,'-0','1e308'], ' ') AS c, array_to_string(ARRAY['a'::char(3),'bcd'], '|') AS d;
SELECT array_to_string(ARRAY['\x00ff'::bytea], ',') AS a, array_to_string(ARRAY['1 mon -1 days +02:00'::interval], ',') AS b, array_to_string(ARRAY['0001-01-01 BC'::date], ',') AS c, array_to_string(ARRAY['a b','x,y'], ',') AS d, array_to_string('{1,2,NULL}'::int[], ',', '?') AS e, array_to_string(NULL::int[], ',') AS f;
SELECT string_agg(v::text, ';' ORDER BY n) AS a FROM (VALUES (1, ARRAY[true]), (2, ARRAY[false,NULL])) t(n, v);
SELECT ARRAY[true,false]::text[] AS a, ARRAY['NaN'::float8,1]::text[] AS b, ARRAY['\x00'::bytea]::text[] AS c, ARRAY['1 day'::interval]::varchar(3)[] AS d, ARRAY['0001-01-01 BC'::date]::text[] AS e;
CREATE TABLE lists (id int, b bool[], y bytea[], d date[], i interval[], f float8[], c char(3)[], t text[]);
INSERT INTO lists VALUES (1, '{t,f,NULL}', ARRAY['\x00ff'::bytea], '{0001-01-01 BC}', '{1 mon -1 days}', '{NaN,Infinity,-0,1e308,1}', '{a,bcd}', '{a,NULL}'), (2, '{}', NULL, '{NULL}', '{}', '{}', NULL, '{"NULL"}');
SELECT b::text, y::text, d::text, i::text, f::text, c::text, t::text FROM lists ORDER BY id;
SELECT id, b::text = '{t,f,NULL}' AS same, length(c::text) AS n, upper(f::text) AS u FROM lists WHERE b::text <> '{}';
CREATE TABLE texts AS SELECT id, b::text AS b, f::text AS f, array_to_string(b, ',') AS j, i::varchar AS i FROM lists;
SELECT * FROM texts ORDER BY id;
SELECT concat('a'::char(3), 'b') AS a, concat_ws('-', 'a'::char(3), true) AS b, format('%s|', 'a'::char(3)) AS c, 'a'::char(3) || 'b' AS d, 'a'::char(3)::text || 'b' AS e;
SELECT (interval '1 year -3 days 04:05')::text AS a, (interval '-1 year 3 days')::text AS b, (interval '-1 year 04:05')::text AS c, (interval '-1 mon 2 days -3 hours')::text AS d, (interval '1 mon -2 days')::text AS e, (interval '-2 days 03:00')::text AS f, (interval '-1 year +2 mons')::text AS g;
SELECT 'i ' || interval '1 year -3 days 04:05' AS a, concat(interval '-1 mon 2 days', '') AS b, format('%s', interval '-2 days 03:00:00.5') AS c, string_agg(v::text, ',') AS d FROM (VALUES (interval '-1 day 1 hour')) t(v);
SELECT v::text AS t, v FROM (VALUES (interval '0'), ('-1 day'), ('1 day -1 sec'), ('-1 year -1 mon +1 day'), ('1 year 2 mons 3 days 04:05:06.789'), ('-00:00:00.000001'), ('-2 mons -1 days 00:00:01')) t(v);

-- objects of the catalog by their names
SELECT array['pg_class'::regclass, NULL, 'pg_type'::regclass]::text, array[]::regtype[]::text;
SELECT array_to_string(array['int4'::regtype, 'text'::regtype], ', ');
