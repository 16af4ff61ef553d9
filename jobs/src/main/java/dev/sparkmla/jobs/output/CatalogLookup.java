package dev.sparkmla.jobs.output;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.internal.SessionState;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Finds tables by the rules of Spark's own resolution. Spark's public interface says whether a
 * table is there, but not what it is.
 */
final class CatalogLookup {
  private CatalogLookup() {}

  /**
   * A name that Spark takes for that of files or a table at a path, as {@code parquet.`/data`}.
   *
   * @param format the first part
   * @param path the second
   */
  record PathName(String format, String path) {
    /** What Spark reads by its path, and adds rows to file by file. */
    private static final Set<String> FILES =
        Set.of("parquet", "json", "csv", "orc", "text", "avro", "xml");

    /** Why files cannot take rows, if the name is one of files. */
    Optional<String> refusedAsFiles() {
      return FILES.contains(format.toLowerCase(Locale.ROOT)) || path.contains("/")
          ? Optional.of(
              "it names a folder of files, to which rows could be added twice; write a folder with"
                  + " --output, or name a table of Delta Lake by its path, as in delta.`/data/answers`")
          : Optional.empty();
    }
  }

  /** What a name says if it has two parts of which the first is neither catalog nor database. */
  static Optional<PathName> pathName(SparkSession spark, String name) {
    SessionState state = ((org.apache.spark.sql.classic.SparkSession) spark).sessionState();
    List<String> parts;
    try {
      parts = CollectionConverters.asJava(state.sqlParser().parseMultipartIdentifier(name));
    } catch (ParseException isNone) {
      return Optional.empty();
    }
    CatalogManager catalogs = state.catalogManager();
    if (parts.size() != 2
        || catalogs.isCatalogRegistered(parts.get(0))
        || catalogs.currentCatalog() instanceof SupportsNamespaces databases
            && databases.namespaceExists(new String[] {parts.get(0)})) {
      return Optional.empty();
    }
    return Optional.of(new PathName(parts.get(0), parts.get(1)));
  }

  /**
   * A table, if there is one of the name.
   *
   * @throws Exception what Spark throws for a name that is none, and for a catalog that cannot be
   *     loaded or knows no tables
   */
  static Optional<Table> table(SparkSession spark, String name) throws Exception {
    // Catalogs are made, and look for tables, with the settings of the thread's session.
    Option<SparkSession> before = SparkSession.getActiveSession();
    SparkSession.setActiveSession(spark);
    try {
      return find(((org.apache.spark.sql.classic.SparkSession) spark).sessionState(), name);
    } finally {
      if (before.isDefined()) {
        SparkSession.setActiveSession(before.get());
      } else {
        SparkSession.clearActiveSession();
      }
    }
  }

  private static Optional<Table> find(SessionState state, String name) throws Exception {
    List<String> parts =
        CollectionConverters.asJava(state.sqlParser().parseMultipartIdentifier(name));
    CatalogManager catalogs = state.catalogManager();
    CatalogPlugin catalog = catalogs.currentCatalog();
    String[] namespace = catalogs.currentNamespace();
    int last = parts.size() - 1;
    if (last > 0) {
      boolean saysCatalog = catalogs.isCatalogRegistered(parts.get(0));
      catalog = saysCatalog ? catalogs.catalog(parts.get(0)) : catalog;
      namespace = parts.subList(saysCatalog ? 1 : 0, last).toArray(String[]::new);
    }
    if (!(catalog instanceof TableCatalog tables)) {
      throw new IllegalArgumentException("the catalog " + catalog.name() + " has no tables");
    }
    // A path of Delta Lake is loaded as a table without columns where nothing is.
    Identifier identifier = Identifier.of(namespace, parts.get(last));
    return tables.tableExists(identifier)
        ? Optional.of(tables.loadTable(identifier))
        : Optional.empty();
  }
}
