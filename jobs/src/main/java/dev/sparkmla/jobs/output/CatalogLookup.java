package dev.sparkmla.jobs.output;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.Identifier;
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
