-- What programs that come from PostgreSQL found wrong.

-- Intervals that are equal and not the same.
create table inv (d date, p numeric(8,2), t timestamptz);
insert into inv values ('2024-01-31',1.5,'2024-03-09 12:00+00'),('2024-05-15',2.25,'2024-03-10 12:00+00');
select d + interval '30 days', d + interval '1 month' from inv order by 1;
select d + interval '1 year', d + interval '360 days', d + interval '12 months' from inv order by 1;
select t + interval '1 day', t + interval '24 hours' from inv order by 1;
select max(d + interval '30 days'), max(d + interval '1 month') from inv group by d order by 1;
select count(*) filter (where d + interval '30 days' < '2024-03-01'), count(*) filter (where d + interval '1 month' < '2024-03-01') from inv;
select d, count(*) over (order by d range between interval '30 days' preceding and current row) x, count(*) over (order by d range between interval '1 month' preceding and current row) y from (values (date '2024-01-31'),(date '2024-02-29'),(date '2024-03-01')) v(d) order by 1;
select d + make_interval(days=>30), d + make_interval(months=>1), d + 2 * interval '15 days', d - interval '-1 month', d - (- interval '1 month'), d+(interval '1 month' + '1 day'), d+interval '31 days' from inv order by 1;
select interval '1 month' * 2, interval '1 month' * 1.5, -interval '1 day 2 hours', interval '1 day' - '1 hour', make_interval(1,2,3,4,5,6,7);
select d + interval '1 month', count(*) from inv where d + interval '30 days' > '2024-01-01' group by d + interval '1 month' order by d + interval '1 month';
create view iv as select d + interval '30 days' as a, d + interval '1 month' as b from inv;
select * from iv order by 1;
create table ck (d date, g date generated always as ((d + interval '1 month')::date) stored, check (d + interval '30 days' > '2024-01-01'), check (d + interval '1 month' > '2024-01-01'));
insert into ck values ('2024-01-31');
select * from ck;
create table dd (a interval default '1 day', b interval default '24 hours');
insert into dd default values;
select * from dd;
insert into dd select '30 days'::interval, '1 month' from inv;
select a::text,b::text from dd order by 1;
select '1 month'::interval = '30 days'::interval, interval '1 month' in ('30 days'), array['1 month'::interval, '30 days'];
select case when d < '2024-03-01' then d + interval '1 month' else d + interval '30 days' end from inv order by 1;
-- NULL keeps its type.
select p * null::numeric, pg_typeof(p*null) from inv;
create table nn as select p*null::numeric a, p*null b, null::int * 1.5 c from inv;
select pg_typeof(a), pg_typeof(b), pg_typeof(c) from nn;
prepare q1 as select p*$1 from inv order by 1;
execute q1(2);
execute q1(null);
prepare q2(numeric, int, timestamptz) as select -$1, abs($1), $2*1.5, extract(epoch from $3), round(p*$1,2), $1+1 from inv order by p;
execute q2(2.5,3,'2024-01-01');
execute q2(null,null,null);
prepare q3(interval,interval) as select d+$1,d+$2,d+interval '30 days' from inv order by 1;
execute q3('30 days','1 month');
execute q3('1 month','30 days');
execute q3(null,'30 days');
prepare q4(int) as select * from inv where ($1 is null or p > $1) limit $1;
execute q4(1);
execute q4(null);
prepare q5(int[]) as select * from inv where p = any($1);
execute q5('{1}');
execute q5(null);
prepare q6(int) as select sum(p) over (order by d rows $1 preceding) from inv;
execute q6(1);
prepare q7(int,int) as select * from generate_series($1,$2) g;
execute q7(1,2);execute q7(null,2);
select extract(epoch from null::timestamptz);
-- Instants are subtracted, not the days of the session's zone.
create table dst (a timestamptz, b timestamptz);
insert into dst values ('2024-03-09 12:00-05', '2024-03-10 12:00-04'), ('2024-11-02 12:00-04', '2024-11-04 13:00-05'), (null, '2024-01-01');
set timezone = 'America/New_York';
select b - a, a - b, b - a::timestamp, b - '2024-03-09 12:00-05' as l, b::date - a from dst order by a;
select sum(b - a), avg(b - a), min(b - a), max(b-a) from dst;
select date_part('day', b - '2024-03-09 12:00:00-05'), extract(epoch from b - a) from dst order by a;
select b - lag(b) over (order by b) from dst order by b;
select '2024-03-11'::timestamptz - '2024-03-10'::timestamptz as z, timestamptz '2024-03-11' - interval '1 day' as y, age(timestamptz '2024-03-11', timestamptz '2024-03-10') as w;
set timezone = 'UTC';
-- A transaction reads its rows after it widened a column.
create table wid (a int, f real, v varchar(3), n numeric(4,2), s smallint, k int);
begin;
insert into wid values (1, 1.5, 'abc', 1.25, 7, 1);
alter table wid alter a type bigint, alter f type float8, alter v type text, alter n type numeric(10,2), alter s type int;
insert into wid values (5000000000, 2.5, 'abcdef', 123456.5, 70000, 2);
select * from wid order by k;
alter table wid alter s type bigint;
alter table wid drop column f;
select * from wid order by k;
savepoint a;
alter table wid alter n type numeric(12,4);
select * from wid order by k;
rollback to a;
select * from wid order by k;
commit;
select * from wid order by k;
-- Defaults of arrays.
create table ard (id int, t text[] default '{}', u text[] default '{a,"b c",NULL}', i int[] default array[1,2], b bytea default '\xdead');
select attname, pg_get_expr(adbin, adrelid) from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where adrelid = 'ard'::regclass order by attnum;
select column_name, column_default from information_schema.columns where table_name = 'ard' order by ordinal_position;
alter table ard add column e text[] default '{x}';
insert into ard (id) values (1);
alter table ard alter e type varchar[] , alter t type varchar(20)[], alter i type bigint[];
insert into ard (id) values (2);
select id, t, u, i, b, e from ard order by id;
-- Groups of what a function gives.
create table ev (id int, tags text[], j jsonb, w text);
insert into ev values (1, '{a,b}', '{"x":1,"y":2}', 'p,q'), (2, '{b,c}', '{"y":1}', 'q'), (3, '{}', '{}', ''), (4, null, null, null);
select unnest(tags) t, count(*) from ev group by 1 order by 1;
select unnest(tags) as tag, count(*), sum(id) from ev where id < 3 group by tag having count(*) > 1 order by tag;
select unnest(tags) from ev group by unnest(tags) order by 1;
select upper(unnest(tags)) u, max(id) from ev group by 1 order by count(*) desc, u;
select jsonb_object_keys(j) k, count(*) from ev group by k order by k;
select regexp_split_to_table(w, ',') k, count(*) from ev group by k order by k;
select generate_series(1, id) g, count(*) from ev group by g order by g;
select generate_series(1, 3) g, count(*) group by g order by g;
select unnest(tags) t, unnest(array[1,2,3]) u, count(*) from ev group by 1, 2 order by 1, 2;
select id % 2 as odd, unnest(tags) t, count(*) from ev group by 1, 2 order by 1, 2;
select e.id, unnest(f.tags) t, count(*) from ev e left join ev f on f.id = e.id + 1 group by e.id, t order by 1, 2;
select distinct unnest(tags) t, count(*) from ev group by 1 order by 1;
select unnest(array_agg(id)) i, tags from ev group by tags order by 1;
select id, unnest(tags) from ev order by 1, 2;
select (select count(*) from (select unnest(e.tags) t group by 1) x) c from ev e order by id;
select unnest(tags) t, count(*) from ev group by rollup(1) order by 1;
-- Zones by their offsets; POSIX counts westwards.
set timezone = 2;
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = '+02';
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = '-02';
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = '+02:00';
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = 'GMT+5';
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = 'UTC+2';
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = '<+03>-03';
show timezone;
select timestamptz '2024-01-01 00:00+00';
set timezone = 'EST5EDT';
show timezone;
select timestamptz '2024-07-01 00:00+00';
set timezone = 'FOO+5';
show timezone;
select timestamptz '2024-07-01 00:00+00';
set time zone -7;
show timezone;
select timestamptz '2024-01-01 00:00+00', timestamptz '2024-01-01 00:00', '2024-01-01 00:00'::timestamp::timestamptz;
set time zone interval '+02:00' hour to minute;
show timezone;
select timestamptz '2024-01-01 00:00+00';
set time zone interval '+02:00';
show timezone;
select now() is not null, date_trunc('day', timestamptz '2024-01-01 23:00+00');
set time zone interval '1 month';
set time zone interval '1 day';
set time zone 'UTC';
set timezone = 200;
select timestamptz '2024-01-01 00:00+00' at time zone '+03', timestamptz '2024-01-01 00:00+00' at time zone '-03:30', timestamptz '2024-01-01 00:00+00' at time zone interval '3 hours', timestamp '2024-01-01' at time zone interval '-3 hours 30 minutes', timestamptz '2024-01-01 00:00+00' at time zone 'GMT+5', timestamptz '2024-01-01 00:00+00' at time zone 'EST', timestamptz '2024-07-01 00:00+00' at time zone '<+03>-03';
select timestamp '2024-01-01' at time zone '+03', timestamptz '2024-01-01 00:00+00' at time zone 'MSK', timestamptz '2024-01-01 00:00+00' at time zone 'PST8PDT', timestamptz '2024-01-01 00:00+00' at time zone 'z', timestamp '2024-01-01' at time zone 'UTC';
select timestamptz '2024-01-01 00:00+00' at time zone 'nowhere';
select timestamptz '2024-01-01 00:00+00' at time zone interval '1 day';
select timestamptz '2024-01-01 00:00+00' at time zone interval '1 month';
select timezone('+03', timestamptz '2024-01-01 00:00+00'), timezone(interval '3 hours', timestamptz '2024-01-01 00:00+00');
-- differs: whole hours alone have a name in the engine
set timezone = -3.5;
set timezone = 'UTC';
-- Types of the catalog: casts are those of pg_cast.
create table ch (i int, b bigint, t text, f float8, bo bool, n numeric, s smallint, d date);
insert into ch values (400, 5000000000, 'xyz', 1.5, true, 3.7, -1, '2024-01-01');
select 'abc'::"char", 65::"char", t::"char" from ch;
select i::"char" from ch;
select 127::"char", (-1)::"char";
select 200::"char";
-- differs: not yet: position
select b::"char" from ch;
-- differs: not yet: position
select s::"char" from ch;
-- differs: not yet: position
select f::"char" from ch;
-- differs: not yet: position
select bo::"char" from ch;
-- differs: not yet: position
select n::"char" from ch;
-- differs: not yet: position
select d::"char" from ch;
-- differs: not yet: position
select 'A'::"char"::int, 'A'::"char"::text, 'A'::"char"::bigint;
-- differs: not yet: position
select 'A'::"char"::smallint;
select i::oid, s::oid from ch;
select b::oid from ch;
select 4294967295::oid, 4294967296::oid;
select 4294967296::bigint::oid;
select (-1)::bigint::oid;
select (-1)::oid, (-1)::int::oid;
-- differs: not yet: position
select f::oid from ch;
-- differs: not yet: position
select n::oid from ch;
-- differs: not yet: position
select bo::oid from ch;
-- differs: not yet: position
select d::oid from ch;
select t::oid from ch;
select 'x'::oid;
select '4294967296'::oid;
select 12::oid::int, 12::oid::bigint, 12::oid::text, 4294967295::oid::bigint, 4294967295::oid::int;
-- differs: not yet: position
select 12::oid::smallint;
-- differs: not yet: position
select 12::oid::numeric;
-- differs: not yet: position
select 12::oid::float8;
select true::name, 12::name, '10.0.0.1'::inet::name, 1.5::name, '2024-01-01'::date::name, '{1}'::int[]::name;
select 12::regclass, 12::oid::regclass, 'pg_class'::regclass::oid, 'pg_class'::regclass::int;
-- differs: not yet: position
select 1.5::regclass;
-- differs: not yet: position
select true::regclass;
create table c1 (c "char", o oid);
insert into c1 values ('x', 5), ('xyz', 4294967295);
insert into c1 (c) values (65);
-- differs: not yet: position
insert into c1 (c) select i from ch;
insert into c1 (c) select t from ch;
-- differs: not yet: position
insert into c1 (c) select bo from ch;
insert into c1 (o) values (1.5);
-- differs: not yet: position
insert into c1 (o) select f from ch;
insert into c1 (o) select b from ch;
insert into c1 (o) select i from ch;
-- differs: not yet: position
insert into c1 (o) select t from ch;
insert into c1 (o) values ('7');
insert into c1 (o) values (-1);
insert into c1 (o) values (5000000000);
select * from c1 order by o, c;
create table al (a int, b text, c bigint, d numeric, e bool, f int);
insert into al values (400, 'hello', 5000000000, 1.5, true, 66);
alter table al alter a type "char";
alter table al alter a type "char" using a::"char";
alter table al alter f type "char" using f::"char";
alter table al alter b type "char";
alter table al alter c type oid;
alter table al alter d type oid;
alter table al alter e type oid;
alter table al alter e type "char";
alter table al alter e type name;
select a, b, c, e, f from al;
-- Foreign keys: information, and still what they say.
create table fa (id int primary key, code text unique, n int, m int);
create unique index fa_nm on fa (n, m);
create table fb (id int primary key, a int references fa, c text references fa (code) on delete cascade on update set null, n int, m int, constraint fb_nm foreign key (n, m) references fa (n, m) match full on delete set default deferrable initially deferred);
create table fc (a int constraint fc_a references fa on delete restrict deferrable, p int references fc (q), q int unique);
select conname, contype, confupdtype, confdeltype, confmatchtype, condeferrable, condeferred, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conname;
select constraint_name, match_option, update_rule, delete_rule, unique_constraint_name from information_schema.referential_constraints order by constraint_name;
create table fx (a text references fa (id));
create table fx (a int references fa (n));
create table fx (a int, foreign key (a) references fa (m, n));
create table fn (id int);
create table fx (a int references fn);
create table fx (a int references fn (id));
create table fx (a int, b int, foreign key (a, b) references fa);
create table fx (a bigint references fa (id), b varchar(4) references fa (code));
alter table fn add constraint fn_f foreign key (id) references fa (m);
alter table fn add constraint fn_f foreign key (id) references fa (code);
alter table fn add constraint fn_f foreign key (id) references fa (id) on update cascade not deferrable;
-- differs: not yet: position
create table fy (a int references fa not deferrable initially deferred);
drop table fa;
drop table fa, fb;
alter table fa rename to fz;
alter table fz rename column code to kode;
select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conname;
alter table fz drop column kode;
alter table fz drop column kode cascade;
select conname from pg_constraint where contype = 'f' order by conname;
begin;
drop table fz cascade;
select conname from pg_constraint where contype = 'f' order by conname;
rollback;
drop table fz, fb, fc, fx, fn;
select conname from pg_constraint where contype = 'f' order by conname;
create schema fs;
create table fs.t (id int primary key);
create table ft (id int references fs.t);
drop schema fs;
alter table fs.t rename to u;
select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conname;
alter table fs.u set schema public;
select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conname;
alter table u set schema fs;
drop schema fs cascade;
select conname from pg_constraint where contype = 'f' order by conname;
insert into ft values (1);
-- Elements of arrays take another type.
create table arr (id int, i int[]);
insert into arr values (1, '{1,2}');
alter table arr alter i type bigint[];
insert into arr values (2, '{5000000000}');
select i, pg_typeof(i) from arr order by id;
alter table arr alter i type text[];
insert into arr values (3, '{a}');
select i, pg_typeof(i) from arr order by id;
-- Digits, names, rows.
create table am (id int, amt numeric(10,2), placed timestamptz);
insert into am values (1, 1.5, '2024-01-01 10:00+00'), (2, null, '2024-01-01 09:00+00'), (3, 2.25, '2024-01-02 00:00+00');
select sum(x) from (values (1),(2.5),(null)) v(x);
-- differs: the largest scale of those that meet
select x from (values (1),(2.5),(null)) v(x);
select placed, placed::date from am order by placed;
select placed as p, id as p from am order by p;
select placed, placed from am order by placed;
select row(e.*)::text from am e order by id;
select row(e.*, 1)::text from am e order by id;
-- differs: not supported
with recursive t(n) as (select 1 union all select n+1 from t where n < 3) search depth first by n set o select * from t;
-- differs: not supported
with recursive t(n) as (select 1 union all select n+1 from t where n < 3) cycle n set c using p select * from t;
create table ge (a int, b int generated always as (a * 2) stored);
-- differs: not supported
alter table ge alter b drop expression;
