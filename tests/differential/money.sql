-- Money: hundredths, with a dollar sign.
SELECT '1234.56'::money AS a, '$1,234.567'::money AS b, '-$5'::money AS c, '($12)'::money AS d, ''::money AS e, '12.3-'::money AS f, ' $ 7 '::money AS g;
SELECT '92233720368547758.07'::money AS hi, '-92233720368547758.08'::money AS lo, NULL::money AS n;
SELECT '92233720368547758.08'::money;
SELECT 'abc'::money;
SELECT '1.2.3'::money;
SELECT '1 2'::money;
SELECT 12::money AS a, 12.345::money AS b, 9000000000::money AS c, '12.5'::numeric::money AS d, (-0.005)::numeric::money AS e;
-- differs: the position of a cast's error is that of its value
SELECT 1.5::float8::money;
-- differs: the position of a cast's error is that of its value
SELECT true::money;
SELECT '$12.34'::money::numeric AS a, '$12.34'::money::numeric(10,1) AS b, '$1,234.5'::money::text AS c;
-- differs: the position of a cast's error is that of its value
SELECT '$12.34'::money::int;
SELECT '1'::money + '2.50' AS a, '1'::money - '2.50'::money AS b, '10'::money * 2 AS c, 2 * '10'::money AS d, '10'::money * 1.015 AS e, 0.333 * '10'::money AS f, '10'::money / 3 AS g, '10'::money / 3.0 AS h, '10'::money / '3'::money AS i;
-- differs: the position is that of the operand
SELECT - '10'::money AS j;
SELECT '0.05'::money * 0.5::float8 AS half, '0.15'::money / 2 AS cut, '0.15'::money / 2.0 AS rounded;
SELECT '10'::money / 0;
SELECT '10'::money / 0.0;
SELECT '10'::money / '0'::money;
SELECT '10'::money + 1;
SELECT '10'::money * '10'::money;
SELECT '10'::money = 10;
SELECT '10'::money = '10.00' AS a, '9'::money < '10' AS b, '$1'::money IN ('1', '2') AS c, '5'::money BETWEEN '1' AND '10' AS d;
SELECT greatest('9'::money, '10') AS g, coalesce(NULL, '1'::money) AS c;
CREATE TABLE prices (id int, p money, l money[]);
INSERT INTO prices VALUES (1, '$1,000.50', '{1,"$2,000.25",NULL}'), (2, 9.999, NULL), (3, '-3', '{}'), (4, NULL, NULL), (5, 20, NULL);
INSERT INTO prices (id, p) VALUES (6, 'x');
SELECT * FROM prices ORDER BY id;
SELECT id, p FROM prices ORDER BY p, id;
SELECT sum(p) AS s, min(p) AS lo, max(p) AS hi, count(p) AS n FROM prices;
SELECT sum(p) FROM prices WHERE id < 0;
SELECT avg(p) FROM prices;
SELECT id FROM prices WHERE p > '$5' ORDER BY id;
SELECT p, count(*) FROM prices GROUP BY p ORDER BY p;
SELECT sum(p) OVER (ORDER BY id) AS running FROM prices ORDER BY id;
SELECT to_json(p) AS j FROM prices WHERE id = 1;
SELECT l[2] AS second, l FROM prices ORDER BY id;
SELECT p || '!' AS t FROM prices WHERE id = 1;
CREATE TABLE prices_default (id int, p money DEFAULT 1.5, q money DEFAULT '$2');
INSERT INTO prices_default (id) VALUES (1);
SELECT * FROM prices_default;
