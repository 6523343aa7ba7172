-- COMMENT ON DATABASE: what people say of a lake. Nothing depends on it.
ALTER TABLE @lake ADD COLUMN comment TEXT;
