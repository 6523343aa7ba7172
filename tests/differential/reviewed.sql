-- a table's key groups it: what only aggregates read splits no group, what the list shows is there
create table rk (id int primary key, name text, ts int, "it's" text);
insert into rk values (1, 'one', 1, 'a'), (2, 'two', 5, 'b');
create table rl (rk int, n numeric(6,2), b float8);
insert into rl values (1, 1.50, 1), (1, 2.50, 2), (2, 7.00, 3), (2, 1.00, 5);
select rk.id, max(rk.ts), count(*), sum(rl.n) from rk join rl on rl.rk = rk.id group by rk.id order by 1;
select rk.id, rk.name, max(ts) from rk join rl on rl.rk = rk.id group by rk.id having count(rk.ts) > 1 order by rk.name desc;
select rk.id, rank() over w from rk group by rk.id window w as (order by rk.name desc) order by 1;
select rk.id, (select count(*) from rl where rl.rk = rk.id and rk.ts > 2) from rk group by rk.id order by 1;
select rk.id, "it's" || rk.name || 'name' from rk group by rk.id order by rk.name;
-- keys whose values are equal though their texts differ, in aggregates of every kind and in windows
select n / 3.0, regr_slope((n / 3.0)::float8, b), regr_count(b, (n / 3.0)::float8) from rl group by n / 3.0 order by 1;
select rank() over w, count(*) from rl group by n / 3.0 window w as (order by n / 3.0 + 1) order by 1;
select n / 3.0 as q, ' SELECT ' || count(*), 'n / 3.0' from rl group by n / 3.0 order by 1;
select name || 'unnest(', count(*) from rk group by name || 'unnest(' order by 1;
select unnest(array[id, 2]) as u, count(*), 'unnest(array[id, 2])' from rk group by unnest(array[id, 2]) order by 1;
select corr(a, b), regr_slope(a, b), regr_slope(b, a), regr_intercept(a, b), regr_r2(a, b), regr_r2(b, a), regr_sxx(a, b) from (values (1.0::float8, 2.0::float8), (2, 2)) v(a, b);
select regr_slope(a, b), regr_intercept(a, b) over (order by b), corr(a, b) over () from (values (1.0::float8, 2.0::float8), (2, 3), (4, 5)) v(a, b) group by a, b order by b;
-- WITH TIES beside columns of any name
select ts as ties, id as place from rk order by ties fetch first 1 row with ties;
select id as "a, 2", ts % 2 as place from rk order by place fetch first 1 row with ties;
select id, n / 3.0 as "x, 1" from rk join rl on rl.rk = rk.id order by "x, 1" offset 1 fetch first 2 rows with ties;
-- bounds of slices
select (array[1,2,3,4])[-1:2], (array[1,2,3,4])[0:2], (array[1,2,3,4])[2:], (array[1,2,3,4])[:2], (array[1,2,3,4])[3:2], (array[1,2,3,4])[2:-1];
select id, (array[1,2,3])[id - 2:id], (array['a','b'])[:id - 2] from rk order by id;
-- centuries begin with 1
select date_trunc('century', timestamp '2024-05-06 07:08:09'), date_trunc('millennium', timestamp '2024-05-06 07:08:09'), date_trunc('decade', timestamp '2024-05-06');
select date_trunc('century', d), date_trunc('millennium', d) from (values (timestamp '2000-12-31 23:59'), ('2001-01-01'), ('1901-06-01'), ('1900-02-28'), ('2024-02-29')) v(d) order by d;
select date_trunc('century', timestamptz '2024-05-06 07:08:09+00'), date_trunc('centuries', date '1999-01-01'), date_trunc('milliseconds', timestamp '2024-05-06 07:08:09.123456');
select u, date_trunc('ms', t), date_trunc('hrs', t), date_trunc('mon', t), date_trunc('yrs', t), date_trunc('qtr', t), date_trunc('decs', t) from (values ('a', timestamp '2024-05-06 07:08:09.123456')) v(u, t);
select date_trunc('fortnight', timestamp '2024-05-06');
-- buckets
select width_bucket(5.0::float8, 10, 0, 5), width_bucket(5, 10, 0, 5), width_bucket(10.5::float8, 10, 0, 5), width_bucket(0::float8, 10, 0, 5), width_bucket(3.3::float8, 0, 10, 5);
select width_bucket(1::float8, 0, 10, 0);
select width_bucket('nan'::float8, 0, 10, 2);
select width_bucket(1::float8, 5, 5, 2);
select width_bucket(1::float8, 0, 'inf', 2);
select width_bucket(null::float8, 0, 10, 2);
select log(2, 64), log(2.0, 64.0), log(100);
-- a column and a name `rows`
select count(*) as rows from (select 1) t;
select rows from (select 1 as rows) s;
select 1 as a, rows from (select 2 as rows) s;
select * from rows from (generate_series(1, 2), generate_series(5, 6)) as r(a, b);
select r.a from rk, rows from (generate_series(1, 2)) as r(a) where r.a = rk.id order by 1;
-- rows ordered after a union
create type rpair as (a int, b text);
create table rr (p rpair);
insert into rr values ((2, 'x')), ((1, 'y'));
select p from rr union all select p from rr order by p;
-- degrees
select x, sind(x), cosd(x), tand(x) from (values (0::float8), (30), (45), (60), (90), (120), (135), (150), (180), (210), (225), (270), (300), (315), (330), (360), (390), (-30), (-45), (-90), (-120), (-180), (-210), (-270), (-330), (12.5), (77.7), (1e6), ('nan'), (null)) v(x) order by x;
select sind('inf');
-- shifts
select 1 << 31, -1 << 1, 1 << 33, 5 << 0, -8 >> 40, -8 >> 1, 7 >> 1, 1 << -1, 1 << 32;
select 1::smallint << 15, 1::smallint << 16, (-1)::smallint << 3, (-1)::smallint >> 3, 1::bigint << 63, 1::bigint << 64, (-5)::bigint << 62, (-5)::bigint >> 1, 1::bigint << 40, null::int << 2, 2 << null::int;
select id, id << 30, ts << id, id >> 1, id::bigint << 62 from rk order by id;
