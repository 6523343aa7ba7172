//! Macros that the engine must have before the first query: Postgres' functions written in DuckDB's SQL.

/// `CREATE MACRO` statements, in order; for the trusted connection of each worker, once at start.
pub const MACROS: &[&str] = &[
    // The number tells calls apart.
    "CREATE OR REPLACE MACRO pg_random(n) AS random()",
    "CREATE OR REPLACE MACRO pg_random_uuid(n) AS gen_random_uuid()",
    "CREATE OR REPLACE MACRO pg_name(s) AS CASE WHEN contains(s, '\"') THEN replace(regexp_replace(trim(s), '\\s*\\.\\s*', '.', 'g'), '\"', '') ELSE lower(regexp_replace(trim(s), '\\s*\\.\\s*', '.', 'g')) END",
    "CREATE OR REPLACE MACRO pg_text_float(x) AS CASE WHEN isnan(x) THEN 'NaN' \
     WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END \
     WHEN abs(x) >= 1e15 AND abs(x) < 1e16 THEN CASE WHEN x < 0 THEN '-' ELSE '' END || left(CAST(CAST(abs(x) AS BIGINT) AS VARCHAR), 1) \
     || rtrim(rtrim('.' || substr(CAST(CAST(abs(x) AS BIGINT) AS VARCHAR), 2), '0'), '.') || 'e+15' \
     ELSE regexp_replace(CAST(x AS VARCHAR), '\\.0$', '') END",
    "CREATE OR REPLACE MACRO pg_real(x) AS CASE WHEN CAST(x AS FLOAT) = 0 AND x <> 0 THEN error('SQLSTATE 22003: value out of range: underflow') \
     ELSE CAST(x AS FLOAT) END",
    "CREATE OR REPLACE MACRO pg_interval_time(t) AS \
     (CASE WHEN t < 0 THEN '-' ELSE '' END) || lpad(CAST(abs(t) // 3600000000 AS VARCHAR), CAST(greatest(2, length(CAST(abs(t) // 3600000000 AS VARCHAR))) AS INTEGER), '0') \
     || ':' || lpad(CAST((abs(t) // 60000000) % 60 AS VARCHAR), 2, '0') || ':' || lpad(CAST((abs(t) // 1000000) % 60 AS VARCHAR), 2, '0') \
     || (CASE WHEN abs(t) % 1000000 = 0 THEN '' ELSE '.' || rtrim(lpad(CAST(abs(t) % 1000000 AS VARCHAR), 6, '0'), '0') END)",
    "CREATE OR REPLACE MACRO pg_interval_text(y, m, d, t) AS CASE WHEN y = 0 AND m = 0 AND d = 0 AND t = 0 THEN '00:00:00' ELSE concat_ws(' ', \
     CASE WHEN y <> 0 THEN y || CASE WHEN y = 1 THEN ' year' ELSE ' years' END END, \
     CASE WHEN m <> 0 THEN CASE WHEN y < 0 AND m > 0 THEN '+' ELSE '' END || m || CASE WHEN m = 1 THEN ' mon' ELSE ' mons' END END, \
     CASE WHEN d <> 0 THEN CASE WHEN d > 0 AND (m < 0 OR (m = 0 AND y < 0)) THEN '+' ELSE '' END || d || CASE WHEN d = 1 THEN ' day' ELSE ' days' END END, \
     CASE WHEN t <> 0 THEN CASE WHEN t > 0 AND (d < 0 OR (d = 0 AND (m < 0 OR (m = 0 AND y < 0)))) THEN '+' ELSE '' END \
     || pg_interval_time(t) END) END",
    "CREATE OR REPLACE MACRO pg_text_interval(x) AS CASE WHEN x IS NOT NULL THEN pg_interval_text(extract('year' FROM x), extract('month' FROM x), extract('day' FROM x), \
     extract('hour' FROM x) * 3600000000 + extract('minute' FROM x) * 60000000 + extract('microsecond' FROM x)) END",
    "CREATE OR REPLACE MACRO pg_interval_parts(x) AS CASE WHEN x IS NOT NULL THEN concat_ws(' ', extract('year' FROM x) * 12 + extract('month' FROM x), \
     extract('day' FROM x), extract('hour' FROM x) * 3600000000 + extract('minute' FROM x) * 60000000 + extract('microsecond' FROM x)) END",
    "CREATE OR REPLACE MACRO pg_text_decimal(t) AS CASE WHEN starts_with(t, '.') THEN '0' || t WHEN starts_with(t, '-.') THEN '-0' || substr(t, 2) ELSE t END",
    "CREATE OR REPLACE MACRO pg_upper(s) AS CASE WHEN contains(s, 'ß') THEN array_to_string(list_transform(string_split(s, 'ß'), lambda p: upper(p)), 'ß') ELSE upper(s) END",
    "CREATE OR REPLACE MACRO pg_text_bytea(x) AS '\\x' || lower(hex(x))",
    "CREATE OR REPLACE MACRO pg_text_time(t) AS CASE WHEN contains(t, '(BC)') THEN replace(t, ' (BC)', '') || ' BC' ELSE t END",
    "CREATE OR REPLACE MACRO pg_text_timestamptz(x) AS pg_text_time(CAST(x AS VARCHAR))",
    "CREATE OR REPLACE MACRO pg_text_element(v) AS CASE WHEN v IS NULL THEN 'NULL' \
     WHEN v = '' OR upper(v) = 'NULL' OR regexp_matches(v, '[{},\"\\\\\\s\\v]') THEN '\"' || replace(replace(v, '\\', '\\\\'), '\"', '\\\"') || '\"' ELSE v END",
    "CREATE OR REPLACE MACRO pg_text_array(x) AS CASE WHEN x IS NOT NULL THEN \
     '{' || COALESCE(array_to_string(list_transform(CAST(x AS VARCHAR[]), lambda v: pg_text_element(v)), ','), '') || '}' END",
    "CREATE OR REPLACE MACRO pg_initcap(s) AS array_to_string(list_transform(regexp_extract_all(s, '[\\p{L}\\p{N}]+|[^\\p{L}\\p{N}]+'), lambda w: upper(left(w, 1)) || lower(substr(w, 2))), '')",
    "CREATE OR REPLACE MACRO pg_lpad(s, n, f) AS CASE WHEN n <= 0 THEN left(s || f, 0) WHEN n > 268435453 THEN error('SQLSTATE 54000: requested length too large') WHEN f = '' OR length(s) >= n THEN left(s, n) ELSE lpad(s, n, f) END",
    "CREATE OR REPLACE MACRO pg_rpad(s, n, f) AS CASE WHEN n <= 0 THEN left(s || f, 0) WHEN n > 268435453 THEN error('SQLSTATE 54000: requested length too large') WHEN f = '' OR length(s) >= n THEN left(s, n) ELSE rpad(s, n, f) END",
    "CREATE OR REPLACE MACRO pg_repeat(s, n) AS CASE WHEN strlen(s) * CAST(greatest(n, 0) AS BIGINT) > 1073741819 THEN error('SQLSTATE 54000: requested length too large') \
     ELSE repeat(s, greatest(n, 0)) END",
    "CREATE OR REPLACE MACRO pg_substr(s, f) AS CASE WHEN f IS NOT NULL THEN substr(s, greatest(f, 1)) END",
    "CREATE OR REPLACE MACRO pg_substring(s, f, n) AS CASE WHEN n < 0 THEN error('SQLSTATE 22011: negative substring length not allowed') \
     WHEN f IS NOT NULL AND n IS NOT NULL THEN substr(s, greatest(f, 1), greatest(CAST(f AS BIGINT) + n - greatest(f, 1), 0)) END",
    "CREATE OR REPLACE MACRO pg_chr(n) AS CASE WHEN n = 0 THEN error('SQLSTATE 54000: null character not permitted') \
     WHEN n < 0 THEN error('SQLSTATE 22023: character number must be positive') \
     WHEN n > 1114111 THEN error('SQLSTATE 54000: requested character too large for encoding: ' || n) \
     WHEN n BETWEEN 55296 AND 57343 THEN error('SQLSTATE 54000: requested character not valid for encoding: ' || n) ELSE chr(n) END",
    "CREATE OR REPLACE MACRO pg_convert_from(b) AS CASE WHEN contains(decode(b), chr(0)) \
     THEN error('SQLSTATE 22021: invalid byte sequence for encoding \"UTF8\": 0x00') ELSE decode(b) END",
    "CREATE OR REPLACE MACRO pg_to_hex(n) AS lower(to_hex(CASE WHEN n < 0 THEN CAST(n AS BIGINT) + 4294967296 ELSE CAST(n AS BIGINT) END))",
    "CREATE OR REPLACE MACRO pg_quote_literal(s) AS CASE WHEN contains(s, '\\') THEN 'E''' || replace(replace(s, '\\', '\\\\'), '''', '''''') || '''' ELSE '''' || replace(s, '''', '''''') || '''' END",
    "CREATE OR REPLACE MACRO pg_string_to_array(s, d) AS CASE WHEN s IS NULL THEN NULL WHEN s = '' THEN CAST([] AS VARCHAR[]) WHEN d IS NULL THEN string_split(s, '') WHEN d = '' THEN [s] ELSE string_split(s, d) END",
    // The engine's `array_to_string` takes no separator that is another one in each row.
    "CREATE OR REPLACE MACRO pg_joined(texts, d) AS substr(COALESCE(array_to_string(list_transform(texts, lambda t: d || t), ''), ''), length(d) + 1)",
    // For separators that are constants. Nothing comes first: an array of NULLs alone is an empty text then.
    "CREATE OR REPLACE MACRO pg_array_joined(a, d) AS substr(array_to_string([''] || CAST(a AS VARCHAR[]), d), length(d) + 1)",
    "CREATE OR REPLACE MACRO pg_array_to_string(a, d) AS CASE WHEN a IS NOT NULL AND d IS NOT NULL THEN pg_joined(list_filter(CAST(a AS VARCHAR[]), lambda v: v IS NOT NULL), d) END",
    "CREATE OR REPLACE MACRO pg_array_to_string_null(a, d, n) AS CASE WHEN a IS NOT NULL AND d IS NOT NULL THEN pg_joined(list_filter(list_transform(CAST(a AS VARCHAR[]), lambda v: COALESCE(v, n)), lambda v: v IS NOT NULL), d) END",
    "CREATE OR REPLACE MACRO pg_trunc(x, n) AS sign(x) * floor(abs(x) * pow(10, n)) / pow(10, n)",
    "CREATE OR REPLACE MACRO pg_shifted(x, m) AS CASE WHEN x >= m // 2 THEN x - m ELSE x END",
    "CREATE OR REPLACE MACRO pg_shift_left(a, n, mask, m) AS pg_shifted(((CAST(a AS HUGEINT) * (CAST(1 AS HUGEINT) << CAST(n & mask AS HUGEINT))) % m + m) % m, m)",
    "CREATE OR REPLACE MACRO pg_sin_quarter(x) AS CASE WHEN x <= 30 THEN sin(radians(x)) / sin(radians(30.0)) / 2 ELSE 1 - (1 - cos(radians(90 - x))) / (1 - cos(radians(60.0))) / 2 END",
    "CREATE OR REPLACE MACRO pg_cos_quarter(x) AS pg_sin_quarter(90 - x)",
    "CREATE OR REPLACE MACRO pg_half(x) AS CASE WHEN x > 180 THEN 360 - x ELSE x END",
    "CREATE OR REPLACE MACRO pg_quarter(x) AS CASE WHEN x > 90 THEN 180 - x ELSE x END",
    "CREATE OR REPLACE MACRO pg_turn(x) AS CASE WHEN isinf(x) THEN error('SQLSTATE 22003: input is out of range') ELSE abs(x) % 360 END",
    "CREATE OR REPLACE MACRO pg_sind(x) AS CASE WHEN isnan(x) THEN x ELSE pg_sin_quarter(pg_quarter(pg_half(pg_turn(x)))) * CASE WHEN (x < 0) <> (pg_turn(x) > 180) THEN -1 ELSE 1 END END",
    "CREATE OR REPLACE MACRO pg_cosd(x) AS CASE WHEN isnan(x) THEN x ELSE pg_cos_quarter(pg_quarter(pg_half(pg_turn(x)))) * CASE WHEN pg_half(pg_turn(x)) > 90 THEN -1 ELSE 1 END END",
    "CREATE OR REPLACE MACRO pg_tan_quarter(x) AS CASE WHEN x = 90 THEN CAST('inf' AS DOUBLE) ELSE (pg_sin_quarter(x) / pg_cos_quarter(x)) / (pg_sin_quarter(45.0) / pg_cos_quarter(45.0)) END",
    "CREATE OR REPLACE MACRO pg_tand(x) AS CASE WHEN isnan(x) THEN x ELSE pg_tan_quarter(pg_quarter(pg_half(pg_turn(x)))) \
     * CASE WHEN ((x < 0) <> (pg_turn(x) > 180)) <> (pg_half(pg_turn(x)) > 90) THEN -1 ELSE 1 END + 0.0 END",
    "CREATE OR REPLACE MACRO pg_width_bucket(x, lo, hi, n) AS CAST(CASE WHEN n <= 0 THEN error('SQLSTATE 2201G: count must be greater than zero') \
     WHEN isnan(x) OR isnan(lo) OR isnan(hi) THEN error('SQLSTATE 2201G: operand, lower bound, and upper bound cannot be NaN') \
     WHEN isinf(lo) OR isinf(hi) THEN error('SQLSTATE 2201G: lower and upper bounds must be finite') \
     WHEN lo = hi THEN error('SQLSTATE 2201G: lower bound cannot equal upper bound') \
     WHEN x IS NULL OR lo IS NULL OR hi IS NULL THEN NULL \
     WHEN lo < hi THEN CASE WHEN x < lo THEN 0 WHEN x >= hi THEN n + 1 ELSE floor((x - lo) / (hi - lo) * n) + 1 END \
     WHEN x > lo THEN 0 WHEN x <= hi THEN n + 1 ELSE floor((lo - x) / (lo - hi) * n) + 1 END AS INTEGER)",
    "CREATE OR REPLACE MACRO pg_trunc_years(x, n, f) AS CASE WHEN isfinite(x) \
     THEN CAST(date_trunc('year', x) AS TIMESTAMP) - to_years(CAST((((year(x) - f) % n) + n) % n AS INTEGER)) ELSE x END",
    "CREATE OR REPLACE MACRO pg_is_clock(u) AS u IN ('hour', 'hours', 'h', 'hr', 'hrs', 'minute', 'minutes', 'm', 'min', 'mins', 'second', 'seconds', 's', 'sec', 'secs', \
     'millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds', 'microsecond', 'microseconds', 'us', 'usec', 'usecs', 'usecond', 'useconds')",
    "CREATE OR REPLACE MACRO pg_trunc_clock(u, x, l) AS CASE WHEN isfinite(x) THEN x - to_microseconds(epoch_us(l) - epoch_us(date_trunc(u, l))) ELSE x END",
    "CREATE OR REPLACE MACRO pg_date_trunc(u, x) AS CASE WHEN u IN ('dec', 'decs', 'decade', 'decades') THEN pg_trunc_years(x, 10, 0) \
     WHEN u IN ('c', 'cent', 'century', 'centuries') THEN pg_trunc_years(x, 100, 1) \
     WHEN u IN ('mil', 'mils', 'millennia', 'millennium') THEN pg_trunc_years(x, 1000, 1) ELSE date_trunc(u, x) END",
    "CREATE OR REPLACE MACRO pg_make_year(y, m, d) AS CASE WHEN y = 0 \
     THEN error('SQLSTATE 22008: date field value out of range: 0-' || lpad(CAST(m AS VARCHAR), 2, '0') || '-' || lpad(CAST(d AS VARCHAR), 2, '0')) \
     WHEN y < 0 THEN y + 1 ELSE y END",
    "CREATE OR REPLACE MACRO pg_make_date(y, m, d) AS make_date(pg_make_year(y, m, d), m, d)",
    "CREATE OR REPLACE MACRO pg_make_timestamp(y, m, d, h, i, s) AS make_timestamp(pg_make_year(y, m, d), m, d, h, i, s)",
    "CREATE OR REPLACE MACRO pg_interval_micros(x) AS extract('hour' FROM x) * 3600000000 + extract('minute' FROM x) * 60000000 + extract('microsecond' FROM x)",
    "CREATE OR REPLACE MACRO pg_date_moved(d) AS CASE WHEN isfinite(d) AND (d > DATE '5874897-12-31' OR d < DATE '4714-11-24 (BC)') \
     THEN error('SQLSTATE 22008: date out of range') ELSE d END",
    // What an interval is compared by: a month is 30 days.
    "CREATE OR REPLACE MACRO pg_interval_key(x) AS (CAST(extract('year' FROM x) * 12 + extract('month' FROM x) AS HUGEINT) * 30 + extract('day' FROM x)) \
     * 86400000000 + pg_interval_micros(x)",
    // Months, days and the time are added one after another, whatever their signs.
    // In the local calendar, as Postgres does: of a local time that comes twice the engine would take the first.
    "CREATE OR REPLACE MACRO pg_instant_months(t, n) AS CASE WHEN n = 0 THEN t ELSE CAST(CAST(t AS TIMESTAMP) + to_months(n) AS TIMESTAMPTZ) END",
    "CREATE OR REPLACE MACRO pg_instant_days(t, n) AS CASE WHEN n = 0 THEN t ELSE CAST(CAST(t AS TIMESTAMP) + to_days(n) AS TIMESTAMPTZ) END",
    "CREATE OR REPLACE MACRO pg_instant_plus(t, x) AS pg_instant_days(pg_instant_months(t, CAST(extract('year' FROM x) * 12 + extract('month' FROM x) AS INTEGER)), \
     CAST(extract('day' FROM x) AS INTEGER)) + to_microseconds(pg_interval_micros(x))",
    "CREATE OR REPLACE MACRO pg_instant_minus(t, x) AS pg_instant_days(pg_instant_months(t, -CAST(extract('year' FROM x) * 12 + extract('month' FROM x) AS INTEGER)), \
     -CAST(extract('day' FROM x) AS INTEGER)) - to_microseconds(pg_interval_micros(x))",
    "CREATE OR REPLACE MACRO pg_bin_stride(x) AS CASE WHEN extract('year' FROM x) <> 0 OR extract('month' FROM x) <> 0 \
     THEN error('SQLSTATE 0A000: timestamps cannot be binned into intervals containing months or years') \
     WHEN abs(extract('day' FROM x)) > 106751990 THEN error('SQLSTATE 22008: interval out of range') \
     WHEN extract('day' FROM x) * 86400000000 + pg_interval_micros(x) <= 0 THEN error('SQLSTATE 22008: stride must be greater than zero') \
     ELSE extract('day' FROM x) * 86400000000 + pg_interval_micros(x) END",
    "CREATE OR REPLACE MACRO pg_bin_micros(d, n) AS d - ((d % n) + n) % n",
    "CREATE OR REPLACE MACRO pg_date_bin(x, t, o) AS CASE WHEN isfinite(t) \
     THEN make_timestamp(epoch_us(o) + pg_bin_micros(epoch_us(t) - epoch_us(o), pg_bin_stride(x))) ELSE t END",
    "CREATE OR REPLACE MACRO pg_to_timestamp(x) AS CASE WHEN isnan(x) THEN error('SQLSTATE 22008: timestamp cannot be NaN') \
     WHEN isinf(x) THEN CASE WHEN x > 0 THEN CAST('infinity' AS TIMESTAMPTZ) ELSE CAST('-infinity' AS TIMESTAMPTZ) END ELSE to_timestamp(x) END",
    "CREATE OR REPLACE MACRO pg_to_seconds(x) AS CASE WHEN isfinite(x) OR x IS NULL THEN to_seconds(x) \
     ELSE error('SQLSTATE 22008: interval out of range') END",
    "CREATE OR REPLACE MACRO pg_days_between(a, b) AS CASE WHEN isfinite(a) AND isfinite(b) THEN CAST(a - b AS INTEGER) \
     WHEN a IS NOT NULL AND b IS NOT NULL THEN error('SQLSTATE 22008: cannot subtract infinite dates') END",
    // An interval leaves the engine in nanoseconds.
    "CREATE OR REPLACE MACRO pg_interval_sent(x) AS CASE WHEN abs(extract('hour' FROM x)) > 2562046 \
     THEN error('SQLSTATE 0A000: an interval of more than 2562046 hours is not supported as a result, justify_hours() makes days of them') ELSE x END",
    "CREATE OR REPLACE MACRO pg_asin_quarter(x) AS CASE WHEN x <= 0.5 THEN asin(x) / asin(CAST(0.5 AS DOUBLE)) * 30 \
     ELSE 90 - acos(x) / acos(CAST(0.5 AS DOUBLE)) * 60 END",
    "CREATE OR REPLACE MACRO pg_acos_quarter(x) AS CASE WHEN x <= 0.5 THEN 90 - asin(x) / asin(CAST(0.5 AS DOUBLE)) * 30 \
     ELSE acos(x) / acos(CAST(0.5 AS DOUBLE)) * 60 END",
    "CREATE OR REPLACE MACRO pg_asind(x) AS CASE WHEN isnan(x) THEN x WHEN abs(x) > 1 THEN error('SQLSTATE 22003: input is out of range') \
     WHEN x >= 0 THEN pg_asin_quarter(x) ELSE -pg_asin_quarter(-x) END",
    "CREATE OR REPLACE MACRO pg_acosd(x) AS CASE WHEN isnan(x) THEN x WHEN abs(x) > 1 THEN error('SQLSTATE 22003: input is out of range') \
     WHEN x >= 0 THEN pg_acos_quarter(x) ELSE 90 + pg_asin_quarter(-x) END",
    "CREATE OR REPLACE MACRO pg_atand(x) AS atan(x) / atan(CAST(1 AS DOUBLE)) * 45",
    "CREATE OR REPLACE MACRO pg_atan2d(y, x) AS atan2(y, x) / atan(CAST(1 AS DOUBLE)) * 45",
    "CREATE OR REPLACE MACRO pg_cot_quarter(x) AS CASE WHEN x = 0 THEN CAST('inf' AS DOUBLE) ELSE (pg_cos_quarter(x) / pg_sin_quarter(x)) / (pg_cos_quarter(45.0) / pg_sin_quarter(45.0)) END",
    "CREATE OR REPLACE MACRO pg_cotd(x) AS CASE WHEN isnan(x) THEN x ELSE pg_cot_quarter(pg_quarter(pg_half(pg_turn(x)))) \
     * CASE WHEN ((x < 0) <> (pg_turn(x) > 180)) <> (pg_half(pg_turn(x)) > 90) THEN -1 ELSE 1 END + 0.0 END",
    "CREATE OR REPLACE MACRO pg_acosh(x) AS CASE WHEN x < 1 THEN error('SQLSTATE 22003: input is out of range') ELSE acosh(x) END",
    "CREATE OR REPLACE MACRO pg_atanh(x) AS CASE WHEN isnan(x) THEN x WHEN abs(x) > 1 THEN error('SQLSTATE 22003: input is out of range') WHEN x = -1 THEN CAST('-inf' AS DOUBLE) ELSE atanh(x) END",
    "CREATE OR REPLACE MACRO pg_array_length(a, n) AS CASE WHEN n = 1 AND len(a) > 0 THEN CAST(len(a) AS INTEGER) END",
    "CREATE OR REPLACE MACRO pg_trim_array(a, n) AS CASE WHEN n NOT BETWEEN 0 AND len(a) \
     THEN error('SQLSTATE 2202E: number of elements to trim must be between 0 and ' || len(a)) ELSE list_slice(a, 1, len(a) - n) END",
    "CREATE OR REPLACE MACRO pg_json_typeof(j) AS CASE json_type(j) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' WHEN NULL THEN NULL ELSE CASE WHEN j IS NOT NULL THEN 'number' END END",
];
