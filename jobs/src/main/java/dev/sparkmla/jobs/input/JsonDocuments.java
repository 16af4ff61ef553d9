package dev.sparkmla.jobs.input;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Opens JSON lines. */
final class JsonDocuments {
  private static final String OTHER_KEYS = "other_keys";
  private static final int INSPECTED_FILES = 10;

  private JsonDocuments() {}

  /**
   * Reads all lines once, for the columns and the number of rows.
   *
   * @throws InputException when a file is no JSON lines, or no object has a prompt
   */
  static Documents open(SparkSession spark, InputFiles files, ReadOptions options) {
    Lines lines = Lines.open(spark, files);
    JsonScan scan = JsonScan.of(lines, options);
    requireObjects(files, lines, scan);
    KeyIndex columns = scan.columns();
    files.requireNoKeyAmong(columns.names());
    String promptColumn = Documents.column(columns.names(), options.promptColumn(), files);
    StructType types = options.withColumns() ? columns(scan, lines.keys()) : new StructType();
    JsonRows rows =
        new JsonRows(
            columns,
            scan.hasMore(),
            types,
            columns.find(promptColumn),
            options.promptAsText(),
            kinds(scan, options.promptAsText()),
            new LineNumbers(scan.blocks()));
    return new Documents(
        lines.rows().mapPartitions(rows, Encoders.row(rows.schema(lines.keys()))),
        concatenated(columns.names(), lines.keys()),
        concatenated(List.of(types.fieldNames()), lines.keys()),
        !options.withColumns(),
        promptColumn,
        scan.rowBlocks());
  }

  /** The columns of rows: those of the scan, and one for the keys beside them where there are. */
  private static StructType columns(JsonScan scan, List<String> keys) {
    StructType columns = scan.schema();
    if (!scan.hasMore()) {
      return columns;
    }
    KeyIndex taken = new KeyIndex(concatenated(scan.columns().names(), keys));
    String name = OTHER_KEYS;
    while (taken.find(name) >= 0) {
      name = "_" + name;
    }
    return columns.add(name, DataTypes.StringType);
  }

  /** What prompts there are; texts, where there are none. */
  private static List<String> kinds(JsonScan scan, boolean asText) {
    List<String> kinds = new ArrayList<>();
    if (scan.hasLists() && !asText) {
      kinds.add(Documents.CONVERSATION);
    }
    if (scan.hasTexts() || kinds.isEmpty()) {
      kinds.add(Documents.TEXT);
    }
    return kinds;
  }

  private static List<String> concatenated(List<String> one, List<String> other) {
    return Stream.concat(one.stream(), other.stream()).toList();
  }

  /** Refuses files without an object where it is known what they are, and inputs without any. */
  private static void requireObjects(InputFiles files, Lines lines, JsonScan scan) {
    if (scan.rows() == 0) {
      throw files.areEmpty();
    }
    Map<String, FileBlock> broken = new LinkedHashMap<>();
    Set<String> read = new HashSet<>();
    for (FileBlock block : scan.blocks()) {
      if (block.objects() > 0) {
        read.add(block.file());
      } else if (block.start() == 0 && block.broken() > 0) {
        broken.put(block.file(), block);
      }
    }
    broken.keySet().removeAll(read);
    broken.keySet().stream().limit(INSPECTED_FILES).forEach(file -> inspect(file, lines));
    if (read.isEmpty()) {
      FileBlock first = broken.values().iterator().next();
      throw new InputException(
          "no line of "
              + files
              + " is a JSON object; "
              + Lines.problem(first.file(), first.problemLine(), first.problem()));
    }
  }

  private static void inspect(String file, Lines lines) {
    FileInspection.describe(lines.beginning(file, FileInspection.LINES))
        .ifPresent(
            meaning -> {
              throw new InputException(InputFiles.spelled(file) + " " + meaning);
            });
  }
}
