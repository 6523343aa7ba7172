--@ {}
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore'
--@ {}
SELECT gid, prepared, owner, database FROM pg_prepared_xacts
--@ {}
show search_path
