-- Functions of bytea.
SELECT substr('\x01020304'::bytea, 2) AS a, substr('\x01020304'::bytea, -1, 4) AS b, substring('\x01020304'::bytea FROM 2 FOR 2) AS c, substring('\x0102'::bytea FROM 9) AS d, substring('\x0102'::bytea FOR 1) AS e;
SELECT substr('\x0102'::bytea, 1, -1);
SELECT overlay('\x01020304'::bytea PLACING '\xffff'::bytea FROM 2) AS a, overlay('\x01020304'::bytea PLACING '\xff'::bytea FROM 2 FOR 3) AS b, overlay('\x01'::bytea PLACING '\xff'::bytea FROM 9) AS c;
SELECT overlay('\x01'::bytea PLACING '\xff'::bytea FROM 0);
SELECT trim('\x00'::bytea FROM '\x00410000'::bytea) AS a, btrim('\x0102ff01'::bytea, '\x01'::bytea) AS b, ltrim('\x0001'::bytea, '\x00'::bytea) AS c, rtrim('\x0100'::bytea, '\x00') AS d, btrim('\x01'::bytea, ''::bytea) AS e;
SELECT position('\x02'::bytea IN '\x010203'::bytea) AS a, position('\x20'::bytea IN '\x0102'::bytea) AS b, position(''::bytea IN '\x01'::bytea) AS c;
SELECT 'abc'::bytea LIKE '_b_'::bytea AS a, 'abc'::bytea NOT LIKE 'a%'::bytea AS b, '\x00ff'::bytea LIKE '%'::bytea AS c, 'a%c'::bytea LIKE 'a\\%c'::bytea AS d, 'abc'::bytea LIKE 'a%' AS e;
SELECT bit_count('\x1234567890'::bytea) AS a, bit_count(''::bytea) AS b;
SELECT sha224('abc') AS a, sha384('\x616263'::bytea) AS b, sha512(''::bytea) AS c, sha256('abc') AS d;
SELECT b, substr(b, 2, 1) AS part, length(b) FROM (VALUES ('\x0102'::bytea), (NULL), (''::bytea)) v(b) ORDER BY b;
SELECT encode(substring('hello world'::bytea FROM 7), 'escape') AS a, 'a'::bytea || substr('\x6263'::bytea, 2) AS b;
