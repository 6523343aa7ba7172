//! DDL plans against PostgreSQL 15.
