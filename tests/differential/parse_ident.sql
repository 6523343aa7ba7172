-- Names in text, taken apart.
SELECT parse_ident('orders'), parse_ident('Public.Orders'), parse_ident('"Mixed Case"."a""b"'), parse_ident(' a . b '), parse_ident(NULL);
SELECT (parse_ident('public.orders'))[2], array_length(parse_ident('a.b.c'), 1);
SELECT parse_ident('a.b(int)', false), parse_ident('a1$.ä', true);
SELECT parse_ident('a.b(int)');
SELECT parse_ident('');
SELECT parse_ident('a.');
SELECT parse_ident('1a');
SELECT parse_ident('"a');
SELECT parse_ident('a.""');
SELECT parse_ident(x) FROM (VALUES ('a.b'), ('C')) AS t(x);
