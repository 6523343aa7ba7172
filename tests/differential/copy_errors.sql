-- Rows are judged one after the other: the first bad one is named, with its line.
-- errors: whole
CREATE TABLE judged (a int, b int NOT NULL, CONSTRAINT pos CHECK (a > 0), CONSTRAINT turn CHECK (10 / (b - 7) > -100));
COPY judged FROM STDIN CSV;
1,2
-1,4
\.
COPY judged FROM STDIN CSV;
1,2
3,
-1,3
\.
COPY judged FROM STDIN CSV;
1,2
-3,
\.
COPY judged FROM STDIN CSV;
1,2
-3,2
x,4
\.
COPY judged FROM STDIN CSV;
1,2
3,2
x,4
\.
COPY judged FROM STDIN;
1	2
3	7
x	4
\.
COPY judged FROM STDIN CSV WHERE 10 / a > 1;
1,2
-3,2
0,4
\.
COPY judged FROM STDIN CSV WHERE 10 / a > 1;
1,2
2,2
0,4
-1,3
\.
CREATE DOMAIN small AS int CHECK (value < 10) NOT NULL;
CREATE TABLE judged_domains (a int, d small, CONSTRAINT pos2 CHECK (a > 0));
COPY judged_domains FROM STDIN CSV;
1,2
-3,12
\.
COPY judged_domains FROM STDIN CSV;
1,2
3,
\.
COPY judged_domains FROM STDIN CSV;
-1,2
3,20
\.
COPY judged_domains FROM STDIN CSV WHERE a > 0;
1,2
-2,30
5,3
\.
COPY judged_domains FROM STDIN CSV WHERE a > 0;
1,2
-2,9
5,3
\.
SELECT * FROM judged;
SELECT * FROM judged_domains ORDER BY a;
