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
 * What a scan of all lines finds out, before anything is generated: the columns of the objects and
 * their types, and how many lines and rows each block of a file has. Each task makes one of the
 * lines that it reads; the driver merges them. Not thread-safe.
 *
 * <p>Where keys are data, such as names of users, there may be millions. So only the first ones
 * become columns, and those that the job asks for by name.
 */
final class JsonScan implements LineReader.Handler, Serializable {
  private static final long serialVersionUID = 1L;

  private final ReadOptions options;
  private final int partition;
  private final KeyIndex named;
  private final KeyIndex columns = new KeyIndex();
  private final List<InferredType> types = new ArrayList<>();
  private final List<FileBlock> blocks = new ArrayList<>();
  private final List<RowBlock> rowBlocks = new ArrayList<>();
  private boolean hasMore;
  private boolean hasTexts;
  private boolean hasLists;

  private transient byte[] line;

  private JsonScan(ReadOptions options, int partition) {
    this.options = options;
    this.partition = partition;
    this.named = new KeyIndex(options.named());
  }

  /** Reads all lines once. */
  static JsonScan of(Lines lines, ReadOptions options) {
    List<JsonScan> parts =
        new ArrayList<>(
            RowBlock.scan(
                lines
                    .rows()
                    .javaRDD()
                    .mapPartitionsWithIndex(
                        (partition, rows) ->
                            List.of(new JsonScan(options, partition).read(rows)).iterator(),
                        true)));
    parts.removeIf(part -> part.blocks.isEmpty());
    // Tasks come in no order of the files, and columns are to.
    parts.sort(
        Comparator.comparing((JsonScan part) -> part.blocks.get(0).file())
            .thenComparing(part -> part.blocks.get(0).start()));
    JsonScan whole = new JsonScan(options, -1);
    parts.forEach(whole::add);
    return whole;
  }

  /** The columns, in the order in which they were met. */
  KeyIndex columns() {
    return columns;
  }

  /** Whether there are keys that are no columns. */
  boolean hasMore() {
    return hasMore;
  }

  /** The columns and their types; a column's is STRING where types were not asked for. */
  StructType schema() {
    StructType schema = new StructType();
    for (int i = 0; i < columns.size(); i++) {
      schema = schema.add(columns.names().get(i), types.get(i).sqlType());
    }
    return schema;
  }

  List<FileBlock> blocks() {
    return blocks;
  }

  /** Where the rows are. */
  List<RowBlock> rowBlocks() {
    return rowBlocks;
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
    return rowBlocks.stream().mapToLong(RowBlock::rows).sum();
  }

  private JsonScan read(Iterator<Row> lines) {
    while (lines.hasNext()) {
      Row row = lines.next();
      line = row.getAs(Lines.LINE_ORDINAL);
      block(row.getString(Lines.FILE_ORDINAL), row.getLong(Lines.BLOCK_ORDINAL)).addLine();
      LineReader.read(line, this);
    }
    addRowBlocks();
    return this;
  }

  private void addRowBlocks() {
    long before = 0;
    for (FileBlock block : blocks) {
      long rows = block.objects() + block.broken();
      if (rows > 0) {
        rowBlocks.add(
            new RowBlock(InputFiles.spelled(block.file()), block.start(), partition, before, rows));
      }
      before += rows;
    }
  }

  private FileBlock block(String file, long start) {
    if (blocks.isEmpty() || !lastBlock().isAt(file, start)) {
      blocks.add(new FileBlock(file, start));
    }
    return lastBlock();
  }

  private FileBlock lastBlock() {
    return blocks.get(blocks.size() - 1);
  }

  @Override
  public void object(JsonParser parser, byte[] text) throws IOException {
    int known = columns.size();
    boolean hadMore = hasMore;
    boolean isTaken = false;
    try {
      int keys = 0;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        value(parser.currentName(), parser);
        keys++;
      }
      isTaken = keys <= LineReader.MOST_KEYS;
      lastBlock().addObject();
    } finally {
      if (!isTaken) {
        hasMore = hadMore;
        columns.shrink(known);
        types.subList(known, types.size()).clear();
      }
    }
  }

  private void value(String name, JsonParser parser) throws IOException {
    JsonToken token = parser.nextToken();
    if (name.equalsIgnoreCase(options.promptColumn())) {
      hasTexts |= token == JsonToken.VALUE_STRING;
      hasLists |= token == JsonToken.START_ARRAY;
    }
    int column = columns.find(name);
    if (column < 0) {
      if (!mayAdd(name)) {
        hasMore = true;
        parser.skipChildren();
        return;
      }
      column = columns.add(name);
      types.add(new InferredType());
    }
    if (options.withColumns()) {
      types.get(column).add(parser);
    } else {
      parser.skipChildren();
    }
  }

  private boolean mayAdd(String name) {
    if (options.withColumns() && !Documents.mayBeColumn(name)) {
      return false;
    }
    return columns.size() < options.mostColumns() || named.find(name) >= 0;
  }

  @Override
  public void broken(String reason) {
    lastBlock().addBroken(reason + ": " + Lines.excerpt(line));
  }

  private void add(JsonScan other) {
    for (int i = 0; i < other.columns.size(); i++) {
      String name = other.columns.names().get(i);
      int column = columns.find(name);
      if (column >= 0) {
        types.get(column).add(other.types.get(i));
      } else if (mayAdd(name)) {
        columns.add(name);
        types.add(other.types.get(i));
      } else {
        hasMore = true;
      }
    }
    hasMore |= other.hasMore;
    blocks.addAll(other.blocks);
    rowBlocks.addAll(other.rowBlocks);
    hasTexts |= other.hasTexts;
    hasLists |= other.hasLists;
  }
}
