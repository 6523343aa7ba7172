-- Hashes, of which programs make the keys of locks.
SELECT hashtext('orders'), hashtext(''), hashtext(NULL), hashtext('a text of more than twelve bytes');
SELECT hashtextextended('orders', 0), hashtextextended('orders', 42), hashtextextended('', -1);
SELECT hashint4(7), hashint8(7), hashint8(-7), hashint2(7::smallint), hashint4(-1), hashoid(4000000000::oid);
SELECT hashfloat8(1.5), hashfloat8(0), hashfloat8('-0'), hashfloat4(1.5::real), hashfloat8extended(0, 5);
SELECT hashname('n'), hashbpchar('x  '), hashbpchar('x');
SELECT uuid_hash('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
SELECT x, hashtext(x), hashint8(length(x)) FROM (VALUES ('a'), ('bb'), ('ccccccccccccc')) v(x) ORDER BY x;
SELECT pg_try_advisory_lock(hashtext('job'));
SELECT pg_advisory_unlock(hashtext('job'));
SELECT pg_advisory_unlock(hashtext('job'));
SELECT pg_try_advisory_xact_lock(hashtextextended('job', 0));
SELECT pg_try_advisory_lock(1, hashtext('job')), pg_advisory_unlock(1, hashtext('job'));
-- Sizes.
SELECT x, pg_size_pretty(x), pg_size_pretty(-x) FROM (VALUES (0::bigint), (10239), (10240), (10485247), (10485248), (10736893951), (10736893952), (10994579406847), (11258449312612351), (11258449312612352), (9223372036854775807)) v(x) ORDER BY x;
SELECT pg_size_pretty(10.5), pg_size_pretty(10240.9), pg_size_pretty(-123456789.99), pg_size_pretty(1e20);
SELECT pg_size_pretty('-9223372036854775808'::bigint);
SELECT x, pg_size_bytes(x) FROM (VALUES ('1'), ('123bytes'), ('1kB'), (' 1.5 gb '), ('3 TB'), ('-.5 MB'), ('1e2 kb'), ('2PB')) v(x) ORDER BY x;
SELECT pg_size_bytes('1 EB');
SELECT pg_size_bytes('');
SELECT pg_size_bytes('9 kb x');
SELECT pg_size_bytes('9999999 PB');
SELECT pg_typeof(pg_current_xact_id()), pg_current_xact_id() IS NULL;
