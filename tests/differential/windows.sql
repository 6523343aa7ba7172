-- Frames of windows, and what their functions refuse.
select y, count(*) over (order by y range between interval '1 day' preceding and current row) from (values (timestamp '2024-01-01'),('2024-01-02'),('2024-01-05')) v(y) order by y;
select y, count(*) over (order by y range between '1 day' preceding and current row) from (values (date '2024-01-01'),('2024-01-02'),('2024-01-05')) v(y) order by y;
select y, count(*) over (order by y range between '1 day'::interval preceding and '1 day'::interval following) from (values (date '2024-01-01'),('2024-01-02'),('2024-01-05')) v(y) order by y;
select y, sum(y) over (order by y desc range between '2' preceding and '1' following) from (values (1),(2),(5),(6)) v(y) order by y;
select y, sum(y) over (order by y range '2' preceding) from (values (1::int8),(2),(5),(6)) v(y) order by y;
select y, count(*) over (order by y range between 'inf' preceding and current row) from (values (1::float8),(2),(5)) v(y) order by y;
select y, count(*) over (order by y range between 1.5 preceding and 1.5::float8 following) from (values (1::float8),(2),(5)) v(y) order by y;
select y, count(*) over (order by y range between 1 preceding and 1 following) from (values ('infinity'::float8),(2),('nan'),('-infinity')) v(y) order by y;
select y, count(*) over (order by y range between interval '1 hour' preceding and '30 min' following) from (values (time '10:00'),('10:30'),('12:00')) v(y) order by y;
select y, count(*) over (order by y range between '1 hour' preceding and current row) from (values (interval '10:00'),('10:30'),('12:00')) v(y) order by y;
select y, count(*) over (order by y range between '1 mon' preceding and current row) from (values (timestamptz '2024-01-31 10:00+00'),('2024-02-29 10:30+00'),('2024-03-31 12:00+00')) v(y) order by y;
select y, count(*) over (order by y range between 3 preceding and current row) from (values (date '2024-01-01'),('2024-01-02')) v(y) order by y;
select y, count(*) over (order by y range between 1.5 preceding and current row) from (values (1),(2),(5)) v(y) order by y;
select y, count(*) over (order by y range between '1 day'::interval preceding and current row) from (values (1),(2),(5)) v(y) order by y;
select y, count(*) over (order by y range between 1 preceding and current row) from (values ('a'),('b')) v(y) order by y;
select y, count(*) over (order by y range between -2 preceding and current row) from (values (1),(2),(5)) v(y) order by y;
select y, count(*) over (order by y rows between -2 preceding and current row) from (values (1),(2),(5)) v(y) order by y;
select y, count(*) over (order by y groups between 1 preceding and 1 following exclude ties) from (values (1),(2),(5),(5)) v(y) order by y;
-- differs: the place of a window is not known
select y, count(*) over (groups between 1 preceding and current row) from (values (1),(2),(5)) v(y) order by y;
-- differs: the place of a window is not known
select y, count(*) over (range between 1 preceding and current row) from (values (1),(2),(5)) v(y) order by y;
-- differs: the place of a window is not known
select y, count(*) over (order by y, -y range between 1 preceding and current row) from (values (1),(2),(5)) v(y) order by y;
select y, sum(y) over (order by y rows between 9223372036854775807 following and 1 following) from (values (1),(2)) v(y) order by y;
select y, sum(y) over (order by y rows between 1 following and 9223372036854775807 following) from (values (1),(2),(3)) v(y) order by y;
select y, sum(y) over (order by y rows between (2 - 1) preceding and 1 + 1 following) from (values (1),(2),(3),(4)) v(y) order by y;
select y from (values ('b'), ('c')) v(y) where y between 'a' and 'b' and y between 'b'::text and 'c'::text;
select ntile(0) over (order by y) from (values (1),(2)) v(y);
select ntile(y - 1) over (order by y) from (values (1),(2)) v(y);
select nth_value(y, 0) over (order by y) from (values (1),(2)) v(y);
select nth_value(y, y - 3) over (order by y) from (values (1),(2)) v(y);
select y, nth_value(y, 2) over (), ntile(2) over (order by y), ntile(null) over () from (values (1),(2)) v(y) order by y;
select rank() over w from (values (1)) v(y) window w as (order by y), w as (order by y desc);
select sum(y) over (order by y rows (select 1) preceding) from (values (1), (2), (3)) v(y) order by 1;
select y, sum(y) over (order by y rows y preceding) from (values (1), (2)) v(y) order by y;
