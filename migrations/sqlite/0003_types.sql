-- Types that users made (enums, domains, composite types) by snapshot, as all objects of a lake; DuckLake has none.
CREATE TABLE @duckmesh_type(
    type_id BIGINT NOT NULL,
    type_uuid TEXT NOT NULL,
    begin_snapshot BIGINT NOT NULL,
    end_snapshot BIGINT,
    schema_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL
);
