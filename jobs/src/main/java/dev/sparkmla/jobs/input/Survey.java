package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * What a first reading of JSON lines tells: their columns, and how many lines and rows there are.
 * Each task makes one of the lines that it reads. Not thread-safe.
 */
final class Survey implements LineReader.Handler, Serializable {
  private static final long serialVersionUID = 1L;

  private final String promptColumn;
  private final boolean wantsTypes;
  private final KeyIndex columns = new KeyIndex();
  private final List<ValueType> types = new ArrayList<>();
  private final List<Block> blocks = new ArrayList<>();
  private boolean hasTexts;
  private boolean hasLists;

  private transient byte[] line;

  /** Part of a file that one task reads. */
  static final class Block implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String file;
    private final long start;
    private long lines;
    private long objects;
    private long broken;
    private String problem;
    private long problemLine;

    private Block(String file, long start) {
      this.file = file;
      this.start = start;
    }

    /** A URI. */
    String file() {
      return file;
    }

    /** Where it begins, in bytes. */
    long start() {
      return start;
    }

    long lines() {
      return lines;
    }

    long objects() {
      return objects;
    }

    /** How many rows are no objects. */
    long broken() {
      return broken;
    }

    /** What is wrong with the first of them, and its beginning. */
    String problem() {
      return problem;
    }

    /** Its line in this block, from 1. */
    long problemLine() {
      return problemLine;
    }
  }

  private Survey(String promptColumn, boolean wantsTypes) {
    this.promptColumn = promptColumn;
    this.wantsTypes = wantsTypes;
  }

  /**
   * Reads all lines once.
   *
   * @param promptColumn the column that holds prompts, in any case
   * @param wantsTypes whether columns' types are asked for, too
   */
  static Survey of(Lines lines, String promptColumn, boolean wantsTypes) {
    List<Survey> parts =
        new ArrayList<>(
            lines
                .rows()
                .javaRDD()
                .mapPartitions(
                    rows -> List.of(new Survey(promptColumn, wantsTypes).read(rows)).iterator())
                .collect());
    parts.removeIf(part -> part.blocks.isEmpty());
    // Tasks come in no order of the files, and columns are to.
    parts.sort(
        Comparator.comparing((Survey part) -> part.blocks.get(0).file)
            .thenComparing(part -> part.blocks.get(0).start));
    Survey whole = new Survey(promptColumn, wantsTypes);
    parts.forEach(whole::add);
    return whole;
  }

  /** All columns, in the order in which they were met. */
  KeyIndex columns() {
    return columns;
  }

  /** The columns and their types; a column's is STRING where types were not asked for. */
  StructType schema() {
    StructType schema = new StructType();
    for (int i = 0; i < columns.size(); i++) {
      schema = schema.add(columns.names().get(i), types.get(i).sqlType());
    }
    return schema;
  }

  List<Block> blocks() {
    return blocks;
  }

  /** Whether some prompt is a text. */
  boolean hasTexts() {
    return hasTexts;
  }

  /** Whether some prompt is a list, as conversations are. */
  boolean hasLists() {
    return hasLists;
  }

  long rows() {
    return blocks.stream().mapToLong(block -> block.objects + block.broken).sum();
  }

  private Survey read(Iterator<Row> lines) {
    while (lines.hasNext()) {
      Row row = lines.next();
      line = row.getAs(Lines.LINE_ORDINAL);
      block(row.getString(Lines.FILE_ORDINAL), row.getLong(Lines.BLOCK_ORDINAL)).lines++;
      LineReader.read(line, this);
    }
    return this;
  }

  private Block block(String file, long start) {
    if (blocks.isEmpty() || lastBlock().start != start || !lastBlock().file.equals(file)) {
      blocks.add(new Block(file, start));
    }
    return lastBlock();
  }

  private Block lastBlock() {
    return blocks.get(blocks.size() - 1);
  }

  @Override
  public void object(JsonParser parser, byte[] text) throws IOException {
    int known = columns.size();
    boolean isTaken = false;
    try {
      int keys = 0;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        value(parser.currentName(), parser);
        keys++;
      }
      isTaken = keys <= LineReader.MOST_KEYS;
      lastBlock().objects++;
    } finally {
      if (!isTaken) {
        columns.shrink(known);
        types.subList(known, types.size()).clear();
      }
    }
  }

  private void value(String name, JsonParser parser) throws IOException {
    JsonToken token = parser.nextToken();
    if (name.equalsIgnoreCase(promptColumn)) {
      hasTexts |= token == JsonToken.VALUE_STRING;
      hasLists |= token == JsonToken.START_ARRAY;
    }
    int column = columns.find(name);
    if (column < 0) {
      column = columns.add(name);
      types.add(new ValueType());
    }
    if (wantsTypes) {
      types.get(column).add(parser);
    } else {
      parser.skipChildren();
    }
  }

  @Override
  public void broken(String reason) {
    Block block = lastBlock();
    block.broken++;
    if (block.problem == null) {
      block.problem = reason + ": " + Lines.excerpt(line);
      block.problemLine = block.lines;
    }
  }

  private void add(Survey other) {
    for (int i = 0; i < other.columns.size(); i++) {
      String name = other.columns.names().get(i);
      int column = columns.find(name);
      if (column < 0) {
        columns.add(name);
        types.add(other.types.get(i));
      } else {
        types.get(column).add(other.types.get(i));
      }
    }
    blocks.addAll(other.blocks);
    hasTexts |= other.hasTexts;
    hasLists |= other.hasLists;
  }
}
