-- Strings of bits.
CREATE TABLE tb (id int, a bit(5), b bit varying(8), c varbit, d bit, e bit(3)[], f varbit[]);
INSERT INTO tb VALUES (1, B'10110', B'1011', '101', '1', '{101,NULL,011}', '{1,"",0011}');
INSERT INTO tb VALUES (2, X'1F'::bit(5), X'AB', '', B'0', ARRAY[B'111'], ARRAY[B'1', B'01']::varbit[]);
INSERT INTO tb VALUES (3, '00000', '0', 'x1F', '0', NULL, '{}'), (4, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO tb (id, a) VALUES (9, B'101');
INSERT INTO tb (id, a) VALUES (9, '101');
INSERT INTO tb (id, b) VALUES (9, B'101010101');
INSERT INTO tb (id, b) SELECT 9, B'101010101';
INSERT INTO tb (id, a) SELECT 9, B'1';
INSERT INTO tb (id, a) VALUES (9, '10102');
INSERT INTO tb (id, a) VALUES (9, 'xG');
INSERT INTO tb (id, a) VALUES (9, 5);
SELECT * FROM tb ORDER BY id;
SELECT B'101', X'1f', b'', x'', B'102', 1;
SELECT B'102';
SELECT X'1G';
SELECT pg_typeof(B'1'), pg_typeof(a), pg_typeof(b) FROM tb WHERE id = 1;
SELECT B'101' & B'110', B'101' | B'010', B'101' # B'110', ~ B'101', B'10001' << 3, B'10001' >> 2, B'10001' << -1, B'1' << 40;
SELECT a & B'11000', a | b'00001', a # a, ~a, ~b, a << 1, a >> 1 FROM tb ORDER BY id;
SELECT B'101' & B'1';
SELECT B'101' | B'1';
SELECT B'101' # B'1';
SELECT B'101' || B'01', a || b, b || a, c || c, a || B'1', B'1' || '01' FROM tb ORDER BY id;
SELECT length(a), bit_length(b), octet_length(c), length(B''), bit_count(a), octet_length(B'101010101') FROM tb ORDER BY id;
SELECT get_bit(a, 0), get_bit(a, 4), set_bit(a, 1, 1), set_bit(b, 0, 0) FROM tb WHERE id = 1;
SELECT get_bit(B'101', 3);
SELECT set_bit(B'101', 3, 1);
SELECT set_bit(B'101', 1, 2);
SELECT substring(B'110011' FROM 3), substring(B'110011' FROM 2 FOR 3), substring(B'110011', 4, 10), substring(B'110011' FOR 2), substring(B'110011' FROM -1 FOR 4), substring(a, 2) FROM tb WHERE id = 1;
SELECT substring(B'110011' FROM 2 FOR -1);
SELECT position(B'010' IN B'001010'), position(B'' IN B'1'), position(B'11' IN B'0'), position(B'1' IN B'');
SELECT overlay(B'0101011100' PLACING B'001' FROM 2 FOR 3), overlay(B'0101011100' PLACING B'101' FROM 6), overlay(B'0101' PLACING B'11' FROM 4 FOR 0);
SELECT overlay(B'0101' PLACING B'11' FROM 0);
SELECT 5::bit(8), (-5)::bit(8), 5::bit(2), 5::bit, 44::bit(10), (-44)::bit(12), 5::bigint::bit(70), cast(-1 AS bit(40));
SELECT B'101'::int, B'1111'::bigint, X'FFFFFFFF'::int, X'FFFFFFFFFFFFFFFF'::bigint, X'7FFFFFFF'::int4, B''::int, a::int FROM tb WHERE id = 1;
SELECT X'1FFFFFFFF'::int;
SELECT (X'FFFFFFFFFFFFFFFF' || B'1')::bit(65)::bigint;
SELECT B'101'::bit(2), B'101'::bit(5), B'101'::bit, B'101'::varbit(2), B'101'::varbit(5), B'101'::varbit, '101'::bit(4), '101'::varbit(2), 'x1f'::bit(6), CAST('1101' AS bit varying(3));
SELECT B'101'::text, a::text, a::varchar(3), '101'::text::bit(4), '11'::text::varbit FROM tb WHERE id = 1;
SELECT 1.5::bit(3);
SELECT 5::varbit;
SELECT B'101'::smallint;
SELECT true::bit;
SELECT B'101' + 1;
SELECT id FROM tb WHERE a = B'10110';
SELECT id FROM tb WHERE a = '10110';
SELECT id FROM tb WHERE b IN (B'1011', B'0') ORDER BY id;
SELECT id FROM tb WHERE a > B'00001' ORDER BY id;
SELECT B'1' < B'10', B'10' < B'1', B'0' < B'1', B'11' > B'100000000', B'101' = B'1010', B'1' <> B'01', B'101' BETWEEN B'1' AND B'11', B'1' IS DISTINCT FROM B'01';
SELECT a FROM tb ORDER BY a DESC;
SELECT b, count(*) FROM tb GROUP BY b ORDER BY b;
SELECT DISTINCT d FROM tb ORDER BY d;
SELECT bit_and(a), bit_or(a), bit_xor(a), bit_and(b) FILTER (WHERE id = 1) FROM tb;
SELECT bit_or(x) FROM (VALUES (B'101'), (B'010'), (NULL)) v(x);
SELECT bit_or(x) FROM (VALUES (B'101'), (B'01')) v(x);
SELECT max(id) FROM tb WHERE a IS NOT NULL;
SELECT coalesce(a, B'00000'), CASE WHEN id = 1 THEN a ELSE B'1' END, nullif(a, B'10110') FROM tb ORDER BY id;
SELECT a FROM tb UNION SELECT b FROM tb WHERE id = 1 ORDER BY 1;
SELECT e, e[1], f, f[2], array_length(f, 1), B'101' = ANY (e) FROM tb ORDER BY id;
SELECT ARRAY[B'1', B'10'], ARRAY[B'1', NULL], '{1,01}'::bit(2)[], '{1,01}'::varbit[], ARRAY['1', '011']::bit(2)[], array_agg(a) FROM tb WHERE id = 1;
SELECT unnest(e) FROM tb WHERE id = 1;
SELECT x, x::bit(3) FROM (VALUES (B'1'), (B'0101')) v(x) ORDER BY 1;
SELECT attname, atttypmod, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'tb'::regclass AND attnum > 0 ORDER BY attnum;
SELECT column_name, data_type, character_maximum_length, character_octet_length, udt_name FROM information_schema.columns WHERE table_name = 'tb' ORDER BY ordinal_position;
SELECT format_type(1560, 5), format_type(1560, -1), format_type(1560, NULL), format_type(1562, 5), format_type(1562, -1), format_type(1561, 3);
-- differs: the name of the type is not placed
CREATE TABLE bad (a bit(0));
-- differs: the name of the type is not placed
CREATE TABLE bad (a varbit(0));
-- differs: the name of the type is not placed
CREATE TABLE bad (a bit(83886081));
-- differs: the name of the type is not placed
CREATE TABLE bad (a bit varying(83886081));
COPY tb (id, a, b, c, e) FROM STDIN;
20	10101	1	x0F	{111}
\.
COPY tb (id, a) FROM STDIN;
21	101
\.
COPY tb (id, b, f) FROM STDIN (FORMAT csv);
22,111,"{1,0}"
\.
COPY (SELECT * FROM tb WHERE id IN (1, 20, 22) ORDER BY id) TO STDOUT;
COPY (SELECT * FROM tb WHERE id IN (1, 20, 22) ORDER BY id) TO STDOUT (FORMAT csv);
CREATE TABLE tbd (id int, a bit(4) DEFAULT B'1010', b varbit(4) DEFAULT '11', c bit(4) DEFAULT 5::bit(4), d bit(4) DEFAULT X'F' CHECK (d > B'0000'));
INSERT INTO tbd (id) VALUES (1);
INSERT INTO tbd (id, d) VALUES (2, B'0000');
SELECT * FROM tbd;
ALTER TABLE tb ALTER b TYPE varbit(20);
ALTER TABLE tb ALTER d TYPE bit(3);
ALTER TABLE tb ALTER d TYPE bit(3) USING d::bit(3);
ALTER TABLE tb ALTER a TYPE text;
SELECT id, a, b, d FROM tb WHERE id < 3 ORDER BY id;
CREATE TABLE tb_as AS SELECT id, b, c, d, d || d AS dd, B'1' AS one FROM tb;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'tb_as'::regclass AND attnum > 0 ORDER BY attnum;
CREATE VIEW tb_view AS SELECT id, b, d FROM tb;
SELECT * FROM tb_view WHERE id = 1;
CREATE DOMAIN flags AS bit(4) CHECK (VALUE <> B'0000');
SELECT '1010'::flags, B'1'::flags;
SELECT '0000'::flags;
PREPARE tbp AS INSERT INTO tb (id, b, d) VALUES ($1, $2, $3) RETURNING b, d;
EXECUTE tbp (30, '101', B'111');
EXECUTE tbp (31, '101', '11');
SELECT json_build_object('a', B'101'), to_jsonb(B'101'), row(B'101', 1), format('%s', B'101'), array_to_string(ARRAY[B'1', B'0'], '-');
SELECT to_json(b) FROM tb WHERE id = 1;
