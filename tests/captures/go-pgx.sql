--@ {"extended": true, "params": ["order_status"]}
select $1::text::regtype::oid
--@ {"extended": true, "params": [{"oid": "order_status"}]}
select typtype::text, typbasetype from pg_type where oid=$1
