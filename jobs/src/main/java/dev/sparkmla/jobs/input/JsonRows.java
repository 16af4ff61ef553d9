package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.sparkmla.sql.ToMessages;
import dev.sparkmla.text.LoneSurrogates;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Makes the rows of {@link Documents} of JSON lines, a row for each object and for each thing that
 * is none. Immutable; tasks work with copies.
 *
 * @param columns keys that objects have
 * @param hasMore whether objects have other keys too
 * @param schema types of the columns, if rows are to have them, and one more, STRING, for a JSON
 *     object of the other keys where there are; else rows have {@link Documents#MEMBERS}, and this
 *     is empty
 * @param prompt number of the column that holds prompts
 * @param asText whether a prompt that is no text is to be taken as one
 * @param kinds which of {@link Documents#TEXT} and {@link Documents#CONVERSATION} rows have
 * @param numbers of the lines
 */
record JsonRows(
    KeyIndex columns,
    boolean hasMore,
    StructType schema,
    int prompt,
    boolean asText,
    List<String> kinds,
    LineNumbers numbers)
    implements MapPartitionsFunction<Row, Row> {

  /**
   * The rows' columns.
   *
   * @param keys columns that names of folders make
   */
  StructType schema(List<String> keys) {
    StructType all = schema;
    for (String key : keys) {
      all = all.add(key, DataTypes.StringType);
    }
    if (schema.isEmpty()) {
      all = all.add(Documents.MEMBERS, DataTypes.StringType);
    }
    for (String kind : kinds) {
      all =
          all.add(
              kind,
              kind.equals(Documents.TEXT) ? DataTypes.StringType : ToMessages.CONVERSATION_TYPE);
    }
    return all.add(Documents.REFUSAL, Documents.REFUSAL_TYPE);
  }

  @Override
  public Iterator<Row> call(Iterator<Row> lines) {
    return new Rows(lines);
  }

  /** Rows of one task. */
  private final class Rows implements Iterator<Row>, LineReader.Handler {
    private final Iterator<Row> lines;
    private final ValueReader values = new ValueReader(schema);
    private final OtherMembers others = new OtherMembers();
    private final Queue<Row> made = new ArrayDeque<>();

    /** For each column, the last object that had it. */
    private final long[] lastObject = new long[columns.size()];

    private long objects;
    private Row line;
    private String file;
    private long block;
    private long number;

    private Rows(Iterator<Row> lines) {
      this.lines = lines;
    }

    @Override
    public boolean hasNext() {
      while (made.isEmpty() && lines.hasNext()) {
        line = lines.next();
        count(line.getString(Lines.FILE_ORDINAL), line.getLong(Lines.BLOCK_ORDINAL));
        LineReader.read(line.getAs(Lines.LINE_ORDINAL), this);
      }
      return !made.isEmpty();
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return made.remove();
    }

    private void count(String lineFile, long lineBlock) {
      if (lineBlock != block || !lineFile.equals(file)) {
        file = lineFile;
        block = lineBlock;
        number = numbers.before(file, block);
      }
      number++;
    }

    @Override
    public void object(JsonParser parser, byte[] text) throws IOException {
      values.begin(text);
      others.begin(text);
      objects++;
      int start = offset(parser.currentLocation());
      Object[] read = new Object[schema.size()];
      JsonPrompt asked = JsonPrompt.NULL;
      int keys = 0;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        int column = columns.find(key);
        keys++;
        if (column < 0) {
          if (!others.add(parser)) {
            values.repeats(key);
          }
          continue;
        }
        JsonToken first = parser.nextToken();
        if (lastObject[column] == objects) {
          values.repeats(key);
        }
        lastObject[column] = objects;
        if (column == prompt) {
          asked = prompt(first, parser, read, text);
        } else {
          read(column, parser, read);
        }
      }
      if (keys > LineReader.MOST_KEYS) {
        broken("an object has " + keys + " keys; it may have " + LineReader.MOST_KEYS);
      } else if (!hasMore && !others.isEmpty()) {
        broken("the file has changed since its columns were read");
      } else if (values.repeatedKey().isPresent()) {
        String key = values.repeatedKey().get();
        broken((key.isEmpty() ? "an empty key" : "the key " + key) + " is there twice");
      } else {
        if (read.length > columns.size() && !others.isEmpty()) {
          read[columns.size()] = others.toString();
        }
        Row refusal =
            asked.problem() == null
                ? null
                : RowFactory.create(Documents.INVALID_PROMPT, asked.problem());
        int end = offset(parser.currentTokenLocation());
        add(read, keys == 0 ? "" : string(text, start, end).strip() + ",", asked, refusal);
      }
    }

    /** Reads the prompt, and its column where rows have one. */
    private JsonPrompt prompt(JsonToken first, JsonParser parser, Object[] read, byte[] text)
        throws IOException {
      if (!first.isStructStart()) {
        String scalar = LoneSurrogates.replaced(parser.getText());
        read(prompt, parser, read);
        return JsonPrompt.of(first, scalar, asText);
      }
      int start = offset(parser.currentTokenLocation());
      read(prompt, parser, read);
      return JsonPrompt.of(first, string(text, start, offset(parser.currentLocation())), asText);
    }

    private void read(int column, JsonParser parser, Object[] read) throws IOException {
      if (read.length == 0) {
        parser.skipChildren();
      } else {
        read[column] = values.read(column, parser);
      }
    }

    @Override
    public void broken(String reason) {
      byte[] bytes = line.getAs(Lines.LINE_ORDINAL);
      String message = Lines.problem(file, number, reason + ": " + Lines.excerpt(bytes));
      Object[] nothing = new Object[schema.size()];
      add(nothing, "", JsonPrompt.NULL, RowFactory.create(Documents.BROKEN_ROW, message));
    }

    private void add(Object[] read, String members, JsonPrompt asked, Row refusal) {
      List<Object> row = new ArrayList<>(Arrays.asList(read));
      for (int key = Lines.FIRST_KEY_ORDINAL; key < line.size(); key++) {
        row.add(line.get(key));
      }
      if (schema.isEmpty()) {
        row.add(members);
      }
      for (String kind : kinds) {
        row.add(kind.equals(Documents.TEXT) ? asked.text() : asked.messages());
      }
      row.add(refusal);
      made.add(RowFactory.create(row.toArray()));
    }

    private static int offset(JsonLocation location) {
      return Math.toIntExact(location.getByteOffset());
    }

    private static String string(byte[] text, int start, int end) {
      return new String(text, start, end - start, StandardCharsets.UTF_8);
    }
  }
}
