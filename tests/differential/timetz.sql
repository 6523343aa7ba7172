-- Times with a zone: equal only where time and zone are; ordered by the moment.
SELECT '12:34:56+02'::timetz AS a, '12:34:56.789-03:30'::timetz AS b, '12:34'::timetz AS c, '24:00:00+00'::timetz AS d, '04:05 PM EST'::timetz AS e, NULL::timetz AS n;
SELECT '2024-07-01 12:00 America/New_York'::timetz AS summer, '2024-01-01 12:00 America/New_York'::timetz AS winter;
SELECT '12:00 America/New_York'::timetz;
SELECT '25:00+00'::timetz;
SELECT 'x'::timetz;
SELECT '12:00+20'::timetz;
SELECT time with time zone '10:00+01' = '09:00+00' AS a, timetz '10:00+01' < '10:00+00' AS b, timetz '10:00+00' < '11:00+01' AS c, timetz '10:00+00' > '11:00+01' AS d;
SELECT timetz '10:00+01' + interval '90 minutes' AS a, timetz '23:00+01' + interval '2 hours' AS b, timetz '01:00+01' - interval '1 day 2 hours' AS c, interval '1 hour' + timetz '10:00+01' AS d, date '2024-01-01' + timetz '10:00+01' AS e;
SELECT timetz '10:00+01'::time AS a, time '10:00'::timetz AS b, timestamptz '2024-07-01 10:00+00'::timetz AS c, timetz '10:00:00.5+05:30'::text AS d;
SELECT timetz '10:00+01' AT TIME ZONE 'UTC' AS a, timetz '10:00+01' AT TIME ZONE 'Asia/Tokyo' AS b, timezone('UTC', timetz '10:00+01') AS c;
SELECT extract(hour FROM timetz '10:20:30.5+01') AS h, extract(second FROM timetz '10:20:30.5+01') AS s, extract(timezone FROM timetz '10:20+01') AS z, extract(timezone_hour FROM timetz '10:20+05:30') AS zh, extract(timezone_minute FROM timetz '10:20+05:30') AS zm, extract(epoch FROM timetz '10:20+01') AS e;
SELECT date_part('minute', timetz '10:20+01') AS m;
SELECT extract(day FROM timetz '10:20+01');
-- differs: a typed constant's word is taken for the operand's begin
SELECT timetz '10:00+01' - timetz '09:00+01';
SET timezone = 'America/New_York';
SELECT '2024-01-01 12:34'::timetz AS here, timestamptz '2024-07-01 10:00+00'::timetz AS moment;
SET timezone = 'UTC';
CREATE TABLE shifts (id int, t timetz, l timetz[], u time with time zone DEFAULT '09:00+01');
INSERT INTO shifts VALUES (1, '10:00+00', '{10:00+01,NULL}'), (2, '11:00+01', NULL), (3, '09:00-02', NULL), (4, NULL, NULL), (5, '23:59:59.999999+14', NULL);
INSERT INTO shifts VALUES (6, 'nine', NULL);
SELECT * FROM shifts ORDER BY id;
SELECT id, t FROM shifts ORDER BY t;
SELECT min(t) AS lo, max(t) AS hi FROM shifts;
SELECT id FROM shifts WHERE t >= '10:00+00' ORDER BY id;
SELECT t, count(*) FROM shifts GROUP BY t ORDER BY t;
SELECT current_time = current_time AS same, current_time::time = localtime AS local;
