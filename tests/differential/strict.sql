-- What PostgreSQL 15 refuses: subqueries without names, names twice, orders of what is not there.
select * from (select 1);
-- differs: not yet: position
select * from (values (1));
select * from (select 1) , (select 2) x;
with a as (select 1), a as (select 2) select * from a;
with recursive a as (select 1 union all select 2), a as (select 2) select * from a;
create table t (id int, a int, b text);
insert into t values (1,2,'x'),(2,1,'y'),(3,1,'x');
select distinct a from t order by b;
select distinct a from t order by a+1;
select distinct a, b from t order by b, a;
select distinct a as z from t order by z;
select distinct a+1 from t order by a+1;
select distinct on (a) a, b from t order by b, a;
select distinct on (a) a, b from t order by a, b;
select distinct on (a) a, b from t order by b;
select distinct on (a, b) id from t order by b, a, id;
select distinct on (a+1) a from t order by a+1, id;
select distinct on (1) a, b from t order by 1, 2;
select distinct on (2) a, b from t order by a;
select distinct t.a from t order by t.a;
select distinct t.a from t order by a;
select distinct on (t.a) a from t order by a, t.id;
select distinct lower(b) from t order by lower(b);
select distinct lower(b) as l from t order by lower(b) desc;
select distinct b from t order by lower(b);
select distinct on (a) a from t order by b desc, a;
select distinct a from t order by 2;
select distinct a, count(*) from t group by a order by count(*), a;
select distinct a from t group by a order by count(*);
select distinct * from t order by id;
select distinct t.* from t order by t.b, id;
-- Rows and their fields.
create type cc as (x int, y text);
select (row(1,'a')::cc).x, (row(1,'a')::cc).*;
select (t).a, (t).* from t order by id;
select (t).*, id + 1 as next from t where id = 2;
select (1).*;
-- No list.
select exists (select from t) as a, exists (select from t where false) as b, not exists (select from t where id = 2) as c;
select id from t where exists (select from t u where u.a = t.id) order by id;
-- Arguments by name.
select make_interval(days => 10) as a, make_date(year => 2020, month => 1, day => 2) as b, make_date(2020, day => 3, month => 4) as c;
select make_time(hour => 1, min => 2, sec => 3.5) as a, make_timestamp(year => 2020, month => 1, mday => 2, hour => 3, min => 4, sec => 5) as b;
select jsonb_set(jsonb_in => '{"a":1}', path => '{a}', replacement => '2') as j;
-- SQL's regular expressions.
select substring('foobar' similar '%#"o_b#"%' escape '#') as a, substring('abc' similar 'a#"%#"c' escape '#') as b, 'abc' similar to 'a%' as c;
-- Values that are equal though their texts differ.
select n/3 as q from (values (1.0),(2.0)) v(n) intersect select n/3 from (values (1.00)) w(n);
select n/3 as q from (values (1.0),(2.0),(null)) v(n) except select n/3 from (values (1.00)) w(n) order by 1;
select count(distinct n/3) as n, count(n/3) as m from (values (1.0),(1.00),(2)) v(n);
select count(distinct j) as n from (values ('{"a":1}'::jsonb),('{"a":1.0}')) v(j);
select j from (values ('{"a":1}'::jsonb)) v(j) except select '{"a":1.0}'::jsonb;
select j from (values ('{"a":1}'::jsonb), (null)) v(j) intersect select null::jsonb;
-- Aggregates of different values.
select json_agg(distinct x) as a, jsonb_agg(distinct x) as b, json_agg(distinct x order by x desc) as c from (values (3),(1),(null),(2),(1)) v(x);
select json_agg(distinct b) as a, jsonb_agg(distinct b order by b desc) as b from t;
select json_agg(distinct x) filter (where x > 5) as a from (values (3)) v(x);
-- Privileges are of what exists.
select has_table_privilege('t', 'select') as a, has_table_privilege('t', 'SELECT, INSERT WITH GRANT OPTION') as b;
select has_table_privilege('nope', 'select');
select has_table_privilege(current_user, 't', 'select') as a;
select has_table_privilege('nobody', 't', 'select');
select has_table_privilege('t', 'foo');
select has_schema_privilege('public', 'usage') as a;
select has_schema_privilege('nope', 'usage');
select has_column_privilege('t', 'a', 'select') as a;
select has_column_privilege('t', 'zz', 'select');
select has_column_privilege('nope', 'zz', 'select');
select has_sequence_privilege('nope', 'usage');
select has_type_privilege('cc', 'usage') as a, has_function_privilege('lower(text)', 'execute') as b;
select has_type_privilege('nope', 'usage');
select has_function_privilege('nope(int)', 'execute');
select has_database_privilege(current_database(), 'connect') as a;
select relname, has_table_privilege(oid, 'select') as ok from pg_class where relname = 't';
