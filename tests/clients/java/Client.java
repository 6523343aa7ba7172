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
        equal(column(data.getTables(null, "public", "jd%", new String[] {"TABLE"}), "TABLE_NAME"), List.of("jd", "jd_parent"));
        equal(column(data.getColumns(null, "public", "jd", null), "TYPE_NAME"), List.of("int8", "varchar", "numeric", "int8"));
        equal(column(data.getPrimaryKeys(null, "public", "jd"), "COLUMN_NAME"), List.of("id"));
        equal(column(data.getImportedKeys(null, "public", "jd"), "PKTABLE_NAME"), List.of("jd_parent"));
        equal(column(data.getIndexInfo(null, "public", "jd", true, true), "INDEX_NAME"), List.of("jd_pkey"));
        if (!column(data.getSchemas(), "TABLE_SCHEM").contains("public")) throw new AssertionError("schemas");
        if (column(data.getTypeInfo(), "TYPE_NAME").isEmpty()) throw new AssertionError("types");
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

    public static void main(String[] args) throws Exception {
        String url = "jdbc:postgresql://" + env("PGHOST", "127.0.0.1") + ":" + env("PGPORT", "5432") + "/" + env("PGDATABASE", "duckmesh");
        try (Connection connection = DriverManager.getConnection(url, env("PGUSER", "tester"), "")) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE jd_parent (id bigint PRIMARY KEY)");
                statement.execute("CREATE TABLE jd (id bigint PRIMARY KEY, name varchar(40) NOT NULL, amount numeric(10,2),"
                    + " parent bigint REFERENCES jd_parent (id))");
            }
            metadata(connection);
            statements(connection);
            CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
            equal(copy.copyIn("COPY jd (id, name) FROM STDIN", new StringReader("2001\ta\n2002\tb\n")), 2L);
            StringWriter out = new StringWriter();
            copy.copyOut("COPY (SELECT id FROM jd WHERE id > 2000 AND id < 3000 ORDER BY id) TO STDOUT", out);
            equal(out.toString(), "2001\n2002\n");
            try (Statement statement = connection.createStatement()) {
                fails("42P01", () -> statement.executeQuery("SELECT * FROM nowhere"));
                statement.setQueryTimeout(1);
                fails("57014", () -> statement.executeQuery(LONG));
            }
            equal(number(connection, "SELECT 1"), 1L);
            try (Statement statement = connection.createStatement()) {
                statement.execute("DROP TABLE jd");
                statement.execute("DROP TABLE jd_parent");
            }
        }
        System.out.println("ok");
    }
}
