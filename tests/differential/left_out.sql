-- Functions that fail for some values are not called for rows that a WHERE or a CASE leaves out.
CREATE TABLE mixed (n int, x text);
INSERT INTO mixed SELECT n, CASE n % 4 WHEN 0 THEN 'zz' WHEN 1 THEN '12' WHEN 2 THEN '10.0.0.1' END FROM generate_series(1, 40000) n;
SELECT decode(x, 'hex') FROM mixed WHERE n = 5;
SELECT sum(x::numeric) FROM mixed WHERE n % 4 = 1;
SELECT sum(CASE WHEN x ~ '^\d+$' THEN x::numeric END) AS total FROM mixed;
SELECT count(CASE WHEN n % 4 = 2 THEN x::inet END) AS addresses FROM mixed;
SELECT DISTINCT x::inet FROM mixed WHERE n % 4 = 2;
SELECT max(CASE WHEN x = '12' THEN x::jsonb END::text) AS a, max(CASE WHEN x = '12' THEN to_number(x, '99') END) AS b FROM mixed;
SELECT DISTINCT format('%I', x) AS name FROM mixed WHERE n % 4 < 2 ORDER BY name;
SELECT DISTINCT format('%I', x) FROM mixed WHERE n % 4 = 3;
SELECT sum(x::numeric) FROM mixed WHERE n % 4 < 2;
SELECT DISTINCT substr('a,b', 1, 3) ~ x AS matches FROM mixed WHERE n % 4 = 1;
SELECT format('ON (%I)', attname) AS clause FROM pg_attribute WHERE attrelid = 'mixed'::regclass AND attnum > 0 ORDER BY attnum;
