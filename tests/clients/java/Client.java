// JDBC: metadata, batches, fetch size, CopyManager, cancel.
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Client {
    static final String LONG = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";

    interface Work {
        void run() throws Exception;
    }

    static String env(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }

    static void equal(Object found, Object wanted) {
        if (!wanted.equals(found)) throw new AssertionError("found " + found + ", wanted " + wanted);
    }

    static void fails(String state, Work work) throws Exception {
        try {
            work.run();
        } catch (SQLException error) {
            equal(error.getSQLState(), state);
            return;
        }
        throw new AssertionError("should have failed with " + state);
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) values.add(rows.getString(name));
        return values;
    }

    static long number(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getLong(1);
        }
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        equal(data.getDatabaseProductName(), "PostgreSQL");
        equal(data.getDatabaseMajorVersion(), 15);
        equal(column(data.getTables(null, "public", "jd%", new String[] {"TABLE"}), "TABLE_NAME"), List.of("jd", "jd_auto", "jd_parent"));
        equal(column(data.getColumns(null, "public", "jd", null), "TYPE_NAME"), List.of("int8", "varchar", "numeric", "int8"));
        equal(column(data.getPrimaryKeys(null, "public", "jd"), "COLUMN_NAME"), List.of("id"));
        equal(column(data.getImportedKeys(null, "public", "jd"), "PKTABLE_NAME"), List.of("jd_parent"));
        equal(column(data.getIndexInfo(null, "public", "jd", true, true), "INDEX_NAME"), List.of("jd_pkey"));
        if (!column(data.getSchemas(), "TABLE_SCHEM").contains("public")) throw new AssertionError("schemas");
        if (!column(data.getTypeInfo(), "TYPE_NAME").contains("numeric")) throw new AssertionError("types");
        equal(column(data.getTables(null, null, "jd\\_v", new String[] {"VIEW"}), "TABLE_NAME"), List.of("jd_v"));
        equal(column(data.getTables(null, "pg_catalog", "pg_class", null), "TABLE_TYPE"), List.of("SYSTEM TABLE"));
        ResultSet id = data.getColumns(null, null, "jd_auto", "id");
        id.next();
        equal(id.getString("IS_AUTOINCREMENT") + id.getString("IS_NULLABLE") + id.getInt("ORDINAL_POSITION"), "YESNO1");
        ResultSet amount = data.getColumns(null, null, "jd", "amount");
        amount.next();
        equal(amount.getInt("DATA_TYPE") + " " + amount.getInt("COLUMN_SIZE") + " " + amount.getInt("DECIMAL_DIGITS"), "2 10 2");
        equal(amount.getString("COLUMN_DEF"), "1.50");
        equal(column(data.getExportedKeys(null, "public", "jd_parent"), "FKTABLE_NAME"), List.of("jd"));
        equal(column(data.getCrossReference(null, "public", "jd_parent", null, "public", "jd"), "FK_NAME"), List.of("jd_parent_fkey"));
        equal(column(data.getBestRowIdentifier(null, "public", "jd", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"), List.of("id"));
        equal(column(data.getTableTypes(), "TABLE_TYPE").contains("TABLE"), true);
        equal(column(data.getCatalogs(), "TABLE_CAT").contains(connection.getCatalog()), true);
        equal(column(data.getTablePrivileges(null, "public", "jd"), "PRIVILEGE").contains("SELECT"), true);
        equal(column(data.getColumnPrivileges(null, "public", "jd", "id"), "PRIVILEGE").contains("INSERT"), true);
        equal(column(data.getFunctions(null, "pg_catalog", "now"), "FUNCTION_NAME"), List.of("now"));
        equal(column(data.getFunctionColumns(null, "pg_catalog", "btrim", null), "COLUMN_NAME").isEmpty(), false);
        equal(column(data.getProcedures(null, "public", "%"), "PROCEDURE_NAME"), List.of());
        equal(data.getSQLKeywords().contains("ilike") || !data.getSQLKeywords().isEmpty(), true);
        equal(data.getMaxColumnNameLength(), 63);
        equal(data.getNumericFunctions().contains("abs"), true);
        equal(data.supportsTransactionIsolationLevel(Connection.TRANSACTION_REPEATABLE_READ), true);
        equal(data.getDefaultTransactionIsolation(), Connection.TRANSACTION_READ_COMMITTED);
        equal(column(data.getUDTs(null, "public", "%", new int[] {java.sql.Types.DISTINCT}), "TYPE_NAME"), List.of());
        equal(column(data.getVersionColumns(null, "public", "jd"), "COLUMN_NAME"), List.of("ctid"));
        equal(column(data.getClientInfoProperties(), "NAME").contains("ApplicationName"), true);
    }

    static void statements(Connection connection) throws Exception {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jd (id, name, amount) VALUES (?, ?, ?)")) {
            for (int n = 1; n <= 500; n++) {
                insert.setLong(1, n);
                insert.setString(2, "name " + n);
                insert.setBigDecimal(3, new BigDecimal("2.50"));
                insert.addBatch();
            }
            equal(insert.executeBatch().length, 500);
        }
        String sql = "SELECT id, name AS label, amount FROM jd WHERE id > ? ORDER BY id";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            ResultSetMetaData shape = query.getMetaData();
            equal(shape.getColumnTypeName(3), "numeric");
            equal(shape.getPrecision(3) + "," + shape.getScale(3), "10,2");
            equal(((org.postgresql.PGResultSetMetaData) shape).getBaseColumnName(2), "name");
            equal(query.getParameterMetaData().getParameterTypeName(1), "int8");
            for (int round = 0; round < 7; round++) { // From the fifth on by name, with binary results.
                query.setLong(1, 498);
                equal(column(query.executeQuery(), "label"), List.of("name 499", "name 500"));
            }
        }
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(50);
            equal(column(statement.executeQuery("SELECT id FROM jd"), "id").size(), 500);
            statement.executeUpdate("INSERT INTO jd (id, name) VALUES (9999, 'gone')");
        }
        connection.rollback();
        connection.setAutoCommit(true);
        equal(number(connection, "SELECT count(*) FROM jd WHERE id = 9999"), 0L);
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jd (id, name) VALUES (?, ?)", new String[] {"id"})) {
            insert.setLong(1, 777_000);
            insert.setString(2, "key");
            insert.executeUpdate();
            ResultSet keys = insert.getGeneratedKeys();
            keys.next();
            equal(keys.getLong(1), 777_000L);
        }
    }

    /** Keys that the server makes, values of every kind in text and in binary form, savepoints. */
    static void generated(Connection connection) throws Exception {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jd_auto (label) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int n = 1; n <= 3; n++) {
                insert.setString(1, "label " + n);
                insert.addBatch();
            }
            insert.executeBatch();
            equal(column(insert.getGeneratedKeys(), "id"), List.of("1", "2", "3"));
        }
        java.util.UUID uuid = java.util.UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO jd_auto (label, list, doc, day, flag, u, raw) VALUES (?, ?, ?::jsonb, ?, ?, ?, ?) RETURNING id, day")) {
            insert.setString(1, "all");
            insert.setArray(2, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
            insert.setString(3, "{\"a\": 1}");
            insert.setObject(4, java.time.LocalDate.of(2024, 2, 29));
            insert.setBoolean(5, true);
            insert.setObject(6, uuid);
            insert.setBytes(7, new byte[] {0, (byte) 255});
            ResultSet row = insert.executeQuery();
            row.next();
            equal(row.getObject(2, java.time.LocalDate.class), java.time.LocalDate.of(2024, 2, 29));
        }
        try (PreparedStatement query = connection.prepareStatement("SELECT list, doc, day, flag, u, raw, at FROM jd_auto WHERE label = ?")) {
            for (int round = 0; round < 7; round++) {
                query.setString(1, "all");
                ResultSet row = query.executeQuery();
                row.next();
                equal(java.util.Arrays.toString((Integer[]) row.getArray(1).getArray()), "[1, null, 3]");
                equal(row.getString(2), "{\"a\": 1}");
                equal(row.getDate(3).toString(), "2024-02-29");
                equal(row.getBoolean(4), true);
                equal(row.getObject(5), uuid);
                equal(java.util.Arrays.toString(row.getBytes(6)), "[0, -1]");
                equal(row.getObject(7, java.time.OffsetDateTime.class) == null, false);
            }
        }
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("INSERT INTO jd_auto (label) VALUES ('kept')");
            java.sql.Savepoint point = connection.setSavepoint("p");
            statement.executeUpdate("INSERT INTO jd_auto (label) VALUES ('gone')");
            connection.rollback(point);
        }
        connection.commit();
        connection.setAutoCommit(true);
        equal(number(connection, "SELECT count(*) FROM jd_auto WHERE label IN ('kept', 'gone')"), 1L);
        connection.setReadOnly(true);
        connection.setAutoCommit(false);
        fails("25006", () -> connection.createStatement().executeUpdate("INSERT INTO jd_auto (label) VALUES ('no')"));
        connection.rollback();
        connection.setAutoCommit(true);
        connection.setReadOnly(false);
    }

    public static void main(String[] args) throws Exception {
        String url = "jdbc:postgresql://" + env("PGHOST", "127.0.0.1") + ":" + env("PGPORT", "5432") + "/" + env("PGDATABASE", "duckmesh");
        try (Connection connection = DriverManager.getConnection(url, env("PGUSER", "tester"), "")) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE jd_parent (id bigint PRIMARY KEY)");
                statement.execute("CREATE TABLE jd (id bigint PRIMARY KEY, name varchar(40) NOT NULL, amount numeric(10,2) DEFAULT 1.50,"
                    + " parent bigint, CONSTRAINT jd_parent_fkey FOREIGN KEY (parent) REFERENCES jd_parent (id))");
                statement.execute("CREATE TABLE jd_auto (id serial PRIMARY KEY, label text, at timestamptz DEFAULT now(), list int[], doc jsonb,"
                    + " day date, flag boolean, u uuid, raw bytea)");
                statement.execute("CREATE VIEW jd_v AS SELECT id, name FROM jd");
            }
            metadata(connection);
            System.out.println("did connect create introspect");
            statements(connection);
            System.out.println("did insert parameters transaction");
            generated(connection);
            CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
            equal(copy.copyIn("COPY jd (id, name) FROM STDIN", new StringReader("2001\ta\n2002\tb\n")), 2L);
            System.out.println("did bulk");
            StringWriter out = new StringWriter();
            copy.copyOut("COPY (SELECT id FROM jd WHERE id > 2000 AND id < 3000 ORDER BY id) TO STDOUT", out);
            equal(out.toString(), "2001\n2002\n");
            try (Statement statement = connection.createStatement()) {
                fails("42P01", () -> statement.executeQuery("SELECT * FROM nowhere"));
                statement.setQueryTimeout(1);
                fails("57014", () -> statement.executeQuery(LONG));
            }
            equal(number(connection, "SELECT 1"), 1L);
            System.out.println("did error cancel");
            try (Statement statement = connection.createStatement()) {
                statement.execute("DROP VIEW jd_v");
                statement.execute("DROP TABLE jd_auto");
                statement.execute("DROP TABLE jd");
                statement.execute("DROP TABLE jd_parent");
            }
        }
        System.out.println("ok");
    }
}
