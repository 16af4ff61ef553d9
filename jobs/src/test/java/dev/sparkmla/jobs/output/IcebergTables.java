package dev.sparkmla.jobs.output;

import java.util.Arrays;
import java.util.Map;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.SortOrder;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.spark.source.SparkTable;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * Tables of Iceberg in a folder, which Iceberg itself reads and writes. Its own catalogs for Spark
 * 4.1 are classes that Spark 4.2 cannot load.
 */
public final class IcebergTables implements TableCatalog {
  private final HadoopTables tables =
      new HadoopTables(SparkSession.active().sparkContext().hadoopConfiguration());
  private String name;
  private String warehouse;

  @Override
  public void initialize(String catalog, CaseInsensitiveStringMap options) {
    name = catalog;
    warehouse = options.get("warehouse");
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Identifier[] listTables(String[] namespace) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Table loadTable(Identifier identifier)
      throws org.apache.spark.sql.catalyst.analysis.NoSuchTableException {
    String table = place(identifier);
    try {
      if (tables.exists(table)) {
        return new Loaded(tables.load(table));
      }
      // As in DATABASE.TABLE.snapshots, which says more than the name of a table.
      int end = table.lastIndexOf('/');
      return new Loaded(tables.load(table.substring(0, end) + "#" + table.substring(end + 1)));
    } catch (NoSuchTableException isNot) {
      throw new org.apache.spark.sql.catalyst.analysis.NoSuchTableException(identifier);
    }
  }

  @Override
  public Table createTable(Identifier identifier, TableInfo info) {
    Schema schema = SparkSchemaUtil.convert(schema(info.columns()));
    PartitionSpec partitions = Spark3Util.toPartitionSpec(schema, info.partitions());
    return new Loaded(
        tables.create(schema, partitions, SortOrder.unsorted(), Map.of(), place(identifier)));
  }

  @Override
  public Table alterTable(Identifier identifier, TableChange... changes) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean dropTable(Identifier identifier) {
    return tables.dropTable(place(identifier));
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    throw new UnsupportedOperationException();
  }

  /** A table whose method for columns calls nothing that Spark 4.2 does not have. */
  private static final class Loaded extends SparkTable {
    Loaded(org.apache.iceberg.Table table) {
      super(table);
    }

    @Override
    public Column[] columns() {
      return Arrays.stream(schema().fields())
          .map(field -> Column.create(field.name(), field.dataType(), field.nullable()))
          .toArray(Column[]::new);
    }
  }

  private String place(Identifier identifier) {
    return warehouse + "/" + String.join("/", identifier.namespace()) + "/" + identifier.name();
  }

  private static StructType schema(Column[] columns) {
    StructType schema = new StructType();
    for (Column column : columns) {
      schema = schema.add(column.name(), column.dataType(), column.nullable());
    }
    return schema;
  }
}
