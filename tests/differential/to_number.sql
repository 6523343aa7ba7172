-- Numbers that are read by a template.
select to_number('1 2 3 . 4', '9 9 9 . 9'), to_number(' . 7 5-', ' 9 9 . 9 9 S'), to_number('-12.5-', '99.9'), to_number('12.5-', '99.9S');
select to_number('1,234.5', '9,999.9'), to_number('<7.5>', '9.9PR'), to_number('$3.25', 'L9.99'), to_number('3.25 USD', '9.99'), to_number('12th', '99th');
select to_number('1.5', '9V9'), to_number('007', '999'), to_number('5.01-', 'FM9.999999MI'), to_number('+6', 'S9'), to_number('1 -', '9S'), to_number('12', '9');
select to_number('123.456', '999.99'), to_number('-7', '9SG'), to_number('ab12', '"xy"99'), to_number('1,2', '9G9'), to_number('-1.0', '9.9');
select to_number('  12', '9999'), to_number('12.', '99.9'), to_number('.5', '9.9'), to_number('0.5', '0.9'), to_number('0012', '9999');
select to_number('1234', '99.99');
select to_number('', '99');
select to_number('abc', '999');
select to_number('1e5', '9EEEE');
select to_char(12.5::float8, '99.99999999999999999'), to_char(12.5::float4, '99.999999999'), to_char(1234567::float4, '9999999.99'), to_char(0.1::float4, '9.99');
