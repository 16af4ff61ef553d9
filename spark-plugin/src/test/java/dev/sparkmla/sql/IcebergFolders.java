package dev.sparkmla.sql;

import java.util.Arrays;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.spark.source.SparkTable;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * Iceberg tables that exist, each in a folder named like it below the catalog's option {@code
 * folder}. Iceberg's own catalogs, which are made for Spark 4.1, cannot be loaded by Spark 4.2: its
 * class {@code View} was an interface there.
 */
public final class IcebergFolders implements TableCatalog {
  private String name;
  private String folder;

  /** Made by Spark. */
  public IcebergFolders() {}

  @Override
  public void initialize(String name, CaseInsensitiveStringMap options) {
    this.name = name;
    folder = options.get("folder");
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Table loadTable(Identifier table) {
    return new Loaded(new HadoopTables().load(folder + "/" + table.name()));
  }

  @Override
  public Identifier[] listTables(String[] namespace) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Table alterTable(Identifier table, TableChange... changes) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean dropTable(Identifier table) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    throw new UnsupportedOperationException();
  }

  /** A table whose columns are not made by a method that Spark 4.2 lacks. */
  private static final class Loaded extends SparkTable {
    Loaded(org.apache.iceberg.Table table) {
      super(table);
    }

    @Override
    public Column[] columns() {
      return Arrays.stream(SparkSchemaUtil.convert(table().schema()).fields())
          .map(field -> Column.create(field.name(), field.dataType(), field.nullable()))
          .toArray(Column[]::new);
    }
  }
}
