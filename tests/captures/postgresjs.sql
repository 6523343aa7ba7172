--@ {"extended": true}
select b.oid, b.typarray
      from pg_catalog.pg_type a
      left join pg_catalog.pg_type b on b.oid = a.typelem
      where a.typcategory = 'A'
      group by b.oid, b.typarray
      order by b.oid
--@ {"extended": true, "types": ["-", "-"], "params": ["pjs", "hi"]}
select pg_notify($1, $2)
