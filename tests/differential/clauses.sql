-- Aggregates in clauses that take none, and in queries inside of these.
create table ag(a int, b text); insert into ag values (1,'x'),(2,'y'),(2,'x');
create view va as select count(*) as n, max(a) as m from ag;
select a from ag where exists (with c as (select count(*) as n from ag) select 1 from c where n = 3) order by 1;
select a from ag where a = (select m from va) order by 1;
select a from ag where a in (select max(a) from ag) order by 1;
select a from ag where a = (select max(x) from (select sum(a) as x from ag group by b) q) order by 1;
select a from ag where exists (select from va where n = 3) order by 1;
select a from ag u where a >= (select max(v.a) from ag v where v.b = u.b) order by 1;
select b from ag group by b having max(a) > (select avg(a) from ag) order by 1;
select b, count(*) filter (where a > (select min(a) from ag)) from ag group by b order by 1;
select ag.a from ag join va on ag.a = va.m order by 1;
select ag.a from ag join lateral (select max(a) m from ag u where u.b = ag.b) l on l.m = ag.a order by 1;
select a, row_number() over (order by a, b) from ag where a = (select max(a) from ag) order by 1, 2;
select a from ag where row_number() over () = 1;
select a from ag join ag u on count(*) > 1;
select count(*) filter (where count(*) > 1) from ag;
select sum(case when a > 1 then 1 else 0 end) from ag;
with c as (select sum(a) s from ag), d as (select max(s) m from c where s > 0) select * from d where m > (select count(*) from c);
